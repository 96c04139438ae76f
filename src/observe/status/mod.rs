//! How things are: what is known of each series, in memory, for the log, the metrics, the status page and the health
//! checks. Every event of a run passes through the [`board`], whatever the mode.

pub mod board;
pub mod condition;
pub mod memory;
mod outages;
pub mod recent;
mod series;
mod trouble;
pub mod view;
