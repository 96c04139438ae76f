//! The platform's side: tokens, limits, requests and what comes back.

pub mod answer;
pub mod client;
pub mod failure;
pub mod flush;
pub mod ledger;
pub mod limiter;
pub mod token;
