//! The daemon: the tick of `--once` on a schedule, for years. This file is the loop; it decides nothing that is not
//! decided elsewhere: when a tick is due is the [timetable](due)'s, what a tick does is [`run::tick`]'s.

mod clock_step;
pub mod due;
mod reload;
mod systemd;
mod tick_tracker;
mod ticks;
mod wakeups;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use anyhow::Context;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tokio::task::{Id, JoinSet};
use tokio::time::{Instant, MissedTickBehavior, sleep_until};

use self::clock_step::ClockStep;
use self::due::Timetable;
use self::reload::Reread;
use self::systemd::Manager;
use self::tick_tracker::TickTracker;
use self::ticks::RunningTick;
use self::wakeups::Wakeups;
use crate::config::Config;
use crate::domain::series::Series;
use crate::observe::endpoint::{self, Admin, Serving};
use crate::observe::logging::Log;
use crate::observe::status::memory;
use crate::run::job::Clients;
use crate::run::{self, Env, Ticked};
use crate::startup::{Launch, Loaded};
use crate::state::StateError;
use crate::state::watermarks::Watermarks;

/// What the loop works with.
struct Daemon {
    launch: Launch,
    log: Log,
    env: Env,

    config: Arc<Config>,
    /// By the bot's name.
    series: BTreeMap<Arc<str>, Vec<Series>>,
    clients: Arc<Clients>,
    admin: Arc<Admin>,
    serving: Option<Serving>,

    watermarks: Arc<Watermarks>,
    manager: Manager,

    timetable: Timetable,
    wakeups: Wakeups,
    tracker: TickTracker,
    running: JoinSet<Ticked>,
    /// By the bot's name.
    ticks: HashMap<String, RunningTick>,
    /// The bot of each task among those that run.
    bots: HashMap<Id, String>,
    /// The configuration or its secrets, while they are read again; one at a time.
    reading: JoinSet<Reread>,
    /// Whether the last beat found something stuck.
    is_stuck: bool,
}

/// Runs until it is shutting down.
///
/// # Errors
///
/// If it cannot start: the state folder, the listener, the clients.
pub async fn run(launch: Launch, loaded: Loaded, log: Log, env: Env) -> Result<(), StateError> {
    // From here on a signal to reload is heard, not deadly.
    let hangups = signal(SignalKind::hangup()).context("cannot listen for SIGHUP")?;
    let started = (env.clock)();
    let Loaded { config, series } = loaded;
    let config = Arc::new(config);
    let _lock = run::take_folder(&config.state_dir)?;
    let watermarks = Arc::new(Watermarks::load(&config.state_dir, started, true)?);
    let limiter = run::limiter(&config, &env)?;
    let liveness = env.watch.liveness.clone();
    liveness.start(systemd::watchdog());
    let admin = Arc::new(Admin {
        board: Arc::clone(&env.board),
        limiter,
        metrics: Arc::clone(&env.watch.metrics),
        liveness,
        clock: env.clock,
        started,
        simulated: env.simulated,
    });
    let (wakeups, woken) = Wakeups::start().await?;
    let clients = reload::live_clients(&config, &admin.limiter, &env)?;
    let mut daemon = Daemon {
        launch,
        log,
        config,
        series: BTreeMap::new(),
        clients,
        admin,
        serving: None,
        watermarks: Arc::clone(&watermarks),
        manager: Manager::default(),
        timetable: Timetable::default(),
        wakeups,
        tracker: TickTracker::default(),
        running: JoinSet::new(),
        ticks: HashMap::new(),
        bots: HashMap::new(),
        reading: JoinSet::new(),
        is_stuck: false,
        env,
    };
    if let Some(address) = daemon.config.admin {
        daemon.serving = Some(daemon.listen(address).await?);
    }
    daemon.export_these(series).await;
    daemon.env.board.restore(memory::load(&daemon.config.state_dir));
    let status = daemon.admin.sentence();
    daemon.manager.ready(status);
    daemon.log.set_lasting(true);
    daemon.say_schedule();

    let board = Arc::clone(&daemon.env.board);
    watermarks.saved_while(daemon.live(hangups, woken), |saved| board.state_saved(saved)).await;
    board.state_saved(watermarks.save().await);
    if let Err(error) = memory::save(&daemon.config.state_dir, board.figures()).await {
        tracing::debug!("failed to save the status page's figures: {error}");
    }
    tracing::info!("ended");
    Ok(())
}

impl Daemon {
    async fn live(&mut self, mut hangups: Signal, mut woken: mpsc::Receiver<()>) {
        let mut beat = tokio::time::interval(self.admin.liveness.every());
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut clock_step = ClockStep::new((self.env.clock)());
        let stop = self.env.stop.clone();
        if self.config.schedule.run_on_start {
            self.start_unwell();
        }
        let mut is_stopping = false;
        while !(is_stopping && self.running.is_empty()) {
            let next_start = self.tracker.next_start();
            let is_free = !is_stopping && self.reading.is_empty();
            tokio::select! {
                () = stop.told(), if !is_stopping => {
                    is_stopping = true;
                    self.log.set_lasting(false);
                    self.manager.stopping();
                    for tick in self.tracker.forget_starts() {
                        self.tick_over(Some(tick));
                    }
                }
                // Further signals wait until this one is answered.
                Some(()) = hangups.recv(), if is_free => self.begin_reload(),
                Some(reread) = self.reading.join_next(), if !is_stopping => self.reread(reread).await,
                Some(()) = woken.recv(), if !is_stopping => self.begin_due((self.env.clock)()),
                Some(ended) = self.running.join_next_with_id() => self.ended(ended, is_stopping),
                () = sleep_until(next_start.unwrap_or_else(Instant::now)), if next_start.is_some() => {}
                _ = beat.tick() => {
                    if clock_step.look((self.env.clock)()) {
                        let renewed = self.wakeups.set_anew(self.timetable.lines().collect()).await;
                        self.say_wakeups(renewed);
                    }
                    self.beat(is_stopping);
                }
            }
            while let Some(start) = self.tracker.take_start() {
                self.start(start);
            }
        }
    }

    /// The loop has come round: the watchdog may know, unless something is stuck.
    fn beat(&mut self, is_stopping: bool) {
        self.admin.liveness.beat();
        let trouble = self.admin.liveness.trouble();
        match &trouble {
            None => self.manager.alive(),
            Some(trouble) if !self.is_stuck => tracing::error!("{trouble}: not notifying the watchdog"),
            Some(_) => {}
        }
        self.is_stuck = trouble.is_some();
        if is_stopping {
            return;
        }
        if self.env.board.take_news(&self.admin.limiter) {
            let status = self.admin.sentence();
            self.manager.status(status);
        }
        self.reread_secrets_if_denied();
        // A clock that was set, or a machine that slept, may have left slots behind for which nothing woke the loop.
        self.begin_due((self.env.clock)());
    }

    async fn listen(&self, address: std::net::SocketAddr) -> Result<Serving, anyhow::Error> {
        let listener = endpoint::bind(address)?;
        let address = listener.local_addr().unwrap_or(address);
        tracing::info!("listening on http://{address}: status page, /metrics, /healthz, /readyz");
        Ok(endpoint::serve(listener, Arc::clone(&self.admin)))
    }
}
