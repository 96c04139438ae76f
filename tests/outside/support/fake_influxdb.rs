//! An InfluxDB that answers as the test wants: every way a write can fail, and a record of what was asked.

use std::collections::BTreeMap;
use std::io::Read;
use std::net::SocketAddrV4;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::to_bytes;
use axum::extract::{Query, Request};
use axum::routing::{get, post};
use flate2::read::MultiGzDecoder;
use serde_json::json;

pub(crate) use super::server::Reply;
use super::server::{ANY_PORT, Server};

/// One request to `/api/v2/write`.
#[derive(Clone, Debug)]
pub(crate) struct WriteRequest {
    pub(crate) query: BTreeMap<String, String>,
    /// By lower-case name.
    pub(crate) headers: BTreeMap<String, String>,
    /// The line protocol, unpacked if it was gzip.
    pub(crate) body: String,
    /// How long the body was on the wire.
    pub(crate) wire_length: usize,
}

/// The server, on a loopback port and a thread of its own; stops when dropped.
pub(crate) struct FakeInfluxDb {
    server: Server,
    record: Arc<Mutex<Record>>,
}

#[derive(Default)]
struct Record {
    requests: Vec<WriteRequest>,
    stored: Vec<String>,
}

impl FakeInfluxDb {
    /// Answers each write by what `script` makes of it and of its number; the first is 1. A script may block, which
    /// holds back its own answer only.
    pub(crate) fn start<R: Into<Reply>>(
        script: impl Fn(&WriteRequest, usize) -> R + Send + Sync + 'static,
    ) -> FakeInfluxDb {
        FakeInfluxDb::start_on(ANY_PORT, script)
    }

    /// The same on this address.
    #[track_caller]
    pub(crate) fn start_on<R: Into<Reply>>(
        address: SocketAddrV4,
        script: impl Fn(&WriteRequest, usize) -> R + Send + Sync + 'static,
    ) -> FakeInfluxDb {
        let record = Arc::new(Mutex::new(Record::default()));
        let (kept, script) = (Arc::clone(&record), Arc::new(script));
        let write = move |Query(query): Query<BTreeMap<String, String>>, request: Request| async move {
            let request = received(query, request).await;
            let number = {
                let mut record = kept.lock().unwrap();
                record.requests.push(request.clone());
                record.requests.len()
            };
            let answer = tokio::task::spawn_blocking(move || {
                let reply: Reply = script(&request, number).into();
                if reply.is_stored() {
                    kept.lock().unwrap().stored.extend(request.body.lines().map(str::to_owned));
                }
                reply
            });
            answer.await.expect("the script of the test panicked").into_response().await
        };
        let health = json!({ "status": "pass", "name": "influxdb", "version": "2.7.12" }).to_string();
        let health = move || async move { ([("content-type", "application/json")], health) };
        let router = Router::new().route("/api/v2/write", post(write)).route("/health", get(health));

        FakeInfluxDb { server: Server::start_on(address, router), record }
    }

    /// Stores every write.
    pub(crate) fn accepting() -> FakeInfluxDb {
        FakeInfluxDb::start(|_, _| Reply::stored())
    }

    /// Its base URL.
    pub(crate) fn url(&self) -> &str {
        self.server.url()
    }

    /// The section `[influxdb]` that leads here.
    pub(crate) fn config(&self) -> String {
        format!("[influxdb]\nurl = \"{}\"\norg = \"kore\"\nbucket = \"fake\"\ntoken = \"a token\"\n", self.url())
    }

    /// Every write so far, in the order of arrival, whatever the answer was.
    pub(crate) fn requests(&self) -> Vec<WriteRequest> {
        self.record.lock().unwrap().requests.clone()
    }

    /// The lines of the writes that were answered by 204.
    pub(crate) fn stored(&self) -> Vec<String> {
        self.record.lock().unwrap().stored.clone()
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
    WriteRequest { query, headers, body, wire_length: wire.len() }
}
