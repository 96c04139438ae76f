//! Which proxy leads to a service, by the variables that curl reads: `HTTPS_PROXY` or `HTTP_PROXY` by the scheme of the
//! address, else `ALL_PROXY`, each also in lower case, and not to the hosts of `NO_PROXY`. Read here alone, because the
//! two HTTP clients read them differently.

use std::ffi::OsString;
use std::fmt;
use std::net::IpAddr;

use axum::http::Uri;
use hyper_util::client::proxy::matcher::{Intercept, Matcher};
use reqwest::Url;

/// The proxy of one service; its `Debug` shows no password.
#[derive(Clone)]
pub struct Proxy(Intercept);

/// A proxy that cannot be used. The value is not shown, for it may hold a password.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{variable}: {problem}; unset it, or list the service's host in NO_PROXY to connect without a proxy")]
pub struct ProxyError {
    variable: &'static str,
    problem: &'static str,
}

/// What to do where a proxy answers 407.
pub const PROXY_PASSWORD: &str = "set the name and password for the proxy in the variable that names it";

const FORM: &str =
    "must be http://host:port or http://user:password@host:port, with special characters written as %XX ('@' is %40)";
const SCHEME: &str = "only http:// and https:// proxies are supported, not SOCKS";
const NOT_UTF8: &str = "not valid UTF-8";

impl Proxy {
    /// The proxy for this address, where `variable` tells the environment; never one for this machine.
    ///
    /// # Errors
    ///
    /// If the variable that names it cannot be used.
    pub fn of(url: &Url, variable: impl Fn(&str) -> Option<OsString>) -> Result<Option<Proxy>, ProxyError> {
        if is_loopback(url) {
            return Ok(None);
        }
        let of_scheme = match url.scheme() {
            "https" => ["HTTPS_PROXY", "https_proxy"],
            _ => ["HTTP_PROXY", "http_proxy"],
        };
        let Some((name, value)) = first(&[of_scheme, ["ALL_PROXY", "all_proxy"]].concat(), &variable)? else {
            return Ok(None);
        };
        let no_proxy = first(&["NO_PROXY", "no_proxy"], &variable)?.map(|(_, hosts)| hosts).unwrap_or_default();
        let destination: Option<Uri> = url.as_str().parse().ok();
        let intercept = |proxy: &str| {
            let matcher = Matcher::builder().all(proxy).no(no_proxy.as_str()).build();
            destination.as_ref().and_then(|destination| matcher.intercept(destination))
        };
        if intercept("http://proxy.invalid").is_none() {
            return Ok(None);
        }
        let wrong = |problem| ProxyError { variable: name, problem };
        let scheme = value.split_once("://").map_or("http", |(scheme, _)| scheme);
        if !["http", "https"].iter().any(|known| scheme.eq_ignore_ascii_case(known)) {
            return Err(wrong(SCHEME));
        }
        let found = intercept(&value).ok_or_else(|| wrong(FORM))?;
        // The rest of a password that holds an '@'.
        if found.uri().authority().is_none_or(|authority| authority.as_str().contains('@')) {
            return Err(wrong(FORM));
        }
        let found = Proxy(found);
        // What only the clients find wrong, such as a port that there is not.
        if found.for_reqwest().is_err() || found.for_influxdb2().is_err() {
            return Err(wrong(FORM));
        }
        Ok(Some(found))
    }

    /// As reqwest wants it.
    pub(super) fn for_reqwest(&self) -> Result<reqwest::Proxy, reqwest::Error> {
        let proxy = reqwest::Proxy::all(self.0.uri().to_string())?;
        Ok(match self.0.basic_auth() {
            Some(password) => proxy.custom_http_auth(password.clone()),
            None => proxy,
        })
    }

    /// As the older reqwest within `influxdb2` wants it.
    pub(super) fn for_influxdb2(&self) -> Result<reqwest_for_influxdb2::Proxy, reqwest_for_influxdb2::Error> {
        let proxy = reqwest_for_influxdb2::Proxy::all(self.0.uri().to_string())?;
        let password = self.0.basic_auth().map(|value| value.as_bytes());
        let password = password.and_then(|bytes| reqwest_for_influxdb2::header::HeaderValue::from_bytes(bytes).ok());
        Ok(match password {
            Some(mut password) => {
                password.set_sensitive(true);
                proxy.custom_http_auth(password)
            }
            None => proxy,
        })
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Proxy({})", self.0.uri())
    }
}

/// The first of these variables that says anything.
fn first(
    names: &[&'static str],
    variable: impl Fn(&str) -> Option<OsString>,
) -> Result<Option<(&'static str, String)>, ProxyError> {
    for name in names {
        let Some(value) = variable(name).filter(|value| !value.is_empty()) else { continue };
        let value = value.into_string().map_err(|_| ProxyError { variable: name, problem: NOT_UTF8 })?;
        return Ok(Some((name, value)));
    }
    Ok(None)
}

/// Whether the address is on this machine: nobody listens on the way, and no proxy is asked, which would be another
/// machine's and be told the token.
pub fn is_loopback(url: &Url) -> bool {
    let Some(host) = url.host_str() else { return false };
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
#[path = "proxy_tests.rs"]
mod tests;
