//! The daemon: the tick of `--once` on a schedule, for years. This file is the loop; it decides nothing that is not
//! decided elsewhere: when a tick is due is the [agenda](agenda)'s, what a tick does is [`run::tick`]'s.

mod clock_step;
pub mod due;
mod reload;
mod systemd;
mod tick_tracker;
mod wakeups;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use jiff::Timestamp;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, oneshot};
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::{Instant, MissedTickBehavior, sleep_until};

use self::clock_step::Pace;
use self::due::Agenda;
use self::systemd::Manager;
use self::tick_tracker::{Number, Rounds, Scope, Start};
use self::wakeups::Alarm;
use crate::config::Config;
use crate::domain::calendar;
use crate::domain::series::{Series, Window};
use crate::observe::endpoint::{self, Admin, Serving};
use crate::observe::liveness::Heart;
use crate::observe::logging::Log;
use crate::observe::metrics::Metrics;
use crate::observe::status::memory;
use crate::observe::status::view::{TickView, View};
use crate::platform::limits::limiter::Limiter;
use crate::run::job::{self, Happened, Means, Problem};
use crate::run::{self, RunError, Surroundings, Ticked};
use crate::startup::{Launch, Loaded};
use crate::state::watermarks::Watermarks;

/// What the loop works with.
struct Daemon {
    launch: Launch,
    log: Log,
    around: Surroundings,
    started: Timestamp,

    config: Arc<Config>,
    /// By the bot's name.
    series: BTreeMap<String, Vec<Series>>,
    means: Arc<Means>,
    admin: Arc<Admin>,
    serving: Option<Serving>,

    watermarks: Arc<Watermarks>,
    limiter: Arc<Limiter>,
    heart: Arc<Heart>,
    manager: Manager,

    agenda: Agenda,
    alarm: Alarm,
    rounds: Rounds,
    running: JoinSet<Ticked>,
    tasks: HashMap<Id, (Number, String)>,
    busy: HashMap<String, Busy>,
    /// Whether the last beat found something stuck.
    is_stuck: bool,
    /// Bots whose series that are not well then are asked for as soon as their running tick has ended.
    again: BTreeSet<String>,
}

/// A bot with a running tick.
#[derive(Debug)]
struct Busy {
    /// Whether only some of its series take part, so that a tick of all of them is owed its turn.
    is_partial: bool,
    /// That tick, which starts when this one has ended.
    waiting: Option<Start>,
    /// Further ticks that came meanwhile.
    skipped: u32,
}

/// Runs until it is told to stop.
///
/// # Errors
///
/// If it cannot start: the state folder, the listener, the clients.
pub async fn run(launch: Launch, loaded: Loaded, log: Log, around: Surroundings) -> Result<(), RunError> {
    // From here on a signal to reload is heard, not deadly.
    let hangups = signal(SignalKind::hangup()).context("cannot listen for SIGHUP")?;
    let started = (around.clock)();
    let config = Arc::new(loaded.config.clone());
    let _lock = run::take_folder(&config.state_dir)?;
    let watermarks = Arc::new(Watermarks::load(&config.state_dir, started, true)?);
    let limiter = run::limiter(&config, &around)?;
    let heart = Arc::new(Heart::new(around.watch.pulse.clone(), systemd::watchdog()));
    let admin = Arc::new(Admin {
        board: Arc::clone(&around.board),
        limiter: Arc::clone(&limiter),
        metrics: Arc::clone(&around.watch.metrics),
        heart: Arc::clone(&heart),
        clock: around.clock,
        started,
        simulated: around.simulated,
    });
    let (alarm, rung) = Alarm::start().await?;
    let means = reload::live_means(&config, &limiter, &around)?;
    let mut daemon = Daemon {
        launch,
        log,
        started,
        config,
        series: BTreeMap::new(),
        means,
        admin,
        serving: None,
        watermarks: Arc::clone(&watermarks),
        limiter,
        heart,
        manager: Manager::default(),
        agenda: Agenda::default(),
        alarm,
        rounds: Rounds::default(),
        running: JoinSet::new(),
        tasks: HashMap::new(),
        busy: HashMap::new(),
        is_stuck: false,
        again: BTreeSet::new(),
        around,
    };
    if let Some(address) = daemon.config.admin {
        daemon.serving = Some(daemon.listen(address).await?);
    }
    daemon.export_these(loaded.series).await;
    daemon.around.board.restore(memory::load(&daemon.config.state_dir));
    let status = daemon.view().sentence();
    daemon.manager.ready(status);
    daemon.log.set_lasting(true);
    daemon.say_schedule();

    let board = Arc::clone(&daemon.around.board);
    let (done, until) = oneshot::channel::<()>();
    let living = async {
        daemon.live(hangups, rung).await;
        drop(done);
    };
    tokio::join!(living, watermarks.keep_saving(async { drop(until.await) }, |saved| board.state_saved(saved)));
    board.state_saved(watermarks.save().await);
    if let Err(error) = memory::save(&daemon.config.state_dir, board.figures()).await {
        tracing::debug!("the figures for the status page cannot be saved: {error}");
    }
    tracing::info!("ended");
    Ok(())
}

