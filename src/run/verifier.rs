//! One window of one series: what the platform tells against what the database has, and what is known of each series.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use parking_lot::{Mutex, MutexGuard};
use serde::Serialize;
use tokio::sync::mpsc;

use super::verify::lines;
use crate::database::line_protocol::Encoder;
use crate::database::read::{Found, Reader, Span, Step};
use crate::database::writer::{Parcel, WriteError, write};
use crate::domain::calendar::{self, start_of};
use crate::domain::clock::Clock;
use crate::domain::compare::{Bounds, Comparison, Difference, Kind, Shifts, compare};
use crate::domain::event::Confirmed;
use crate::domain::flatten::{self, Asked, flatten, open_from};
use crate::domain::point::Point;
use crate::domain::series::{Series, SeriesKey, Window, day_after};
use crate::platform::client::Fetched;
use crate::shutdown::Stop;
use crate::state::backfill::Range;

/// What is compared, and how.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Which days.
    pub range: Range,
    /// Whether what is missing or different is written, and compared again.
    pub repair: bool,
    /// Whether late revisions of the last `refresh_days` count as differences.
    pub strict: bool,
    /// Whether standard output gets lines of JSON instead of a table.
    pub json: bool,
}

/// So many differences are shown in full, and so many commands that delete a point.
pub(super) const SHOWN: usize = 20;

/// Points that a wrong time zone put elsewhere are looked for this far beyond a window, in seconds.
const BEYOND: i64 = 26 * 3600;

/// Compares windows, and remembers what came of it.
#[derive(Debug)]
pub struct Verifier {
    pub(super) reader: Reader,
    pub(super) options: Options,
    pub(super) refresh_days: u32,
    pub(super) kept: Option<SignedDuration>,
    pub(super) include_open: bool,
    pub(super) clock: Clock,
    pub(super) stop: Stop,
    pub(super) findings: Mutex<Findings>,
}

/// What is known so far, by series.
pub(super) type Findings = HashMap<SeriesKey, SeriesFindings>;

/// How many days of a series were compared, and how many points are of each kind.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(super) struct Counts {
    pub(super) days: u64,
    pub(super) equal: u64,
    pub(super) missing: u64,
    pub(super) different: u64,
    pub(super) unexpected: u64,
    pub(super) elsewhere: u64,
}

impl Counts {
    /// Points that are not the same on both sides.
    pub(super) fn differing(&self) -> u64 {
        self.missing + self.different + self.unexpected
    }
}

/// What is known of one series.
#[derive(Debug, Default)]
pub(super) struct SeriesFindings {
    pub(super) counts: Counts,
    /// Of those that are missing or different, how many may be late revisions.
    pub(super) late: u64,
    pub(super) repaired: u64,
    pub(super) not_compared: u64,
    pub(super) shifts: Shifts,
    /// The first differences.
    pub(super) differences: Vec<Difference>,
    /// The first times of points that are unexpected.
    pub(super) surplus: Vec<i64>,
}

