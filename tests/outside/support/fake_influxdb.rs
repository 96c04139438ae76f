//! An InfluxDB that answers as the test wants: every way a write can fail, and a record of what was asked.

use std::collections::BTreeMap;
use std::io::Read;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Query, Request};
use axum::http::Response;
use axum::routing::{get, post};
use flate2::read::MultiGzDecoder;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

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

/// The answer to one.
pub(crate) struct Reply {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: String,
}

impl Reply {
    /// Stored.
    pub(crate) fn stored() -> Reply {
        (204, String::new()).into()
    }

    /// Refused as InfluxDB does, with a code such as `invalid` and a message.
    pub(crate) fn refused(status: u16, code: &str, message: &str) -> Reply {
        (status, json!({ "code": code, "message": message }).to_string()).into()
    }

    /// The connection is closed without an answer.
    pub(crate) fn hang_up() -> Reply {
        (0, String::new()).into()
    }

    /// The same with a header, such as `retry-after`.
    pub(crate) fn header(mut self, name: &'static str, value: impl ToString) -> Reply {
        self.headers.push((name, value.to_string()));
        self
    }
}

impl From<(u16, String)> for Reply {
    fn from((status, body): (u16, String)) -> Reply {
        Reply { status, headers: Vec::new(), body }
    }
}

/// The server, on a loopback port and a thread of its own; stops when dropped.
pub(crate) struct FakeInfluxDb {
    url: String,
    record: Arc<Mutex<Record>>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
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
                if reply.status == 204 {
                    kept.lock().unwrap().stored.extend(request.body.lines().map(str::to_owned));
                }
                reply
            });
            response(answer.await.expect("the script of the test panicked"))
        };
        let health = json!({ "status": "pass", "name": "influxdb", "version": "2.7.12" }).to_string();
        let health = move || async move { ([("content-type", "application/json")], health) };
        let router = Router::new().route("/api/v2/write", post(write)).route("/health", get(health));

        // Bound here, so that it answers as soon as the caller knows where it is.
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = TcpListener::from_std(listener).unwrap();
                tokio::select! {
                    served = axum::serve(listener, router) => served.unwrap(),
                    _ = stopped => {}
                }
            });
            // Without waiting for a script that still blocks.
            runtime.shutdown_background();
        });
        FakeInfluxDb { url, record, stop: Some(stop), thread: Some(thread) }
    }

    /// Stores every write.
    pub(crate) fn accepting() -> FakeInfluxDb {
        FakeInfluxDb::start(|_, _| Reply::stored())
    }

    /// Its base URL.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// The section `[influxdb]` that leads here.
    pub(crate) fn config(&self) -> String {
        format!("[influxdb]\nurl = \"{}\"\norg = \"kore\"\nbucket = \"fake\"\ntoken = \"a token\"\n", self.url)
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

impl Drop for FakeInfluxDb {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ended = thread.join();
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
    WriteRequest { query, headers, body, wire_length: wire.len() }
}

fn response(reply: Reply) -> Response<Body> {
    if reply.status == 0 {
        // Unwinding takes the connection's task along, and says nothing on stderr.
        std::panic::resume_unwind(Box::new("hang up"));
    }
    let mut response = Response::builder().status(reply.status).header("x-influxdb-version", "2.7.12");
    for (name, value) in reply.headers {
        response = response.header(name, value);
    }
    response.body(Body::from(reply.body)).unwrap()
}
