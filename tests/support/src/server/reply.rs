//! The answer to a request, good or bad.

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::Response;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::json;
use tokio::sync::watch;

use super::body::{Endless, PIECE, Pieces};

/// Holds answers back until the test opens it.
#[derive(Clone)]
pub struct Gate(Arc<watch::Sender<bool>>);

impl Gate {
    /// A closed one.
    pub fn closed() -> Gate {
        Gate(Arc::new(watch::channel(false).0))
    }

    /// Lets everything through from now on.
    pub fn open(&self) {
        self.0.send_replace(true);
    }
}

/// The answer to a request.
pub struct Reply {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
    cut_off: bool,
    in_pieces: bool,
    is_endless: bool,
    wait: Wait,
}

/// How long an answer is held back, which blocks no other.
enum Wait {
    Not,
    For(Duration),
    Until(Gate),
}

/// Stands for a status where the connection is closed without an answer.
const HANG_UP: u16 = 0;

/// Stands for a status where the server answers as it would have done without a script.
const OWN: u16 = 1;

impl Reply {
    /// Stored.
    pub fn stored() -> Reply {
        (204, String::new()).into()
    }

    /// Refused as InfluxDB does, with a code such as `invalid` and a message.
    pub fn refused(status: u16, code: &str, message: &str) -> Reply {
        (status, json!({ "code": code, "message": message }).to_string()).into()
    }

    /// The connection is closed without an answer.
    pub fn hang_up() -> Reply {
        (HANG_UP, String::new()).into()
    }

    /// What the server answers by itself; to be held back.
    pub fn own() -> Reply {
        (OWN, String::new()).into()
    }

    /// No answer within any time that a test takes.
    pub fn never() -> Reply {
        Reply::hang_up().late(Duration::from_secs(3600))
    }

    /// Refused as the platform does.
    pub fn errors(status: u16, code: u16, message: &str) -> Reply {
        (status, json!({ "errors": [{ "msg": message, "code": code }] }).to_string()).into()
    }

    /// Its status.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// Its body, before it is packed or cut off.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// Whether it says that a write was stored.
    pub fn is_stored(&self) -> bool {
        self.status == 204
    }

    /// The same, but the connection breaks off at the end of the body, before the answer is complete.
    pub fn cut_off(mut self) -> Reply {
        self.cut_off = true;
        self
    }

    /// The same, but its length is not announced.
    pub fn in_pieces(mut self) -> Reply {
        self.in_pieces = true;
        self
    }

    /// The same, but after the body come blanks without an end.
    pub fn endless(mut self) -> Reply {
        self.is_endless = true;
        self
    }

    /// The same after this time.
    pub fn late(mut self, wait: Duration) -> Reply {
        self.wait = Wait::For(wait);
        self
    }

    /// The same once the gate is open.
    pub fn behind(mut self, gate: &Gate) -> Reply {
        self.wait = Wait::Until(gate.clone());
        self
    }

    /// Whether the server is to answer by itself.
    pub fn is_own(&self) -> bool {
        self.status == OWN
    }

    /// The same, packed.
    pub fn gzip(mut self) -> Reply {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(&self.body).unwrap();
        self.body = encoder.finish().unwrap();
        self.header("content-encoding", "gzip")
    }

    /// The same with a header, such as `retry-after`.
    pub fn header(mut self, name: &'static str, value: impl ToString) -> Reply {
        self.headers.push((name, value.to_string()));
        self
    }
}

impl From<(u16, String)> for Reply {
    fn from((status, body): (u16, String)) -> Reply {
        Reply {
            status,
            headers: Vec::new(),
            body: body.into_bytes(),
            cut_off: false,
            in_pieces: false,
            is_endless: false,
            wait: Wait::Not,
        }
    }
}

impl Reply {
    /// Until the answer is due.
    pub async fn wait(&self) {
        match &self.wait {
            Wait::Not => {}
            Wait::For(time) => tokio::time::sleep(*time).await,
            Wait::Until(gate) => drop(gate.0.subscribe().wait_for(|open| *open).await),
        }
    }

    /// As the server sends it, when it is due.
    pub async fn into_response(self) -> Response<Body> {
        self.wait().await;
        if self.status == HANG_UP {
            // Unwinding takes the connection's task along, and says nothing on stderr.
            std::panic::resume_unwind(Box::new("hang up"));
        }
        let mut response = Response::builder().status(self.status);
        for (name, value) in self.headers {
            response = response.header(name, value);
        }
        let whole = Bytes::from(self.body);
        let body = match (self.cut_off, self.in_pieces) {
            _ if self.is_endless => Body::new(Endless(Some(whole))),
            (false, false) => Body::from(whole),
            (cut_off, false) => Body::new(Pieces { rest: [whole].into(), cut_off, sent: false }),
            (cut_off, true) => {
                let pieces = whole.chunks(PIECE).map(Bytes::copy_from_slice).collect();
                Body::new(Pieces { rest: pieces, cut_off, sent: false })
            }
        };
        response.body(body).unwrap()
    }
}
