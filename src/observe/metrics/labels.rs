//! What tells the samples of one metric apart.

use prometheus_client::encoding::EncodeLabelSet;

use crate::domain::series::SeriesKey;

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub(super) struct Bot {
    pub(super) bot: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub(super) struct BotAndStatus {
    pub(super) bot: String,
    pub(super) status: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub(super) struct BotAndReason {
    pub(super) bot: String,
    pub(super) reason: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub(super) struct BotAndWindow {
    pub(super) bot: String,
    pub(super) window: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub(super) struct OneSeries {
    pub(super) bot: String,
    pub(super) channel: String,
    pub(super) interval: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub(super) struct WriteResult {
    pub(super) result: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub(super) struct Version {
    pub(super) version: &'static str,
}

impl From<&SeriesKey> for OneSeries {
    fn from(key: &SeriesKey) -> Self {
        OneSeries { bot: key.bot.clone(), channel: key.channel.clone(), interval: key.interval.name() }
    }
}
