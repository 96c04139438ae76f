//! InfluxDB, or a database that speaks its v2 write API: lines go out through the HTTP client that both services share.

pub mod access;
mod flux;
pub mod generation;
pub mod gzip;
mod influxql;
mod reader;
pub mod retention;
mod types;

use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, DATE, HeaderValue, RETRY_AFTER};
use reqwest::{Method, RequestBuilder};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::OnceCell;

use self::generation::Generation;
use self::gzip::Packer;
use self::types::FieldTypes;
use super::WriteFailure;
use super::failure::Refusal;
use super::wordings;
use crate::config::InfluxDb;
use crate::domain::backoff;
use crate::http::{self, Reply, Service, TransportError};

/// A bucket of a database.
#[derive(Debug)]
pub struct InfluxDbSink {
    http: reqwest::Client,
    database: InfluxDb,
}

/// A bucket that is read, of a database whose kind is known.
#[derive(Debug)]
pub struct InfluxDbReader {
    sink: InfluxDbSink,
    generation: Generation,
    field_types: OnceCell<FieldTypes>,
}

impl InfluxDbReader {
    /// Which kind of database it is.
    pub fn generation(&self) -> Generation {
        self.generation
    }
}

impl InfluxDbSink {
    /// Nothing is sent yet.
    ///
    /// # Errors
    ///
    /// If the HTTP client cannot be set up.
    pub fn new(database: &InfluxDb) -> Result<InfluxDbSink, anyhow::Error> {
        let http = Service::new(&database.url, database.timeout)?.client(1)?;
        Ok(InfluxDbSink { http, database: database.clone() })
    }

    /// Asks the database which kind it is, to read it in its own way.
    ///
    /// # Errors
    ///
    /// If it does not answer.
    pub async fn open_to_read(self) -> Result<InfluxDbReader, WriteFailure> {
        let generation = self.generation().await?;
        Ok(InfluxDbReader { sink: self, generation, field_types: OnceCell::new() })
    }

    /// The time that one write may take.
    pub fn timeout(&self) -> Duration {
        self.database.timeout
    }

    /// The body of a write of these lines, whose timestamps are seconds.
    pub(super) fn pack(
        &self,
        lines: impl Iterator<Item = Vec<u8>>,
        packer: &mut Packer,
    ) -> Result<Bytes, WriteFailure> {
        if !self.database.gzip {
            return Ok(super::plain(lines));
        }
        packer.pack(lines).map_err(|error| WriteFailure::Io(error.to_string()))
    }

    /// Writes what [`pack`](InfluxDbSink::pack) returned.
    pub(super) async fn write(&self, body: Bytes) -> Result<(), WriteFailure> {
        let InfluxDb { org, bucket, token, .. } = &self.database;
        let mut request = self
            .request(Method::POST, &["api", "v2", "write"], token)?
            .query(&[("org", org.as_str()), ("bucket", bucket), ("precision", "s")])
            .header(CONTENT_TYPE, "text/plain; charset=utf-8")
            .body(body);
        if self.database.gzip {
            request = request.header(CONTENT_ENCODING, "gzip");
        }
        let reply = self.ask(request, token).await?;
        if wordings::is_refusal(&reply.body) { Err(refused(&reply, token)) } else { Ok(()) }
    }

    /// A request below the path of the base URL.
    fn request(&self, method: Method, path: &[&str], token: &SecretString) -> Result<RequestBuilder, WriteFailure> {
        let mut url = self.database.url.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        Ok(self.http.request(method, url).header(AUTHORIZATION, authorization(token)?))
    }

    fn read_token(&self) -> &SecretString {
        self.database.read_token.as_ref().unwrap_or(&self.database.token)
    }

    fn secret(&self) -> &str {
        self.read_token().expose_secret()
    }

    /// Sends a request that carries this token, and returns a success.
    async fn ask(&self, request: RequestBuilder, token: &SecretString) -> Result<Reply, WriteFailure> {
        let failed = |error| match error {
            TransportError::TimedOut => WriteFailure::TimedOut(self.database.timeout),
            TransportError::Unreachable(words) | TransportError::Encoded(words) => WriteFailure::Unreachable(words),
            TransportError::TooLarge => WriteFailure::Unreachable("its answer is too long".to_owned()),
        };
        let response = request.send().await.map_err(|error| failed(http::transport_error(error)))?;
        let reply = http::receive(response).await.map_err(failed)?;
        if reply.is_success() { Ok(reply) } else { Err(refused(&reply, token)) }
    }
}

fn refused(reply: &Reply, token: &SecretString) -> WriteFailure {
    WriteFailure::Refused(Refusal::read(reply.status, &reply.body, retry_after(reply), token.expose_secret()))
}

/// What the database says of the next try. A date to wait for is one of its own clock.
fn retry_after(reply: &Reply) -> Option<Duration> {
    let now = reply.header(DATE).and_then(backoff::http_date).unwrap_or(jiff::Timestamp::MAX);
    backoff::retry_after(reply.header(RETRY_AFTER)?, now)
}

fn authorization(token: &SecretString) -> Result<HeaderValue, WriteFailure> {
    // The configuration refuses a token that cannot stand in a header.
    let mut value = HeaderValue::from_str(&format!("Token {}", token.expose_secret()))
        .map_err(|error| WriteFailure::Io(format!("the token: {error}")))?;
    value.set_sensitive(true);
    Ok(value)
}
