//! Questions in InfluxQL over `/query`, which every generation answers.

use std::collections::BTreeMap;

use reqwest::Method;
use secrecy::SecretString;
use serde::Deserialize;

use super::InfluxDbReader;
use super::generation::Generation;
use crate::database::WriteFailure;

/// One table of an answer.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Table {
    pub(super) name: String,
    pub(super) tags: BTreeMap<String, String>,
    pub(super) columns: Vec<String>,
    pub(super) values: Vec<Vec<serde_json::Value>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Answer {
    results: Vec<Statement>,
    error: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Statement {
    series: Vec<Table>,
    error: Option<String>,
}

impl InfluxDbReader {
    /// Asks one question, times in seconds.
    ///
    /// # Errors
    ///
    /// If the database refuses it, also within an answer that claims success.
    pub(super) async fn influxql(&self, question: &str) -> Result<Vec<Table>, WriteFailure> {
        self.influxql_with(self.sink.read_token(), question).await
    }

    /// The same with another token than the one that reads.
    pub(super) async fn influxql_with(&self, token: &SecretString, question: &str) -> Result<Vec<Table>, WriteFailure> {
        let (database, policy) = self.database_and_policy();
        let mut parameters = vec![("db", database), ("epoch", "s"), ("q", question)];
        parameters.extend(policy.map(|policy| ("rp", policy)));
        let request = self.sink.request(Method::GET, &["query"], token)?.query(&parameters);
        let reply = self.sink.ask(request, token).await?;
        let answer: Answer = serde_json::from_slice(&reply.body).map_err(|error| {
            let words = format!("its answer is not JSON ({error}): {}", String::from_utf8_lossy(&reply.body));
            WriteFailure::unread(&words, self.sink.secret())
        })?;
        let first_error = answer.results.iter().find_map(|result| result.error.as_deref());
        match answer.error.as_deref().or(first_error) {
            Some(error) => Err(WriteFailure::unread(error, self.sink.secret())),
            None => Ok(answer.results.into_iter().flat_map(|result| result.series).collect()),
        }
    }

    /// InfluxDB 1, and InfluxDB 2 where it plays 1, keep a retention policy in the bucket's name.
    pub(super) fn database_and_policy(&self) -> (&str, Option<&str>) {
        let bucket = self.sink.database.bucket.as_str();
        match bucket.split_once('/') {
            Some((database, policy)) if self.generation() != Generation::Three => (database, Some(policy)),
            _ => (bucket, None),
        }
    }
}

/// The condition that a tag has this value.
pub(super) fn equals(key: &str, value: &str) -> String {
    format!("{} = {}", name(key), string(value))
}

/// A text between single quotes.
pub(super) fn string(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}

/// A name between double quotes.
pub(super) fn name(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}
