//! Shared state behind the status page, `/readyz` and the metrics: written by runs and by the daemon.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use jiff::Timestamp;
use parking_lot::Mutex;
use serde::Serialize;

use super::condition::{Condition, ProcessState, SeriesCondition, sentence};
use super::outages::Outages;
use super::recent::Recent;
use super::series::SeriesStatus;
use super::view::{BotView, NextTick, TickView, View};
use crate::domain::event::SeriesEvent;
use crate::domain::plan::Progress;
use crate::domain::series::{Interval, Series, SeriesKey};
use crate::limits::limiter::Limiter;
use crate::observe::metrics::Metrics;

/// Ticks that are remembered.
const TICKS: usize = 10;

/// What is known, and the metrics that follow it.
#[derive(Debug)]
pub struct Board {
    metrics: Arc<Metrics>,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    series: BTreeMap<SeriesKey, SeriesStatus>,
    outages: Outages,
    ticks: VecDeque<TickView>,
    next: Vec<NextTick>,
    running: BTreeSet<String>,
    refused_reload: Vec<String>,
    state_problem: Option<String>,
    /// Whether requests could not be recorded when somebody asked for news.
    has_unwritten: bool,
    /// Whether credentials were not accepted since somebody asked.
    denied: bool,
    /// Whether anything has changed since somebody asked.
    has_news: bool,
}

/// A series for which `/readyz` is not ready.
#[derive(Clone, Debug, Serialize)]
pub struct NotReady {
    bot: String,
    channel: String,
    interval: Interval,
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<Timestamp>,
    error: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    advice: Option<String>,
}

impl Board {
    /// A board with nothing on it.
    pub fn new(metrics: Arc<Metrics>) -> Board {
        Board { metrics, known: Mutex::default() }
    }

    /// From now on these series are exported and no others. Those known already stay as they are.
    pub fn expect(&self, series: &[Series]) {
        let mut known = self.known.lock();
        let mut before = std::mem::take(&mut known.series);
        // Collected, not inserted one after the other, which would leave half of each node empty.
        known.series = series
            .iter()
            .map(|series| {
                let key = series.key();
                let mut status = before.remove(&key).unwrap_or_else(|| SeriesStatus::new(series.clone()));
                // The bot may have another secret or zone now.
                status.series = series.clone();
                (key, status)
            })
            .collect();
        let Known { series, outages, .. } = &mut *known;
        outages.keep_only(|key| series.contains_key(key));
        self.metrics.export(series.keys());
    }

    /// Something happened to a series. One that is not expected any more is left aside.
    pub fn saw(&self, series: &Series, event: &SeriesEvent, now: Timestamp) {
        let mut known = self.known.lock();
        if let SeriesEvent::Failed { failure, .. } = event {
            known.denied |= failure.is_denied;
        }
        let Some(status) = known.series.get_mut(&series.key()) else { return };
        let before = status.condition;
        status.saw(event, now, &self.metrics);
        let has_changed = status.condition != before;
        known.has_news |= has_changed;
        match event {
            SeriesEvent::Failed { failure, window, .. } => known.outages.failed(series, *window, failure, now),
            SeriesEvent::Done => known.outages.recovered(series, now),
            SeriesEvent::Confirmed(_) | SeriesEvent::Stopped(_) => {}
        }
    }

    /// Says which failures stop how many series, once for each. To be called when a tick is over, and now and then.
    pub fn say_outages(&self, now: Timestamp) {
        let mut known = self.known.lock();
        let next = known.next.first().map(|next| next.at);
        known.outages.say(next, now);
    }

    /// Whether anything has changed for the worse or the better since this was asked last.
    pub fn take_news(&self, limiter: &Limiter) -> bool {
        let mut known = self.known.lock();
        let before = std::mem::replace(&mut known.has_unwritten, limiter.has_unwritten());
        std::mem::take(&mut known.has_news) || known.has_unwritten != before
    }

    /// The figures of the last days that an earlier process knew.
    pub fn restore(&self, mut figures: BTreeMap<SeriesKey, Recent>) {
        for (key, status) in &mut self.known.lock().series {
            status.recent = status.recent.take().or_else(|| figures.remove(key).map(Arc::new));
        }
    }

    /// The figures of the last days.
    pub fn figures(&self) -> Vec<(SeriesKey, Recent)> {
        let known = self.known.lock();
        let figures =
            known.series.iter().filter_map(|(key, status)| Some((key.clone(), status.recent.as_deref()?.clone())));
        figures.collect()
    }

    /// How far a series has come.
    pub fn set_progress(&self, key: &SeriesKey, progress: Progress) {
        if let Some(status) = self.known.lock().series.get_mut(key) {
            status.set_progress(progress, &self.metrics);
        }
    }

    /// Whether credentials were not accepted since this was asked last.
    pub fn take_denied(&self) -> bool {
        std::mem::take(&mut self.known.lock().denied)
    }

    /// The series that are not well: no tick of them has ended, or the last one failed.
    pub fn not_well(&self) -> Vec<Series> {
        let known = self.known.lock();
        let unwell = known.series.values().filter(|status| status.condition != Condition::Well);
        unwell.map(|status| status.series.clone()).collect()
    }

    /// What keeps `/readyz` from being ready; nothing if all is well.
    pub fn not_ready(&self) -> Vec<NotReady> {
        let known = self.known.lock();
        let unwell = known.series.iter().filter(|(_, status)| status.condition != Condition::Well);
        unwell
            .map(|(key, status)| {
                let failure = match status.condition {
                    Condition::Failing { since } => status.last_failure.as_ref().map(|failure| (since, failure)),
                    _ => None,
                };
                NotReady {
                    bot: key.bot.to_string(),
                    channel: key.channel.to_string(),
                    interval: key.interval,
                    since: failure.map(|(since, _)| since),
                    error: failure.map_or("not fetched yet".to_owned(), |(_, failure)| failure.error.clone()),
                    advice: failure.map(|(_, failure)| failure.advice.clone()),
                }
            })
            .collect()
    }

