//! What is so, whatever the exporter thinks: the days and hours of each zone, and the figures of each bucket with all
//! their revisions. Found in another way than the program finds it.
//!
//! A figure tells which revision it is: its last digit. 0 is what an open bucket holds, 1 is what stood when the bucket
//! ended, more is what a later count brought.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use kore_trend_exporter::domain::series::{Interval, day_after, stable_hash};

use crate::history::ZONES;

/// A bucket of a day: an hour of it, or all of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Bucket {
    pub(crate) day: Date,
    /// `None` is the whole day.
    pub(crate) hour: Option<usize>,
}

/// From the first instant that bears it to the last, in Unix seconds.
pub(crate) type Span = (i64, i64);

/// The instants of a local day.
#[derive(Clone, Debug)]
pub(crate) struct Day {
    pub(crate) whole: Option<Span>,
    pub(crate) hours: [Option<Span>; 24],
}

impl Day {
    pub(crate) fn span(&self, hour: Option<usize>) -> Option<Span> {
        hour.map_or(self.whole, |hour| self.hours[hour])
    }
}

pub(crate) fn zone(number: usize) -> TimeZone {
    TimeZone::get(ZONES[number]).unwrap()
}

/// The instants of a day, by walking through it in steps of half an hour, which divides every offset of these zones.
pub(crate) fn day(zone_number: usize, date: Date) -> Arc<Day> {
    thread_local! {
        static KNOWN: RefCell<HashMap<(usize, Date), Arc<Day>>> = RefCell::default();
    }
    const STEP: i64 = 1800;
    KNOWN.with_borrow_mut(|known| {
        let walk = || {
            let zone = zone(zone_number);
            let mut day = Day { whole: None, hours: [None; 24] };
            let midnight = date.to_zoned(TimeZone::UTC).unwrap().timestamp().as_second();
            for step in -56..=104 {
                let at = midnight + STEP * step;
                let local = zone.to_datetime(Timestamp::from_second(at).unwrap());
                if local.date() == date {
                    for span in [&mut day.whole, &mut day.hours[usize::try_from(local.hour()).unwrap()]] {
                        let start = span.map_or(at, |(start, _)| start);
                        *span = Some((start, at + STEP));
                    }
                }
            }
            Arc::new(day)
        };
        Arc::clone(known.entry((zone_number, date)).or_insert_with(walk))
    })
}

pub(crate) fn local_date(zone_number: usize, at: Timestamp) -> Date {
    thread_local! {
        static KNOWN: Vec<TimeZone> = (0..ZONES.len()).map(zone).collect();
    }
    KNOWN.with(|zones| zones[zone_number].to_datetime(at).date())
}

/// The figures of one series.
#[derive(Clone, Debug)]
pub(crate) struct Figures {
    pub(crate) seed: u64,
    pub(crate) zone: usize,
    pub(crate) interval: Interval,
    pub(crate) refresh_days: u32,
    pub(crate) v2: bool,
    /// When which day was counted again.
    pub(crate) recounts: Vec<(i64, Date)>,
    /// After this time no bucket that has ended is counted again.
    pub(crate) final_at: i64,
}

impl Figures {
    /// The buckets of a day that have instants.
    pub(crate) fn buckets(&self, date: Date) -> Vec<(Bucket, Span)> {
        let day = day(self.zone, date);
        let hours = match self.interval {
            Interval::Hourly => (0..24).map(Some).collect(),
            Interval::Daily => vec![None],
        };
        let spans = hours.into_iter().filter_map(|hour| Some((Bucket { day: date, hour }, day.span(hour)?)));
        spans.collect()
    }

    fn dice(&self, bucket: Bucket) -> u64 {
        let day = i64::from(bucket.day.year()) * 400 + i64::from(bucket.day.day_of_year());
        let hour = bucket.hour.map_or(24, |hour| hour as u64);
        let mut mixed = self.seed ^ (day.unsigned_abs() << 8 | hour).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        mixed = (mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed ^ (mixed >> 32)
    }

    /// Whether v1 never sends the bucket; v2 says zero.
    pub(crate) fn is_hole(&self, bucket: Bucket) -> bool {
        self.dice(bucket).is_multiple_of(29)
    }

    /// The last moment of a late count: after it the day is asked for once more, when nothing fails.
    fn settled(&self, date: Date) -> i64 {
        day(self.zone, day_after(date, i64::from(self.refresh_days))).whole.unwrap().0
    }

    /// Which revision of a bucket stands at this time; `None` where the platform never sends the bucket or it has not
    /// begun.
    pub(crate) fn revision(&self, bucket: Bucket, span: Span, at: i64) -> Option<i64> {
        let (start, end) = span;
        if at < start || (self.is_hole(bucket) && !self.v2) {
            return None;
        }
        if at < end {
            return Some(0);
        }
        let at = at.min(self.final_at);
        let settled = self.settled(bucket.day);
        let dice = self.dice(bucket) >> 32;
        // One in three is counted again by itself.
        let late = (dice.is_multiple_of(3) && settled > end)
            .then(|| end + 1 + i64::try_from(dice / 3 % (settled - end).unsigned_abs()).unwrap());
        let again = |(when, day): &&(i64, Date)| *day == bucket.day && *when <= at && *when >= end && *when < settled;
        let recounts = self.recounts.iter().filter(again).count();
        Some(
            1 + i64::from(late.is_some_and(|late| late <= at && late < settled))
                + i64::try_from(recounts).unwrap().min(7),
        )
    }

    /// The figure of a bucket in this revision.
    pub(crate) fn users(&self, bucket: Bucket, revision: i64) -> i64 {
        if self.is_hole(bucket) { 0 } else { (1 + i64::try_from(self.dice(bucket) % 900).unwrap()) * 10 + revision }
    }

    /// Which revision a figure is, if the platform ever says so.
    pub(crate) fn revision_of(&self, bucket: Bucket, users: i64, now: Option<i64>) -> Option<i64> {
        (0..=now?).rev().find(|revision| self.users(bucket, *revision) == users)
    }
}

/// A seed of its own for each thing.
pub(crate) fn seed_of(seed: u64, what: &str) -> u64 {
    stable_hash(&format!("{seed} {what}"))
}

/// Days from one to another, both included.
pub(crate) fn days(from: Date, to: Date) -> impl Iterator<Item = Date> {
    std::iter::successors(Some(from), |day| Some(day_after(*day, 1))).take_while(move |day| *day <= to)
}

/// A time that much later.
pub(crate) fn later(at: Timestamp, seconds: i64) -> Timestamp {
    at.saturating_add(SignedDuration::from_secs(seconds)).unwrap()
}
