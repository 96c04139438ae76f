//! What is known of one series, and what of it is said in the log.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::Date;

use super::condition::Condition;
use super::recent::Recent;
use super::view::{FailureView, SeriesView};
use crate::domain::calendar;
use crate::domain::event::{Confirmed, SeriesEvent, SeriesFailure};
use crate::domain::plan::Progress;
use crate::domain::series::{Series, Window, days_between};
use crate::observe::metrics::{Dropped, Metrics};

/// What is known of one series.
#[derive(Debug)]
pub(super) struct SeriesStatus {
    pub(super) series: Series,
    pub(super) condition: Condition,
    pub(super) last_failure: Option<FailureView>,
    newest_point: Option<i64>,
    progress: Option<Progress>,
    /// Shared with what is shown of it.
    pub(super) recent: Option<Arc<Recent>>,
    /// Oddities, hours that never were and what is not retained come again with every answer, and are said once.
    told_oddity: Option<String>,
    told_nonexistent: BTreeSet<(Date, Option<usize>)>,
    has_told_retention: bool,
}

impl SeriesStatus {
    pub(super) fn new(series: Series) -> SeriesStatus {
        SeriesStatus {
            series,
            condition: Condition::Pending,
            last_failure: None,
            newest_point: None,
            progress: None,
            recent: None,
            told_oddity: None,
            told_nonexistent: BTreeSet::new(),
            has_told_retention: false,
        }
    }

    /// How far it has come.
    pub(super) fn set_progress(&mut self, progress: Progress, metrics: &Metrics) {
        if self.progress.and_then(|known| known.through) != progress.through
            && let Some(through) = progress.through
            && let Some(span) = calendar::day(&self.series.bot.time_zone, through).span
        {
            metrics.watermark(&self.series.key(), span.start);
        }
        self.progress = Some(progress);
    }

    /// Takes an event in, counts it, and says what is odd about it.
    pub(super) fn saw(&mut self, event: &SeriesEvent, now: Timestamp, metrics: &Metrics) {
        match event {
            SeriesEvent::Confirmed(confirmed) => self.confirmed(confirmed, now, metrics),
            SeriesEvent::Done => {
                self.condition = Condition::Well;
                metrics.failing(&self.series.key(), false);
            }
            SeriesEvent::Stopped(_) => {}
            SeriesEvent::Failed { failure, .. } => self.failed(failure, now, metrics),
        }
    }

    fn confirmed(&mut self, confirmed: &Confirmed, now: Timestamp, metrics: &Metrics) {
        let (key, bot) = (self.series.key(), &self.series.bot);
        metrics.confirmed(&key, confirmed.points, confirmed.newest);
        metrics.dropped(&bot.name, Dropped::Retention, confirmed.beyond_retention);
        metrics.dropped(&bot.name, Dropped::ForgottenDay, confirmed.forgotten.buckets);
        self.newest_point = self.newest_point.max(confirmed.newest);
        // A backfill brings none, and of many series there is no room for pictures that nobody looks at.
        if !confirmed.recent.is_empty() {
            // A clock that is wrong must not make the pictures forget.
            let today = confirmed.platform_today.unwrap_or_else(|| calendar::today(&bot.time_zone, now));
            let recent = Arc::make_mut(self.recent.get_or_insert_with(|| Arc::new(Recent::until(today))));
            recent.move_to(today);
            for (day, hour, users) in &confirmed.recent {
                recent.set(*day, *hour, *users);
            }
        }
        self.say_retention(confirmed.beyond_retention);
        self.say_oddity(confirmed.oddity.as_ref(), confirmed.window);
        self.say_nonexistent(&confirmed.nonexistent, metrics);
    }

    fn say_retention(&mut self, points: usize) {
        if points == 0 || self.has_told_retention {
            return;
        }
        let Series { bot, channel, interval } = &self.series;
        tracing::warn!(
            bot = &*bot.name, channel = &**channel, %interval,
            "the database dropped {points} points older than the bucket's retention; raise the retention to keep them \
             (logged once per series)"
        );
        self.has_told_retention = true;
    }

