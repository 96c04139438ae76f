//! InfluxDB through the influxdb2 crate: the transport of bytes that the encoder made, and nothing else of it.

use std::time::Duration;

use bytes::Bytes;
use influxdb2::api::write::TimestampPrecision;
use influxdb2::{Client, ClientBuilder, RequestError};
use reqwest_for_influxdb2::header::{CONTENT_ENCODING, HeaderMap, HeaderValue};
use reqwest_for_influxdb2::redirect;
use secrecy::{ExposeSecret, SecretString};

use super::WriteFailure;
use super::gzip::Gzip;
use crate::config::{InfluxDb, is_loopback};
use crate::observe::redact;
use crate::platform::client::{LONGEST_IDLE, chain, connect_timeout};

/// A bucket of a database.
#[derive(Debug)]
pub struct InfluxDbSink {
    client: Client,
    /// To know an echo of it.
    token: SecretString,
    org: String,
    bucket: String,
    timeout: Duration,
    gzip: Option<Gzip>,
}

impl InfluxDbSink {
    /// `tls` is shared with the platform's client.
    ///
    /// # Errors
    ///
    /// Only where the HTTP client cannot be set up.
    pub fn new(database: &InfluxDb, tls: native_tls::TlsConnector) -> Result<InfluxDbSink, influxdb2::BuildError> {
        let mut headers = HeaderMap::new();
        if database.gzip {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        let mut http = reqwest_for_influxdb2::ClientBuilder::new()
            .user_agent(concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION")))
            .use_preconfigured_tls(tls)
            .http1_only()
            .redirect(redirect::Policy::none())
            .connect_timeout(connect_timeout(database.timeout))
            .timeout(database.timeout)
            .pool_idle_timeout(LONGEST_IDLE)
            .default_headers(headers);
        if is_loopback(&database.url) {
            http = http.no_proxy();
        }
        // The URL was parsed by the configuration; one that cannot be parsed would make this panic.
        let token = database.token.expose_secret();
        let client = ClientBuilder::with_builder(http, database.url.as_str(), &database.org, token).build()?;
        Ok(InfluxDbSink {
            client,
            token: database.token.clone(),
            org: database.org.clone(),
            bucket: database.bucket.clone(),
            timeout: database.timeout,
            gzip: database.gzip.then(Gzip::default),
        })
    }

    /// The time that one write may take.
    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    /// The body of a write of these lines, whose timestamps are seconds.
    pub(super) fn pack(&self, lines: impl Iterator<Item = Vec<u8>>) -> std::io::Result<Bytes> {
        match &self.gzip {
            Some(gzip) => gzip.pack(lines),
            None => Ok(super::plain(lines)),
        }
    }

    /// Writes what [`pack`](InfluxDbSink::pack) returned.
    pub(super) async fn write(&self, body: Bytes) -> Result<(), WriteFailure> {
        let precision = TimestampPrecision::Seconds;
        let written = self.client.write_line_protocol_with_precision(&self.org, &self.bucket, body, precision);
        match written.await {
            Ok(()) => Ok(()),
            Err(RequestError::Http { status, text }) => Err(WriteFailure::Refused {
                status: status.as_u16(),
                message: message_in(&text, self.token.expose_secret()),
            }),
            Err(RequestError::ReqwestProcessing { source }) if source.is_timeout() && !source.is_connect() => {
                Err(WriteFailure::TimedOut(self.timeout))
            }
            Err(RequestError::ReqwestProcessing { source }) => {
                Err(WriteFailure::Unreachable(chain(&source.without_url())))
            }
            Err(other) => Err(WriteFailure::Unreachable(other.to_string())),
        }
    }
}

/// The words of `{"code":"…","message":"…"}`, or of InfluxDB 1 and 3's `{"error":"…"}`, or the text's beginning.
fn message_in(text: &str, token: &str) -> String {
    let json: Option<serde_json::Value> = serde_json::from_str(text).ok();
    let words = json.as_ref().and_then(|json| json.get("message").or_else(|| json.get("error"))?.as_str());
    redact::shown(words.unwrap_or(text), token)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_many_words_the_beginning_and_the_cause_are_kept() {
        let text = format!("unexpected error writing points: {}: no space left on device", "ä/shard".repeat(100));
        let words = message_in(&text, "a token");
        assert!(words.starts_with("unexpected error") && words.ends_with(": no space left on device"), "{words}");
        assert_eq!(words.chars().count(), 401);
        assert_eq!(message_in(&"ü".repeat(300), "a token"), "ü".repeat(300));
    }

    #[test]
    fn the_databases_words_are_found() {
        for (text, expected) in [
            (r#"{"code":"unauthorized","message":"unauthorized access"}"#, "unauthorized access"),
            (r#"{"error":"partial write: dropped=1"}"#, "partial write: dropped=1"),
            ("Bad Gateway\n", "Bad Gateway"),
            (r#"{"message":"no such token: a token"}"#, "no such token: (the token)"),
            ("GET /\nauthorization: Token a token", "GET / authorization: Token (the token)"),
            ("down\n<3>all is lost\u{1b}[31m", "down <3>all is lost [31m"),
            ("", ""),
        ] {
            assert_eq!(message_in(text, "a token"), expected);
        }
    }
}
