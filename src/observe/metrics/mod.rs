//! Every metric of the program: its name, its help text and its unit stand here and nowhere else.
//!
//! Labels are those of the contract. A series that a reload removes takes its metrics along.

mod process;
mod text;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

pub use self::text::CONTENT_TYPE;
use crate::domain::series::SeriesKey;
use crate::observe::liveness::Liveness;

/// What tells the samples of one metric apart: names and values of so many labels.
type Labels<const N: usize> = [(&'static str, String); N];

/// The metrics and the registry that holds them.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    requests: Family<Labels<2>, Counter>,
    request_duration: Histogram,
    throttled: Family<Labels<1>, Counter>,
    points_written: Family<Labels<3>, Counter>,
    writes: Family<Labels<1>, Counter>,
    points_dropped: Family<Labels<2>, Counter>,
    last_point: Family<Labels<3>, Gauge>,
    watermark: Family<Labels<3>, Gauge>,
    series_failing: Family<Labels<3>, Gauge>,
    budget_used: Family<Labels<2>, Gauge<f64, AtomicU64>>,
    last_tick: Gauge<f64, AtomicU64>,
    tick_duration: Histogram,
    ticks_skipped: Counter,
    config_last_reload_successful: Gauge,
    state_failing: Gauge,
    tasks: Gauge,
    /// The bots that are exported, with every status that a request of each ever had.
    bots: Mutex<BTreeMap<String, BTreeSet<String>>>,
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
        let version: Family<Labels<1>, Gauge> = register(own, "build_info", "Version of the running program; always 1");
        version.get_or_create(&[("version", env!("CARGO_PKG_VERSION").to_owned())]).set(1);
        let metrics = Metrics {
            requests: register(own, "requests", "Requests to the platform, by HTTP status or kind of failure"),
            request_duration: in_seconds(
                own,
                "request_duration",
                "Time of a request to the platform, from sending it to its last byte",
                Histogram::new(REQUEST_SECONDS),
            ),
            throttled: register(own, "throttled", "Responses that rate limited the bot"),
            points_written: register(own, "points_written", "Points that the database confirmed"),
            writes: register(own, "writes", "Writes to the database, by how they ended"),
            points_dropped: register(own, "points_dropped", "Points from the platform that were not stored, by reason"),
            last_point: in_seconds(
                own,
                "last_point_timestamp",
                "Timestamp of the newest point that the database confirmed since the start",
                Family::default(),
            ),
            watermark: in_seconds(
                own,
                "watermark_timestamp",
                "First instant of the last day that is complete and confirmed",
                Family::default(),
            ),
            series_failing: register(own, "series_failing", "Whether the last tick of the series failed (0 or 1)"),
            budget_used: register(
                own,
                "budget_used_ratio",
                "Fraction of the bot's request limit used, by rolling window",
            ),
            last_tick: in_seconds(own, "last_tick_timestamp", "When the last tick ended", Gauge::default()),
            tick_duration: in_seconds(
                own,
                "tick_duration",
                "Time from when a tick was due until its last series finished",
                Histogram::new(TICK_SECONDS),
            ),
            ticks_skipped: register(
                own,
                "ticks_skipped",
                "Ticks of a bot that were skipped because its last one was still running",
            ),
            config_last_reload_successful: register(
                own,
                "config_last_reload_successful",
                "Whether the last configuration reload succeeded (0 or 1)",
            ),
            state_failing: register(own, "state_failing", "Whether the state folder cannot be written (0 or 1)"),
            tasks: register(own, "tasks", "Live asynchronous tasks"),
            bots: Mutex::default(),
            registry,
        };
        metrics.config_last_reload_successful.set(1);
        for result in [Write::Success, Write::Refused, Write::Failure] {
            metrics.writes.get_or_create(&[("result", result.name().to_owned())]).inc_by(0);
        }
        metrics
    }

    /// A series is exported from now on: what counts begins at zero.
    pub fn add(&self, series: &SeriesKey) {
        self.bots().entry(series.bot.clone()).or_default();
        self.points_written.get_or_create(&of_series(series)).inc_by(0);
        self.series_failing.get_or_create(&of_series(series)).set(0);
        self.throttled.get_or_create(&of_bot(&series.bot)).inc_by(0);
        for reason in Dropped::ALL {
            self.dropped(&series.bot, reason, 0);
        }
    }

    /// A series is no longer exported.
    pub fn remove(&self, series: &SeriesKey) {
        let labels = of_series(series);
        self.points_written.remove(&labels);
        self.last_point.remove(&labels);
        self.watermark.remove(&labels);
        self.series_failing.remove(&labels);
    }

    /// A bot is no longer exported. What a request of it that is under way brings is not counted.
    pub fn remove_bot(&self, bot: &str) {
        for status in self.bots().remove(bot).unwrap_or_default() {
            self.requests.remove(&of_bot_and(bot, "status", &status));
        }
        self.throttled.remove(&of_bot(bot));
        for reason in Dropped::ALL {
            self.points_dropped.remove(&of_bot_and(bot, "reason", reason.name()));
        }
        for window in ["minute", "hour"] {
            self.budget_used.remove(&of_bot_and(bot, "window", window));
        }
    }

    /// A request ended, with this status or what came instead.
    pub fn asked(&self, bot: &str, status: String, took: Duration) {
        self.request_duration.observe(took.as_secs_f64());
        let mut bots = self.bots();
        let Some(statuses) = bots.get_mut(bot) else { return };
        self.requests.get_or_create(&of_bot_and(bot, "status", &status)).inc();
        statuses.insert(status);
    }

    /// The platform said that the bot is asked too often.
    pub fn throttled(&self, bot: &str) {
        if self.bots().contains_key(bot) {
            self.throttled.get_or_create(&of_bot(bot)).inc();
        }
    }

    /// A write ended.
    pub fn wrote(&self, result: Write) {
        self.writes.get_or_create(&[("result", result.name().to_owned())]).inc();
    }

    /// The database confirmed so many points, the newest of them at `newest` (Unix seconds).
    pub fn confirmed(&self, series: &SeriesKey, points: usize, newest: Option<i64>) {
        let labels = of_series(series);
        self.points_written.get_or_create(&labels).inc_by(points as u64);
        if let Some(newest) = newest {
            let gauge = self.last_point.get_or_create(&labels);
            gauge.set(gauge.get().max(newest));
        }
    }

    /// So many points are not in the database.
    pub fn dropped(&self, bot: &str, reason: Dropped, points: usize) {
        self.points_dropped.get_or_create(&of_bot_and(bot, "reason", reason.name())).inc_by(points as u64);
    }

    /// The last day that is complete and confirmed began at this instant.
    pub fn watermark(&self, series: &SeriesKey, at: Timestamp) {
        self.watermark.get_or_create(&of_series(series)).set(at.as_second());
    }

    /// Whether the last tick of a series failed.
    pub fn failing(&self, series: &SeriesKey, failing: bool) {
        self.series_failing.get_or_create(&of_series(series)).set(i64::from(failing));
    }

    /// How much of a bot's minute and hour is used, 1 being all of it.
    pub fn budget(&self, bot: &str, minute: f64, hour: f64) {
        for (window, used) in [("minute", minute), ("hour", hour)] {
            self.budget_used.get_or_create(&of_bot_and(bot, "window", window)).set(used);
        }
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

    fn bots(&self) -> MutexGuard<'_, BTreeMap<String, BTreeSet<String>>> {
        self.bots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn of_bot(bot: &str) -> Labels<1> {
    [("bot", bot.to_owned())]
}

fn of_bot_and(bot: &str, name: &'static str, value: &str) -> Labels<2> {
    [("bot", bot.to_owned()), (name, value.to_owned())]
}

fn of_series(series: &SeriesKey) -> Labels<3> {
    let SeriesKey { bot, channel, interval, .. } = series;
    [("bot", bot.clone()), ("channel", channel.clone()), ("interval", interval.name().to_owned())]
}

fn register<M>(registry: &mut Registry, name: &str, help: &str) -> M
where
    M: prometheus_client::registry::Metric + Clone + Default,
{
    let metric = M::default();
    registry.register(name, help, metric.clone());
    metric
}

fn in_seconds<M>(registry: &mut Registry, name: &str, help: &str, metric: M) -> M
where
    M: prometheus_client::registry::Metric + Clone,
{
    registry.register_with_unit(name, help, Unit::Seconds, metric.clone());
    metric
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::series::Interval;

    fn key(bot: &str) -> SeriesKey {
        SeriesKey { bot: bot.into(), bot_id: format!("st-{bot}"), channel: "all".into(), interval: Interval::Hourly }
    }

    #[tokio::test]
    async fn a_series_that_is_removed_takes_its_metrics_along() {
        let metrics = Metrics::new(Timestamp::UNIX_EPOCH);
        for key in [key("sales"), key("support")] {
            metrics.add(&key);
            metrics.asked(&key.bot, "200".to_owned(), Duration::from_millis(70));
            metrics.confirmed(&key, 5, Some(7200));
            metrics.confirmed(&key, 5, Some(3600));
            metrics.watermark(&key, Timestamp::UNIX_EPOCH);
            metrics.failing(&key, true);
            metrics.budget(&key.bot, 0.5, 0.25);
        }
        metrics.remove(&key("sales"));
        metrics.remove_bot("sales");
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
