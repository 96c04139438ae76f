//! Every metric of the program: its name, which ends in its unit, and its help text stand here and nowhere else.
//!
//! Labels are those of the contract. A series that a reload removes takes its metrics along.

mod exported;
mod process;
mod text;

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use jiff::Timestamp;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

pub use self::exported::Dropped;
use self::exported::{Exported, OfBot, OfSeries};
pub use self::text::CONTENT_TYPE;
use crate::domain::series::SeriesKey;
use crate::observe::liveness::Liveness;

/// Name and value of the only label of a metric.
type Label = [(&'static str, &'static str); 1];

/// The metrics and the registry that holds them.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    exported: Exported,
    request_duration: Histogram,
    writes: Family<Label, Counter>,
    last_tick: Gauge<f64, AtomicU64>,
    tick_duration: Histogram,
    ticks_skipped: Counter,
    config_last_reload_successful: Gauge,
    state_failing: Gauge,
    tasks: Gauge,
}

/// Who counts what happens, and who watches over what is under way.
#[derive(Clone, Debug)]
pub struct Watch {
    /// Counts.
    pub metrics: Arc<Metrics>,
    /// Watches over what is under way.
    pub liveness: Liveness,
}

impl Watch {
    /// All metrics, at zero. `started` is when the process did.
    pub fn new(started: Timestamp) -> Watch {
        Watch { metrics: Arc::new(Metrics::new(started)), liveness: Liveness::default() }
    }
}

/// How a write ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Write {
    /// All of it is stored.
    Success,
    /// The database answered that it does not take it, or not all of it.
    Refused,
    /// No answer, or one that says to try again.
    Failure,
}

impl Write {
    fn name(self) -> &'static str {
        match self {
            Write::Success => "success",
            Write::Refused => "refused",
            Write::Failure => "failure",
        }
    }
}

/// Seconds: from an answer out of a cache to the longest time-out that makes sense.
const REQUEST_SECONDS: [f64; 10] = [0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];

/// Seconds: from a tick of one bot to one that catches up under the platform's limits.
const TICK_SECONDS: [f64; 10] = [0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0, 7200.0];

