//! The tests' own parts do what the tests rely on.

mod fake_influxdb;
mod needs;
mod platform;
mod seeds;
mod workspace;