    /// A tick of a bot begins or ends.
    pub fn set_running(&self, bot: &str, running: bool) {
        let mut known = self.known.lock();
        if running {
            known.running.insert(bot.to_owned());
        } else {
            known.running.remove(bot);
        }
    }

    /// A tick has ended.
    pub fn tick_ended(&self, tick: TickView) {
        let mut known = self.known.lock();
        known.ticks.push_front(tick);
        known.ticks.truncate(TICKS);
    }

    /// When the next ticks are due, soonest first.
    pub fn set_next(&self, next: Vec<NextTick>) {
        let mut known = self.known.lock();
        known.has_news |= known.next != next;
        known.next = next;
    }

    /// The configuration was read: accepted, or refused for these keys.
    pub fn reloaded(&self, wrong: Vec<String>) {
        self.metrics.reloaded(wrong.is_empty());
        self.known.lock().refused_reload = wrong;
    }

    /// The state folder was written, or could not be: said when that changes.
    pub fn state_saved(&self, saved: std::io::Result<()>) {
        self.metrics.state_failing(saved.is_err());
        let problem = saved.as_ref().err().map(|error| error.kind().to_string());
        let before = {
            let mut known = self.known.lock();
            known.has_news |= known.state_problem != problem;
            std::mem::replace(&mut known.state_problem, problem)
        };
        match (before, saved.err()) {
            (None, Some(error)) => {
                tracing::error!("cannot write the state folder: {error}; exporting continues, check the disk");
            }
            (Some(_), None) => tracing::info!("the state folder is writable again"),
            _ => {}
        }
    }

    /// Everything, for the status page.
    pub fn view(&self, limiter: &Limiter, started: Timestamp, simulated: bool, now: Timestamp) -> View {
        limiter.look_at_others();
        let known = self.known.lock();
        let mut bots: Vec<BotView> = Vec::new();
        for status in known.series.values() {
            let bot = &status.series.bot;
            if bots.last().is_none_or(|last| *last.name != *bot.name) {
                bots.push(BotView {
                    name: bot.name.to_string(),
                    time_zone: bot.time_zone.clone(),
                    budget: limiter.usage(&bot.id),
                    limits: limiter.limits(),
                    running: known.running.contains(&*bot.name),
                    series: Vec::new(),
                });
            }
            if let Some(bot) = bots.last_mut() {
                bot.series.push(status.view(now));
            }
        }
        View {
            now,
            started,
            simulated,
            bots,
            ticks: known.ticks.iter().cloned().collect(),
            next: known.next.clone(),
            skipped: self.metrics.ticks_skipped(),
            refused_reload: known.refused_reload.clone(),
            state_problem: known
                .state_problem
                .clone()
                .or_else(|| limiter.has_unwritten().then(|| "requests cannot be recorded".to_owned())),
        }
    }

    /// The sentence of such a view.
    pub fn sentence(&self, limiter: &Limiter, now: Timestamp) -> String {
        let known = self.known.lock();
        let conditions = known.series.iter().map(|(key, status)| {
            let SeriesKey { bot, channel, interval, .. } = key;
            SeriesCondition { bot, channel, interval: *interval, condition: status.condition }
        });
        sentence(
            conditions,
            ProcessState {
                now,
                next: known.next.first().map(|next| next.at),
                is_state_failing: known.state_problem.is_some() || limiter.has_unwritten(),
                is_reload_refused: !known.refused_reload.is_empty(),
            },
        )
    }

    /// Brings the gauges of each bot's budget up to date, and that of the state folder, which is written with each
    /// request and not only when a series comes further.
    pub fn measure_budgets(&self, limiter: &Limiter) {
        limiter.look_at_others();
        self.metrics.state_failing(self.known.lock().state_problem.is_some() || limiter.has_unwritten());
        let limits = limiter.limits();
        let bots: BTreeMap<Arc<str>, Arc<str>> =
            self.known.lock().series.keys().map(|key| (key.bot.clone(), key.bot_id.clone())).collect();
        for (bot, id) in bots {
            let budget = limiter.usage(&id);
            let part = |used: u32, limit: u32| f64::from(used) / f64::from(limit.max(1));
            self.metrics.budget(&bot, part(budget.minute, limits.per_minute), part(budget.hour, limits.per_hour));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::time::Duration;

    use super::*;
    use crate::config::Limits;
    use crate::limits::ledger::Ledger;

    #[tokio::test(start_paused = true)]
    async fn requests_that_cannot_be_recorded_are_news_and_so_is_their_end() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = Ledger::open(folder.path(), || Timestamp::UNIX_EPOCH).unwrap();
        let limits = Limits { per_minute: 60, per_hour: 1800, backfill_share: 0.5 };
        let limiter = Limiter::new(limits, Some(ledger));
        let board = Board::new(Arc::new(Metrics::new(Timestamp::UNIX_EPOCH)));
        assert!(!board.take_news(&limiter));
        let in_the_way = File::open(folder.path().join("requests.lock")).unwrap();
        in_the_way.lock().unwrap();
        limiter.look_at_others();
        tokio::time::advance(Duration::from_secs(3600)).await;
        limiter.look_at_others();
        assert_eq!([board.take_news(&limiter), board.take_news(&limiter)], [true, false]);
    }
}
