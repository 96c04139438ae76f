//! The program from outside: the built binary, run as a user runs it, against a simulated platform and real databases.
//!
//! One binary for all of it, so that it links once. What needs a server is ignored here and run by `tests/run`, which
//! brings the servers; those tests stand in a module called `faketime`, `influxdb`, `influxdb1`, `prometheus`,
//! `toxiproxy`, `victoriametrics`, `chromium` or `systemd`, by which name it leaves out what it could not bring. So do
//! those in a module called `power_cut` or `namespaces`, which take root.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    missing_docs,
    reason = "a helper of a test fails by panicking, and is read where it is used"
)]

mod support;

mod backfill;
mod check;
mod daemon;
mod database_failures;
mod demo;
mod fake_influxdb;
mod faketime;
mod grafana;
mod influxdb;
mod influxdb_end_to_end;
mod kill;
mod limits;
mod once;
mod outages;
mod page;
mod platform_failures;
mod prometheus;
mod secrets;
mod seeds;
mod soak;
mod state;
mod stopping;
mod surroundings;
mod systemd;
mod tokens;
mod toxiproxy;
mod usage;
mod victoriametrics;
mod victoriametrics_end_to_end;
mod workspace;