impl Metrics {
    /// All metrics, at zero. `started` is when the process did.
    pub fn new(started: Timestamp) -> Metrics {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(process::Process::new(started)));
        let own = registry.sub_registry_with_prefix("kore_trend");
        let version: Family<Label, Gauge> =
            register(own, "build_info", "Version of the running program; always 1", Family::default());
        version.get_or_create(&[("version", env!("CARGO_PKG_VERSION"))]).set(1);
        let exported = Exported::default();
        own.register_collector(Box::new(exported.clone()));
        let metrics = Metrics {
            exported,
            request_duration: register(
                own,
                "request_duration_seconds",
                "Time of a request to the platform, from sending it to its last byte",
                Histogram::new(REQUEST_SECONDS),
            ),
            writes: register(own, "writes", "Writes to the database, by how they ended", Family::default()),
            last_tick: register(own, "last_tick_timestamp_seconds", "When the last tick ended", Gauge::default()),
            tick_duration: register(
                own,
                "tick_duration_seconds",
                "Time from when a tick was due until its last series finished",
                Histogram::new(TICK_SECONDS),
            ),
            ticks_skipped: register(
                own,
                "ticks_skipped",
                "Ticks of a bot that were skipped because its last one was still running",
                Counter::default(),
            ),
            config_last_reload_successful: register(
                own,
                "config_last_reload_successful",
                "Whether the last configuration reload succeeded (0 or 1)",
                Gauge::default(),
            ),
            state_failing: register(
                own,
                "state_failing",
                "Whether the state folder cannot be written (0 or 1)",
                Gauge::default(),
            ),
            tasks: register(own, "tasks", "Live asynchronous tasks", Gauge::default()),
            registry,
        };
        metrics.config_last_reload_successful.set(1);
        for result in [Write::Success, Write::Refused, Write::Failure] {
            metrics.writes.get_or_create(&[("result", result.name())]).inc_by(0);
        }
        metrics
    }

    /// These series are exported from now on and no others: those that were before keep their counts, new ones begin at
    /// zero. What a request of a bot that is gone brings is not counted.
    pub fn export<'a>(&self, series: impl Iterator<Item = &'a SeriesKey> + Clone) {
        let mut exported = self.exported.lock();
        let mut before = std::mem::take(&mut *exported);
        let bots: BTreeSet<&Arc<str>> = series.clone().map(|key| &key.bot).collect();
        exported.bots =
            bots.into_iter().map(|bot| (bot.clone(), before.bots.remove(bot).unwrap_or_default())).collect();
        // Collected, not inserted one after the other, which would leave half of each node empty.
        exported.series = series.map(|key| (key.clone(), before.series.remove(key).unwrap_or_default())).collect();
    }

    /// A request ended, with this status or what came instead.
    pub fn asked(&self, bot: &str, status: String, took: Duration) {
        self.request_duration.observe(took.as_secs_f64());
        self.of_bot(bot, |of| match of.requests.iter_mut().find(|(known, _)| *known == status) {
            Some((_, requests)) => *requests += 1,
            None => of.requests.push((status, 1)),
        });
    }

    /// The platform said that the bot is asked too often.
    pub fn throttled(&self, bot: &str) {
        self.of_bot(bot, |of| of.throttled += 1);
    }

    /// A write ended.
    pub fn wrote(&self, result: Write) {
        self.writes.get_or_create(&[("result", result.name())]).inc();
    }

    /// The database confirmed so many points, the newest of them at `newest` (Unix seconds).
    pub fn confirmed(&self, series: &SeriesKey, points: usize, newest: Option<i64>) {
        self.of_series(series, |of| {
            of.points_written += points as u64;
            of.last_point = of.last_point.max(newest);
        });
    }

    /// So many points are not in the database.
    pub fn dropped(&self, bot: &str, reason: Dropped, points: usize) {
        self.of_bot(bot, |of| of.dropped[reason as usize] += points as u64);
    }

    /// The last day that is complete and confirmed began at this instant.
    pub fn watermark(&self, series: &SeriesKey, at: Timestamp) {
        self.of_series(series, |of| of.watermark = Some(at.as_second()));
    }

    /// Whether the last tick of a series failed.
    pub fn failing(&self, series: &SeriesKey, failing: bool) {
        self.of_series(series, |of| of.is_failing = failing);
    }

    /// How much of a bot's minute and hour is used, 1 being all of it.
    pub fn budget(&self, bot: &str, minute: f64, hour: f64) {
        self.of_bot(bot, |of| of.budget_used = Some([minute, hour]));
    }

    /// A tick ended.
    pub fn tick(&self, ended: Timestamp, took: Duration) {
        self.last_tick.set(ended.as_duration().as_secs_f64());
        self.tick_duration.observe(took.as_secs_f64());
    }

    /// A bot's tick was skipped.
    pub fn skipped(&self) {
        self.ticks_skipped.inc();
    }

    /// How many ticks were skipped since the start.
    pub fn ticks_skipped(&self) -> u64 {
        self.ticks_skipped.get()
    }

    /// The configuration was read, and accepted or refused.
    pub fn reloaded(&self, accepted: bool) {
        self.config_last_reload_successful.set(i64::from(accepted));
    }

    /// Whether the state folder cannot be written.
    pub fn state_failing(&self, failing: bool) {
        self.state_failing.set(i64::from(failing));
    }

    /// The text of a scrape. Must be called within a runtime.
    pub fn encode(&self) -> Result<String, std::fmt::Error> {
        let tasks = tokio::runtime::Handle::current().metrics().num_alive_tasks();
        self.tasks.set(i64::try_from(tasks).unwrap_or(i64::MAX));
        text::text(&self.registry)
    }

    /// What is not exported is not counted.
    fn of_bot(&self, bot: &str, count: impl FnOnce(&mut OfBot)) {
        self.exported.lock().bots.get_mut(bot).map(count);
    }

    fn of_series(&self, series: &SeriesKey, count: impl FnOnce(&mut OfSeries)) {
        self.exported.lock().series.get_mut(series).map(count);
    }
}

fn register<M>(registry: &mut Registry, name: &str, help: &str, metric: M) -> M
where
    M: prometheus_client::registry::Metric + Clone,
{
    registry.register(name, help, metric.clone());
    metric
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::series::Interval;

    fn key(bot: &str) -> SeriesKey {
        SeriesKey {
            bot: bot.into(),
            bot_id: format!("st-{bot}").into(),
            channel: "all".into(),
            interval: Interval::Hourly,
        }
    }

    #[tokio::test]
    async fn a_series_that_is_removed_takes_its_metrics_along() {
        let metrics = Metrics::new(Timestamp::UNIX_EPOCH);
        let keys = [key("sales"), key("support")];
        metrics.export(keys.iter());
        for key in &keys {
            metrics.asked(&key.bot, "200".to_owned(), Duration::from_millis(70));
            metrics.confirmed(key, 5, Some(7200));
            metrics.confirmed(key, 5, Some(3600));
            metrics.watermark(key, Timestamp::UNIX_EPOCH);
            metrics.failing(key, true);
            metrics.budget(&key.bot, 0.5, 0.25);
        }
        metrics.export(keys[1..].iter());
        metrics.asked("sales", "503".to_owned(), Duration::from_millis(70));
        metrics.throttled("sales");
        let text = metrics.encode().unwrap();
        assert!(!text.contains("sales"), "{text}");
        for line in [
            r#"kore_trend_requests_total{bot="support",status="200"} 1"#,
            r#"kore_trend_points_written_total{bot="support",channel="all",interval="hourly"} 10"#,
            r#"kore_trend_last_point_timestamp_seconds{bot="support",channel="all",interval="hourly"} 7200"#,
            r#"kore_trend_points_dropped_total{bot="support",reason="retention"} 0"#,
            r#"kore_trend_request_duration_seconds_bucket{le="0.1"} 3"#,
            r#"kore_trend_budget_used_ratio{bot="support",window="minute"} 0.5"#,
            "kore_trend_config_last_reload_successful 1",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
    }
}
