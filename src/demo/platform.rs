//! The simulated platform's HTTP endpoints: its two paths, its errors and its faults.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::Router;
use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, QueryRejection};
use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::gate::{Gate, Refusal};
use super::question::Parameters;
use super::tokens::DecryptionKey;
use super::{Behaviour, answers};
use crate::domain::bot::Bot;

/// The simulated platform. A clone is the same platform, with the same memory.
#[derive(Clone)]
pub struct Platform {
    inner: Arc<Inner>,
}

impl std::fmt::Debug for Platform {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Platform").field("behaviour", &self.inner.behaviour).finish_non_exhaustive()
    }
}

struct Inner {
    gate: Gate,
    behaviour: Behaviour,
    clock: fn() -> Timestamp,
    requests: AtomicU64,
}

impl Platform {
    /// A platform that knows these bots and their credentials.
    pub fn new(bots: &[Arc<Bot>], behaviour: Behaviour, clock: fn() -> Timestamp) -> Platform {
        Platform { inner: Arc::new(Inner { gate: Gate::new(bots), behaviour, clock, requests: AtomicU64::new(0) }) }
    }

    /// From now on it knows these bots and their credentials.
    pub fn set_bots(&self, bots: &[Arc<Bot>]) {
        self.inner.gate.set_bots(bots);
    }

    /// From now on it opens tokens that are encrypted to this key, and insists on them where a bot has a key to encrypt to.
    pub fn decrypt_with(&self, key: DecryptionKey) {
        self.inner.gate.decrypt_with(key);
    }

    /// Its paths, from the root of the host.
    pub fn router(&self) -> Router {
        let refuse = |refusal: Refusal| move || async move { refusal };
        Router::new()
            .route("/api/public/bot/{id}/userEngagementTrend", post(v1).fallback(refuse(Refusal::WRONG_METHOD)))
            .route("/api/public/bot/{id}/v2/userEngagementTrend", post(v2).fallback(refuse(Refusal::WRONG_METHOD)))
            .fallback(refuse(Refusal::WRONG_PATH))
            .layer(DefaultBodyLimit::max(1024 * 1024))
            .with_state(Arc::clone(&self.inner))
    }

    /// Serves on a free port of the loopback interface until the runtime ends; returns the address.
    ///
    /// # Errors
    ///
    /// When no port can be had.
    pub async fn start(self) -> std::io::Result<SocketAddr> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        tokio::spawn(async move { axum::serve(listener, self.router()).await });
        Ok(address)
    }
}

type Asked = (State<Arc<Inner>>, Path<String>, Result<Query<HashMap<String, String>>, QueryRejection>, HeaderMap);

async fn v1((State(platform), Path(bot_id), query, headers): Asked, body: Result<Bytes, BytesRejection>) -> Response {
    respond(|| {
        let now = platform.admit_request()?;
        let body = body.map_err(|_| Refusal::TOO_LARGE)?;
        let bot = platform.gate.admit(&bot_id, token(&headers), now)?;
        let Query(query) = query.map_err(|_| Refusal::INVALID)?;
        let question = Parameters::new(query, &body)?.v1(bot_id, bot.time_zone.clone())?;
        Ok(answers::v1(&question, platform.behaviour, now))
    })
}

async fn v2((State(platform), Path(bot_id), query, headers): Asked, body: Result<Bytes, BytesRejection>) -> Response {
    respond(|| {
        let now = platform.admit_request()?;
        body.map_err(|_| Refusal::TOO_LARGE)?;
        platform.gate.admit(&bot_id, token(&headers), now)?;
        let Query(query) = query.map_err(|_| Refusal::INVALID)?;
        let question = Parameters::new(query, &[])?.v2(bot_id)?;
        Ok(answers::v2(&question, platform.behaviour, now))
    })
}

impl Inner {
    /// Counts the request and reads the clock for it, unless it is its turn to fail.
    fn admit_request(&self) -> Result<Timestamp, Refusal> {
        let number = self.requests.fetch_add(1, Ordering::Relaxed) + 1;
        match number {
            _ if !self.behaviour.faults => Ok((self.clock)()),
            _ if number.is_multiple_of(23) => Err(Refusal::TOO_OFTEN),
            _ if number.is_multiple_of(31) => Err(Refusal::UNAVAILABLE),
            _ => Ok((self.clock)()),
        }
    }
}

/// The header holds the bare token, without a scheme.
fn token(headers: &HeaderMap) -> Option<&str> {
    headers.get("auth")?.to_str().ok().filter(|token| !token.is_empty())
}

fn respond(answer: impl FnOnce() -> Result<Value, Refusal>) -> Response {
    match answer() {
        Ok(answer) => in_json(&answer),
        Err(refusal) => refusal.into_response(),
    }
}

