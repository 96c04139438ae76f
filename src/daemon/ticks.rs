//! Ticks of bots: which begin, what becomes of them, and what is said and counted of it.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::task::{Id, JoinError};

use super::tick_tracker::{Number, Start};
use super::{Daemon, due, reload};
use crate::config::Config;
use crate::domain::calendar;
use crate::domain::event::SeriesEvent;
use crate::domain::series::Window;
use crate::domain::words::counted;
use crate::observe::status::view::TickView;
use crate::run::{self, Ticked, job};

/// The running tick of a bot, which has one at a time.
#[derive(Debug)]
pub(super) struct RunningTick {
    /// The tick it takes part in.
    tick: Number,
    /// What it began with.
    config: Arc<Config>,
    /// Ticks of the bot that were skipped meanwhile. The next one asks for everything that is owed, so nothing is lost.
    skipped: u64,
}

impl Daemon {
    /// Begins the ticks that are due.
    pub(super) fn begin_due(&mut self, now: Timestamp) {
        for due in self.timetable.due(now) {
            let delay = |bot: &String| {
                let series = self.series.get(bot.as_str()).and_then(|series| series.first());
                series.map_or(Duration::ZERO, |series| due::delay(&series.bot, self.config.schedule.spread))
            };
            let starts = due.bots.iter().map(|bot| (bot.clone(), delay(bot))).collect();
            self.tracker.open(due.at, starts);
        }
        self.env.board.set_next(self.timetable.next());
    }

    /// Starts bots with new or failing series at once; those with a running tick as soon as that has ended.
    pub(super) fn start_unwell(&mut self) {
        let mut bots: Vec<String> =
            self.env.board.not_well().into_iter().map(|series| series.bot.name.to_string()).collect();
        bots.dedup();
        bots.retain(|bot| !self.ticks.contains_key(bot));
        let starts = bots.into_iter().map(|bot| (bot, Duration::ZERO)).collect();
        self.tracker.open((self.env.clock)(), starts);
    }

    /// Starts the tick of a bot: of all of its series.
    pub(super) fn start(&mut self, start: Start) {
        let Start { tick, bot } = start;
        // A reload may have come in between.
        let Some(series) = self.series.get(bot.as_str()).cloned() else {
            let tick = self.tracker.fall_out(tick);
            return self.tick_over(tick);
        };
        if let Some(running) = self.ticks.get_mut(&bot) {
            running.skipped += 1;
            self.env.watch.metrics.skipped();
            if running.skipped == 1 {
                tracing::warn!(bot, "the previous tick is still running: skipping ticks until it ends");
            }
            let tick = self.tracker.fall_out(tick);
            return self.tick_over(tick);
        }
        self.mend_clients();
        self.env.board.set_running(&bot, true);
        let (config, clients) = (Arc::clone(&self.config), Arc::clone(&self.clients));
        let (watermarks, env) = (Arc::clone(&self.watermarks), self.env.clone());
        let running = RunningTick { tick, config: Arc::clone(&config), skipped: 0 };
        let id = self.running.spawn(async move { run::tick(&config, series, &watermarks, clients, &env).await }).id();
        self.bots.insert(id, bot.clone());
        self.ticks.insert(bot, running);
    }

    /// A writer that has ended, which only a bug brings about, is replaced.
    fn mend_clients(&mut self) {
        if self.clients.writer.is_closed() {
            tracing::error!("internal error: the writer stopped and is being restarted; please report this line");
            match reload::live_clients(&self.config, &self.admin.limiter, &self.env) {
                Ok(clients) => self.clients = clients,
                Err(error) => tracing::error!("{error:#}"),
            }
        }
    }

    /// The tick of a bot has ended.
    pub(super) fn ended(&mut self, ended: Result<(Id, Ticked), JoinError>, is_stopping: bool) {
        let (id, ticked) = match ended {
            Ok((id, ticked)) => (id, Ok(ticked)),
            Err(error) => (error.id(), Err(error)),
        };
        let Some(bot) = self.bots.remove(&id) else { return };
        let Some(RunningTick { tick, config, skipped }) = self.ticks.remove(&bot) else { return };
        let ticked = ticked.unwrap_or_else(|error| {
            self.fail(&bot, error);
            Ticked { rows: Vec::new(), was_left: false }
        });
        if skipped > 0 {
            tracing::info!(bot, "the long tick has ended; {} skipped", counted(skipped, "tick"));
        }
        self.env.board.set_running(&bot, false);
        if ticked.was_left {
            let grace = self.config.shutdown_grace;
            tracing::warn!(bot, "requests in flight did not finish within {grace:?}: giving up on them");
        }
        let tick = self.tracker.bot_ended(tick, &ticked);
        self.tick_over(tick);
        // A reload that came meanwhile may have brought new series, or put right what failed.
        let has_changed = !Arc::ptr_eq(&config, &self.config) && self.config.schedule.run_on_start;
        if has_changed && !is_stopping && self.env.board.not_well().iter().any(|series| *series.bot.name == bot) {
            self.tracker.open((self.env.clock)(), vec![(bot, Duration::ZERO)]);
        }
    }

    /// A panic ended this bot's tick: the state of its series is unknown.
    fn fail(&self, bot: &str, error: JoinError) {
        let now = (self.env.clock)();
        let failure = Box::new(job::defect(error));
        for series in self.series.get(bot).into_iter().flatten() {
            let today = calendar::today(&series.bot.time_zone, now);
            let window = Window { first: today, last: today };
            let event = SeriesEvent::Failed { failure: failure.clone(), window, requests: 0 };
            self.env.board.saw(series, &event, now);
        }
    }

    /// Says and counts a tick that has ended.
    pub(super) fn tick_over(&mut self, tick: Option<TickView>) {
        let Some(tick) = tick else { return };
        self.env.board.say_outages((self.env.clock)());
        self.env.watch.metrics.tick((self.env.clock)(), tick.took);
        let TickView { bots, series, failed, points, requests, took, .. } = &tick;
        let next = self.timetable.next().first().map_or_else(|| "none".to_owned(), |next| next.at.to_string());
        let failed = if *failed == 0 { String::new() } else { format!(", {failed} failed") };
        tracing::info!(
            "tick finished in {took:.1?}: {series} series of {}{failed}, {}, {}; next tick at {next}",
            counted(*bots as u64, "bot"),
            counted(*points, "point"),
            counted(*requests, "request"),
        );
        self.env.board.tick_ended(tick);
    }
}
