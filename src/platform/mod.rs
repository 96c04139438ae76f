//! The platform's side: tokens, limits, requests and what comes back.

pub mod answer;
pub mod ask;
pub mod client;
mod dates;
pub mod failure;
pub mod flush;
pub mod ledger;
pub mod limiter;
pub mod places;
pub mod token;
