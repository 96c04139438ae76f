//! An InfluxDB that answers as the test wants: every way a write can fail, the words of each generation, a record of what
//! was asked, and what it stored to be read.

pub mod influxql;
pub mod store;
pub mod words;

use std::collections::BTreeMap;
use std::io::Read;
use std::net::SocketAddrV4;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
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

use self::store::{Store, Taken};
pub use self::words::Generation;

pub use super::server::Reply;
use super::server::{ANY_PORT, Server};

/// One request to `/api/v2/write`.
#[derive(Clone, Debug)]
pub struct WriteRequest {
    pub at: Instant,
    pub query: BTreeMap<String, String>,
    /// By lower-case name.
    pub headers: BTreeMap<String, String>,
    /// The line protocol, unpacked if it was gzip.
    pub body: String,
    /// How long the body was on the wire.
    pub wire_length: usize,
}

/// The server, on a loopback port and a thread of its own; stops when dropped.
pub struct FakeInfluxDb {
    server: Server,
    inner: Arc<Inner>,
}

struct Inner {
    options: Options,
    record: Mutex<Record>,
    writes: AtomicU64,
    bytes: AtomicU64,
}

#[derive(Default)]
struct Record {
    requests: Vec<WriteRequest>,
    stored: Vec<String>,
    store: Store,
    /// Requests to anything but the write endpoint, as method and path with query.
    asked: Vec<String>,
}

/// What a database is to be like.
#[derive(Clone)]
pub struct Options {
    address: SocketAddrV4,
    generation: Generation,
    retention: Option<i64>,
    token: Option<String>,
    /// The buckets that are there; any where it is empty.
    buckets: Vec<String>,
    most_days_per_query: i64,
    keeps: bool,
    without: Vec<&'static str>,
    script: Arc<dyn Fn(&WriteRequest, usize) -> Option<Reply> + Send + Sync>,
}

impl Options {
    /// Of this generation; takes any token and bucket and keeps everything for ever.
    pub fn new(generation: Generation) -> Options {
        Options {
            address: ANY_PORT,
            generation,
            retention: None,
            token: None,
            buckets: Vec::new(),
            most_days_per_query: i64::MAX,
            keeps: true,
            without: Vec::new(),
            script: Arc::new(|_, _| None),
        }
    }

    /// Where it listens.
    pub fn on(self, address: SocketAddrV4) -> Options {
        Options { address, ..self }
    }

    /// Points are dropped after so many days.
    pub fn retention_days(self, days: i64) -> Options {
        Options { retention: Some(86_400 * days), ..self }
    }

    /// Only this token is accepted.
    pub fn token(self, token: &str) -> Options {
        Options { token: Some(token.to_owned()), ..self }
    }

    /// Only these buckets are there.
    pub fn buckets(self, buckets: &[&str]) -> Options {
        Options { buckets: buckets.iter().map(|&bucket| bucket.to_owned()).collect(), ..self }
    }

    /// A query over more days is refused as InfluxDB 3 does: with 200, and an error within.
    pub fn most_days_per_query(self, days: i64) -> Options {
        Options { most_days_per_query: days, ..self }
    }

    /// Answers 404 to requests for this path, as a proxy before it may.
    pub fn without(mut self, path: &'static str) -> Options {
        self.without.push(path);
        self
    }

    /// Answers a write by what this makes of it and of its number, where it makes something of it; the first is 1. It
    /// may block, which holds back its own answer only.
    pub fn script(self, script: impl Fn(&WriteRequest, usize) -> Option<Reply> + Send + Sync + 'static) -> Options {
        Options { script: Arc::new(script), ..self }
    }

    /// Answers as soon as this returns.
    #[track_caller]
    pub fn start(self) -> FakeInfluxDb {
        FakeInfluxDb::with(self)
    }
}

impl FakeInfluxDb {
    /// Answers each write by what `script` makes of it and of its number; the first is 1. A script may block, which
    /// holds back its own answer only.
    pub fn start<R: Into<Reply>>(script: impl Fn(&WriteRequest, usize) -> R + Send + Sync + 'static) -> FakeInfluxDb {
        FakeInfluxDb::start_on(ANY_PORT, script)
    }

    /// The same on this address.
    #[track_caller]
    pub fn start_on<R: Into<Reply>>(
        address: SocketAddrV4,
        script: impl Fn(&WriteRequest, usize) -> R + Send + Sync + 'static,
    ) -> FakeInfluxDb {
        let script = move |request: &WriteRequest, number| Some(script(request, number).into());
        Options::new(Generation::New2).on(address).script(script).start()
    }

    /// Stores every write.
    pub fn accepting() -> FakeInfluxDb {
        Options::new(Generation::New2).start()
    }

    /// Takes every write, and keeps nothing of it but how many there were.
    pub fn counting() -> FakeInfluxDb {
        Options { keeps: false, ..Options::new(Generation::New2) }.start()
    }

    #[track_caller]
    fn with(options: Options) -> FakeInfluxDb {
        let address = options.address;
        let (writes, bytes) = (AtomicU64::new(0), AtomicU64::new(0));
        let inner = Arc::new(Inner { options, record: Mutex::default(), writes, bytes });
        let router = Router::new()
            .route("/api/v2/write", post(write))
            .route("/ping", get(ping))
            .route("/health", get(health))
            .route("/api/v2/buckets", get(buckets))
            .route("/query", get(query).post(query))
            .layer(from_fn_with_state(Arc::clone(&inner), note))
            .with_state(Arc::clone(&inner));
        FakeInfluxDb { server: Server::start_on(address, router), inner }
    }

    /// Its base URL.
    pub fn url(&self) -> &str {
        self.server.url()
    }

    /// The section `[influxdb]` that leads here.
    pub fn config(&self) -> String {
        let token = self.inner.options.token.as_deref().unwrap_or("a token");
        format!("[influxdb]\nurl = \"{}\"\norg = \"kore\"\nbucket = \"fake\"\ntoken = \"{token}\"\n", self.url())
    }

    /// Every write so far, in the order of arrival, whatever the answer was.
    pub fn requests(&self) -> Vec<WriteRequest> {
        self.inner.record.lock().unwrap().requests.clone()
    }

    /// Every request so far that was no write, as method and path with query.
    pub fn asked(&self) -> Vec<String> {
        self.inner.record.lock().unwrap().asked.clone()
    }

    /// The lines that were stored, in the order of arrival.
    pub fn stored(&self) -> Vec<String> {
        self.inner.record.lock().unwrap().stored.clone()
    }

    /// What a reader finds.
    pub fn store(&self) -> Store {
        self.inner.record.lock().unwrap().store.clone()
    }

    /// Changes what a reader finds.
    pub fn damage(&self, change: impl FnOnce(&mut Store)) {
        change(&mut self.inner.record.lock().unwrap().store);
    }

    /// How many writes came.
    pub fn writes(&self) -> u64 {
        self.inner.writes.load(Ordering::Relaxed)
    }

    /// How many bytes they had on the wire.
    pub fn bytes(&self) -> u64 {
        self.inner.bytes.load(Ordering::Relaxed)
    }
}

type Shared = State<Arc<Inner>>;
type Parameters = Query<BTreeMap<String, String>>;

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
    let is_known = token.as_ref().is_none_or(|token| given.split(' ').nth(1) == Some(token));
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
            Taken { conflict: Some((measurement, field)), .. } => generation.type_conflict(&measurement, &field),
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
