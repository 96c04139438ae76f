//! HTTP for tests that are no async functions: one request, the whole answer.

use std::sync::LazyLock;
use std::time::Duration;

use reqwest::{Client, RequestBuilder};

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
}

impl Answer {
    /// The body, provided that the request succeeded.
    #[track_caller]
    pub(crate) fn success(self) -> String {
        assert!((200..300).contains(&self.status), "{self:?}");
        self.body
    }

    /// The body as JSON, provided that the request succeeded.
    #[track_caller]
    pub(crate) fn json(self) -> serde_json::Value {
        serde_json::from_str(&self.success()).unwrap()
    }
}

/// Sends the request that `build` makes of the client.
#[track_caller]
pub(crate) fn send(build: impl FnOnce(&Client) -> RequestBuilder) -> Answer {
    // A connection does not outlive the small runtime below, so none is kept; and loopback needs no proxy.
    static CLIENT: LazyLock<Client> = LazyLock::new(|| {
        Client::builder().no_proxy().pool_max_idle_per_host(0).timeout(Duration::from_secs(60)).build().unwrap()
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let response = build(&CLIENT).send().await.unwrap();
        Answer { status: response.status().as_u16(), body: response.text().await.unwrap() }
    })
}
