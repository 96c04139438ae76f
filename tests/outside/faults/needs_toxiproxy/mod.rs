//! Faults on the wire, between real parts: Toxiproxy stands between the exporter and InfluxDB 2, and before the platform.
//! For each fault: what the log, `/readyz` and the metrics say while it lasts, that nothing grows, and that afterwards the
//! database holds what the platform holds, without a hand.
//!
//! `tests/faults SECONDS [SEED]` is the long form of the last one.

mod before_the_platform;
mod cut;
mod fault;
mod needs_influxdb2;
mod revised;
mod scene;
mod shows;
