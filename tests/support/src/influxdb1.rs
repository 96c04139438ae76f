//! A database of a test's own in the InfluxDB 1 that `tests/run` brings, and everything that was stored in it.

use std::collections::BTreeMap;
use std::net::SocketAddrV4;
use std::process::Command;

use serde_json::Value;

use super::http::{Answer, exchange, send};
use super::influxdb::StoredPoint;
use super::process::Running;
use super::workspace::Workspace;
use super::{from_tests_run, loopback, unique, wait_for};

/// A fresh database with one retention policy. The server's end is its end too.
pub struct OldDatabase {
    pub url: String,
    pub name: String,
}

/// The retention policy.
pub const POLICY: &str = "kept";

impl OldDatabase {
    /// Keeps points forever.
    pub fn fresh() -> OldDatabase {
        OldDatabase::keeping("INF")
    }

    /// Keeps points for this long, written as in InfluxQL.
    pub fn keeping(duration: &str) -> OldDatabase {
        let database = OldDatabase { url: from_tests_run("KORE_TREND_TEST_INFLUXDB1_URL"), name: unique("database") };
        let policy = format!("WITH DURATION {duration} SHARD DURATION 1d NAME \"{POLICY}\"");
        database.influxql(&format!("CREATE DATABASE \"{}\" {policy}", database.name));
        database
    }

    /// The section `[influxdb]` that leads here.
    pub fn config(&self) -> String {
        let OldDatabase { url, name } = self;
        format!("[influxdb]\nurl = \"{url}\"\norg = \"\"\nbucket = \"{name}/{POLICY}\"\ntoken = \"unused\"\n")
    }

    /// Writes line protocol, timestamps in seconds, past the program.
    pub fn write(&self, lines: &str) -> Answer {
        let query = [("bucket", format!("{}/{POLICY}", self.name)), ("precision", "s".to_owned())];
        send(|client| client.post(format!("{}/api/v2/write", self.url)).query(&query).body(lines.to_owned()))
    }

    /// The answer to an InfluxQL query, times in seconds.
    #[track_caller]
    pub fn influxql(&self, query: &str) -> Value {
        let query = [("db", self.name.as_str()), ("epoch", "s"), ("q", query)];
        let answer = send(|client| client.post(format!("{}/query", self.url)).query(&query)).json();
        assert!(answer["results"][0]["error"].is_null(), "{answer}");
        answer
    }

    /// Everything that is stored, sorted.
    #[track_caller]
    pub fn points(&self) -> Vec<StoredPoint> {
        let answer = self.influxql("SELECT *::field FROM /.*/ GROUP BY *");
        let mut points = Vec::new();
        for series in answer["results"][0]["series"].as_array().into_iter().flatten() {
            let tags = series["tags"].as_object().unwrap().iter();
            let tags = tags.map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned()));
            let tags: BTreeMap<String, String> = tags.filter(|(_, value)| !value.is_empty()).collect();
            let columns = series["columns"].as_array().unwrap();
            for row in series["values"].as_array().unwrap() {
                for (column, value) in columns.iter().zip(row.as_array().unwrap()).skip(1) {
                    let measurement = series["name"].as_str().unwrap().to_owned();
                    let field = column.as_str().unwrap().to_owned();
                    let time = row[0].as_i64().unwrap();
                    points.extend(value.as_i64().map(|value| (measurement, tags.clone(), field, time, value)));
                }
            }
        }
        points.sort();
        points
    }
}

/// An InfluxDB 1 of a test's own that asks for a name and a password; killed when dropped, with everything that it stored.
pub struct GuardedInfluxd {
    _running: Running,
    address: SocketAddrV4,
    _folder: Workspace,
}

/// The only user's name and password, as a token.
pub const CREDENTIALS: &str = "owner:the-password-of-the-owner";

impl GuardedInfluxd {
    /// One that answers, with an owner and a database.
    #[track_caller]
    pub fn start() -> GuardedInfluxd {
        let (folder, address) = (Workspace::new(), loopback::socket());
        let mut command = Command::new(from_tests_run("KORE_TREND_TEST_INFLUXD1"));
        command.env_clear().args(["run", "-config", "/dev/null"]);
        command.env("INFLUXDB_HTTP_BIND_ADDRESS", address.to_string()).env("INFLUXDB_BIND_ADDRESS", "127.0.0.1:0");
        command.env("INFLUXDB_HTTP_AUTH_ENABLED", "true").env("INFLUXDB_REPORTING_DISABLED", "true");
        for (variable, name) in [("META_DIR", "meta"), ("DATA_DIR", "data"), ("DATA_WAL_DIR", "wal")] {
            command.env(format!("INFLUXDB_{variable}"), folder.path(name));
        }
        let running = Running::start(command);
        wait_for("InfluxDB 1 to answer", || {
            let ping = exchange(address.into(), b"GET /ping HTTP/1.0\r\n\r\n").ok().flatten();
            ping.filter(|ping| ping.status == 204)
        });
        let influxd = GuardedInfluxd { _running: running, address, _folder: folder };
        let (name, password) = CREDENTIALS.split_once(':').unwrap();
        influxd.ask(&format!("CREATE USER \"{name}\" WITH PASSWORD '{password}' WITH ALL PRIVILEGES"));
        influxd.ask(&format!("CREATE DATABASE guarded WITH NAME \"{POLICY}\""));
        influxd
    }

    /// The section `[influxdb]` that leads here with this token.
    pub fn config(&self, token: &str) -> String {
        let url = format!("http://{}", self.address);
        format!("[influxdb]\nurl = \"{url}\"\norg = \"\"\nbucket = \"guarded/{POLICY}\"\ntoken = \"{token}\"\n")
    }

    /// The answer to an InfluxQL query, times in seconds.
    #[track_caller]
    pub fn ask(&self, query: &str) -> Value {
        let query = [("db", "guarded"), ("epoch", "s"), ("q", query)];
        let (name, password) = CREDENTIALS.split_once(':').unwrap();
        send(|client| {
            let request = client.post(format!("http://{}/query", self.address)).query(&query);
            request.basic_auth(name, Some(password))
        })
        .json()
    }
}
