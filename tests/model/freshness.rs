//! Freshness: a series that nothing of its own keeps from being exported is exported at each of its ticks, whatever
//! happens to the others.

use std::time::Duration;

use jiff::civil::Date;
use kore_trend_exporter::domain::series::{Series, day_after};
use kore_trend_exporter::run::summary::{Outcome, Row};

use crate::history::{DatabaseTrouble, Trouble};
use crate::platform::TIMEOUT;
use crate::time;
use crate::truth::{self, Bucket};
use crate::world::{World, current, lock};

/// After trouble has ended its traces have: the longest `Retry-After`, and what was in hand.
const AFTERMATH: i64 = 700;

/// The tick of one bot, as it begins.
#[derive(Clone)]
pub(crate) struct Tick {
    at: i64,
    delay: Duration,
    disturbances: u32,
    /// Its series, and the day before each one's today.
    series: Vec<(usize, Date)>,
}

impl World {
    /// A tick of these series begins, after its delay.
    pub(crate) fn tick_begins(&mut self, series: &[Series], delay: Duration) -> Tick {
        self.counts.ticks += 1;
        let numbers = (0..self.series.len()).filter(|number| {
            let key = self.series[*number].series.key();
            series.iter().any(|series| series.key() == key)
        });
        // A request dates itself as early as it can be, which may be before a midnight that has just passed.
        let at = truth::later(time::true_now(), -i64::try_from(TIMEOUT.as_secs() + 1).unwrap());
        let yesterday = |zone| day_after(truth::local_date(zone, at), -1);
        let series = numbers.map(|number| (number, yesterday(self.series[number].zone))).collect();
        Tick { at: time::true_seconds(), delay, disturbances: time::disturbances(), series }
    }

    /// What a tick says is complete leaves no day behind that was over when it began.
    pub(crate) fn check_complete(&mut self, tick: &Tick, rows: &[Row]) {
        let Some(watermarks) = self.watermarks.clone() else { return };
        if time::ahead() != 0 || time::disturbances() != tick.disturbances {
            return;
        }
        for row in rows.iter().filter(|row| row.outcome == Outcome::Complete) {
            let key = row.series.key();
            let is_it = |(number, _): &&(usize, Date)| self.series[*number].series.key() == key;
            let Some((number, yesterday)) = tick.series.iter().find(is_it).copied() else { continue };
            let progress = watermarks.kept(&key).map(|(progress, _)| progress);
            let is_behind = |progress: kore_trend_exporter::domain::plan::Progress| {
                progress.next() <= yesterday && progress.since <= yesterday
            };
            if progress.is_none_or(is_behind) {
                let how = format!("series {number} is said to be complete on the day after {yesterday}: {progress:?}");
                self.breaks("what is said to be complete is", how);
            }
        }
    }

    /// Some time into a tick, the live days of its healthy series are in the database.
    fn check_tick(&mut self, tick: &Tick) {
        let refresh_days = i64::from(self.setup.refresh_days);
        for (number, yesterday) in &tick.series {
            let known = &self.series[*number];
            let (Some(healthy), Some(owed)) = (known.healthy, known.owed) else { continue };
            // Others may have used up the hour of the bot by rights.
            let bot = self.bots.iter().position(|bot| bot.id == known.series.bot.id);
            let used = bot.and_then(|bot| self.arrivals.get(&bot)).map_or(0, std::collections::VecDeque::len);
            if healthy + AFTERMATH > tick.at || used > 1200 {
                continue;
            }
            self.counts.fresh_ticks += 1;
            let (now, known) = (time::true_seconds(), &self.series[*number]);
            let today = day_after(*yesterday, 1);
            let days = truth::days(owed.max(day_after(today, -refresh_days)), today);
            let over = days.flat_map(|day| known.figures.buckets(day)).filter(|(_, (_, end))| *end <= tick.at);
            // A backfill may write what it was told earlier, until it ends; and a zero is a zero, however often counted.
            let is_undisturbed = self.backfill_ended < tick.at;
            let stale = over.into_iter().find(|(bucket, span)| {
                let stands = known.figures.revision(*bucket, *span, tick.at);
                let is_new = is_undisturbed && !known.figures.is_hole(*bucket);
                let least = if is_new { stands } else { stands.map(|_| 0) };
                known.stored.get(bucket).copied() < least
            });
            if let Some((Bucket { day, hour }, _)) = stale {
                let waited = now - tick.at;
                let how =
                    format!("series {number}: {day} hour {hour:?} is not up to date {waited} s after a tick began");
                self.breaks("freshness at each tick", how);
            }
        }
    }

