//! A tick and a backfill: the same jobs from two plans.

mod backfill;
pub mod check;
mod failure;
pub mod job;
mod known_buckets;
pub mod progress;
mod running;
pub mod summary;
mod table;
pub mod targets;
mod tick_progress;
mod verifier;
pub mod verify;

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;

pub use self::backfill::backfill;
pub use self::known_buckets::KnownBuckets;
use self::running::{News, RunningJobs};
use self::tick_progress::TickProgress;
use crate::config::{Config, Destination};
use crate::database::{Sink, writer};
use crate::domain::calendar;
use crate::domain::clock::Clock;
use crate::domain::plan::{self, Reach};
use crate::domain::series::{Series, day_after};
use crate::domain::target::Target;
use crate::limits::ledger::Ledger;
use crate::limits::limiter::{Limiter, Purpose};
use crate::observe::console::Console;
use crate::observe::metrics::Watch;
use crate::observe::status::board::Board;
use crate::platform::client::{Ask, Client};
use crate::run::job::{Clients, LiveDays, SeriesJob};
use crate::run::progress::Show;
use crate::run::summary::{Outcome, Row};
use crate::shutdown::Stop;
use crate::state::beside::{self, Beside};
use crate::state::watermarks::Watermarks;
use crate::state::{StateError, atomic};

/// What a run is given by the program's entry.
#[derive(Clone, Debug)]
pub struct Env {
    /// Tells the time.
    pub clock: Clock,
    /// The way to the platform.
    pub ask: Ask,
    /// Opens the configured destination.
    pub open: fn(&Destination) -> Result<Sink, anyhow::Error>,
    /// Whether to end.
    pub stop: Stop,
    /// Whether the platform is inside this process.
    pub simulated: bool,
    /// Whether lines go to standard output and nothing is remembered.
    pub dry_run: bool,
    /// Where a progress bar goes.
    pub console: Console,
    /// What of the progress is shown.
    pub show: Show,
    /// Counts, and watches over what is under way.
    pub watch: Watch,
    /// Told everything that happens to a series.
    pub board: Arc<Board>,
    /// What the database is known to hold.
    pub stored: Arc<KnownBuckets>,
}

/// Exports everything that is owed now.
///
/// # Errors
///
/// If the state folder cannot be used, or the run cannot be recorded in it.
pub async fn once(config: &Config, series: Vec<Series>, env: &Env) -> Result<Vec<Row>, StateError> {
    let _lock = if env.dry_run { None } else { Some(take_folder(&config.state_dir)?) };
    let watermarks = Watermarks::load(&config.state_dir, (env.clock)(), !env.dry_run)?;
    let clients = clients(config, limiter(config, env)?, Purpose::Live, env)?;
    targets::say_changes(config, &series, &watermarks, (env.clock)());
    env.board.expect(&series);
    let ticking = tick(config, series, &watermarks, clients, env);
    let ticked = watermarks.saved_while(ticking, |saved| env.board.state_saved(saved)).await;
    env.board.say_outages((env.clock)());
    say_forgotten(&ticked.rows);
    if ticked.was_left {
        say_left(config);
    }
    watermarks.save().await.with_context(|| cannot_record(&config.state_dir))?;
    Ok(ticked.rows)
}

/// What became of a tick.
#[derive(Debug)]
pub struct Ticked {
    /// A row for each series.
    pub rows: Vec<Row>,
    /// Whether the grace after a stop was over before all series had ended.
    pub was_left: bool,
}

/// Carries out one tick, and sets in `watermarks` what the database confirmed. Saving them is the caller's.
pub async fn tick(
    config: &Config,
    series: Vec<Series>,
    watermarks: &Watermarks,
    clients: Arc<Clients>,
    env: &Env,
) -> Ticked {
    let now = (env.clock)();
    let reach = Reach {
        refresh_days: config.schedule.refresh_days,
        initial_days: config.schedule.initial_days,
        max_days: config.platform.max_days_per_request,
    };
    let (identity, beside) = (config.destination.identity(), Beside::look(&config.state_dir));
    let (mut progresses, mut targets) = (Vec::with_capacity(series.len()), Vec::with_capacity(series.len()));
    let jobs: Vec<SeriesJob> = series
        .into_iter()
        .map(|series| {
            let target = Target::new(&identity, &series.bot);
            let known = watermarks.get(&series.key(), &target);
            let today = calendar::today(&series.bot.time_zone, now);
            if let Some(known) = known {
                env.board.set_progress(&series.key(), known);
            }
            let plan = plan::tick(known, today, reach);
            progresses.push(TickProgress::new(known, today, reach, &plan));
            targets.push(target.clone());
            SeriesJob {
                series,
                windows: plan.windows.into(),
                live: Some(LiveDays { from: plan.live_from, target, beside }),
            }
        })
        .collect();

    let mut run = RunningJobs::start(jobs, clients, config, env);
    while let Some((number, news)) = run.next().await {
        let (tick, series) = (&mut progresses[number], &run.rows[number].series);
        let had_gone_back = tick.went_back();
        match news {
            News::Confirmed { complete, platform_today } => tick.confirmed(complete, platform_today),
            News::Failed { platform_today } => tick.failed(platform_today),
        }
        let Some(progress) = tick.progress() else { continue };
        if tick.went_back() && !had_gone_back {
            tracing::warn!(
                bot = &*series.bot.name, channel = &*series.channel, interval = %series.interval,
                "the watermark lies in the future (the clock was wrong, or the bot's time_zone changed): exporting \
                 everything after {} again", day_after(progress.next(), -1)
            );
        }
        env.board.set_progress(&series.key(), progress);
        watermarks.set(series.key(), progress, targets[number].clone());
    }
    Ticked { rows: run.rows, was_left: run.was_left }
}