impl Verifier {
    pub(super) fn findings(&self) -> MutexGuard<'_, Findings> {
        self.findings.lock()
    }

    /// Whether anything differs that exit code 1 stands for.
    pub(super) fn has_failing(&self) -> bool {
        self.findings().values().any(|found| {
            let late = if self.options.strict { 0 } else { found.late };
            found.counts.differing() > late
        })
    }

    /// Compares a window, in the place of a write.
    ///
    /// # Errors
    ///
    /// If the database cannot be read in full, or a repair cannot be written.
    pub(super) async fn window(
        &self,
        series: &Series,
        encoder: &Arc<Encoder>,
        window: Window,
        fetched: Fetched,
        writer: &mpsc::Sender<Parcel>,
    ) -> Result<Confirmed, WriteError> {
        let Fetched { answer, asked_at, platform_time, permit } = fetched;
        let zone = &series.bot.time_zone;
        let at = flatten::asked_at(asked_at, platform_time);
        let asked = Asked { window, zone, at, include_open: self.include_open, recent_from: None };
        let flattened = flatten(&answer, &asked);
        let span = start_of(zone, window.first)..start_of(zone, day_after(window.last, 1));

        let mut found = self.read(series, &span, Step::Week).await?;
        let mut bounds = Bounds {
            compared: span.clone(),
            withheld: flattened.withheld.clone(),
            late_from: start_of(zone, day_after(calendar::today(zone, at), -i64::from(self.refresh_days))),
        };
        bounds.withheld.push(open_from(&asked, series.interval)..i64::MAX);
        if let Some(kept) = self.kept {
            // Taken after reading: what the database drops meanwhile is not missing.
            let oldest = (self.clock)().saturating_sub(kept).map_or(i64::MIN, Timestamp::as_second);
            bounds.withheld.push(i64::MIN..oldest);
        }
        let mut comparison = compare(&flattened.points, &found.own, &bounds);
        let lacks = |comparison: &Comparison| comparison.differences.iter().any(|one| one.kind == Kind::Missing);
        let mut step = Step::Week;
        if lacks(&comparison) && !found.own.is_empty() {
            // They may be there with another type.
            step = Step::Day;
            found = self.read(series, &span, step).await?;
            comparison = compare(&flattened.points, &found.own, &bounds);
        }
        let mut repaired = 0;
        if self.options.repair {
            let points = repairs(&flattened.points, &comparison);
            if !points.is_empty() {
                repaired = points.len() as u64;
                match write(encoder, points, writer).await {
                    Ok(_) => {}
                    Err(refused @ WriteError::LinesRefused { .. }) => {
                        let Series { bot, channel, interval } = series;
                        tracing::warn!(bot = &*bot.name, channel = &**channel, %interval, days = %window, "{refused}");
                    }
                    Err(failed) => return Err(failed),
                }
                found = self.read(series, &span, step).await?;
                comparison = compare(&flattened.points, &found.own, &bounds);
                repaired = repaired.saturating_sub(repairs(&flattened.points, &comparison).len() as u64);
            }
        }
        drop(permit);
        let points = usize::try_from(comparison.equal).unwrap_or(usize::MAX);
        let beyond = flattened.points.iter().filter(|point| !bounds.hold(point.timestamp)).count();
        let not_compared = (flattened.forgotten.buckets + beyond) as u64;
        let mut shifts = Shifts::default();
        if !comparison.differences.is_empty() {
            shifts.add(&flattened.points, &found.own);
        }
        let elsewhere = found.elsewhere(&span);
        self.take_in(series, window, comparison, |found| {
            found.counts.elsewhere += elsewhere;
            found.repaired += repaired;
            found.not_compared += not_compared;
            found.shifts.merge(shifts);
        });
        Ok(Confirmed {
            window,
            complete: None,
            points,
            beyond_retention: 0,
            platform_today: platform_time.map(|time| calendar::today(zone, time)),
            requests: 0,
            newest: None,
            nonexistent: flattened.nonexistent,
            forgotten: flattened.forgotten,
            oddity: answer.oddity,
            days: Vec::new(),
            recent: Vec::new(),
        })
    }

    async fn read(&self, series: &Series, span: &Span, step: Step) -> Result<Found, WriteError> {
        let wide = span.start.saturating_sub(BEYOND)..span.end.saturating_add(BEYOND);
        self.reader.read(series, wide, step, &self.stop).await.map_err(WriteError::Failed)
    }

    fn take_in(&self, series: &Series, window: Window, comparison: Comparison, more: impl FnOnce(&mut SeriesFindings)) {
        if self.options.json {
            // Whoever closed standard output does not read it.
            let _closed = lines::print(&self.reader, series, &comparison.differences);
        }
        let mut findings = self.findings();
        let found = findings.entry(series.key()).or_default();
        found.counts.days += u64::from(window.days());
        found.counts.equal += comparison.equal;
        for difference in &comparison.differences {
            match difference.kind {
                Kind::Missing => found.counts.missing += 1,
                Kind::Different => found.counts.different += 1,
                Kind::Unexpected => {
                    found.counts.unexpected += 1;
                    if found.surplus.len() < SHOWN {
                        found.surplus.push(difference.timestamp);
                    }
                }
            }
            found.late += u64::from(difference.late_revision);
        }
        more(found);
        let room = SHOWN.saturating_sub(found.differences.len());
        found.differences.extend(comparison.differences.into_iter().take(room));
    }
}

/// The points that a repair writes.
fn repairs(expected: &[Point], comparison: &Comparison) -> Vec<Point> {
    let told = comparison.differences.iter().filter(|difference| difference.platform.is_some());
    let lacking: BTreeSet<i64> = told.map(|difference| difference.timestamp).collect();
    expected.iter().filter(|point| lacking.contains(&point.timestamp)).copied().collect()
}