    /// How long the live days may take in a tick with generous limits, in seconds.
    fn longest_wait(&self, tick: &Tick) -> i64 {
        // A window that fails because of its owed days, and four live days that are asked for one by one.
        const REQUESTS: i64 = 8;
        let series = i64::try_from(self.series.len()).unwrap();
        let concurrency = i64::try_from(self.setup.concurrency).unwrap();
        // There and back, or until nobody waits any more.
        let of_a_request = if self.slow_until >= tick.at - 60 { 32 } else { 3 };
        // Requests of all bots take turns, and so do those of a bot.
        let turns = if series > concurrency { 1 + 12 / concurrency } else { 1 };
        // What was asked before must have left the minute, and points take a moment to be written.
        let delay = i64::try_from(tick.delay.as_secs()).unwrap();
        delay + 62 + 20 + REQUESTS * of_a_request * turns
    }

    /// What nothing keeps from being exported is in the database one period after it ended, and the time that a tick
    /// may take, whatever happens to other series.
    pub(crate) fn check_freshness(&mut self) {
        if self.setup.tight {
            return;
        }
        let (now, period, longest) = (time::true_seconds(), 60 * self.setup.period, self.longest_tick());
        // A tick that is longer than the period makes the next ones fall out.
        let bound = period * (1 + longest / period) + longest;
        for number in 0..self.series.len() {
            let known = &self.series[number];
            let Some(healthy) = known.healthy.filter(|healthy| now - healthy > bound + period) else { continue };
            self.counts.freshness_checks += 1;
            let known = &self.series[number];
            let today = truth::local_date(known.zone, time::true_now());
            let (from, until) = (healthy - period, now - bound);
            let Some(owed) = known.owed else { continue };
            let days = truth::days(owed.max(day_after(today, -2)), today);
            let buckets = days.flat_map(|day| known.figures.buckets(day));
            let stale = buckets.filter(|(_, (_, end))| (from..until).contains(end)).find(|(bucket, span)| {
                known.figures.revision(*bucket, *span, now).is_some() && !known.stored.contains_key(bucket)
            });
            if let Some((Bucket { day, hour }, _)) = stale {
                self.breaks("freshness", format!("series {number}: {day} hour {hour:?} is not there after {bound} s"));
            }
        }
    }

    /// The longest time that a tick may take, in seconds, with generous limits.
    fn longest_tick(&self) -> i64 {
        // Five tries of thirty seconds each, or as many halvings and then five tries, and the pauses between.
        const OF_A_SERIES: i64 = 12 * 31 + 30;
        let series = i64::try_from(self.series.len()).unwrap();
        let concurrency = i64::try_from(self.setup.concurrency).unwrap();
        // What must wait until a minute has passed, and the spread of the bots.
        300 + OF_A_SERIES * (1 + series / concurrency)
    }

    /// Something that may keep series from being exported begins or ends, or the daemon does.
    pub(crate) fn set_healthy(&mut self, unhurt: impl Fn(usize) -> bool) {
        let (now, is_database_well) = (time::true_seconds(), self.database.0 == DatabaseTrouble::None);
        let is_running = self.watermarks.is_some();
        let refresh_days = i64::from(self.setup.refresh_days);
        for (number, known) in self.series.iter_mut().enumerate() {
            let bot = self.bots.iter().position(|bot| bot.id == known.series.bot.id).unwrap();
            let well = is_running
                && known.is_exported
                && is_database_well
                && leaves_live_days_alone(known.trouble, known.zone, refresh_days)
                && self.denied_until[bot] <= now
                && time::ahead() == 0;
            known.healthy = match known.healthy {
                Some(since) if well && unhurt(number) => Some(since),
                _ => well.then_some(now),
            };
        }
        let is_slow = self.series.iter().any(|known| matches!(known.trouble, Trouble::Silent | Trouble::Late(_)));
        if std::mem::replace(&mut self.is_slow, is_slow) {
            self.slow_until = now;
        }
        if is_slow {
            self.slow_until = i64::MAX;
        }
    }
}

/// Whether the live days of a series can be had in spite of this, if they are asked for by themselves or one by one.
fn leaves_live_days_alone(trouble: Trouble, zone: usize, refresh_days: i64) -> bool {
    match trouble {
        Trouble::None | Trouble::TooLong(_) | Trouble::Slow(_) => true,
        Trouble::PoisonedDay(day) => {
            // Midnight may come before somebody looks again.
            let today = truth::local_date(zone, time::true_now());
            truth::days(day_after(today, -refresh_days - 1), day_after(today, 1)).all(|date| date.day() != day)
        }
        _ => false,
    }
}

/// Looks at what a tick has done as soon as its live days should be there.
pub(crate) async fn look_at(tick: Tick) {
    let world = current();
    if lock(&world).setup.tight {
        return;
    }
    let mut waited = 0;
    loop {
        // What is slow may have become so meanwhile.
        let longest = lock(&world).longest_wait(&tick);
        if longest <= waited {
            return lock(&world).check_tick(&tick);
        }
        tokio::time::sleep(Duration::from_secs((longest - waited).unsigned_abs())).await;
        waited = longest;
    }
}
