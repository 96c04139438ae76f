//! What is counted of each bot and of each series that is exported. Whatever is no longer exported takes its counts along.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeGaugeValue, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;

use crate::domain::series::SeriesKey;

/// Why points were not written although the platform sent them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dropped {
    /// Daylight saving skipped their hour.
    NonexistentHour,
    /// They are older than what the database retains.
    Retention,
    /// The platform may have deleted the day, for it reports zeros only.
    ForgottenDay,
    /// The database refused them.
    Refused,
}

impl Dropped {
    const ALL: [Dropped; 4] = [Dropped::NonexistentHour, Dropped::Retention, Dropped::ForgottenDay, Dropped::Refused];

    fn name(self) -> &'static str {
        match self {
            Dropped::NonexistentHour => "nonexistent_hour",
            Dropped::Retention => "retention",
            Dropped::ForgottenDay => "forgotten_day",
            Dropped::Refused => "refused",
        }
    }
}

/// One entry for each bot and each series: a family of the library for each metric would hold their names as often.
#[derive(Clone, Debug, Default)]
pub(super) struct Exported(Arc<Mutex<Counts>>);

/// The bots, by name, and the series that are exported.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) bots: BTreeMap<Arc<str>, OfBot>,
    pub(super) series: BTreeMap<SeriesKey, OfSeries>,
}

/// What is counted of a bot.
#[derive(Debug, Default)]
pub(super) struct OfBot {
    /// By HTTP status or kind of failure, of which there are few.
    pub(super) requests: Vec<(String, u64)>,
    pub(super) throttled: u64,
    /// By reason.
    pub(super) dropped: [u64; Dropped::ALL.len()],
    /// Of the minute and of the hour, 1 being all of it.
    pub(super) budget_used: Option<[f64; 2]>,
}

/// What is counted of a series. Times are Unix seconds.
#[derive(Debug, Default)]
pub(super) struct OfSeries {
    pub(super) points_written: u64,
    pub(super) last_point: Option<i64>,
    pub(super) watermark: Option<i64>,
    pub(super) is_failing: bool,
}

impl Exported {
    pub(super) fn lock(&self) -> MutexGuard<'_, Counts> {
        self.0.lock()
    }
}

impl Collector for Exported {
    fn encode(&self, encoder: DescriptorEncoder) -> fmt::Result {
        let Counts { bots, series } = &*self.lock();
        let mut metrics = Families(encoder);
        metrics.counter(
            "requests",
            "Requests to the platform, by HTTP status or kind of failure.",
            bots.iter()
                .flat_map(|(bot, of)| of.requests.iter().map(move |(by, n)| (of_bot_and(bot, "status", by), *n))),
        )?;
        metrics.counter(
            "throttled",
            "Responses that rate limited the bot.",
            bots.iter().map(|(bot, of)| ([("bot", &**bot)], of.throttled)),
        )?;
        metrics.counter(
            "points_dropped",
            "Points from the platform that were not stored, by reason.",
            bots.iter().flat_map(|(bot, of)| {
                let points = |reason| of.dropped[reason as usize];
                Dropped::ALL.map(|reason| (of_bot_and(bot, "reason", reason.name()), points(reason)))
            }),
        )?;
        metrics.gauge(
            "budget_used_ratio",
            "Fraction of the bot's request limit used, by rolling window.",
            bots.iter().flat_map(|(bot, of)| {
                let windows = ["minute", "hour"].into_iter().zip(of.budget_used.into_iter().flatten());
                windows.map(move |(window, used)| (of_bot_and(bot, "window", window), used))
            }),
        )?;
        metrics.counter(
            "points_written",
            "Points that the database confirmed.",
            series.iter().map(|(key, of)| (of_series(key), of.points_written)),
        )?;
        metrics.gauge(
            "last_point_timestamp_seconds",
            "Timestamp of the newest point that the database confirmed since the start.",
            series.iter().filter_map(|(key, of)| Some((of_series(key), of.last_point?))),
        )?;
        metrics.gauge(
            "watermark_timestamp_seconds",
            "First instant of the last day that is complete and confirmed.",
            series.iter().filter_map(|(key, of)| Some((of_series(key), of.watermark?))),
        )?;
        metrics.gauge(
            "series_failing",
            "Whether the last tick of the series failed (0 or 1).",
            series.iter().map(|(key, of)| (of_series(key), i64::from(of.is_failing))),
        )
    }
}

/// What tells the samples of one metric apart: names and values of so many labels.
type Labels<'a, const N: usize> = [(&'a str, &'a str); N];

/// Writes metrics whose samples have labels. One without samples is not written.
struct Families<'a>(DescriptorEncoder<'a>);

impl Families<'_> {
    fn counter<'a, const N: usize>(
        &mut self,
        name: &str,
        help: &str,
        samples: impl Iterator<Item = (Labels<'a, N>, u64)>,
    ) -> fmt::Result {
        let write = |mut sample: MetricEncoder, value| sample.encode_counter::<NoLabelSet, u64, u64>(&value, None);
        self.family(name, help, MetricType::Counter, samples, write)
    }

    fn gauge<'a, const N: usize, V: EncodeGaugeValue>(
        &mut self,
        name: &str,
        help: &str,
        samples: impl Iterator<Item = (Labels<'a, N>, V)>,
    ) -> fmt::Result {
        let write = |mut sample: MetricEncoder, value| sample.encode_gauge(&value);
        self.family(name, help, MetricType::Gauge, samples, write)
    }

    fn family<'a, const N: usize, V>(
        &mut self,
        name: &str,
        help: &str,
        kind: MetricType,
        samples: impl Iterator<Item = (Labels<'a, N>, V)>,
        write: impl Fn(MetricEncoder, V) -> fmt::Result,
    ) -> fmt::Result {
        let mut samples = samples.peekable();
        if samples.peek().is_none() {
            return Ok(());
        }
        let mut family = self.0.encode_descriptor(name, help, None, kind)?;
        samples.try_for_each(|(labels, value)| write(family.encode_family(&labels)?, value))
    }
}

fn of_bot_and<'a>(bot: &'a str, name: &'a str, value: &'a str) -> Labels<'a, 2> {
    [("bot", bot), (name, value)]
}

fn of_series(SeriesKey { bot, channel, interval, .. }: &SeriesKey) -> Labels<'_, 3> {
    [("bot", bot), ("channel", channel), ("interval", interval.name())]
}
