//! What both services share of HTTP: one TLS set-up, one decision on proxies, the same bounds, one way to read an answer.
//! It builds the client for requests of our own and, from the same value, the one inside `influxdb2`. It knows nothing
//! of what is asked or answered.

mod proxy;
mod reply;

use std::error::Error;
use std::ffi::OsString;
use std::sync::OnceLock;
use std::time::Duration;

use native_tls::TlsConnector;
use reqwest::header::{ACCEPT_ENCODING, HeaderMap, HeaderValue};
use reqwest::{Url, redirect};

pub use self::proxy::{PROXY_PASSWORD, Proxy, ProxyError, is_loopback};
pub use self::reply::{LONGEST_ANSWER, Reply, TransportError, receive, says_nothing, transport_error};

/// How long a connection may be idle and be used again. By the next tick the name may lead elsewhere, where the old
/// address still answers; and a proxy between may have forgotten the connection.
const LONGEST_IDLE: Duration = Duration::from_secs(10);

const USER_AGENT: &str = concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION"));

/// A service, and how it is reached.
#[derive(Clone, Debug)]
pub struct Service {
    tls: TlsConnector,
    proxy: Option<Proxy>,
    timeout: Duration,
}

/// Why a service cannot be reached at all.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// A variable of the environment names a proxy that cannot be used.
    #[error(transparent)]
    Proxy(#[from] ProxyError),
    /// The system's TLS library or trust store.
    #[error("cannot set up TLS: {0}")]
    Tls(#[from] native_tls::Error),
    /// The HTTP client.
    #[error("cannot set up the HTTP client: {0}")]
    Client(#[from] reqwest::Error),
    /// The HTTP client within `influxdb2`.
    #[error("cannot set up the HTTP client: {0}")]
    InfluxDb2(#[from] reqwest_for_influxdb2::Error),
}

impl Service {
    /// The service at this address, reached through the proxy that the environment names for it, if any. One request
    /// may take `timeout`, from connecting to the last byte.
    ///
    /// # Errors
    ///
    /// If that proxy cannot be used, or the system's TLS library cannot be set up.
    pub fn new(url: &Url, timeout: Duration) -> Result<Service, SetupError> {
        Service::within(url, timeout, |name| std::env::var_os(name))
    }

    fn within(
        url: &Url,
        timeout: Duration,
        variable: impl Fn(&str) -> Option<OsString>,
    ) -> Result<Service, SetupError> {
        Ok(Service { tls: connector()?, proxy: Proxy::of(url, variable)?, timeout })
    }

    /// The client for requests of our own; so many connections are kept for the next one.
    ///
    /// # Errors
    ///
    /// What the library said.
    pub fn client(&self, most_idle: usize) -> Result<reqwest::Client, SetupError> {
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
            http = http.proxy(proxy.for_reqwest()?);
        }
        Ok(http.build()?)
    }

    /// The same for the older reqwest that `influxdb2` is built on.
    ///
    /// # Errors
    ///
    /// What the library said.
    pub fn builder_for_influxdb2(&self) -> Result<reqwest_for_influxdb2::ClientBuilder, SetupError> {
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
            Some(proxy) => http.proxy(proxy.for_influxdb2()?),
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
