//! How fast a bot may be asked: exact rolling windows for all requests of a bot, live before backfill, kept over restarts.

pub mod flush;
pub mod ledger;
pub mod limiter;
pub mod places;
pub mod uptime;
