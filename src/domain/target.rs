//! Where the points of a series go: what a watermark, and what is known of the stored points, belongs to.

use serde::{Deserialize, Serialize};

use crate::domain::bot::Bot;
use crate::domain::series::stable_hash;

/// A destination and the tags that points have there, as fingerprints: nothing of an address or a tag can be read off.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// Which database, organization and bucket, or which file.
    pub destination: String,
    /// The bot's own tags.
    pub tags: String,
}

impl Target {
    /// Of the destination with this identity, and the bot's tags.
    pub fn new(destination: &str, bot: &Bot) -> Target {
        let fingerprint = |text: &str| format!("{:016x}", stable_hash(text));
        let mut tags = bot.tags.clone();
        tags.sort_unstable();
        Target { destination: fingerprint(destination), tags: fingerprint(&format!("{tags:?}")) }
    }
}
