//! How fast a bot may be asked: exact rolling windows for all requests of a bot, live before backfill, kept over restarts.
//! Whose turn it is, [`usage`] decides; [`limiter`] waits for it, and [`ledger`] shares the count with other processes.
//! It uses the configured limits and files of the state folder, and never makes a request.

mod denial;
pub mod in_flight;
pub mod ledger;
pub mod limiter;
pub mod usage;
