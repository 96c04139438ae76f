//! Exports the Kore.ai *User Engagement Trend* to InfluxDB: how many users each chatbot had, by hour and by channel.
//!
//! One idea carries the program: the platform keeps the history, and writing a bucket again replaces it. So nothing is
//! queued; each series remembers the last day that the database confirmed and asks again for what lies after it.
//!
//! ```text
//!             pure                                              effects
//!  config ──▶ plan(progress, today) ─▶ windows ─▶ platform::client
//!             flatten(answer, asked) ─▶ points ─▶ database::writer
//!             progress.advance(confirmed) only after the write is confirmed ─▶ watermark
//! ```
//!
//! The modules in the order in which to read them:

pub mod cli;
pub mod config;
pub mod daemon;
pub mod database;
pub mod demo;
pub mod domain;
pub mod http;
pub mod limits;
pub mod manual;
pub mod observe;
pub mod platform;
pub mod run;
pub mod shutdown;
pub mod startup;
pub mod state;
