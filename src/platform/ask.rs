//! The way to the platform.

use std::pin::Pin;

use reqwest::{RequestBuilder, Response};

/// Sends a request; handed in as the clock is, so that a platform need not be behind a network.
pub type Ask = fn(RequestBuilder) -> Asked;

/// A request under way.
pub type Asked = Pin<Box<dyn Future<Output = Result<Response, reqwest::Error>> + Send>>;

/// The way over the network.
pub fn over_the_network(request: RequestBuilder) -> Asked {
    Box::pin(request.send())
}
