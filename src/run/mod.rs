//! One tick, and one backfill: the same errands from two plans, with two memories.

pub mod check;
pub mod job;
mod memory;
pub mod progress;
pub mod summary;
mod tick;
pub mod verify;

use std::collections::HashMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use tokio::sync::oneshot;

use self::memory::Memory;
use self::tick::{News, Run};
use crate::config::{Config, Destination};
use crate::database::{Sink, writer};
use crate::domain::calendar;
use crate::domain::clock::Clock;
use crate::domain::plan::{self, Reach};
use crate::domain::series::{Series, SeriesKey, day_after};
use crate::observe::console::Console;
use crate::observe::metrics::Watch;
use crate::observe::status::board::Board;
use crate::platform::ask::Ask;
use crate::platform::client::{Client, Lasting};
use crate::platform::limits::ledger::{Clocks, Ledger};
use crate::platform::limits::limiter::{Limiter, Purpose};
use crate::platform::limits::uptime::ReadUptime;
use crate::run::job::{Errand, Means};
use crate::run::progress::Show;
use crate::run::summary::{Outcome, Row};
use crate::shutdown::Stop;
use crate::state::atomic;
use crate::state::backfill::{self, BackfillError, BackfillProgress, Range};
use crate::state::watermarks::{WatermarkError, Watermarks};

/// What a run is given by the program's entry.
#[derive(Clone, Debug)]
pub struct Surroundings {
    /// Tells the time.
    pub clock: Clock,
    /// Tells how long the machine has been up.
    pub uptime: ReadUptime,
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
}

impl Surroundings {
    /// What the count of requests goes by.
    pub fn clocks(&self) -> Clocks {
        Clocks { clock: self.clock, uptime: self.uptime }
    }
}

