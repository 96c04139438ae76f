//! A bucket of a test's own in the InfluxDB that `tests/run` brings, and everything that was stored in it.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use super::http::{Answer, send};
use super::{from_tests_run, unique};

/// Measurement, tags, field, seconds, value.
pub type StoredPoint = (String, BTreeMap<String, String>, String, i64, i64);

/// A fresh bucket, and a token that may write to it and do nothing else. The server's end is its end too.
pub struct Database {
    pub url: String,
    pub org: String,
    pub bucket: String,
    /// May write to the bucket, and nothing else.
    pub token: String,
    /// May do anything.
    pub operator_token: String,
    org_id: String,
    bucket_id: String,
    retention: Option<Duration>,
}

impl Database {
    /// Without a retention, points are kept forever; InfluxDB takes none below an hour.
    pub fn fresh(retention: Option<Duration>) -> Database {
        let [url, org, token] = ["URL", "ORG", "TOKEN"].map(|name| format!("KORE_TREND_TEST_INFLUXDB_{name}"));
        Database::fresh_in(&from_tests_run(&url), &from_tests_run(&org), &from_tests_run(&token), retention)
    }

    /// The same in another server, whose operator's token this is.
    pub fn fresh_in(url: &str, org: &str, operator_token: &str, retention: Option<Duration>) -> Database {
        let mut database = Database {
            url: url.to_owned(),
            org: org.to_owned(),
            bucket: unique("bucket"),
            token: String::new(),
            operator_token: operator_token.to_owned(),
            org_id: String::new(),
            bucket_id: String::new(),
            retention,
        };
        let organizations =
            database.ask(Method::GET, "/api/v2/orgs", |request| request.query(&[("org", &database.org)]));
        database.org_id = text(&organizations.json()["orgs"][0]["id"]);
        database.make_bucket();
        database
    }

    /// Makes the bucket, which is not there or not any more, and a token that may write to it.
    #[track_caller]
    pub fn make_bucket(&mut self) {
        let rules = self.retention.map(|kept| json!({ "type": "expire", "everySeconds": kept.as_secs() }));
        let rules: Vec<Value> = rules.into_iter().collect();
        let bucket = json!({ "orgID": self.org_id, "name": self.bucket, "retentionRules": rules });
        self.bucket_id = text(&self.post("/api/v2/buckets", &bucket)["id"]);
        self.token = self.new_token(&["write"]);
        let mapping = json!({
            "orgID": self.org_id, "bucketID": self.bucket_id,
            "database": self.bucket, "retention_policy": "autogen", "default": true,
        });
        self.post("/api/v2/dbrps", &mapping);
    }

    /// Deletes the bucket with everything in it.
    #[track_caller]
    pub fn delete_bucket(&self) {
        self.ask(Method::DELETE, &format!("/api/v2/buckets/{}", self.bucket_id), |request| request).success();
    }

    /// The section `[influxdb]` that leads here.
    pub fn config(&self) -> String {
        self.config_with(&self.url, &self.token)
    }

    /// The same by another way, such as a proxy, or with another token.
    pub fn config_with(&self, url: &str, token: &str) -> String {
        let Database { org, bucket, .. } = self;
        format!("[influxdb]\nurl = \"{url}\"\norg = \"{org}\"\nbucket = \"{bucket}\"\ntoken = \"{token}\"\n")
    }

    /// A new token that may do these things (`read`, `write`) with this bucket, and nothing else.
    pub fn new_token(&self, actions: &[&str]) -> String {
        self.new_token_for(actions, &json!({ "type": "buckets", "id": self.bucket_id, "orgID": self.org_id }))
    }

    /// A new token that may do these things with every bucket of the organization, also with one that is yet to come.
    pub fn new_token_for_all_buckets(&self, actions: &[&str]) -> String {
        self.new_token_for(actions, &json!({ "type": "buckets", "orgID": self.org_id }))
    }

    fn new_token_for(&self, actions: &[&str], resource: &Value) -> String {
        let permissions: Vec<Value> =
            actions.iter().map(|action| json!({ "action": action, "resource": resource })).collect();
        let authorization = json!({ "orgID": self.org_id, "permissions": permissions });
        text(&self.post("/api/v2/authorizations", &authorization)["token"])
    }

    /// Revokes a token.
    #[track_caller]
    pub fn revoke(&self, token: &str) {
        let known = self.ask(Method::GET, "/api/v2/authorizations", |request| request).json();
        let known = known["authorizations"].as_array().unwrap();
        let authorization = known.iter().find(|authorization| authorization["token"] == token).unwrap();
        let path = format!("/api/v2/authorizations/{}", text(&authorization["id"]));
        self.ask(Method::DELETE, &path, |request| request).success();
    }

    /// Writes line protocol, timestamps in seconds, past the program.
    pub fn write(&self, lines: &str) -> Answer {
        let query = [("org", self.org.as_str()), ("bucket", &self.bucket), ("precision", "s")];
        let authorization = format!("Token {}", self.token);
        send(|client| {
            let request = client.post(format!("{}/api/v2/write", self.url)).query(&query);
            request.header("Authorization", authorization).body(lines.to_owned())
        })
    }

    /// The rows of a Flux query, each with its columns by name.
    #[track_caller]
    pub fn flux(&self, query: &str) -> Vec<BTreeMap<String, String>> {
        let dialect = json!({ "annotations": [], "header": true });
        let body = json!({ "query": query, "type": "flux", "dialect": dialect });
        let answer =
            self.ask(Method::POST, "/api/v2/query", |request| request.query(&[("orgID", &self.org_id)]).json(&body));
        rows(&answer.success())
    }

    /// The answer to an InfluxQL query, times in seconds.
    #[track_caller]
    pub fn influxql(&self, query: &str) -> Value {
        let query = [("db", self.bucket.as_str()), ("rp", "autogen"), ("epoch", "s"), ("q", query)];
        let answer = self.ask(Method::GET, "/query", |request| request.query(&query)).json();
        assert!(answer["results"][0]["error"].is_null(), "{answer}");
        answer
    }

    /// Everything that is stored, sorted.
    #[track_caller]
    pub fn points(&self) -> Vec<StoredPoint> {
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