fn in_json(body: &Value) -> Response {
    ([(header::CONTENT_TYPE, "application/json; charset=utf-8")], body.to_string()).into_response()
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut response = in_json(&json!({"errors": [{"msg": self.message, "code": self.code}]}));
        *response.status_mut() = self.status;
        if self == Refusal::TOO_OFTEN {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use reqwest::{Client, RequestBuilder, Response, StatusCode};

    use super::*;
    use crate::demo::figures;
    use crate::domain::bot::test_bot;

    const V1: &str = "api/public/bot/st-support/userEngagementTrend";
    const V2: &str = "api/public/bot/st-support/v2/userEngagementTrend";
    const ONE_DAY: [(&str, &str); 2] = [("start_date", "2026-08-06"), ("end_date", "2026-08-06")];

    fn clock() -> Timestamp {
        "2026-09-01T12:00:00Z".parse().unwrap()
    }

    async fn start(behaviour: Behaviour) -> SocketAddr {
        Platform::new(&[Arc::new(test_bot("support"))], behaviour, clock).start().await.unwrap()
    }

    fn token() -> String {
        test_bot("support").key.mint("cs-support", clock()).unwrap()
    }

    fn ask(platform: SocketAddr, path: &str, query: &[(&str, &str)]) -> RequestBuilder {
        let client = Client::builder().no_proxy().build().unwrap();
        client.post(format!("http://{platform}/{path}")).header("auth", token()).query(query)
    }

    async fn check_refused(request: RequestBuilder, status: u16, code: u16, message: &str) {
        let response: Response = request.send().await.unwrap();
        assert_eq!(response.status(), status, "{message}");
        let body: Value = response.json().await.unwrap();
        assert_eq!(body, json!({"errors": [{"msg": message, "code": code}]}));
    }

    #[tokio::test]
    async fn v1_answers_the_query_and_the_body() {
        let platform = start(Behaviour::STEADY).await;
        let query: Value = ask(platform, V1, &ONE_DAY).send().await.unwrap().json().await.unwrap();
        let filters = json!({"filters": {"start_date": "2026-08-06", "end_date": "2026-08-06"}});
        let body: Value = ask(platform, V1, &[]).json(&filters).send().await.unwrap().json().await.unwrap();
        assert_eq!(query["results"][0]["date"], "Aug 06 2026");
        let users = figures::hourly("st-support", "all", date(2026, 8, 6), 9, false);
        assert_eq!(query["results"][0]["9 - 10"], json!(users));
        assert_eq!(query, body);
    }

    #[tokio::test]
    async fn v2_answers_in_the_zone_it_is_asked_for() {
        let platform = start(Behaviour::STEADY).await;
        let query = [("start_date", "2026-09-01"), ("end_date", "2026-09-01"), ("timeZoneOffset", "Asia/Kolkata")];
        let answer: Value = ask(platform, V2, &query).send().await.unwrap().json().await.unwrap();
        let points = &answer["uniqueUsersTrend"]["dataPoints"][0];
        assert_ne!(points["17 - 18"], 0);
        assert_eq!(points["18 - 19"], 0, "18:00 in India is 12:30 in UTC");
    }

    #[tokio::test]
    async fn refusals_have_the_documented_shape() {
        let platform = start(Behaviour::STEADY).await;
        check_refused(ask(platform, V1, &[]), 412, 412, "Validation errors/ Invalid arguments").await;
        let other_bot = V1.replace("support", "other");
        check_refused(ask(platform, &other_bot, &ONE_DAY), 400, 400, "Invalid StreamId").await;
        let get = reqwest::Client::builder().no_proxy().build().unwrap().get(format!("http://{platform}/{V1}"));
        check_refused(get, 405, 405, "Method Not Allowed").await;
        let replayed = ask(platform, V1, &ONE_DAY);
        replayed.try_clone().unwrap().send().await.unwrap().error_for_status().unwrap();
        check_refused(replayed, 401, 401, "error verifying the jwt: possibly a replay").await;
        let large = ask(platform, V1, &ONE_DAY).body(" ".repeat(1024 * 1024 + 1));
        check_refused(large, 413, 413, "The request is too large").await;
        check_refused(ask(platform, "api", &[]), 404, 404, "Not Found").await;
    }

    #[tokio::test]
    async fn only_a_faulty_platform_fails_and_only_now_and_then() {
        for behaviour in [Behaviour::LIVELY, Behaviour::STEADY] {
            let platform = start(behaviour).await;
            let mut failed = Vec::new();
            for number in 1..=62 {
                let response = ask(platform, V1, &ONE_DAY).send().await.unwrap();
                if response.status() == StatusCode::TOO_MANY_REQUESTS {
                    assert_eq!(response.headers()["retry-after"], "1");
                }
                if response.status() != StatusCode::OK {
                    failed.push((number, response.status().as_u16()));
                }
            }
            let expected = [(23, 429), (31, 503), (46, 429), (62, 503)];
            assert_eq!(failed, if behaviour.faults { &expected[..] } else { &[] });
        }
    }
}
