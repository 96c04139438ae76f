//! A platform whose figures a test revises: every bucket of every day changes at once, so that what was written before and
//! what was written after can be told apart.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use jiff::civil::Date;
use jiff::tz::TimeZone;
use kore_trend_exporter::domain::series::Interval;

use crate::support::platform::{Asked, Options, SimulatedPlatform, answer, day};
use crate::support::server::Reply;

/// The platform, and the revision of its figures.
pub(super) struct Revised {
    pub(super) platform: SimulatedPlatform,
    revision: Arc<AtomicI64>,
}

/// Points by measurement and timestamp.
pub(super) type Figures = BTreeMap<(String, i64), i64>;

impl Revised {
    /// At revision 0; knows these bots.
    pub(super) fn start(bots: &str) -> Revised {
        let revision: Arc<AtomicI64> = Arc::default();
        let current = Arc::clone(&revision);
        let figures = move |asked: &Asked, _| body(asked, current.load(Ordering::SeqCst));
        let platform = Options::new(bots).figures(figures).start();
        Revised { platform, revision }
    }

    /// Changes all figures; returns the new revision.
    pub(super) fn revise(&self) -> i64 {
        self.revision.fetch_add(1, Ordering::SeqCst) + 1
    }
}

/// What the platform holds at a revision for the days from `first` through `last`, counted from today.
pub(super) fn figures(revision: i64, first: i64, last: i64) -> Figures {
    let mut figures = Figures::new();
    for day in (first..=last).map(day) {
        let midnight = midnight(day);
        figures.insert(("user_engagement_daily".to_owned(), midnight), daily(day, revision));
        for hour in 0..24 {
            figures.insert(("user_engagement_hourly".to_owned(), midnight + 3600 * hour), hourly(day, hour, revision));
        }
    }
    figures
}

/// The same at revision 0 as the lines of a bot that [`bots`](crate::support::workspace::bots) wrote.
pub(super) fn answer_lines(bot: &str, interval: Interval, first: i64, last: i64) -> Vec<String> {
    let measurement = format!("user_engagement_{interval}");
    let of_interval = figures(0, first, last).into_iter().filter(|((name, _), _)| *name == measurement);
    let line = |((name, time), users)| format!("{name},bot={bot},bot_id=st-{bot},channel=all users={users}i {time}");
    of_interval.map(line).collect()
}

/// The first instant of a day counted from today, in Unix seconds.
pub(super) fn start_of(from_today: i64) -> i64 {
    midnight(day(from_today))
}

/// An answer to any request, at revision 0.
pub(super) fn reply(asked: &Asked) -> Reply {
    (200, body(asked, 0)).into()
}

fn midnight(day: Date) -> i64 {
    day.to_zoned(TimeZone::UTC).unwrap().timestamp().as_second()
}

fn daily(day: Date, revision: i64) -> i64 {
    1_000_000 * revision + 1000 + i64::from(day.day())
}

fn hourly(day: Date, hour: i64, revision: i64) -> i64 {
    1_000_000 * revision + 100 * i64::from(day.day()) + hour
}

fn body(asked: &Asked, revision: i64) -> String {
    answer::v1(asked.window().unwrap(), asked.interval(), |day, hour| {
        Some(hour.map_or_else(|| daily(day, revision), |hour| hourly(day, i64::from(hour), revision)))
    })
}
