//! What both services share of HTTP: one TLS set-up, one decision on proxies, the same bounds, one way to read an answer.
//! It builds the client for requests of our own and, from the same value, the one inside `influxdb2`. It knows nothing
//! of what is asked or answered.

mod proxy;
mod reply;

use std::error::Error;
use std::ffi::OsString;
use std::sync::OnceLock;
use std::time::Duration;

use anyhow::Context;
use native_tls::TlsConnector;
use reqwest::header::{ACCEPT_ENCODING, HeaderMap, HeaderValue};
use reqwest::{Url, redirect};

pub use self::proxy::{PROXY_PASSWORD, Proxy, ProxyError, is_loopback};
pub use self::reply::{LONGEST_ANSWER, Reply, TransportError, receive, says_nothing, transport_error};

/// How long a connection may be idle and be used again. By the next tick the name may lead elsewhere, where the old
/// address still answers; and a proxy between may have forgotten the connection.
const LONGEST_IDLE: Duration = Duration::from_secs(10);

const USER_AGENT: &str = concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION"));

const NO_CLIENT: &str = "cannot set up the HTTP client";

/// A service, and how it is reached.
#[derive(Clone, Debug)]
pub struct Service {
    tls: TlsConnector,
    proxy: Option<Proxy>,
    timeout: Duration,
}

impl Service {
    /// The service at this address, reached through the proxy that the environment names for it, if any. One request
    /// may take `timeout`, from connecting to the last byte.
    ///
    /// # Errors
    ///
    /// If that proxy cannot be used, or the system's TLS library cannot be set up.
    pub fn new(url: &Url, timeout: Duration) -> Result<Service, anyhow::Error> {
        Service::within(url, timeout, |name| std::env::var_os(name))
    }

    fn within(
        url: &Url,
        timeout: Duration,
        variable: impl Fn(&str) -> Option<OsString>,
    ) -> Result<Service, anyhow::Error> {
        let tls = connector().context("cannot set up TLS")?;
        Ok(Service { tls, proxy: Proxy::of(url, variable)?, timeout })
    }

    /// The client for requests of our own; so many connections are kept for the next one.
    ///
    /// # Errors
    ///
    /// What the library said.
    pub fn client(&self, most_idle: usize) -> Result<reqwest::Client, anyhow::Error> {
        let mut http = reqwest::Client::builder()
            .user_agent(USER_AGENT)
            .default_headers(HeaderMap::from_iter([(ACCEPT_ENCODING, HeaderValue::from_static("identity"))]))
            .tls_backend_preconfigured(self.tls.clone())
            .http1_only()
            // A redirect would carry the token elsewhere.
            .redirect(redirect::Policy::none())
            .connect_timeout(connect_timeout(self.timeout))
            .timeout(self.timeout)
            .pool_idle_timeout(LONGEST_IDLE)
            .pool_max_idle_per_host(most_idle)
            .no_proxy();
        if let Some(proxy) = &self.proxy {
            http = http.proxy(proxy.for_reqwest().context(NO_CLIENT)?);
        }
        http.build().context(NO_CLIENT)
    }

    /// The same for the older reqwest that `influxdb2` is built on.
    ///
    /// # Errors
    ///
    /// What the library said.
    pub fn builder_for_influxdb2(&self) -> Result<reqwest_for_influxdb2::ClientBuilder, anyhow::Error> {
        use reqwest_for_influxdb2::header::{ACCEPT_ENCODING, HeaderMap, HeaderValue};
        use reqwest_for_influxdb2::redirect;
        let http = reqwest_for_influxdb2::Client::builder()
            .user_agent(USER_AGENT)
            .default_headers(HeaderMap::from_iter([(ACCEPT_ENCODING, HeaderValue::from_static("identity"))]))
            .use_preconfigured_tls(self.tls.clone())
            .http1_only()
            .redirect(redirect::Policy::none())
            .connect_timeout(connect_timeout(self.timeout))
            .timeout(self.timeout)
            .pool_idle_timeout(LONGEST_IDLE)
            .no_proxy();
        Ok(match &self.proxy {
            Some(proxy) => http.proxy(proxy.for_influxdb2().context(NO_CLIENT)?),
            None => http,
        })
    }
}

/// One TLS set-up and one trust store, the system's, for the life of the process: reading the certificates costs more
/// than a thousand requests do.
fn connector() -> Result<TlsConnector, native_tls::Error> {
    static SHARED: OnceLock<TlsConnector> = OnceLock::new();
    if let Some(connector) = SHARED.get() {
        return Ok(connector.clone());
    }
    let connector = TlsConnector::new()?;
    Ok(SHARED.get_or_init(|| connector).clone())
}

/// Connecting gets a part of a request's time, so that a host that does not answer at all is not taken for a slow one.
fn connect_timeout(timeout: Duration) -> Duration {
    (timeout / 2).min(Duration::from_secs(10))
}

/// What an error and its causes say, each once.
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let words = inner.to_string();
        if !text.contains(&words) {
            text = format!("{text}: {words}");
        }
        cause = inner.source();
    }
    text
}

#[cfg(test)]
mod tests;
