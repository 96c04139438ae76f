//! Real servers: the databases, Prometheus, and systemd.

mod influxdb1;
mod influxdb2;
mod needs_influxdb2;
mod needs_prometheus;
mod needs_victoriametrics;
mod systemd;
mod verify;
mod victoriametrics;
