//! A request as the platform sees it.

use std::collections::BTreeMap;
use std::time::Instant;

use axum::extract::Request;
use axum::http::Uri;
use jiff::civil::Date;
use kore_trend_exporter::domain::series::{Interval, Window};

/// One request to the platform.
#[derive(Clone, Debug)]
pub struct Asked {
    pub at: Instant,
    pub method: String,
    pub path: String,
    pub query: BTreeMap<String, String>,
    /// By lower-case name; `auth` holds the token.
    pub headers: BTreeMap<String, String>,
    pub body: String,
}

impl Asked {
    /// The id of the bot in the path.
    pub fn bot_id(&self) -> &str {
        self.path.split('/').nth(4).unwrap_or_default()
    }

    /// The channel, or `all`.
    pub fn channel(&self) -> &str {
        self.query.get("channels").map_or("all", String::as_str)
    }

    /// The days asked for, if the query says.
    pub fn window(&self) -> Option<Window> {
        let day = |name| self.query.get(name)?.parse::<Date>().ok();
        Some(Window { first: day("start_date")?, last: day("end_date")? })
    }

    /// Whether days or hours are asked for.
    pub fn interval(&self) -> Interval {
        match self.query.get("aggregation_type") {
            Some(name) if name.eq_ignore_ascii_case("daily") => Interval::Daily,
            _ => Interval::Hourly,
        }
    }

    /// Whether this day is among those asked for.
    pub fn asks_for(&self, day: Date) -> bool {
        self.window().is_some_and(|window| window.contains(day))
    }
}

impl Asked {
    /// The same for other days.
    pub(super) fn ask_for(&mut self, window: Window) {
        self.query.insert("start_date".to_owned(), window.first.to_string());
        self.query.insert("end_date".to_owned(), window.last.to_string());
    }

    pub(super) fn uri(&self) -> Uri {
        let encoded = self.query.iter().map(|(name, value)| format!("{name}={}", value.replace('/', "%2F")));
        format!("{}?{}", self.path, encoded.collect::<Vec<_>>().join("&")).parse().unwrap()
    }
}

/// Reads a request, and gives it back as it was.
pub(super) async fn received(request: Request) -> (Asked, Request) {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    let query = axum::extract::Query::try_from_uri(&parts.uri).map(|query| query.0).unwrap_or_default();
    let headers = parts.headers.iter();
    let headers =
        headers.map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()));
    let asked = Asked {
        at: Instant::now(),
        method: parts.method.to_string(),
        path: percent_encoding::percent_decode_str(parts.uri.path()).decode_utf8_lossy().into_owned(),
        query,
        headers: headers.collect(),
        body: String::from_utf8_lossy(&body).into_owned(),
    };
    (asked, Request::from_parts(parts, body.into()))
}
