//! How things are: what is known of each series, in memory, for the log, the status page and the health checks.

pub mod recent;
pub mod view;