    fn say_oddity(&mut self, oddity: Option<&String>, window: Window) {
        let Some(oddity) = oddity.filter(|oddity| self.told_oddity.as_ref() != Some(oddity)) else { return };
        let Series { bot, channel, interval } = &self.series;
        tracing::warn!(bot = &*bot.name, channel = &**channel, %interval, days = %window, "{oddity}");
        self.told_oddity = Some(oddity.clone());
    }

    fn say_nonexistent(&mut self, buckets: &[(Date, Option<usize>)], metrics: &Metrics) {
        let Series { bot, channel, interval } = &self.series;
        for (day, hour) in buckets {
            if !self.told_nonexistent.insert((*day, *hour)) {
                continue;
            }
            let bucket = hour.map_or_else(|| "the whole day".to_owned(), |hour| format!("the hour {hour}"));
            let zone = bot.time_zone.iana_name().unwrap_or("its zone");
            tracing::warn!(
                bot = &*bot.name, channel = &**channel, %interval, %day,
                "the platform reports users in {bucket}, skipped by daylight saving in {zone}: not written; check the bot's \
                 time_zone"
            );
            metrics.dropped(&bot.name, Dropped::NonexistentHour, 1);
        }
    }

    fn failed(&mut self, failure: &SeriesFailure, now: Timestamp, metrics: &Metrics) {
        metrics.failing(&self.series.key(), true);
        if failure.refused_points > 0 {
            metrics.dropped(&self.series.bot.name, Dropped::Refused, failure.refused_points);
        }
        let since = if let Condition::Failing { since } = self.condition { since } else { now };
        self.condition = Condition::Failing { since };
        self.last_failure = Some(FailureView { at: now, error: failure.error.clone(), advice: failure.advice.clone() });
    }

    /// What the status page shows of it.
    pub(super) fn view(&self, now: Timestamp) -> SeriesView {
        let today = calendar::today(&self.series.bot.time_zone, now);
        let owed = self.progress.map_or(0, |progress| days_between(progress.next(), today));
        SeriesView {
            channel: self.series.channel.to_string(),
            interval: self.series.interval,
            condition: self.condition,
            newest_point: self.newest_point.and_then(|newest| Timestamp::from_second(newest).ok()),
            watermark: self.progress.and_then(|progress| progress.through),
            owed_days: u32::try_from(owed).unwrap_or(0),
            last_failure: self.last_failure.clone(),
            today,
            recent: self.recent.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;
    use crate::domain::bot::test_bot;
    use crate::domain::flatten::Forgotten;
    use crate::domain::series::Interval;

    #[tokio::test]
    async fn each_hour_that_never_was_is_counted_once_also_an_older_one_that_comes_later() {
        let metrics = Metrics::new(Timestamp::UNIX_EPOCH);
        let series = Series { bot: Arc::new(test_bot("a")), channel: "all".into(), interval: Interval::Hourly };
        metrics.export([series.key()].iter());
        let mut status = SeriesStatus::new(series);
        let (old, new) = (date(2025, 3, 30), date(2026, 3, 29));
        let counted = |day| {
            let confirmed = Confirmed {
                window: Window { first: day, last: day },
                complete: None,
                points: 0,
                beyond_retention: 0,
                platform_today: None,
                requests: 1,
                newest: None,
                nonexistent: vec![(day, Some(2))],
                forgotten: Forgotten::default(),
                oddity: None,
                days: Vec::new(),
                recent: Vec::new(),
            };
            status.saw(&SeriesEvent::Confirmed(Box::new(confirmed)), Timestamp::UNIX_EPOCH, &metrics);
            let text = metrics.encode().unwrap();
            let count = text.lines().find_map(|line| line.split_once("reason=\"nonexistent_hour\"} "));
            count.unwrap().1.to_owned()
        };
        assert_eq!([new, old, new, old].map(counted), ["1", "2", "2", "2"]);
    }
}
