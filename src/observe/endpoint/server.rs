//! Connections: a bounded number of them, each with one request and a bounded time. Where there are too many, the
//! oldest makes room for the newest: an answer takes a moment, so whoever is still there is slow or idle. So no client
//! can hold up the export, nor keep a health check waiting.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::{AbortHandle, JoinHandle};

/// Connections at once.
const CONNECTIONS: usize = 64;

/// Connections that may wait to be accepted. For whoever finds no place the kernel has only silence, and it tries again
/// a second later: too long for a health check while somebody else opens hundreds of connections.
const WAITING: u32 = 1024;

/// From the connection to the last byte of the answer.
const TIME: Duration = Duration::from_secs(10);

/// For the head of the request alone.
const HEAD_TIME: Duration = Duration::from_secs(5);

/// The longest head, in bytes.
const HEAD_BYTES: usize = 16 << 10;

/// A running server; ends when dropped.
#[derive(Debug)]
pub struct Serving(JoinHandle<()>);

/// Listens on this address.
///
/// # Errors
///
/// A sentence with the address, what the system said and what to do.
pub fn bind(address: SocketAddr) -> Result<TcpListener, anyhow::Error> {
    listen(address).map_err(|error| {
        anyhow::anyhow!("cannot listen on {address}: {error}; set admin.listen to a free address, or to \"\" for none")
    })
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // What a connection that has ended leaves behind must not keep the next process from listening.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(WAITING)
}

impl Serving {
    pub(super) fn start(listener: TcpListener, router: Router) -> Serving {
        Serving(tokio::spawn(async move {
            let mut connections: VecDeque<AbortHandle> = VecDeque::new();
            loop {
                match listener.accept().await {
                    Ok((stream, _)) => {
                        connections.retain(|connection| !connection.is_finished());
                        if connections.len() >= CONNECTIONS {
                            connections.pop_front().inspect(AbortHandle::abort);
                        }
                        let answered = tokio::time::timeout(TIME, answer(stream, router.clone()));
                        connections.push_back(tokio::spawn(async { drop(answered.await) }).abort_handle());
                        // A request that is there already is answered before the next connection.
                        tokio::task::yield_now().await;
                    }
                    // Out of file descriptors, or a client that is gone already: the next one may fare better.
                    Err(error) => {
                        tracing::debug!("failed to accept a connection: {error}");
                        tokio::time::sleep(Duration::from_millis(100)).await;
                    }
                }
            }
        }))
    }

    /// Ends it and waits until the address is free. Requests in hand are still answered.
    pub async fn end(mut self) {
        self.0.abort();
        let _aborted = (&mut self.0).await;
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn answer(stream: TcpStream, router: Router) {
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME)
        .max_buf_size(HEAD_BYTES)
        .keep_alive(false)
        // Who has said all that there is to say may still listen.
        .half_close(true)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    if let Err(error) = connection.await {
        tracing::debug!("failed to answer a request: {error}");
    }
}
