//! Exports the Kore.ai *User Engagement Trend* to InfluxDB: how many users each chatbot had, by hour and by channel.
//!
//! One idea carries the program: the platform keeps the history, and writing a bucket again replaces it. So nothing is
//! queued; each series remembers the last day that the database confirmed and asks again for what lies after it.
//!
//! ```text
//!             pure                                              effects
//!  config ──▶ plan(progress, today) ─▶ windows ─▶ platform::client::fetch
//!             flatten(answer, asked) ─▶ points ─▶ sink::writer
//!             progress.advance(windows)   only after the write is confirmed ─▶ watermark
//! ```
//!
//! The modules in the order in which to read them:

// A support that the tests from outside share with the unit tests knows this crate by its name.
#[cfg(test)]
extern crate self as kore_trend_exporter;

pub mod series;
pub mod config;
pub mod cron;

pub mod calendar;
pub mod plan;
pub mod flatten;
pub mod point;
pub mod retry;

pub mod metrics;
pub mod pulse;
pub mod heart;
pub mod uptime;
pub mod tls;
pub mod platform;
pub mod sink;
pub mod state_file;
pub mod watermark;
pub mod backfill;

pub mod stop;
pub mod status;
pub mod poller;
pub mod export;
pub mod check;
pub mod summary;
pub mod progress;

pub mod cli;
pub mod logging;
mod journal;
pub mod demo;
pub mod launch;

pub mod daemon;
pub mod admin;
