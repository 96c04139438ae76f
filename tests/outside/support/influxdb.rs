//! A bucket of a test's own in the InfluxDB that `tests/run` brings, and everything that was stored in it.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use super::http::{Answer, send};
use super::{from_tests_run, unique};

/// Measurement, tags, field, seconds, value.
pub(crate) type StoredPoint = (String, BTreeMap<String, String>, String, i64, i64);

/// A fresh bucket, and a token that may write to it and do nothing else. The server's end is its end too.
pub(crate) struct Database {
    pub(crate) url: String,
    pub(crate) org: String,
    pub(crate) bucket: String,
    /// May write to the bucket, and nothing else.
    pub(crate) token: String,
    /// May do anything.
    pub(crate) operator_token: String,
    org_id: String,
    bucket_id: String,
}

impl Database {
    /// Without a retention, points are kept forever; InfluxDB takes none below an hour.
    pub(crate) fn fresh(retention: Option<Duration>) -> Database {
        let mut database = Database {
            url: from_tests_run("KORE_TREND_TEST_INFLUXDB_URL"),
            org: from_tests_run("KORE_TREND_TEST_INFLUXDB_ORG"),
            bucket: unique("bucket"),
            token: String::new(),
            operator_token: from_tests_run("KORE_TREND_TEST_INFLUXDB_TOKEN"),
            org_id: String::new(),
            bucket_id: String::new(),
        };
        let organizations =
            database.ask(Method::GET, "/api/v2/orgs", |request| request.query(&[("org", &database.org)]));
        database.org_id = text(&organizations.json()["orgs"][0]["id"]);
        let rules = retention.map(|kept| json!({ "type": "expire", "everySeconds": kept.as_secs() }));
        let rules: Vec<Value> = rules.into_iter().collect();
        let bucket = json!({ "orgID": database.org_id, "name": database.bucket, "retentionRules": rules });
        database.bucket_id = text(&database.post("/api/v2/buckets", &bucket)["id"]);
        database.token = database.new_token(&["write"]);
        let mapping = json!({
            "orgID": database.org_id, "bucketID": database.bucket_id,
            "database": database.bucket, "retention_policy": "autogen", "default": true,
        });
        database.post("/api/v2/dbrps", &mapping);
        database
    }

    /// The section `[influxdb]` that leads here.
    pub(crate) fn config(&self) -> String {
        self.config_with(&self.url, &self.token)
    }

    /// The same by another way, such as a proxy, or with another token.
    pub(crate) fn config_with(&self, url: &str, token: &str) -> String {
        let Database { org, bucket, .. } = self;
        format!("[influxdb]\nurl = \"{url}\"\norg = \"{org}\"\nbucket = \"{bucket}\"\ntoken = \"{token}\"\n")
    }

    /// A new token that may do these things (`read`, `write`) with this bucket, and nothing else.
    pub(crate) fn new_token(&self, actions: &[&str]) -> String {
        let resource = json!({ "type": "buckets", "id": self.bucket_id, "orgID": self.org_id });
        let permissions: Vec<Value> =
            actions.iter().map(|action| json!({ "action": action, "resource": resource })).collect();
        let authorization = json!({ "orgID": self.org_id, "permissions": permissions });
        text(&self.post("/api/v2/authorizations", &authorization)["token"])
    }

    /// Writes line protocol, timestamps in seconds, past the program.
    pub(crate) fn write(&self, lines: &str) -> Answer {
        let query = [("org", self.org.as_str()), ("bucket", &self.bucket), ("precision", "s")];
        let authorization = format!("Token {}", self.token);
        send(|client| {
            let request = client.post(format!("{}/api/v2/write", self.url)).query(&query);
            request.header("Authorization", authorization).body(lines.to_owned())
        })
    }

    /// The rows of a Flux query, each with its columns by name.
    #[track_caller]
    pub(crate) fn flux(&self, query: &str) -> Vec<BTreeMap<String, String>> {
        let dialect = json!({ "annotations": [], "header": true });
        let body = json!({ "query": query, "type": "flux", "dialect": dialect });
        let answer =
            self.ask(Method::POST, "/api/v2/query", |request| request.query(&[("orgID", &self.org_id)]).json(&body));
        rows(&answer.success())
    }

    /// The answer to an InfluxQL query, times in seconds.
    #[track_caller]
    pub(crate) fn influxql(&self, query: &str) -> Value {
        let query = [("db", self.bucket.as_str()), ("rp", "autogen"), ("epoch", "s"), ("q", query)];
        let answer = self.ask(Method::GET, "/query", |request| request.query(&query)).json();
        assert!(answer["results"][0]["error"].is_null(), "{answer}");
        answer
    }

    /// Everything that is stored, sorted.
    #[track_caller]
    pub(crate) fn points(&self) -> Vec<StoredPoint> {
        let range = "range(start: 1970-01-01T00:00:00Z, stop: 2100-01-01T00:00:00Z)";
        let rows = self.flux(&format!("from(bucket: \"{}\") |> {range}", self.bucket));
        let mut points: Vec<StoredPoint> = rows.into_iter().map(point).collect();
        points.sort();
        points
    }

    #[track_caller]
    fn post(&self, path: &str, body: &Value) -> Value {
        self.ask(Method::POST, path, |request| request.json(body)).json()
    }

    #[track_caller]
    fn ask(&self, method: Method, path: &str, complete: impl FnOnce(RequestBuilder) -> RequestBuilder) -> Answer {
        let authorization = format!("Token {}", self.operator_token);
        send(|client| {
            let request = client.request(method, format!("{}{path}", self.url));
            complete(request.header("Authorization", authorization))
        })
    }
}

/// InfluxDB's CSV: tables with other columns follow each other after an empty line, each with a header of its own. The
/// first three columns are InfluxDB's bookkeeping.
#[track_caller]
fn rows(csv: &str) -> Vec<BTreeMap<String, String>> {
    let mut rows = Vec::new();
    for table in csv.split("\r\n\r\n").filter(|table| !table.trim().is_empty()) {
        let mut reader = csv::Reader::from_reader(table.as_bytes());
        let header = reader.headers().unwrap().clone();
        assert!(header.iter().nth(1) == Some("result"), "Flux failed: {csv}");
        for record in reader.records() {
            let record = record.unwrap();
            let columns = header.iter().zip(&record).skip(3);
            rows.push(columns.map(|(name, value)| (name.to_owned(), value.to_owned())).collect());
        }
    }
    rows
}

fn point(mut row: BTreeMap<String, String>) -> StoredPoint {
    let mut take = |name: &str| row.remove(name).unwrap_or_else(|| panic!("no column {name}"));
    let (measurement, field) = (take("_measurement"), take("_field"));
    let time: Timestamp = take("_time").parse().unwrap();
    let value = take("_value").parse().unwrap();
    let _range = (take("_start"), take("_stop"));
    // A column that is empty belongs to another series of the same table.
    row.retain(|_, value| !value.is_empty());
    (measurement, row, field, time.as_second(), value)
}

#[track_caller]
fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}