impl Busy {
    fn skip(&mut self, bot: &str, metrics: &Metrics) {
        metrics.skipped();
        self.skipped += 1;
        if self.skipped == 1 {
            tracing::warn!(bot, "its last tick is still running: this one is skipped, and so are those that follow");
        }
    }
}

impl Daemon {
    async fn live(&mut self, mut hangups: Signal, mut rung: mpsc::Receiver<()>) {
        let mut beat = tokio::time::interval(self.heart.every());
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut pace = Pace::new((self.around.clock)());
        let stop = self.around.stop.clone();
        if self.config.schedule.run_on_start {
            self.start_unwell();
        }
        let mut is_stopping = false;
        while !(is_stopping && self.running.is_empty()) {
            let next_start = self.rounds.next_start();
            tokio::select! {
                () = stop.told(), if !is_stopping => {
                    is_stopping = true;
                    self.log.set_lasting(false);
                    self.manager.stopping();
                    for tick in self.rounds.forget_starts() {
                        self.tick_over(Some(tick));
                    }
                }
                Some(()) = hangups.recv(), if !is_stopping => self.reload().await,
                Some(()) = rung.recv(), if !is_stopping => self.ring((self.around.clock)()),
                Some(ended) = self.running.join_next_with_id() => self.ended(ended, is_stopping).await,
                () = sleep_until(next_start.unwrap_or_else(Instant::now)), if next_start.is_some() => {}
                _ = beat.tick() => {
                    if pace.look((self.around.clock)()) {
                        let renewed = self.alarm.set_anew(self.agenda.lines().collect()).await;
                        self.say_alarm(renewed);
                    }
                    self.beat(is_stopping);
                }
            }
            while let Some(start) = self.rounds.take_start() {
                self.start(start);
            }
        }
    }

    /// The loop has come round: the watchdog may know, unless something is stuck.
    fn beat(&mut self, is_stopping: bool) {
        self.heart.beat();
        let trouble = self.heart.trouble();
        match &trouble {
            None => self.manager.alive(),
            Some(trouble) if !self.is_stuck => tracing::error!("{trouble}: the watchdog is not fed"),
            Some(_) => {}
        }
        self.is_stuck = trouble.is_some();
        if self.around.board.take_news() && !is_stopping {
            let status = self.view().sentence();
            self.manager.status(status);
        }
        if !is_stopping {
            // A clock that was set, or a machine that slept, may have left slots behind that no alarm rang for.
            self.ring((self.around.clock)());
        }
    }

    /// Begins the ticks that are due.
    fn ring(&mut self, now: Timestamp) {
        for due in self.agenda.due(now) {
            let delay = |bot: &String| {
                let series = self.series.get(bot).and_then(|series| series.first());
                series.map_or(Duration::ZERO, |series| due::delay(&series.bot, self.config.schedule.spread))
            };
            let starts = due.bots.iter().map(|bot| (bot.clone(), Scope::All, delay(bot))).collect();
            self.rounds.open(due.at, starts);
        }
        self.around.board.set_next(self.agenda.next());
    }

    /// Asks at once for what is not well: new series, and those whose last tick failed. A tick that runs may end so.
    fn start_unwell(&mut self) {
        self.again = self.busy.keys().cloned().collect();
        let unwell: BTreeSet<String> =
            self.around.board.not_well().into_iter().map(|series| series.bot.name.clone()).collect();
        let free = unwell.into_iter().filter(|bot| !self.again.contains(bot));
        let starts = free.map(|bot| (bot, Scope::Unwell, Duration::ZERO)).collect();
        self.rounds.open((self.around.clock)(), starts);
    }

    fn start(&mut self, start: Start) {
        let tick = match self.busy.get_mut(&start.bot) {
            // A reload came in between.
            _ if !self.series.contains_key(&start.bot) => self.rounds.fall_out(start.round),
            Some(Busy { is_partial: true, waiting: waiting @ None, .. }) if start.scope == Scope::All => {
                *waiting = Some(start);
                None
            }
            Some(busy) => {
                match start.scope {
                    Scope::All => busy.skip(&start.bot, &self.around.watch.metrics),
                    Scope::Unwell => drop(self.again.insert(start.bot)),
                }
                self.rounds.fall_out(start.round)
            }
            None => self.spawn(start),
        };
        self.tick_over(tick);
    }

