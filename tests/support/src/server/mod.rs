//! What both ends that a test makes up are built on: a server on a thread of its own, and answers good and bad.

mod body;
mod reply;

use std::net::{Ipv4Addr, SocketAddrV4};
use std::thread::JoinHandle;

use axum::Router;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

pub use self::reply::{Gate, Reply};
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
