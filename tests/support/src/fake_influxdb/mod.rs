//! An InfluxDB that answers as the test wants: every way a write can fail, the words of each generation, a record of what
//! was asked, and what it stored to be read.

mod endpoints;
pub mod influxql;
mod options;
pub mod store;
pub mod words;

use std::collections::BTreeMap;
use std::net::SocketAddrV4;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

pub use self::options::Options;
use self::store::Store;
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
    /// Questions for points so far.
    queries: AtomicUsize,
}

#[derive(Default)]
struct Record {
    requests: Vec<WriteRequest>,
    stored: Vec<String>,
    store: Store,
    /// Requests to anything but the write endpoint, as method and path with query.
    asked: Vec<String>,
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
        let inner = Arc::new(Inner { options, record: Mutex::default(), writes, bytes, queries: AtomicUsize::new(0) });
        let router = endpoints::router(Arc::clone(&inner));
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
