//! What both ends that a test makes up are built on: a server on a thread of its own, and answers good and bad.

use std::collections::VecDeque;
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::thread::JoinHandle;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, HttpBody};
use axum::http::Response;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::{oneshot, watch};

use super::tls::Front;

/// A port that is free, where everybody looks.
pub const ANY_PORT: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0);

/// A server on a loopback port and a thread of its own; stops when dropped.
pub struct Server {
    url: String,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Answers as soon as this returns.
    pub fn start(router: Router) -> Server {
        Server::start_on(ANY_PORT, router)
    }

    /// The same on this address.
    #[track_caller]
    pub fn start_on(address: SocketAddrV4, router: Router) -> Server {
        Server::start_behind(None, address, router)
    }

    /// The same, speaking TLS where it is given a certificate.
    #[track_caller]
    pub fn start_behind(front: Option<Front>, address: SocketAddrV4, router: Router) -> Server {
        // Bound here, so that it answers as soon as the caller knows where it is.
        let listener = std::net::TcpListener::bind(address).unwrap();
        listener.set_nonblocking(true).unwrap();
        let scheme = if front.is_some() { "https" } else { "http" };
        let url = format!("{scheme}://{}", listener.local_addr().unwrap());
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = TcpListener::from_std(listener).unwrap();
                let serve = async {
                    match front {
                        None => axum::serve(listener, router).await,
                        Some(front) => axum::serve(front.before(listener), router).await,
                    }
                };
                tokio::select! {
                    served = serve => served.unwrap(),
                    _ = stopped => {}
                }
            });
            // Without waiting for a script that still blocks.
            runtime.shutdown_background();
        });
        Server { url, stop: Some(stop), thread: Some(thread) }
    }

    /// Its base URL.
    pub fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ended = thread.join();
        }
    }
}

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

/// The length of a piece of a body in pieces.
const PIECE: usize = 100;

/// A body whose length is not known before, and that may break off.
struct Pieces {
    rest: VecDeque<Bytes>,
    cut_off: bool,
    sent: bool,
}

impl HttpBody for Pieces {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, std::io::Error>>> {
        match self.rest.pop_front() {
            Some(bytes) => Poll::Ready(Some(Ok(http_body::Frame::data(bytes)))),
            None if !self.cut_off => Poll::Ready(None),
            // A pause in which the server sends what it has; an error at once would take it along.
            None if !self.sent => {
                self.sent = true;
                context.waker().wake_by_ref();
                Poll::Pending
            }
            None => Poll::Ready(Some(Err(std::io::Error::other("cut off")))),
        }
    }
}

/// A body without an end, as fast as it is read.
struct Endless(Option<Bytes>);

impl HttpBody for Endless {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, std::io::Error>>> {
        static BLANKS: [u8; 64 << 10] = [b' '; 64 << 10];
        let bytes = self.0.take().filter(|first| !first.is_empty()).unwrap_or(Bytes::from_static(&BLANKS));
        Poll::Ready(Some(Ok(http_body::Frame::data(bytes))))
    }
}