fn say_forgotten(rows: &[Row]) {
    let days: usize = rows.iter().map(|row| row.forgotten_days).sum();
    if days > 0 {
        tracing::warn!(
            "the platform returned only zeros for {days} days older than 28 days: not written, the platform may have \
             deleted them"
        );
    }
}

fn cannot_record(folder: &Path) -> String {
    format!("the points are written, but the progress cannot be saved in {}", folder.display())
}

fn say_left(config: &Config) {
    tracing::warn!("requests in flight did not finish within {:?}: giving up on them", config.shutdown_grace);
}

/// Makes the state folder and takes the lock of those who move watermarks. It is free again when the file is dropped.
///
/// # Errors
///
/// If the folder cannot be written, or another process holds the lock.
pub fn take_folder(state_dir: &Path) -> Result<File, anyhow::Error> {
    take(state_dir, "lock", "exporter")
}

/// The same for a process that writes points beside the daemon, of which there is one at a time.
fn take_place_beside(state_dir: &Path) -> Result<File, anyhow::Error> {
    take(state_dir, beside::LOCK, "backfill or repair")
}

fn take(state_dir: &Path, lock: &str, who: &str) -> Result<File, anyhow::Error> {
    atomic::make_folder(state_dir).with_context(|| {
        format!(
            "the state folder {} cannot be created; check its parent's permissions, or set state_dir",
            state_dir.display()
        )
    })?;
    let path = state_dir.join(lock);
    let held = atomic::lock(&path).with_context(|| {
        format!("the state folder {} cannot be written; check its owner and permissions", state_dir.display())
    })?;
    held.with_context(|| {
        let holder = std::fs::read_to_string(&path).unwrap_or_default();
        format!(
            "another {who} (process {}) is using the state folder {}: stop it, or use a different state_dir",
            holder.trim(),
            state_dir.display()
        )
    })
}

/// Opens the count of requests, which outlives a reload.
///
/// # Errors
///
/// If its file in the state folder cannot be opened.
pub fn limiter(config: &Config, env: &Env) -> Result<Arc<Limiter>, anyhow::Error> {
    let ledger =
        match env.dry_run {
            // What others use counts, but nothing is remembered.
            true => Ledger::open_to_read(&config.state_dir, env.clock).ok(),
            false => Some(Ledger::open(&config.state_dir, env.clock).with_context(|| {
                format!("cannot record requests in the state folder {}", config.state_dir.display())
            })?),
        };
    Ok(Arc::new(Limiter::new(config.platform.limits, ledger)))
}

/// The platform's client.
fn platform(config: &Config, limiter: Arc<Limiter>, env: &Env) -> Result<Client, anyhow::Error> {
    Client::new(config.platform.clone(), limiter, env.watch.clone(), env.clock, env.ask)
        .context("cannot set up the platform's client")
}

/// Opens both services.
///
/// # Errors
///
/// Only where the clients cannot be set up.
pub fn clients(
    config: &Config,
    limiter: Arc<Limiter>,
    purpose: Purpose,
    env: &Env,
) -> Result<Arc<Clients>, anyhow::Error> {
    let platform = platform(config, limiter, env)?;
    let sink = if env.dry_run { Sink::stdout() } else { (env.open)(&config.destination)? };
    let in_flight = platform.in_flight().clone();
    let expected = Box::new(move || in_flight.answers());
    let writer = writer::start(sink, expected, env.watch.clone(), env.stop.clone());
    let (include_open, stored) = (config.schedule.include_open, Arc::clone(&env.stored));
    Ok(Arc::new(Clients { platform, writer, include_open, purpose, verifier: None, stored, stop: env.stop.clone() }))
}

/// Whether everything that was asked for is confirmed.
pub fn is_complete(rows: &[Row]) -> bool {
    rows.iter().all(|row| row.outcome == Outcome::Complete)
}
