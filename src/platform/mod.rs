//! The platform's side: tokens, limits, requests and what comes back.

pub mod answer;
pub mod client;
mod dates;
pub(crate) mod encryption;
pub mod failure;
mod outage;
mod reading;
mod request;
pub mod token;
pub mod verdict;
