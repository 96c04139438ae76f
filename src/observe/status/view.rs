//! How things are at one moment, ready to be shown: plain values, and the one sentence that sums them up.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::condition::{Condition, ProcessState, SeriesCondition, sentence};
use super::recent::Recent;
use crate::config::Limits;
use crate::domain::series::Interval;
use crate::limits::limiter::Budget;

/// Everything that the status page shows. Holds no secret, no address and no path.
#[derive(Clone, Debug)]
pub struct View {
    /// When this is.
    pub now: Timestamp,
    /// When the daemon started.
    pub started: Timestamp,
    /// Whether the platform is simulated, so that the figures are invented.
    pub simulated: bool,
    /// In the order of their names.
    pub bots: Vec<BotView>,
    /// The latest ticks that have ended, newest first; at most ten.
    pub ticks: Vec<TickView>,
    /// When the next ticks are due, soonest first: one entry for each schedule.
    pub next: Vec<NextTick>,
    /// Ticks of a bot that were skipped since the start, because its last one was still running.
    pub skipped: u64,
    /// The keys for which the last reload was refused; empty if it was not.
    pub refused_reload: Vec<String>,
    /// Why the state folder cannot be written at the moment, if so, in a word or two.
    pub state_problem: Option<String>,
}

/// One bot.
#[derive(Clone, Debug)]
pub struct BotView {
    /// Its configured name.
    pub name: String,
    /// The zone of its days and hours.
    pub time_zone: TimeZone,
    /// How much of its limits it has used.
    pub budget: Budget,
    /// Its limits.
    pub limits: Limits,
    /// Whether a tick of it is running.
    pub running: bool,
    /// Its series, by channel and interval.
    pub series: Vec<SeriesView>,
}

/// One series of a bot.
#[derive(Clone, Debug)]
pub struct SeriesView {
    /// Which channel.
    pub channel: String,
    /// Hourly or daily.
    pub interval: Interval,
    /// How its last tick ended.
    pub condition: Condition,
    /// The first instant of the newest bucket that the database confirmed since the start.
    pub newest_point: Option<Timestamp>,
    /// The last day that is complete and confirmed.
    pub watermark: Option<Date>,
    /// Whole days before today that are not confirmed yet.
    pub owed_days: u32,
    /// The last failure since the start, also one that is over.
    pub last_failure: Option<FailureView>,
    /// Today in the bot's zone.
    pub today: Date,
    /// Its figures of the last days, as far as they are known.
    pub recent: Option<Arc<Recent>>,
}

impl SeriesView {
    /// Its figures of the days that end today, for a picture: of many series few have one.
    pub fn recent(&self) -> Recent {
        let mut recent = self.recent.as_deref().cloned().unwrap_or_else(|| Recent::until(self.today));
        recent.move_to(self.today);
        recent
    }
}

/// A failure in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailureView {
    /// When it was.
    pub at: Timestamp,
    /// What failed, and what the other side said.
    pub error: String,
    /// What to do about it.
    pub advice: String,
}

/// A tick that has ended.
#[derive(Clone, Debug, Default)]
pub struct TickView {
    /// When it was due.
    pub started: Timestamp,
    /// How long it took until its last series had ended, the bots' spread included.
    pub took: Duration,
    /// Bots that took part.
    pub bots: usize,
    /// Series that took part.
    pub series: usize,
    /// Series of these that failed.
    pub failed: usize,
    /// Points that the database confirmed.
    pub points: u64,
    /// Requests to the platform.
    pub requests: u64,
}

/// The next tick of a schedule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NextTick {
    /// When it is due, without the bots' spread.
    pub at: Timestamp,
    /// How many bots follow this schedule.
    pub bots: usize,
}

impl View {
    /// How things are in one sentence, without a full stop.
    pub fn sentence(&self) -> String {
        let conditions = self.bots.iter().flat_map(|bot| {
            bot.series.iter().map(|series| {
                let SeriesView { channel, interval, condition, .. } = series;
                SeriesCondition { bot: &bot.name, channel, interval: *interval, condition: *condition }
            })
        });
        sentence(
            conditions,
            ProcessState {
                now: self.now,
                next: self.next.first().map(|next| next.at),
                is_state_failing: self.state_problem.is_some(),
                is_reload_refused: !self.refused_reload.is_empty(),
            },
        )
    }
}

/// A view as tests need one, in which one series of two is failing.
#[cfg(test)]
pub(crate) fn test_view(now: Timestamp) -> View {
    let series = |condition| SeriesView {
        channel: "all".to_owned(),
        interval: Interval::Hourly,
        condition,
        newest_point: Some(now),
        watermark: None,
        owed_days: 0,
        last_failure: None,
        today: now.to_zoned(TimeZone::UTC).date(),
        recent: None,
    };
    let bot = |name: &str, condition| BotView {
        name: name.to_owned(),
        time_zone: TimeZone::UTC,
        budget: Budget { minute: 1, hour: 1, ..Budget::default() },
        limits: Limits { per_minute: 60, per_hour: 1800, backfill_share: 0.5 },
        running: false,
        series: vec![series(condition)],
    };
    View {
        now,
        started: now,
        simulated: false,
        bots: vec![bot("sales", Condition::Well), bot("support", Condition::Failing { since: now })],
        ticks: Vec::new(),
        next: vec![NextTick { at: now, bots: 2 }],
        skipped: 0,
        refused_reload: Vec::new(),
        state_problem: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_sentence_sums_up_how_things_are() {
        let mut view = test_view("2026-08-06T12:10:00Z".parse().unwrap());
        assert_eq!(view.sentence(), "1 of 2 series failing (support/all hourly), next tick at 12:10:00 UTC");
        view.bots[1].series[0].condition = Condition::Well;
        assert_eq!(view.sentence(), "all 2 series up to date, next tick at 12:10:00 UTC");
        view.next[0].at = "2026-08-10T03:00:00Z".parse().unwrap();
        assert_eq!(view.sentence(), "all 2 series up to date, next tick at 2026-08-10 03:00:00 UTC");
        view.bots[1].series[0].condition = Condition::Pending;
        view.refused_reload.push("no".to_owned());
        view.next.clear();
        assert_eq!(view.sentence(), "1 of 2 series up to date, 1 not fetched yet, last reload refused");
        view.bots[0].series[0].condition = Condition::Pending;
        assert!(view.sentence().starts_with("none of 2 series fetched yet"));
        view.bots.clear();
        assert!(view.sentence().starts_with("no series to export"));
    }
}
