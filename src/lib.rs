//! Exports the Kore.ai *User Engagement Trend* to InfluxDB.

pub mod calendar;
pub mod config;
pub mod cron;
pub mod flatten;
pub mod plan;
pub mod platform;
pub mod point;
pub mod retry;
pub mod series;
pub mod sink;
pub mod state_file;
pub mod stop;
pub mod watermark;
