//! The promises, and whether they are kept. Those about single points are checked where [points are
//! stored](crate::database).

use jiff::civil::Date;
use kore_trend_exporter::config::Limits;
use kore_trend_exporter::domain::plan::Progress;
use kore_trend_exporter::domain::series::day_after;
use kore_trend_exporter::state::watermarks::Watermarks;

use crate::time;
use crate::truth;
use crate::world::{Arrival, Process, World};

/// The exporter takes a day of zeros for forgotten after so many days.
const FORGETTING: i64 = 28;

const MINUTE: i64 = 60_000;
const HOUR: i64 = 3_600_000;

impl World {
    /// No watermark is ahead of the data: every day up to it is over, and in the database as it stood after its end or
    /// later.
    pub(crate) fn check_watermarks(&mut self) {
        if let Some(watermarks) = self.watermarks.clone() {
            self.check_these(|key| Some(watermarks.kept(key)?.0));
        }
    }

    /// The same of what is on the disk; remembers from which day on each series is owed.
    pub(crate) fn check_state(&mut self) {
        let Ok(watermarks) = Watermarks::load(&self.state_dir(), time::wall_clock(), false) else { return };
        self.check_these(|key| Some(watermarks.kept(key)?.0));
        for known in &mut self.series {
            let since = watermarks.kept(&known.series.key()).map(|(progress, _)| progress.since);
            // A clock that was wrong may have put it into the future, where it does not stay.
            let since = since.filter(|since| *since <= truth::local_date(known.zone, time::true_now()));
            known.owed = known.owed.or(since);
        }
    }

    fn check_these(&mut self, progress: impl Fn(&kore_trend_exporter::domain::series::SeriesKey) -> Option<Progress>) {
        for number in 0..self.series.len() {
            let known = &self.series[number];
            let Some(Progress { since, through: Some(through), .. }) = progress(&known.series.key()) else {
                self.series[number].checked = None;
                continue;
            };
            let from = known.checked.map_or(since, |checked| day_after(checked, 1));
            let wrong = truth::days(from, through).find_map(|day| self.missing(number, day, |_| 1));
            if let Some(wrong) = wrong {
                self.breaks(
                    "no watermark ahead of the data",
                    format!("series {number} is said to be done through {through}: {wrong}"),
                );
            }
            self.series[number].checked = Some(through);
        }
    }

    /// What of a day is not in the database in the revision that it must have at least.
    pub(crate) fn missing(&self, number: usize, day: Date, least: impl Fn(i64) -> i64) -> Option<String> {
        let known = &self.series[number];
        let now = time::true_seconds();
        // Of what the platform has forgotten, nothing can be had; some days before that are on their way there.
        let forgotten = day_after(truth::local_date(known.zone, time::true_now()), -FORGETTING);
        if self.setup.forgets && day <= forgotten {
            return None;
        }
        if truth::day(known.zone, day).whole.is_some_and(|(_, end)| end > now) {
            return Some(format!("{day} is not over"));
        }
        let kept = known.figures.buckets(day).into_iter().filter(|(_, (start, _))| *start >= self.kept_from);
        kept.into_iter().find_map(|(bucket, span)| {
            let stands = known.figures.revision(bucket, span, now)?;
            let stored = known.stored.get(&bucket).copied();
            (stored < Some(least(stands)))
                .then(|| format!("{bucket:?} is there as {stored:?}, the platform has {stands}"))
        })
    }

    /// The clock is set, or a process begins. Requests are shared by their times of day, so for an hour after both the limits
    /// may be exceeded.
    pub(crate) fn may_misdate_requests(&mut self) {
        let now = time::true_milliseconds();
        if self.clock_set > now - HOUR {
            self.unsure_until = now + HOUR;
        }
    }

    /// As the platform counts: in no minute and no hour more requests than the limits that were in force.
    pub(crate) fn check_limits(&mut self, bot: usize, last: Arrival) {
        if last.at < self.unsure_until {
            return self.arrivals.entry(bot).or_default().clear();
        }
        let in_force = |window: i64, limit: &dyn Fn(&Limits) -> (u32, u32)| {
            let begun = self.limits.iter().rposition(|(from, _)| *from <= last.at - window).unwrap_or(0);
            self.limits[begun..]
                .iter()
                .map(|(_, limits)| limit(limits))
                .fold((0, 0), |one, other| (one.0.max(other.0), one.1.max(other.1)))
        };
        let arrivals = self.arrivals.get_mut(&bot).unwrap();
        while arrivals.front().is_some_and(|first| first.at <= last.at - HOUR) {
            arrivals.pop_front();
        }
        let count = |window: i64, counts: &dyn Fn(&Arrival) -> bool| {
            let recent = arrivals.iter().rev().take_while(|arrival| arrival.at > last.at - window);
            u32::try_from(recent.filter(|arrival| counts(arrival)).count()).unwrap()
        };
        let all = |_: &Arrival| true;
        let of_backfills = |arrival: &Arrival| arrival.by == Process::Backfill;
        let live = |limits: &Limits| (limits.per_minute, limits.per_hour);
        let share = |limits: &Limits| ((limits.per_minute / 2).max(1), (limits.per_hour / 2).max(1));
        let mut found = vec![
            ("a minute", count(MINUTE, &all), in_force(MINUTE, &live).0),
            ("an hour", count(HOUR, &all), in_force(HOUR, &live).1),
        ];
        if last.by == Process::Backfill {
            found.push(("a minute of backfill", count(MINUTE, &of_backfills), in_force(MINUTE, &share).0));
            found.push(("an hour of backfill", count(HOUR, &of_backfills), in_force(HOUR, &share).1));
        }
        if let Some((window, count, limit)) = found.into_iter().find(|(_, count, limit)| count > limit) {
            self.breaks(
                "the rolling limits",
                format!("bot {bot}: {count} requests within {window}, the limit is {limit}"),
            );
        }
    }

    /// What is not as it must be once all faults have ended. `strict` is whether late revisions must be there too that
    /// came while nothing was asked; they may be missing where the first request after that failed or was divided.
    pub(crate) fn unfinished(&self, strict: bool) -> Option<String> {
        let watermarks = self.watermarks.as_ref()?;
        (0..self.series.len()).find_map(|number| {
            let known = &self.series[number];
            let yesterday = day_after(truth::local_date(known.zone, time::true_now()), -1);
            let through = watermarks.kept(&known.series.key()).and_then(|(progress, _)| progress.through);
            if through != Some(yesterday) {
                return Some(format!("series {number} is done through {through:?}, not {yesterday}"));
            }
            let mut owed = truth::days(known.owed.unwrap_or(yesterday), yesterday);
            owed.find_map(|day| self.missing(number, day, |stands| if strict { stands } else { 1 }))
                .map(|what| format!("series {number}: {what}"))
        })
    }
}
