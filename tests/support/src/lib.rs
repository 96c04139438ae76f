//! What the tests, the model and the benchmarks stand on: a place to run the program in, both ends of it, and judges of
//! what arrived.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::len_without_is_empty,
    clippy::new_without_default,
    reason = "a helper of a test fails by panicking, and is read where it is used"
)]

pub mod bench;
pub mod canaries;
pub mod chromium;
pub mod clock;
pub mod daemon;
pub mod expected;
pub mod fake_influxdb;
pub mod grafana;
pub mod http;
pub mod influxd;
pub mod influxdb;
pub mod influxdb1;
pub mod loopback;
pub mod machine;
pub mod manager;
pub mod measured;
pub mod name_server;
pub mod namespace;
pub mod platform;
pub mod process;
pub mod prometheus;
pub mod reverse_proxy;
pub mod server;
pub mod small_disk;
pub mod tls;
pub mod toxiproxy;
pub mod victoriametrics;
pub mod views;
pub mod workspace;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// The repository.
pub fn repository() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

/// The built program. Cargo puts it into the folder above the one of the tests and benchmarks that it builds it for.
pub fn program() -> PathBuf {
    let of_this = std::env::current_exe().unwrap();
    of_this.parent().unwrap().parent().unwrap().join("kore-trend-exporter")
}

/// A name that no other test has, in this run or another.
pub fn unique(prefix: &str) -> String {
    format!("{prefix}-{}", uuid::Uuid::new_v4().simple())
}

/// Asks until there is an answer; panics after a time that only a failure takes.
#[track_caller]
pub fn wait_for<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < deadline, "waited a minute in vain for {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// An environment variable that `tests/run` sets.
pub fn from_tests_run(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: start this test by tests/run"))
}
