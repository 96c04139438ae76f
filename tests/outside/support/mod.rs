//! What the tests stand on: a place to run the program in, both ends of it, and judges of what arrived.

#![allow(
    dead_code,
    reason = "a support for tests offers both halves of a thing, also the half that no test needs today"
)]

pub(crate) mod chromium;
pub(crate) mod clock;
pub(crate) mod daemon;
pub(crate) mod expected;
pub(crate) mod fake_influxdb;
pub(crate) mod grafana;
pub(crate) mod http;
pub(crate) mod influxdb;
pub(crate) mod influxdb1;
pub(crate) mod machine;
pub(crate) mod manager;
pub(crate) mod platform;
pub(crate) mod process;
pub(crate) mod prometheus;
pub(crate) mod server;
pub(crate) mod victoriametrics;
pub(crate) mod views;
pub(crate) mod workspace;

use std::time::{Duration, Instant};

/// A name that no other test has, in this run or another.
pub(crate) fn unique(prefix: &str) -> String {
    format!("{prefix}-{}", uuid::Uuid::new_v4().simple())
}

/// Asks until there is an answer; panics after a time that only a failure takes.
#[track_caller]
pub(crate) fn wait_for<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
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
pub(crate) fn from_tests_run(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: start this test by tests/run"))
}
