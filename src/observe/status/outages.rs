//! What is said of failures in the log: one line for each cause, however many series it stops, ever less often while it
//! lasts, and one when it is over.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::trouble::Trouble;
use crate::domain::event::{FailureScope, SeriesFailure};
use crate::domain::series::{Series, SeriesKey, Window};
use crate::domain::words::with_advice;

/// Whose failure it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Cause {
    Series(SeriesKey),
    Bot(Arc<str>),
    Platform,
    Database,
}

impl Cause {
    /// Those under which a series can stand.
    fn all_of(key: &SeriesKey) -> [Cause; 4] {
        [Cause::Series(key.clone()), Cause::Bot(key.bot.clone()), Cause::Platform, Cause::Database]
    }
}

/// What fails now. A series stands under one cause at a time.
#[derive(Debug, Default)]
pub(super) struct Outages(BTreeMap<Cause, Outage>);

#[derive(Debug, Default)]
struct Outage {
    /// What was said of it.
    trouble: Option<Trouble>,
    stopped: BTreeSet<SeriesKey>,
    /// Those of which it was said by name.
    named: BTreeSet<SeriesKey>,
    /// Whether it was said of several at once.
    has_many: bool,
    /// What failed since it was said last, by kind.
    unsaid: BTreeMap<String, Unsaid>,
}

/// Failures of one kind: the last of them, and whose they are.
#[derive(Debug)]
struct Unsaid {
    series: Series,
    window: Window,
    failure: SeriesFailure,
    stopped: BTreeSet<SeriesKey>,
}

impl Outages {
    /// A series failed. What is its own is said at once; what may stop others waits for them.
    pub(super) fn failed(&mut self, series: &Series, window: Window, failure: &SeriesFailure, now: Timestamp) {
        let key = series.key();
        let cause = match failure.scope {
            FailureScope::Series => Cause::Series(key.clone()),
            FailureScope::Bot => Cause::Bot(key.bot.clone()),
            FailureScope::Platform => Cause::Platform,
            FailureScope::Database => Cause::Database,
        };
        // Where it stood under another cause, that is not over for being well.
        for other in Cause::all_of(&key).iter().filter(|other| **other != cause) {
            if let Some(outage) = self.0.get_mut(other)
                && outage.stopped.remove(&key)
                && outage.stopped.is_empty()
            {
                self.0.remove(other);
            }
        }
        let outage = self.0.entry(cause.clone()).or_default();
        outage.stopped.insert(key.clone());
        let before = outage.unsaid.remove(&failure.kind);
        let mut stopped = before.map(|before| before.stopped).unwrap_or_default();
        stopped.insert(key);
        let unsaid = Unsaid { series: series.clone(), window, failure: failure.clone(), stopped };
        match cause {
            Cause::Series(_) => outage.say(unsaid, &cause, None, now),
            _ => drop(outage.unsaid.insert(failure.kind.clone(), unsaid)),
        }
    }

    /// A series is well. What stopped it is over when that was the last one.
    pub(super) fn recovered(&mut self, series: &Series, now: Timestamp) {
        if self.0.is_empty() {
            return;
        }
        let key = series.key();
        for cause in Cause::all_of(&key) {
            let Some(outage) = self.0.get_mut(&cause) else { continue };
            if outage.stopped.remove(&key) {
                outage.say_recovered(series, &cause, now);
                if outage.stopped.is_empty() {
                    self.0.remove(&cause);
                }
            }
        }
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
        for (cause, outage) in &mut self.0 {
            for unsaid in std::mem::take(&mut outage.unsaid).into_values() {
                outage.say(unsaid, cause, next, now);
            }
        }
    }
}

impl Outage {
    /// Says that this series is stopped no more, and that none is any more, if that was said of them.
    fn say_recovered(&mut self, series: &Series, cause: &Cause, now: Timestamp) {
        let is_named = self.named.remove(&series.key());
        let Some(trouble) = &self.trouble else { return };
        if is_named {
            say_recovery(series, trouble, now);
        }
        if self.stopped.is_empty() && self.has_many {
            let lasted = lasted(trouble.since, now);
            match cause {
                Cause::Bot(bot) => tracing::info!(bot = &**bot, "recovered after {lasted:#}"),
                Cause::Platform => tracing::info!("the platform is available again after {lasted:#}"),
                Cause::Database => tracing::info!("the database is available again after {lasted:#}"),
                Cause::Series(_) => {}
            }
        }
    }

    fn say(&mut self, unsaid: Unsaid, cause: &Cause, next: Option<Timestamp>, now: Timestamp) {
        let Unsaid { series, window, failure: SeriesFailure { kind, error, advice, .. }, stopped } = unsaid;
        let is_due = self.trouble.as_mut().is_none_or(|trouble| trouble.again(now, kind.clone()));
        let trouble = self.trouble.get_or_insert_with(|| Trouble::begin(now, kind));
        if !is_due {
            return;
        }
        let lasts = (trouble.since < now).then_some((trouble.since, trouble.times));
        if stopped.len() == 1 {
            self.named.insert(series.key());
            return say_failure(&series, window, lasts, &error, &advice);
        }
        self.has_many = true;
        let next = next.map(|next| format!("; next try at {next}")).unwrap_or_default();
        let lasts = lasts.map(|(since, _)| format!("still failing after {:#}: ", lasted(since, now)));
        let said = format!("{}{error}: {} series failed", lasts.unwrap_or_default(), stopped.len());
        let said = with_advice(&said, &advice) + &next;
        match cause {
            Cause::Bot(bot) => tracing::error!(bot = &**bot, "{said}"),
            _ => tracing::error!("{said}"),
        }
    }
}

fn lasted(since: Timestamp, now: Timestamp) -> SignedDuration {
    SignedDuration::from_secs(now.duration_since(since).as_secs().max(0))
}

/// Says why one series failed; if it did before, since when and how often.
fn say_failure(series: &Series, window: Window, lasts: Option<(Timestamp, u32)>, error: &str, advice: &str) {
    let Series { bot, channel, interval } = series;
    let said = with_advice(&error, advice);
    match lasts {
        None => tracing::error!(bot = &*bot.name, channel = &**channel, %interval, days = %window, "{said}"),
        Some((since, times)) => tracing::error!(
            bot = &*bot.name, channel = &**channel, %interval, days = %window, %since, times, "still failing: {said}"
        ),
    }
}

/// Says that one series is well again.
fn say_recovery(series: &Series, trouble: &Trouble, now: Timestamp) {
    let Series { bot, channel, interval } = series;
    let lasted = lasted(trouble.since, now);
    let ticks =
        if trouble.times == 1 { "one failed tick".to_owned() } else { format!("{} failed ticks", trouble.times) };
    tracing::info!(bot = &*bot.name, channel = &**channel, %interval, "recovered after {lasted:#} and {ticks}");
}
