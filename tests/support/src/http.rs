//! HTTP for tests that are no async functions: one request, the whole answer.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::LazyLock;
use std::time::Duration;

use reqwest::{Client, RequestBuilder};

/// What came back.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub body: String,
}

impl Answer {
    /// The body, provided that the request succeeded.
    #[track_caller]
    pub fn success(self) -> String {
        assert!((200..300).contains(&self.status), "{self:?}");
        self.body
    }

    /// The body as JSON, provided that the request succeeded.
    #[track_caller]
    pub fn json(self) -> serde_json::Value {
        serde_json::from_str(&self.success()).unwrap()
    }
}

/// Sends the request that `build` makes of the client.
#[track_caller]
pub fn send(build: impl FnOnce(&Client) -> RequestBuilder) -> Answer {
    // A connection does not outlive the small runtime below, so none is kept; and loopback needs no proxy.
    static CLIENT: LazyLock<Client> = LazyLock::new(|| {
        Client::builder().no_proxy().pool_max_idle_per_host(0).timeout(Duration::from_secs(60)).build().unwrap()
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let response = build(&CLIENT).send().await.unwrap();
        Answer { status: response.status().as_u16(), body: response.text().await.unwrap() }
    })
}

/// An answer as it came over the wire.
#[derive(Debug)]
pub struct Response {
    pub status: u16,
    /// Status line and headers.
    pub head: String,
    pub body: String,
}

impl Response {
    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.into_iter().find(|(header, _)| header.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }
}

/// Sends these bytes over a connection of their own and reads until the other side closes it; `None` where it closes it
/// without an answer.
pub fn exchange(address: SocketAddr, request: &[u8]) -> std::io::Result<Option<Response>> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(60)))?;
    stream.write_all(request)?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return Ok(None) };
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    Ok(Some(Response { status, head: head.to_owned(), body: body.to_owned() }))
}