    /// Starts the tick of a bot. Returns the whole tick if it is over with that, because there is nothing to do.
    fn spawn(&mut self, start: Start) -> Option<TickView> {
        let Start { round, bot, scope } = start;
        let all = self.series.get(&bot).map_or(&[][..], Vec::as_slice);
        let mut series = all.to_vec();
        if scope == Scope::Unwell {
            series.retain(|series| !self.around.board.is_well(&series.key()));
        }
        if series.is_empty() {
            return self.rounds.fall_out(round);
        }
        self.busy.insert(bot.clone(), Busy { is_partial: series.len() < all.len(), waiting: None, skipped: 0 });
        self.mend_means();
        let (config, means) = (Arc::clone(&self.config), Arc::clone(&self.means));
        let (watermarks, around) = (Arc::clone(&self.watermarks), self.around.clone());
        let tick = async move { run::tick(&config, series, &watermarks, means, &around).await };
        let id = self.running.spawn(tick).id();
        self.around.board.set_running(&bot, true);
        self.tasks.insert(id, (round, bot));
        None
    }

    /// A writer that has ended, which only a defect brings about, is replaced.
    fn mend_means(&mut self) {
        if self.means.writer.is_closed() {
            tracing::error!("a defect in this program ended the writer: starting another; report it with this line");
            match reload::live_means(&self.config, &self.limiter, &self.around) {
                Ok(means) => self.means = means,
                Err(error) => tracing::error!("{error:#}"),
            }
        }
    }

    async fn ended(&mut self, ended: Result<(Id, Ticked), JoinError>, is_stopping: bool) {
        let (id, ticked) = match ended {
            Ok(ended) => ended,
            Err(error) => {
                let bot = self.tasks.get(&error.id()).map(|(_, bot)| bot.clone()).unwrap_or_default();
                let id = error.id();
                self.fail(&bot, error);
                (id, Ticked { rows: Vec::new(), was_left: false })
            }
        };
        let Some((round, bot)) = self.tasks.remove(&id) else { return };
        let busy = self.busy.remove(&bot);
        if let Some(Busy { skipped: skipped @ 1.., .. }) = busy {
            tracing::info!(bot, "its long tick has ended, {skipped} were skipped meanwhile");
        }
        self.around.board.set_running(&bot, false);
        self.around.board.forget_strangers(ticked.rows.iter().map(|row| row.series().key()));
        if ticked.was_left {
            let grace = self.config.shutdown_grace;
            tracing::warn!(bot, "requests in hand did not end within {grace:?}: leaving them");
        }
        let tick = self.rounds.bot_ended(round, &ticked);
        self.tick_over(tick);
        let waiting = busy.and_then(|busy| busy.waiting);
        if is_stopping {
            let tick = waiting.and_then(|waiting| self.rounds.fall_out(waiting.round));
            self.tick_over(tick);
            return;
        }
        if self.around.board.take_denied() {
            self.read_secrets_again().await;
        }
        let is_asked_again = self.again.remove(&bot);
        match waiting {
            Some(waiting) => self.start(waiting),
            None if is_asked_again => {
                self.rounds.open((self.around.clock)(), vec![(bot, Scope::Unwell, Duration::ZERO)]);
            }
            None => {}
        }
    }

    /// A tick of this bot ended by a defect: nobody knows what became of its series.
    fn fail(&self, bot: &str, error: JoinError) {
        let now = (self.around.clock)();
        let words = job::defect(error);
        for series in self.series.get(bot).into_iter().flatten() {
            let today = calendar::today(&series.bot.time_zone, now);
            let window = Window { first: today, last: today };
            let problem = Problem::Panicked(words);
            let ended = Happened::Ended { problem, window, requests: 0, apart: false };
            self.around.board.saw(series, &ended, now);
        }
    }

    /// Says and counts a tick that has ended.
    fn tick_over(&mut self, tick: Option<TickView>) {
        let Some(tick) = tick else { return };
        self.around.watch.metrics.tick((self.around.clock)(), tick.took);
        let TickView { bots, series, failed, points, requests, took, .. } = &tick;
        let next = self.agenda.next().first().map_or_else(|| "none".to_owned(), |next| next.at.to_string());
        let failed = if *failed == 0 { String::new() } else { format!(", {failed} not complete") };
        tracing::info!(
            "tick ended after {took:.1?}: {series} series of {bots} bots{failed}, {points} points, {requests} requests; \
             the next one is at {next}"
        );
        self.around.board.tick_ended(tick);
    }

    fn view(&self) -> View {
        let around = &self.around;
        around.board.view(&self.limiter, self.started, around.simulated, (around.clock)())
    }

    async fn listen(&self, address: std::net::SocketAddr) -> Result<Serving, anyhow::Error> {
        let listener = endpoint::bind(address).await?;
        let address = listener.local_addr().unwrap_or(address);
        tracing::info!("listening on http://{address}: a status page, /metrics, /healthz and /readyz");
        Ok(endpoint::serve(listener, Arc::clone(&self.admin)))
    }
}