/// Why a run could not begin or not be recorded.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// A state file of a newer release.
    #[error(transparent)]
    Watermarks(#[from] WatermarkError),
    /// A backfill that does not fit the interrupted one.
    #[error(transparent)]
    Backfill(#[from] BackfillError),
    /// Anything else.
    #[error("{0:#}")]
    Other(#[from] anyhow::Error),
}

/// Exports everything that is owed now.
///
/// # Errors
///
/// If the state folder cannot be used, or the run cannot be recorded in it.
pub async fn once(config: &Config, series: Vec<Series>, around: &Surroundings) -> Result<Vec<Row>, RunError> {
    let _lock = if around.dry_run { None } else { Some(take_folder(&config.state_dir)?) };
    let watermarks = Watermarks::load(&config.state_dir, (around.clock)(), !around.dry_run)?;
    let means = means(config, limiter(config, around)?, Purpose::Live, around)?;
    around.board.expect(&series);
    let (done, until) = oneshot::channel::<()>();
    let ticking = async {
        let ticked = tick(config, series, &watermarks, means, around).await;
        drop(done);
        ticked
    };
    let saving = watermarks.keep_saving(async { drop(until.await) }, |saved| around.board.state_saved(saved));
    let (ticked, ()) = tokio::join!(ticking, saving);
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
    means: Arc<Means>,
    around: &Surroundings,
) -> Ticked {
    let now = (around.clock)();
    let reach = Reach {
        refresh_days: config.schedule.refresh_days,
        initial_days: config.schedule.initial_days,
        max_days: config.platform.max_days_per_request,
    };
    let mut memories = Vec::with_capacity(series.len());
    let errands: Vec<Errand> = series
        .into_iter()
        .map(|series| {
            let (known, today) = (watermarks.get(&series.key()), calendar::today(&series.bot.time_zone, now));
            if let Some(known) = known {
                around.board.set_progress(&series.key(), known);
            }
            let plan = plan::tick(known, today, reach);
            memories.push(Memory::new(known, today, reach, &plan));
            Errand { series, windows: plan.windows.into(), live_from: Some(plan.live_from) }
        })
        .collect();

    let mut run = Run::start(errands, means, config, around);
    while let Some((number, news)) = run.next().await {
        let (memory, series) = (&mut memories[number], run.rows[number].series());
        let had_gone_back = memory.went_back();
        match news {
            News::Confirmed { complete, platform_today } => memory.confirmed(complete, platform_today),
            News::Ended { apart, platform_today } => memory.ended(apart, platform_today),
            News::Done => memory.done(),
            News::SaveNow => continue,
        }
        let Some(progress) = memory.progress() else { continue };
        if memory.went_back() && !had_gone_back {
            tracing::warn!(
                bot = series.bot.name, channel = series.channel, interval = %series.interval,
                "the watermark was not in the past: a clock was ahead when it was set, or the bot's time_zone changed; \
                 what comes after {} is asked for again", day_after(progress.next(), -1)
            );
        }
        around.board.set_progress(&series.key(), progress);
        watermarks.set(series.key(), progress);
    }
    Ticked { rows: run.rows, was_left: run.was_left }
}

/// Exports a range of days, whatever the watermarks say, and leaves them alone.
///
/// # Errors
///
/// If the state folder cannot be used, an interrupted run over another range is in the way, or the configuration
/// leaves a backfill no requests.
pub async fn backfill(
    config: &Config,
    series: Vec<Series>,
    range: Range,
    restart: bool,
    around: &Surroundings,
) -> Result<Vec<Row>, RunError> {
    let _lock = if around.dry_run { None } else { Some(take(&config.state_dir, "backfill.lock", "backfill")?) };
    let now = (around.clock)();
    let mut progress = match (around.dry_run, restart) {
        (false, false) => BackfillProgress::load(&config.state_dir, range)?,
        _ => BackfillProgress::new(range),
    };
    let mut today_of: HashMap<SeriesKey, jiff::civil::Date> = HashMap::new();
    for series in config.bots.iter().flat_map(|bot| bot.series()) {
        today_of.insert(series.key(), calendar::today(&series.bot.time_zone, now));
    }
    let max_days = config.platform.max_days_per_request;
    let errands: Vec<Errand> = series
        .into_iter()
        .map(|series| {
            let today = calendar::today(&series.bot.time_zone, now);
            let windows = progress.enlist(&series, today, max_days).into();
            Errand { series, windows, live_from: None }
        })
        .collect();
    announce(&errands, range, config)?;

    let means = means(config, limiter(config, around)?, Purpose::Backfill, around)?;
    around.board.expect(&errands.iter().map(|errand| errand.series.clone()).collect::<Vec<_>>());
    let save = !around.dry_run;
    if save {
        progress.save(&config.state_dir).await.context("cannot write the progress of the backfill")?;
    }
    let mut run = Run::start(errands, means, config, around);
    while let Some((number, news)) = run.next().await {
        match news {
            News::Confirmed { complete: Some(complete), .. } => {
                progress.done(run.rows[number].series().key(), complete)
            }
            News::SaveNow if save => {
                around.board.state_saved(progress.save(&config.state_dir).await);
            }
            News::Confirmed { complete: None, .. } | News::SaveNow | News::Ended { .. } | News::Done => {}
        }
    }
    if run.was_left {
        say_left(config);
    }
    let is_done = |key: &SeriesKey| today_of.get(key).is_none_or(|today| progress.is_done(key, *today));
    let is_early = |row: &&mut Row| row.outcome() == Outcome::Complete && !is_done(&row.series().key());
    let too_early: Vec<&mut Row> = run.rows.iter_mut().filter(is_early).collect();
    if !too_early.is_empty() {
        tracing::warn!(
            "by this machine's clock or the platform's, {range} is not over yet: the same command exports the rest of it \
             once it is"
        );
    }
    too_early.into_iter().for_each(|row| row.end(Outcome::Unfinished, 0));
    if save {
        let folder = &config.state_dir;
        if progress.is_complete(|key| today_of.get(key).copied()) {
            backfill::forget(folder).with_context(|| cannot_record(folder))?;
        } else {
            progress.save(folder).await.with_context(|| cannot_record(folder))?;
        }
    }
    Ok(run.rows)
}

/// Says what a backfill will do and the least time it can take.
fn announce(errands: &[Errand], range: Range, config: &Config) -> Result<(), RunError> {
    let (days, requests) = job::cost(errands);
    let mut by_bot: HashMap<&str, u64> = HashMap::new();
    for errand in errands {
        *by_bot.entry(&errand.series.bot.id).or_default() += errand.windows.len() as u64;
    }
    let limits = config.platform.limits;
    let (per_minute, per_hour) = limits.of(Purpose::Backfill);
    let least: Option<Duration> = by_bot
        .values()
        .try_fold(Duration::ZERO, |least, requests| Some(least.max(limits.least_time(*requests, Purpose::Backfill)?)));
    let least = least.context("platform.backfill_share leaves --backfill no requests: raise it above 0")?;
    let least = jiff::SignedDuration::try_from(least).unwrap_or_default();
    tracing::info!(
        "backfill of {range}: {} series, {days} days in all, {requests} requests; at least {least:#} with {per_minute} \
         requests a minute and {per_hour} an hour for each bot",
        errands.len()
    );
    Ok(())
}

fn cannot_record(folder: &Path) -> String {
    format!("the points are written, their progress cannot be recorded in {}", folder.display())
}

fn say_left(config: &Config) {
    tracing::warn!("requests in hand did not end within {:?}: leaving them", config.shutdown_grace);
}

/// Makes the state folder and takes the lock of those who move watermarks. It is free again when the file is dropped.
///
/// # Errors
///
/// If the folder cannot be written, or another process holds the lock.
pub fn take_folder(state_dir: &Path) -> Result<File, anyhow::Error> {
    take(state_dir, "lock", "exporter")
}

fn take(state_dir: &Path, lock: &str, who: &str) -> Result<File, anyhow::Error> {
    atomic::make_folder(state_dir).with_context(|| {
        format!("the state folder {} cannot be made; set state_dir to one that can", state_dir.display())
    })?;
    let path = state_dir.join(lock);
    let held = atomic::lock(&path).with_context(|| {
        format!("the state folder {} cannot be written; check its owner and permissions", state_dir.display())
    })?;
    held.with_context(|| {
        let holder = std::fs::read_to_string(&path).unwrap_or_default();
        format!(
            "another {who} (process {}) uses the state folder {}: stop it, or give this one a state_dir of its own",
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
pub fn limiter(config: &Config, around: &Surroundings) -> Result<Arc<Limiter>, anyhow::Error> {
    let path: PathBuf = config.state_dir.join("requests.ledger");
    let ledger = match around.dry_run {
        // What others use counts, but nothing is remembered.
        true => Ledger::open_to_read(&path, around.clocks()).ok(),
        false => Some(Ledger::open(&path, around.clocks()).with_context(|| format!("cannot open {}", path.display()))?),
    };
    Ok(Arc::new(Limiter::new(config.platform.limits, ledger)))
}

/// Opens everything that errands need.
///
/// # Errors
///
/// Only where the clients cannot be set up.
pub fn means(
    config: &Config,
    limiter: Arc<Limiter>,
    purpose: Purpose,
    around: &Surroundings,
) -> Result<Arc<Means>, anyhow::Error> {
    let lasting =
        Lasting { limiter, watch: around.watch.clone(), clock: around.clock, uptime: around.uptime, ask: around.ask };
    let client = Client::new(config.platform.clone(), lasting).context("cannot set up the platform's client")?;
    let sink = if around.dry_run { Sink::stdout() } else { (around.open)(&config.destination)? };
    let writer = writer::start(sink, client.places().clone(), around.watch.clone(), around.stop.clone());
    let include_open = config.schedule.include_open;
    Ok(Arc::new(Means { client, writer, include_open, purpose, stop: around.stop.clone() }))
}

/// Whether everything that was asked for is confirmed.
pub fn is_complete(rows: &[Row]) -> bool {
    rows.iter().all(|row| row.outcome() == Outcome::Complete)
}
