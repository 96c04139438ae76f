//! What is read through the influxdb2 crate: Flux, and the list of buckets. No other file uses it.

use std::collections::BTreeMap;

use fallible_iterator::FallibleIterator;
use influxdb2::api::buckets::ListBucketsRequest;
use influxdb2::api::query::FluxRecord;
use influxdb2::models::Query;
use influxdb2::{Client, ClientBuilder, RequestError};
use influxdb2_structmap::value::Value as FluxValue;
use secrecy::ExposeSecret;

use super::InfluxDbSink;
use crate::database::WriteFailure;
use crate::database::failure::Refusal;
use crate::domain::compare::Value;
use crate::http::{Service, chain};

/// Columns of an answer that may be called like a tag, which is lost then.
pub(super) const COLUMNS: [&str; 6] = ["result", "table", "_start", "_stop", "_time", "_value"];

impl InfluxDbSink {
    /// The answer to a question in Flux; it must hold a `limit`, for the answer is not bounded otherwise.
    ///
    /// # Errors
    ///
    /// If the database refuses it.
    pub(super) async fn flux(&self, question: String) -> Result<Vec<Row>, WriteFailure> {
        let answer = self.client()?.query_raw_iter(Some(Query::new(question))).await;
        let answer = answer.map_err(|error| self.failed(error))?;
        let records: Vec<FluxRecord> = answer.result().collect().map_err(|error| self.failed(error))?;
        let no_row = || WriteFailure::unread("a row without time, field and value", self.secret());
        records.into_iter().map(|record| row(record).ok_or_else(no_row)).collect()
    }

    /// How many seconds the bucket keeps its points, 0 for ever; `None` if the database does not tell.
    pub(super) async fn kept_by_bucket(&self) -> Result<Option<i64>, WriteFailure> {
        let org = Some(self.database.org.clone()).filter(|org| !org.is_empty());
        let wanted =
            ListBucketsRequest { name: Some(self.database.bucket.clone()), org, limit: Some(1), ..Default::default() };
        let found = self.client()?.list_buckets(Some(wanted)).await.map_err(|error| self.failed(error))?;
        let bucket = found.buckets.into_iter().find(|bucket| bucket.name == self.database.bucket);
        Ok(bucket.map(|bucket| bucket.retention_rules.first().map_or(0, |rule| i64::from(rule.every_seconds))))
    }

    fn client(&self) -> Result<Client, WriteFailure> {
        let setup = |error: &dyn std::error::Error| WriteFailure::Io(chain(error));
        let service = Service::new(&self.database.url, self.database.timeout).map_err(|error| setup(&*error))?;
        let http = service.builder_for_influxdb2().map_err(|error| setup(&*error))?;
        // The configuration parsed the URL; one that cannot be parsed would make this panic.
        let (url, token) = (self.database.url.as_str(), self.read_token().expose_secret());
        ClientBuilder::with_builder(http, url, &self.database.org, token).build().map_err(|error| setup(&error))
    }

    fn failed(&self, error: RequestError) -> WriteFailure {
        match error {
            RequestError::Http { status, text } => {
                WriteFailure::Refused(Refusal::read(status.as_u16(), text.as_bytes(), None, self.secret()))
            }
            RequestError::ReqwestProcessing { source } if source.is_timeout() && !source.is_connect() => {
                WriteFailure::TimedOut(self.database.timeout)
            }
            RequestError::ReqwestProcessing { source } if source.is_decode() => {
                WriteFailure::unread(&chain(&source.without_url()), self.secret())
            }
            RequestError::ReqwestProcessing { source } => WriteFailure::Unreachable(chain(&source.without_url())),
            other => WriteFailure::unread(&other.to_string(), self.secret()),
        }
    }
}

/// A field of a point.
pub(super) struct Row {
    /// The number of its table.
    pub(super) table: i32,
    pub(super) tags: BTreeMap<String, String>,
    /// Unix seconds.
    pub(super) time: i64,
    pub(super) field: String,
    pub(super) value: Value,
}

fn row(record: FluxRecord) -> Option<Row> {
    let FluxRecord { table, mut values } = record;
    let (Some(FluxValue::TimeRFC(time)), Some(FluxValue::String(field))) =
        (values.remove("_time"), values.remove("_field"))
    else {
        return None;
    };
    let value = value(values.remove("_value")?);
    for bookkeeping in ["_measurement", "result", "table", ""] {
        values.remove(bookkeeping);
    }
    let tags = values.into_iter().filter_map(|(key, value)| match value {
        FluxValue::String(value) if !value.is_empty() => Some((key, value)),
        _ => None,
    });
    Some(Row { table, tags: tags.collect(), time: time.timestamp(), field, value })
}

fn value(value: FluxValue) -> Value {
    match value {
        FluxValue::Long(value) => Value::Integer(value),
        FluxValue::UnsignedLong(value) => Value::Unsigned(value),
        FluxValue::Double(value) => Value::Float(value.into_inner()),
        FluxValue::Bool(value) => Value::Boolean(value),
        FluxValue::String(value) => Value::Text(value),
        other => Value::Text(format!("{other:?}")),
    }
}

/// A text between double quotes, as Flux reads it.
pub(super) fn string(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace("${", "\\${"))
}
