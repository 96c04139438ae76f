//! Exports the Kore.ai *User Engagement Trend* to InfluxDB.

pub mod calendar;
pub mod config;
pub mod cron;
pub mod demo;
pub mod platform;
pub mod point;
pub mod series;
