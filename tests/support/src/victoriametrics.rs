//! The VictoriaMetrics that `tests/run` brings: a database of another make that takes InfluxDB's writes. All tests share
//! one, so that a test tells its samples by a tag whose value only it has.

use std::collections::BTreeMap;

use serde_json::Value;

use super::from_tests_run;
use super::http::{Answer, send};

/// One time series.
#[derive(Debug, PartialEq)]
pub struct Samples {
    /// Its labels; `__name__` is measurement and field, joined by `_`.
    pub labels: BTreeMap<String, String>,
    /// Seconds and values, in the order of time. A point that was written twice is here twice.
    pub samples: Vec<(i64, f64)>,
}

/// Where it is.
pub fn url() -> String {
    from_tests_run("KORE_TREND_TEST_VICTORIAMETRICS_URL")
}

/// The section `[influxdb]` that leads there; organization, bucket and token mean nothing to it.
pub fn config() -> String {
    format!("[influxdb]\nurl = \"{}\"\norg = \"any\"\nbucket = \"any\"\ntoken = \"any\"\n", url())
}

/// Writes line protocol, timestamps in seconds, past the program.
pub fn write(lines: &str) -> Answer {
    send(|client| client.post(format!("{}/api/v2/write?precision=s", url())).body(lines.to_owned()))
}

/// Every series whose tag has this value, sorted by labels.
#[track_caller]
pub fn export(tag: &str, value: &str) -> Vec<Samples> {
    // What was taken is not yet what can be read.
    send(|client| client.get(format!("{}/internal/force_flush", url()))).success();
    let selector = format!("{{{tag}={value:?}}}");
    let query = [("match[]", selector.as_str()), ("start", "0"), ("end", "4102444800")];
    let lines = send(|client| client.get(format!("{}/api/v1/export", url())).query(&query)).success();
    let mut series: Vec<Samples> = lines.lines().map(samples).collect();
    series.sort_by(|one, other| one.labels.cmp(&other.labels));
    series
}

fn samples(line: &str) -> Samples {
    let mut line: Value = serde_json::from_str(line).unwrap();
    let labels = serde_json::from_value(line["metric"].take()).unwrap();
    let values: Vec<f64> = serde_json::from_value(line["values"].take()).unwrap();
    let milliseconds: Vec<i64> = serde_json::from_value(line["timestamps"].take()).unwrap();
    let seconds = milliseconds.into_iter().map(|time| time / 1000);
    Samples { labels, samples: seconds.zip(values).collect() }
}
