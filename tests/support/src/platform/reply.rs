//! What becomes of a request that no script answers: refused, or answered as far as the habits leave it.

use std::sync::Mutex;

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde_json::Value;

use super::habits::{BLOCKED, Desk, Habits};
use super::{Asked, Options};
use crate::server::Reply;

/// The answer of a platform whose habits let it give none.
pub(super) fn refusal(habits: &Habits, desk: &Mutex<Desk>, asked: &Asked, now: Timestamp) -> Option<Reply> {
    if let Some(status) = habits.blocks {
        return Some(Reply::from((status, BLOCKED.to_owned())).header("content-type", "text/html"));
    }
    if habits.insists_on_length && !asked.headers.contains_key("content-length") {
        return Some((411, "<html>Length Required</html>".to_owned()).into());
    }
    if habits.hangs {
        return Some(Reply::never());
    }
    let denied = desk.lock().unwrap().admit(habits, asked.bot_id(), now.as_millisecond()).err()?;
    let reply = Reply::errors(429, 429, "API rate limit exceeded");
    Some(match denied.retry_after {
        Some(seconds) => reply.header("retry-after", seconds),
        None => reply,
    })
}

/// The answer with figures, as the habits leave it.
pub(super) async fn answer(
    habits: &Habits,
    options: &Options,
    mut asked: Asked,
    number: usize,
    mut request: Request,
    next: Next,
) -> Response {
    if *habits == Habits::default() && options.figures.is_none() {
        return next.run(request).await;
    }
    let Some(window) = asked.window() else { return next.run(request).await };
    let body = match (habits.answered(window), &options.figures) {
        (None, _) => "{\"results\":[],\"totalResults\":0}".to_owned(),
        (Some(window), figures) => {
            asked.ask_for(window);
            match figures {
                Some(figures) => figures(&asked, number),
                None => {
                    *request.uri_mut() = asked.uri();
                    let (head, body) = next.run(request).await.into_parts();
                    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
                    let text = String::from_utf8(body.to_vec()).unwrap();
                    if head.status != 200 {
                        return Response::from_parts(head, text.into());
                    }
                    text
                }
            }
        }
    };
    let today = (options.clock)().to_zoned(TimeZone::UTC).date();
    let reply: Reply = (200, shaped(habits, body, today)).into();
    let reply = reply.header("content-type", "application/json; charset=utf-8");
    let reply = if habits.compresses { reply.gzip() } else { reply };
    reply.into_response().await
}

/// The body with what the habits change about it.
fn shaped(habits: &Habits, body: String, today: Date) -> String {
    if habits.forgets_after.is_none() && habits.total_results.is_none() && habits.errors.is_none() {
        return body;
    }
    let mut answer: Value = serde_json::from_str(&body).unwrap();
    let raw = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    if let Some(total) = habits.total_results {
        answer["totalResults"] = raw(total);
    }
    if let Some(errors) = habits.errors {
        answer["errors"] = raw(errors);
    }
    let trends =
        ["/results", "/uniqueUsersTrend/dataPoints", "/newUsersTrend/dataPoints", "/returningUsersTrend/dataPoints"];
    for trend in trends {
        let Some(Value::Array(days)) = answer.pointer_mut(trend) else { continue };
        for entry in days.iter_mut().filter_map(Value::as_object_mut) {
            let day = Date::strptime("%b %d %Y", entry["date"].as_str().unwrap()).unwrap();
            if habits.has_forgotten(day, today) {
                let buckets = entry.iter_mut().filter(|(name, _)| *name != "date");
                buckets.for_each(|(_, users)| *users = 0.into());
            }
        }
    }
    answer.to_string()
}
