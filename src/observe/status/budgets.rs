//! How much of the platform's limits each bot has used: asked for when somebody looks.

use std::fmt::Debug;
use std::time::Duration;

use crate::config::Limits;

/// The requests of one bot that count now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Budget {
    /// Against the limit of the minute.
    pub minute: u32,
    /// Against the limit of the hour.
    pub hour: u32,
    /// How much longer the bot is left alone, because the platform denied it.
    pub paused_for: Option<Duration>,
    /// For how long the platform has denied the bot, with no answer since.
    pub denied_for: Option<Duration>,
}

/// Who keeps count of the requests.
pub trait Budgets: Debug + Send + Sync {
    /// The limits in force.
    fn limits(&self) -> Limits;

    /// How much of its limits a bot has used.
    fn usage(&self, bot_id: &str) -> Budget;

    /// Counts what other processes have asked since somebody looked.
    fn look_at_others(&self);

    /// Whether requests cannot be recorded.
    fn has_unwritten(&self) -> bool;
}
