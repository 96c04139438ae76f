//! The HTTP endpoints: health, metrics and the status page. Read-only; never shows a secret.

pub mod page;
mod server;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::Json;
use axum::Router;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use jiff::Timestamp;
use serde::Deserialize;

pub use self::server::{Serving, bind};
use crate::domain::clock::Clock;
use crate::limits::limiter::Limiter;
use crate::observe::liveness::Liveness;
use crate::observe::metrics::{self, Metrics};
use crate::observe::status::board::Board;
use crate::observe::status::view::View;

/// What is answered from.
#[derive(Debug)]
pub struct Admin {
    /// What is known of each series.
    pub board: Arc<Board>,
    /// What is used of each bot's limits.
    pub limiter: Arc<Limiter>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// Whether the daemon's loop makes progress.
    pub liveness: Liveness,
    /// Tells the time.
    pub clock: Clock,
    /// When the daemon started.
    pub started: Timestamp,
    /// Whether the platform is simulated.
    pub simulated: bool,
}

impl Admin {
    /// How everything is now.
    pub fn view(&self) -> View {
        self.board.view(&self.limiter, self.started, self.simulated, (self.clock)())
    }

    /// The same in one sentence.
    pub fn sentence(&self) -> String {
        self.board.sentence(&self.limiter, (self.clock)())
    }
}

/// Serves on this listener until what is returned is dropped.
pub fn serve(listener: tokio::net::TcpListener, admin: Arc<Admin>) -> Serving {
    let router = Router::new()
        .route("/", get(status_page))
        .route("/metrics", get(scrape))
        .route("/healthz", get(health))
        .route("/readyz", get(readiness))
        .fallback(|| async { (StatusCode::NOT_FOUND, "not found; try /, /metrics, /healthz or /readyz\n") })
        .with_state(admin);
    let is_local = listener.local_addr().is_ok_and(|address| address.ip().is_loopback());
    let router = if is_local { router.layer(middleware::from_fn(only_local_names)) } else { router };
    // Last, for a refusal is an answer, too.
    Serving::start(listener, router.layer(middleware::map_response(harden)))
}

#[derive(Deserialize)]
struct PageQuery {
    bot: Option<String>,
}

async fn status_page(State(admin): State<Arc<Admin>>, query: Result<Query<PageQuery>, QueryRejection>) -> Response {
    let only_bot = query.ok().and_then(|Query(query)| query.bot);
    let view = admin.view();
    let only_bot = only_bot.as_deref();
    let is_known = only_bot.is_none_or(|only| view.bots.iter().any(|bot| bot.name == only));
    let status = if is_known { StatusCode::OK } else { StatusCode::NOT_FOUND };
    (status, Html(page::render(&view, only_bot))).into_response()
}

async fn scrape(State(admin): State<Arc<Admin>>) -> Response {
    admin.board.measure_budgets(&admin.limiter);
    match admin.metrics.encode() {
        Ok(text) => ([(header::CONTENT_TYPE, metrics::CONTENT_TYPE)], text).into_response(),
        Err(error) => {
            (StatusCode::INTERNAL_SERVER_ERROR, format!("failed to write the metrics: {error}\n")).into_response()
        }
    }
}

async fn health(State(admin): State<Arc<Admin>>) -> (StatusCode, String) {
    match admin.liveness.trouble() {
        None => (StatusCode::OK, "ok\n".to_owned()),
        Some(trouble) => (StatusCode::SERVICE_UNAVAILABLE, format!("{trouble}\n")),
    }
}

async fn readiness(State(admin): State<Arc<Admin>>) -> Response {
    let not_ready = admin.board.not_ready();
    let status = if not_ready.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(not_ready)).into_response()
}

/// Nothing is kept, framed or loaded from elsewhere.
async fn harden(mut response: Response) -> Response {
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        ),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

/// On a loopback address, accepts requests only for an IP address or `localhost`: a page from elsewhere may give its own
/// name this machine's address and have a browser here ask in its name (DNS rebinding).
async fn only_local_names(request: Request, next: Next) -> Response {
    let host = request.headers().get(header::HOST).map(|host| host.to_str().unwrap_or("?"));
    match host {
        Some(host) if !is_local_name(host) => {
            (StatusCode::MISDIRECTED_REQUEST, "use an IP address or localhost as the host name\n").into_response()
        }
        _ => next.run(request).await,
    }
}

fn is_local_name(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let bare = name.trim_start_matches('[').trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost") || bare.parse::<IpAddr>().is_ok() || host.parse::<SocketAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_and_localhost_are_local_names() {
        for host in ["127.0.0.1:9468", "127.0.0.1", "localhost", "LOCALHOST:9468", "[::1]:9468", "[::1]", "10.1.2.3:80"]
        {
            assert!(is_local_name(host), "{host}");
        }
        for host in ["example.com", "127.0.0.1.example.com:9468", "localhost.example.com", "", "?", "[example.com]"] {
            assert!(!is_local_name(host), "{host}");
        }
    }
}
