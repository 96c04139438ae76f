//! The paths that a database has.

use std::collections::BTreeMap;
use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use axum::Router;
use axum::body::to_bytes;
use axum::extract::{Query, Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use axum::routing::{get, post};
use flate2::read::MultiGzDecoder;
use jiff::Timestamp;
use serde_json::json;

use super::store::Taken;
use super::{Generation, Inner, Options, Reply, WriteRequest, influxql, words};

type Shared = State<Arc<Inner>>;
type Parameters = Query<BTreeMap<String, String>>;

/// All of them.
pub(super) fn router(inner: Arc<Inner>) -> Router {
    Router::new()
        .route("/api/v2/write", post(write))
        .route("/ping", get(ping))
        .route("/health", get(health))
        .route("/api/v2/buckets", get(buckets))
        .route("/query", get(query).post(query))
        .layer(from_fn_with_state(Arc::clone(&inner), note))
        .with_state(inner)
}

/// Notes what is asked, and answers what the database does not have or who may not ask.
async fn note(State(inner): Shared, request: Request, next: Next) -> Response {
    let Options { generation, token, without, .. } = &inner.options;
    let path = request.uri().path();
    if path != "/api/v2/write" {
        let asked = format!("{} {}", request.method(), request.uri());
        inner.record.lock().unwrap().asked.push(asked);
    }
    if without.contains(&path) {
        return Reply::from((404, "404 page not found\n".to_owned())).into_response().await;
    }
    // Only InfluxDB 3 asks for a token to say how it is.
    let is_open = generation.major() < 3 && ["/ping", "/health"].contains(&path);
    let given = request.headers().get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let is_known = token.as_ref().is_none_or(|token| given.split_once(' ').is_some_and(|(_, given)| given == token));
    if !is_open && !is_known {
        return generation.wrong_token().into_response().await;
    }
    next.run(request).await
}

async fn ping(State(inner): Shared) -> Response {
    inner.options.generation.ping().into_response().await
}

async fn health(State(inner): Shared) -> Response {
    inner.options.generation.health().into_response().await
}

async fn buckets(State(inner): Shared, Query(query): Parameters) -> Response {
    let Options { generation, retention, buckets, .. } = &inner.options;
    if generation.major() == 3 {
        return Reply::from((404, String::new())).into_response().await;
    }
    let rules = retention.map(|seconds| json!({ "type": "expire", "everySeconds": seconds }));
    let any = [query.get("name").cloned().unwrap_or_else(|| "fake".to_owned())];
    let names = if buckets.is_empty() { &any[..] } else { &buckets[..] };
    let asked_for = |name: &&String| query.get("name").is_none_or(|asked| asked == *name);
    let found = names.iter().filter(asked_for).map(|name| {
        json!({ "id": "2f0e", "orgID": "0rg", "type": "user", "name": name, "retentionRules": rules.as_slice() })
    });
    let body = json!({ "links": { "self": "/api/v2/buckets" }, "buckets": found.collect::<Vec<_>>() });
    Reply::from((200, body.to_string())).header("content-type", "application/json").into_response().await
}

async fn query(State(inner): Shared, Query(query): Parameters, body: String) -> Response {
    let Options { retention, most_days_per_query, ref buckets, .. } = inner.options;
    let of_form: BTreeMap<String, String> =
        Query::try_from_uri(&format!("http://form/?{body}").parse().unwrap_or_default())
            .map(|Query(query)| query)
            .unwrap_or_default();
    let text = query.get("q").or_else(|| of_form.get("q")).cloned().unwrap_or_default();
    if text.starts_with("SELECT") && inner.queries.fetch_add(1, Ordering::Relaxed) >= inner.options.answered_queries {
        return Reply::from((400, "{\"error\":\"the query was refused\"}".to_owned())).into_response().await;
    }
    let answer = match influxql::days(&text) {
        days if days > most_days_per_query => words::too_many_files(),
        _ => influxql::answer(&inner.record.lock().unwrap().store, buckets, retention, &text),
    };
    Reply::from((200, answer.to_string())).header("content-type", "application/json").into_response().await
}

async fn write(State(inner): Shared, Query(query): Parameters, request: Request) -> Response {
    inner.writes.fetch_add(1, Ordering::Relaxed);
    if !inner.options.keeps {
        let body = to_bytes(request.into_body(), usize::MAX).await.unwrap();
        inner.bytes.fetch_add(body.len() as u64, Ordering::Relaxed);
        return Reply::stored().into_response().await;
    }
    let request = received(query, request).await;
    inner.bytes.fetch_add(request.wire_length as u64, Ordering::Relaxed);
    let number = {
        let mut record = inner.record.lock().unwrap();
        record.requests.push(request.clone());
        record.requests.len()
    };
    let answer = tokio::task::spawn_blocking(move || {
        let scripted = (inner.options.script)(&request, number);
        match scripted.filter(|reply| !reply.is_own()) {
            Some(reply) => {
                if reply.is_stored() {
                    inner.keep(&request.body);
                }
                reply
            }
            None => inner.take(&request),
        }
    });
    answer.await.expect("the script of the test panicked").into_response().await
}

impl Inner {
    /// Stores these lines, whatever they are.
    fn keep(&self, lines: &str) {
        let mut record = self.record.lock().unwrap();
        record.stored.extend(lines.lines().map(str::to_owned));
        drop(record.store.take(lines, None));
    }

    /// Stores what the generation would store of a write, and says what it would say.
    fn take(&self, request: &WriteRequest) -> Reply {
        let Options { generation, retention, buckets, .. } = &self.options;
        let bucket = request.query.get("bucket").map_or("", String::as_str);
        if generation.major() < 3 && !buckets.is_empty() && !buckets.iter().any(|known| known == bucket) {
            return generation.no_bucket(bucket);
        }
        let oldest = retention.map(|seconds| Timestamp::now().as_second() - seconds);
        let mut record = self.record.lock().unwrap();
        // InfluxDB 3 stores nothing of a request with a line that it refuses.
        let refuses_all =
            *generation == Generation::Core3 && record.store.judge(&request.body, oldest).conflict.is_some();
        let taken = match refuses_all {
            true => Taken { kept: Vec::new(), ..record.store.judge(&request.body, oldest) },
            false => record.store.take(&request.body, oldest),
        };
        record.stored.extend(taken.kept.iter().cloned());
        match taken {
            Taken { malformed: Some(line), .. } => generation.malformed(&line),
            Taken { is_empty: true, .. } => generation.empty(),
            Taken { conflict: Some((measurement, field, lines)), .. } => {
                generation.type_conflict(&measurement, &field, lines)
            }
            Taken { beyond, .. } if beyond > 0 => generation.beyond_retention(beyond),
            _ => Reply::stored(),
        }
    }
}

async fn received(query: BTreeMap<String, String>, request: Request) -> WriteRequest {
    let headers: BTreeMap<String, String> = request
        .headers()
        .iter()
        .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
        .collect();
    let wire = to_bytes(request.into_body(), usize::MAX).await.unwrap();
    let mut body = String::new();
    match headers.get("content-encoding").map(String::as_str) {
        Some("gzip") => MultiGzDecoder::new(&wire[..]).read_to_string(&mut body).unwrap(),
        _ => wire.as_ref().read_to_string(&mut body).unwrap(),
    };
    WriteRequest { at: Instant::now(), query, headers, body, wire_length: wire.len() }
}
