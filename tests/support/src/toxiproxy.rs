//! Toxiproxy, which `tests/run` brings: connections that fail in the way a test wants, between real parts.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use super::http::{Answer, send};
use super::{from_tests_run, unique, wait_for};

/// Which way the bytes go that a fault meets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// What the exporter sends.
    There,
    /// What it is answered.
    Back,
}

/// A fault of every connection, those that are open already included. Milliseconds and bytes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Toxic {
    /// Each piece comes this much later, more or less the jitter.
    Latency { latency: u64, jitter: u64 },
    /// So many kilobytes a second pass; with none, what is sent is kept until the fault has gone.
    Bandwidth { rate: u64 },
    /// Nothing passes and what is sent is lost; the connection is closed after this time, with none it stays open.
    Timeout { timeout: u64 },
    /// With the first bytes the connection is reset.
    ResetPeer,
    /// After so many bytes the connection is closed.
    LimitData { bytes: u64 },
    /// An end of the connection is passed on this much later.
    SlowClose { delay: u64 },
    /// Bytes come in pieces of this size, each so many microseconds after the one before.
    Slicer { size: u64, pause: u64 },
}

impl Toxic {
    fn describe(self) -> (&'static str, Value) {
        match self {
            Toxic::Latency { latency, jitter } => ("latency", json!({ "latency": latency, "jitter": jitter })),
            Toxic::Bandwidth { rate } => ("bandwidth", json!({ "rate": rate })),
            Toxic::Timeout { timeout } => ("timeout", json!({ "timeout": timeout })),
            Toxic::ResetPeer => ("reset_peer", json!({ "timeout": 0 })),
            Toxic::LimitData { bytes } => ("limit_data", json!({ "bytes": bytes })),
            Toxic::SlowClose { delay } => ("slow_close", json!({ "delay": delay })),
            Toxic::Slicer { size, pause } => ("slicer", json!({ "average_size": size, "delay": pause })),
        }
    }
}

/// A way to a server; gone when dropped.
pub struct Proxy {
    name: String,
    /// Host and port.
    listen: String,
    upstream: String,
}

impl Proxy {
    /// One without faults to the server at this base URL.
    #[track_caller]
    pub fn to(url: &str) -> Proxy {
        let upstream = url.strip_prefix("http://").unwrap();
        // Not a port that the kernel would give to somebody else while the proxy is shut.
        wait_for("a port for a proxy", || {
            let port = 20_000 + uuid::Uuid::new_v4().as_u128() % 12_000;
            let (name, listen) = (unique("proxy"), format!("127.0.0.1:{port}"));
            let is_free = create(&name, &listen, upstream);
            is_free.then(|| Proxy { name, listen, upstream: upstream.to_owned() })
        })
    }

    /// The base URL by this way.
    pub fn url(&self) -> String {
        format!("http://{}", self.listen)
    }

    /// From now on every connection has this fault too.
    #[track_caller]
    pub fn add(&self, way: Way, toxic: Toxic) {
        self.add_to_some(1.0, way, toxic);
    }

    /// From now on this part of all connections has this fault too, as the dice fall for each.
    #[track_caller]
    pub fn add_to_some(&self, part: f64, way: Way, toxic: Toxic) {
        let (kind, attributes) = toxic.describe();
        let stream = if way == Way::There { "upstream" } else { "downstream" };
        let request = json!({
            "name": unique(kind), "type": kind, "stream": stream, "toxicity": part, "attributes": attributes
        });
        ask(Method::POST, &format!("/proxies/{}/toxics", self.name), &request).success();
    }

    /// Ends every connection and refuses new ones.
    #[track_caller]
    pub fn shut(&self) {
        self.set_enabled(false);
    }

    /// No fault any more, and no connection. Only after this are faults added to a proxy that had some: taking faults out
    /// of connections that end may leave Toxiproxy in a state in which adding others ends it.
    #[track_caller]
    pub fn renew(&self) {
        ask(Method::DELETE, &format!("/proxies/{}", self.name), &Value::Null).success();
        let again = || create(&self.name, &self.listen, &self.upstream).then_some(());
        wait_for("the port of a proxy", again);
    }

    /// No fault any more. What a fault kept is passed on; the connections that it left without bytes are closed.
    #[track_caller]
    pub fn heal(&self) {
        self.set_enabled(true);
        let path = format!("/proxies/{}/toxics", self.name);
        let toxics = ask(Method::GET, &path, &Value::Null).json();
        for toxic in toxics.as_array().unwrap() {
            let name = toxic["name"].as_str().unwrap();
            ask(Method::DELETE, &format!("{path}/{name}"), &Value::Null).success();
        }
    }

    #[track_caller]
    fn set_enabled(&self, enabled: bool) {
        let path = format!("/proxies/{}", self.name);
        wait_for("the proxy to open or to shut", || {
            (ask(Method::POST, &path, &json!({ "enabled": enabled })).status == 200).then_some(())
        });
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // Where a test has failed, it may be because nobody listens there.
        if !std::thread::panicking() {
            ask(Method::DELETE, &format!("/proxies/{}", self.name), &Value::Null);
        }
    }
}

/// Whether the address could be had.
#[track_caller]
fn create(name: &str, listen: &str, upstream: &str) -> bool {
    let request = json!({ "name": name, "listen": listen, "upstream": upstream });
    ask(Method::POST, "/proxies", &request).status == 201
}

#[track_caller]
fn ask(method: Method, path: &str, body: &Value) -> Answer {
    let url = from_tests_run("KORE_TREND_TEST_TOXIPROXY_URL") + path;
    send(|client| client.request(method, url).json(body).timeout(Duration::from_secs(30)))
}
