//! A run that ends: the command line, the configuration, and each mode but the daemon.

mod backfill;
mod check;
mod configuration;
mod demo;
mod limits;
mod once;
mod secrets;
mod state;
mod stopping;
mod tokens;
mod usage;
mod verify;
