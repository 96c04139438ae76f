//! A bot as it is configured: who it is, what proves that, and which of its series are exported.

use std::sync::Arc;

use jiff::tz::TimeZone;

use super::credentials::{EncryptionKey, SigningKey};
use super::interval::Interval;
use super::slots::Cron;

/// One virtual assistant and the app that may read its figures.
#[derive(Clone, Debug)]
pub struct Bot {
    /// The name of its table in the configuration: the `bot` tag.
    pub name: Arc<str>,
    /// The platform's id of it, usually `st-…`: the `bot_id` tag.
    pub id: Arc<str>,
    /// The app's client id, usually `cs-…`.
    pub client_id: String,
    /// What its tokens are signed with.
    pub key: SigningKey,
    /// What its tokens are encrypted with, if the app insists on that.
    pub encryption: Option<EncryptionKey>,
    /// The zone its days and hours are in.
    pub time_zone: TimeZone,
    /// The channels to ask for, each once.
    pub channels: Vec<Arc<str>>,
    /// The intervals to ask for, each once.
    pub intervals: Vec<Interval>,
    /// Tags of its own, by key.
    pub tags: Vec<(String, String)>,
    /// A schedule of its own.
    pub cron: Option<Cron>,
}

/// A bot as tests need one: `st-NAME`, every channel, hourly, in UTC.
#[cfg(test)]
pub(crate) fn test_bot(name: &str) -> Bot {
    Bot {
        name: name.into(),
        id: format!("st-{name}").into(),
        client_id: format!("cs-{name}"),
        key: SigningKey::hmac(crate::domain::credentials::Algorithm::HS256, b"a secret"),
        encryption: None,
        time_zone: TimeZone::UTC,
        channels: vec!["all".into()],
        intervals: vec![Interval::Hourly],
        tags: Vec::new(),
        cron: None,
    }
}
