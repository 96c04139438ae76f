//! An InfluxDB 2 of a test's own, which it may stop, start again and starve of disk.

use std::net::SocketAddrV4;
use std::path::PathBuf;
use std::process::Command;

use serde_json::json;

use super::http::{exchange, send};
use super::influxdb::Database;
use super::namespace::Namespace;
use super::process::Running;
use super::workspace::Workspace;
use super::{from_tests_run, loopback, unique, wait_for};

/// How much disk the engine has where the test limits it.
const DISK_KIB: usize = 12 << 10;

/// The server; killed when dropped, with everything that it stored.
pub struct Influxd {
    running: Option<Running>,
    namespace: Option<Namespace>,
    address: SocketAddrV4,
    operator_token: String,
    folder: Workspace,
}

impl Influxd {
    /// One that answers.
    #[track_caller]
    pub fn start() -> Influxd {
        Influxd::set_up(false)
    }

    /// The same with a disk so small that a test can fill it; needs root.
    #[track_caller]
    pub fn with_small_disk() -> Influxd {
        Influxd::set_up(true)
    }

    #[track_caller]
    fn set_up(small: bool) -> Influxd {
        let folder = Workspace::new();
        let engine = folder.path("engine");
        std::fs::create_dir(&engine).unwrap();
        let namespace = small.then(|| Namespace::with_disk(&engine, DISK_KIB));
        let (address, operator_token) = (loopback::socket(), unique("operator"));
        let mut influxd = Influxd { running: None, namespace, address, operator_token, folder };
        influxd.start_again();
        let owner = json!({
            "username": "tests", "password": influxd.operator_token, "token": influxd.operator_token,
            "org": "kore", "bucket": "setup",
        });
        send(|client| client.post(format!("{}/api/v2/setup", influxd.url())).json(&owner)).success();
        influxd
    }

    /// Its base URL.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// A fresh bucket in it.
    #[track_caller]
    pub fn database(&self) -> Database {
        Database::fresh_in(&self.url(), "kore", &self.operator_token, None)
    }

    /// Ends it as a power cut would.
    pub fn kill(&mut self) {
        self.running = None;
    }

    /// Starts it at the same address with what it has stored, and waits until it answers.
    #[track_caller]
    pub fn start_again(&mut self) {
        let mut command = Command::new(from_tests_run("KORE_TREND_TEST_INFLUXD"));
        command.env_clear().current_dir(self.folder.path("")).args(["--reporting-disabled", "--log-level=error"]);
        for (option, file) in [("bolt", "bolt"), ("sqlite", "sqlite"), ("engine", "engine")] {
            command.arg(format!("--{option}-path")).arg(self.folder.path(file));
        }
        command.arg(format!("--http-bind-address={}", self.address));
        let command = match &self.namespace {
            Some(namespace) => namespace.enter(&command),
            None => command,
        };
        let running = Running::start(command);
        wait_for("InfluxDB to answer", || {
            let health = exchange(self.address.into(), b"GET /health HTTP/1.0\r\n\r\n").ok().flatten();
            health.filter(|health| health.status == 200)
        });
        self.running = Some(running);
    }

    /// A file on its small disk, as this process sees it.
    pub fn on_disk(&self, name: &str) -> PathBuf {
        self.namespace.as_ref().unwrap().path(&self.folder.path("engine").join(name))
    }
}
