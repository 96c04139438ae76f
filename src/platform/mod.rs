//! The platform's side: tokens, limits, requests and what comes back.

pub mod token;
