//! A database of a test's own in the InfluxDB 1 that `tests/run` brings.

use serde_json::Value;

use super::http::send;
use super::{from_tests_run, unique};

/// A fresh database. The server's end is its end too.
pub(crate) struct OldDatabase {
    url: String,
    name: String,
}

impl OldDatabase {
    pub(crate) fn fresh() -> OldDatabase {
        let database = OldDatabase { url: from_tests_run("KORE_TREND_TEST_INFLUXDB1_URL"), name: unique("database") };
        database.influxql(&format!("CREATE DATABASE \"{}\"", database.name));
        database
    }

    /// Writes line protocol, timestamps in seconds: the program does not speak the old API.
    pub(crate) fn write(&self, lines: &str) {
        let query = [("db", self.name.as_str()), ("precision", "s")];
        send(|client| client.post(format!("{}/write", self.url)).query(&query).body(lines.to_owned())).success();
    }

    /// The answer to an InfluxQL query, times in seconds.
    #[track_caller]
    pub(crate) fn influxql(&self, query: &str) -> Value {
        let query = [("db", self.name.as_str()), ("epoch", "s"), ("q", query)];
        let answer = send(|client| client.post(format!("{}/query", self.url)).query(&query)).json();
        assert!(answer["results"][0]["error"].is_null(), "{answer}");
        answer
    }
}
