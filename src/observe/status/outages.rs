//! Failures that stop many series at once: each is one line in the log, however many series it stops.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::trouble::Trouble;
use crate::domain::event::{FailureScope, SeriesFailure};
use crate::domain::series::{Series, SeriesKey, Window};

/// What fails now, by whose failure it is; that of a bot with the bot's name.
#[derive(Debug, Default)]
pub(super) struct Outages(BTreeMap<(FailureScope, String), Outage>);

#[derive(Debug, Default)]
struct Outage {
    /// What was said of it.
    trouble: Option<Trouble>,
    stopped: BTreeSet<SeriesKey>,
    /// Whether it stopped more than one series at a time.
    has_many: bool,
    unsaid: Option<(Series, Window, SeriesFailure)>,
}

impl Outages {
    /// A series failed for what is not its own.
    pub(super) fn failed(&mut self, series: &Series, window: Window, failure: &SeriesFailure) {
        let bot = if failure.scope == FailureScope::Bot { series.bot.name.clone() } else { String::new() };
        let (place, key) = ((failure.scope, bot), series.key());
        self.0.retain(|other, outage| *other == place || !outage.stopped.remove(&key) || !outage.stopped.is_empty());
        let outage = self.0.entry(place).or_default();
        outage.stopped.insert(key);
        outage.has_many |= outage.stopped.len() > 1;
        outage.unsaid = Some((series.clone(), window, failure.clone()));
    }

    /// A series is well, or failed for its own reasons. What stopped it is over when that was the last one.
    pub(super) fn left(&mut self, series: &Series, is_well: bool, now: Timestamp) {
        self.0.retain(|(scope, bot), outage| {
            let is_over = outage.stopped.remove(&series.key()) && outage.stopped.is_empty();
            if is_over && is_well {
                outage.say_over(*scope, bot, series, now);
            }
            !is_over
        });
    }

    /// Series that are not exported any more are no part of it.
    pub(super) fn keep_only(&mut self, is_exported: impl Fn(&SeriesKey) -> bool) {
        self.0.retain(|_, outage| {
            outage.stopped.retain(&is_exported);
            !outage.stopped.is_empty()
        });
    }

    /// Says what is new, and what lasts and was not said for a while.
    pub(super) fn say(&mut self, next: Option<Timestamp>, now: Timestamp) {
        for ((scope, bot), outage) in &mut self.0 {
            outage.say(*scope, bot, next, now);
        }
    }
}

impl Outage {
    fn say(&mut self, scope: FailureScope, bot: &str, next: Option<Timestamp>, now: Timestamp) {
        let Some((series, window, failure)) = self.unsaid.take() else { return };
        let SeriesFailure { kind, error, advice, .. } = failure;
        let lasts = match &mut self.trouble {
            None => {
                self.trouble = Some(Trouble::begin(now, kind));
                None
            }
            Some(trouble) => {
                if !trouble.again(now, kind) {
                    return;
                }
                Some((trouble.since, trouble.times))
            }
        };
        if !self.has_many {
            return say_failure(&series, window, lasts, &error, &advice);
        }
        let advice = if advice.is_empty() { String::new() } else { format!("; {advice}") };
        let next = next.map(|next| format!("; next try at {next}")).unwrap_or_default();
        let rest = format!("{} series not exported{advice}{next}", self.stopped.len());
        let lasted = lasts.map(|(since, _)| lasted(since, now));
        match (scope, lasted) {
            (FailureScope::Bot, None) => tracing::error!(bot, "{error}: {rest}"),
            (FailureScope::Bot, Some(lasted)) => {
                tracing::error!(bot, "still failing after {lasted:#}: {error}: {rest}")
            }
            (_, None) if error.contains("is unavailable") => tracing::error!("{error}: {rest}"),
            (_, None) => tracing::error!("{} is unavailable ({error}): {rest}", side(scope)),
            (_, Some(lasted)) => {
                tracing::error!("{} has been unavailable for {lasted:#} ({error}): {rest}", side(scope));
            }
        }
    }

    fn say_over(&self, scope: FailureScope, bot: &str, series: &Series, now: Timestamp) {
        let Some(trouble) = &self.trouble else { return };
        let lasted = lasted(trouble.since, now);
        match scope {
            _ if !self.has_many => say_recovery(series, trouble, now),
            FailureScope::Bot => tracing::info!(bot, "recovered after {lasted:#}"),
            _ => tracing::info!("{} is available again after {lasted:#}", side(scope)),
        }
    }
}

fn side(scope: FailureScope) -> &'static str {
    if scope == FailureScope::Database { "the database" } else { "the platform" }
}

fn lasted(since: Timestamp, now: Timestamp) -> SignedDuration {
    SignedDuration::from_secs(now.duration_since(since).as_secs().max(0))
}

/// Says why one series failed; if it did before, since when and how often.
pub(super) fn say_failure(series: &Series, window: Window, lasts: Option<(Timestamp, u32)>, error: &str, advice: &str) {
    let Series { bot, channel, interval } = series;
    let said = if advice.is_empty() { error.to_owned() } else { format!("{error}; {advice}") };
    match lasts {
        None => tracing::error!(bot = bot.name, channel, %interval, days = %window, "{said}"),
        Some((since, times)) => tracing::error!(
            bot = bot.name, channel, %interval, days = %window, %since, times, "still failing: {said}"
        ),
    }
}

/// Says that one series is well again.
pub(super) fn say_recovery(series: &Series, trouble: &Trouble, now: Timestamp) {
    let Series { bot, channel, interval } = series;
    let lasted = lasted(trouble.since, now);
    let ticks =
        if trouble.times == 1 { "one failed tick".to_owned() } else { format!("{} failed ticks", trouble.times) };
    tracing::info!(bot = bot.name, channel, %interval, "recovered after {lasted:#} and {ticks}");
}
