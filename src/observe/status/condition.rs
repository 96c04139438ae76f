//! How a series is, and in one sentence how all of them are: for the status page, for one bot of it, and for the service
//! manager, which wants it too often for all that the page shows of many series to be gathered for it.

use jiff::{SignedDuration, Timestamp};

use crate::domain::series::Interval;

/// How a series is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// No tick of it has ended since the start.
    Pending,
    /// Its last tick did all that was owed.
    Well,
    /// Its last tick failed; it has failed since then.
    Failing {
        /// When the first of the failures in a row was.
        since: Timestamp,
    },
}

/// One series, and how it is.
#[derive(Clone, Copy, Debug)]
pub struct SeriesCondition<'a> {
    /// The bot's configured name.
    pub bot: &'a str,
    /// Which channel.
    pub channel: &'a str,
    /// Hourly or daily.
    pub interval: Interval,
    /// How its last tick ended.
    pub condition: Condition,
}

/// What else there is to say.
#[derive(Clone, Copy, Debug)]
pub struct ProcessState {
    /// When this is.
    pub now: Timestamp,
    /// When the next tick is due, if one is.
    pub next: Option<Timestamp>,
    /// Whether the state folder cannot be written.
    pub is_state_failing: bool,
    /// Whether the last reload was refused.
    pub is_reload_refused: bool,
}

/// How things are in one sentence, without a full stop.
pub fn sentence<'a>(series: impl Iterator<Item = SeriesCondition<'a>>, process: ProcessState) -> String {
    let (mut all, mut pending, mut failing, mut first) = (0_usize, 0_usize, 0_usize, None);
    for series in series {
        all += 1;
        pending += usize::from(series.condition == Condition::Pending);
        if matches!(series.condition, Condition::Failing { .. }) {
            failing += 1;
            first.get_or_insert(series);
        }
    }
    let things = match first {
        Some(SeriesCondition { bot, channel, interval, .. }) => {
            let others = if failing > 1 { " and others" } else { "" };
            format!("{failing} of {all} series failing ({bot}/{channel} {interval}{others})")
        }
        None if all == 0 => "no series to export".to_owned(),
        None if pending == all => format!("none of {all} series fetched yet"),
        None if pending > 0 => format!("{} of {all} series up to date, {pending} not fetched yet", all - pending),
        None => format!("all {all} series up to date"),
    };
    let ProcessState { now, next, is_state_failing, is_reload_refused } = process;
    let state = if is_state_failing { ", state folder not writable" } else { "" };
    let reload = if is_reload_refused { ", last reload refused" } else { "" };
    let next = next.map(|next| format!(", next tick at {}", clock_time(next, now))).unwrap_or_default();
    format!("{things}{state}{reload}{next}")
}

/// Hours, minutes and seconds in UTC, with the date where it is more than a day away.
fn clock_time(at: Timestamp, now: Timestamp) -> String {
    let is_near = at.duration_since(now) <= SignedDuration::from_hours(24);
    at.strftime(if is_near { "%H:%M:%S UTC" } else { "%Y-%m-%d %H:%M:%S UTC" }).to_string()
}
