//! The shipped units in a Debian that boots.

mod needs_influxdb2;
mod service;
