//! A reverse proxy: a server that is found below a path of another address.

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::Response;
use axum::http::header::{CONTENT_LENGTH, HOST, TRANSFER_ENCODING};

use super::server::Server;

/// Answers below `path`, which begins with a slash, by what the server of this base URL answers.
pub fn behind_a_path(path: &str, upstream: &str) -> Server {
    let upstream = upstream.trim_end_matches('/').to_owned();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let forward = async move |request: Request| {
        let (parts, body) = request.into_parts();
        let asked = parts.uri.path_and_query().map_or("/", |asked| asked.as_str());
        let mut headers = parts.headers;
        headers.remove(HOST);
        let body = to_bytes(body, usize::MAX).await.unwrap();
        let request = client.request(parts.method, format!("{upstream}{asked}")).headers(headers).body(body);
        let answer = request.send().await.unwrap();
        let mut response = Response::builder().status(answer.status());
        for (name, value) in
            answer.headers().iter().filter(|(name, _)| **name != CONTENT_LENGTH && **name != TRANSFER_ENCODING)
        {
            response = response.header(name, value);
        }
        response.body(Body::from(answer.bytes().await.unwrap())).unwrap()
    };
    Server::start(Router::new().nest(path, Router::new().fallback(forward)))
}
