//! A backfill: a range of days, whatever the watermarks say, which it leaves alone. It remembers how far it has come.

use std::collections::HashMap;
use std::time::Duration;

use anyhow::Context;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use tokio::time::{Instant, timeout_at};

use super::running::{News, RunningJobs};
use super::{Env, cannot_record, clients, limiter, say_forgotten, say_left, take_place_beside};
use crate::config::Config;
use crate::database::influxdb::retention::in_days;
use crate::database::read::Reader;
use crate::domain::bot::Bot;
use crate::domain::calendar;
use crate::domain::series::{Series, SeriesKey, Window, day_after};
use crate::domain::words::counted;
use crate::limits::limiter::Purpose;
use crate::observe::metrics::Dropped;
use crate::run::job::{self, SeriesJob};
use crate::run::summary::{Outcome, Row};
use crate::state::StateError;
use crate::state::backfill::{self, BackfillProgress, Range};
use crate::state::rest_after_save;

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
    env: &Env,
) -> Result<Vec<Row>, StateError> {
    let _lock = if env.dry_run { None } else { Some(take_place_beside(&config.state_dir)?) };
    let now = (env.clock)();
    let mut progress = match (env.dry_run, restart) {
        (false, false) => BackfillProgress::load(&config.state_dir, range)?,
        _ => BackfillProgress::new(range),
    };
    let configured: HashMap<&str, &Bot> = config.bots.iter().map(|bot| (&*bot.name, &**bot)).collect();
    let today_of = |key: &SeriesKey| {
        let bot = configured.get(&*key.bot).filter(|bot| bot.exports(key))?;
        Some(calendar::today(&bot.time_zone, now))
    };
    let max_days = config.platform.max_days_per_request;
    let mut jobs: Vec<SeriesJob> = series
        .into_iter()
        .map(|series| {
            let today = calendar::today(&series.bot.time_zone, now);
            let windows = progress.enlist(&series, today, max_days).into();
            SeriesJob { series, windows, live: None }
        })
        .collect();
    let skipped = skip_beyond_retention(&mut jobs, &mut progress, config, env).await;
    announce("backfilling", &jobs, range, config)?;

    let clients = clients(config, limiter(config, env)?, Purpose::Backfill, env)?;
    env.board.expect(&jobs.iter().map(|job| job.series.clone()).collect::<Vec<_>>());
    let save = !env.dry_run;
    if save {
        progress.save(&config.state_dir).await.context("cannot write the progress of the backfill")?;
    }
    let mut run = RunningJobs::start(jobs, clients, config, env);
    for (row, days) in run.rows.iter_mut().zip(skipped) {
        let points = row.skip(days);
        env.watch.metrics.dropped(&row.series.bot.name, Dropped::Retention, points);
    }
    let rest = rest_after_save(run.rows.len());
    let mut save_due = None;
    loop {
        let news = match save_due {
            Some(due) => timeout_at(due, run.next()).await,
            None => Ok(run.next().await),
        };
        match news {
            Ok(Some((number, News::Confirmed { complete: Some(complete), .. }))) => {
                progress.done(run.rows[number].series.key(), complete);
                save_due = save_due.or_else(|| save.then(|| Instant::now() + rest));
            }
            Ok(Some(_)) => {}
            Ok(None) => break,
            Err(_) => {
                env.board.state_saved(progress.save(&config.state_dir).await);
                save_due = None;
            }
        }
    }
    if run.was_left {
        say_left(config);
    }
    env.board.say_outages((env.clock)());
    say_forgotten(&run.rows);
    if save && env.stop.is_told() && run.rows.iter().any(|row| row.outcome == Outcome::Unfinished) {
        let how = if restart { "without --restart " } else { "" };
        tracing::info!("interrupted: run the same command again {how}to continue where it stopped");
    }
    let is_done = |key: &SeriesKey| today_of(key).is_none_or(|today| progress.is_done(key, today));
    let is_early = |row: &&mut Row| row.outcome == Outcome::Complete && !is_done(&row.series.key());
    let too_early: Vec<&mut Row> = run.rows.iter_mut().filter(is_early).collect();
    if !too_early.is_empty() {
        tracing::warn!("{range} has not ended yet: run the same command again afterwards for the rest");
    }
    too_early.into_iter().for_each(|row| row.end(Outcome::Unfinished, 0));
    if save {
        let folder = &config.state_dir;
        if progress.is_complete(today_of) {
            backfill::forget(folder).with_context(|| cannot_record(folder))?;
        } else {
            progress.save(folder).await.with_context(|| cannot_record(folder))?;
        }
    }
    Ok(run.rows)
}

/// Takes days out of a backfill that the database would drop, some without a word. Returns how many of each job.
async fn skip_beyond_retention(
    jobs: &mut [SeriesJob],
    progress: &mut BackfillProgress,
    config: &Config,
    env: &Env,
) -> Vec<u32> {
    let Some(kept) = retention(config, env).await else { return vec![0; jobs.len()] };
    let oldest = (env.clock)().checked_sub(kept).unwrap_or(Timestamp::MIN);
    let mut skipped = Vec::with_capacity(jobs.len());
    for job in jobs.iter_mut() {
        let first = calendar::today(&job.series.bot.time_zone, oldest);
        let windows = std::mem::take(&mut job.windows);
        let days: u32 = windows.iter().map(|window| window.days()).sum();
        job.windows = windows.iter().filter_map(|window| window.from(first)).collect();
        let days = days - job.windows.iter().map(|window| window.days()).sum::<u32>();
        if let Some(window) = windows.front().filter(|_| days > 0) {
            progress.done(
                job.series.key(),
                Window { first: window.first, last: day_after(window.first, i64::from(days) - 1) },
            );
        }
        skipped.push(days);
    }
    if let Some(days) = skipped.iter().max().filter(|days| **days > 0) {
        tracing::warn!(
            "the bucket keeps points for {} (its retention): skipping {days} days before {}",
            in_days(kept),
            calendar::today(&TimeZone::UTC, oldest)
        );
    }
    skipped
}

/// How long the database keeps points, where that is known and not for ever.
async fn retention(config: &Config, env: &Env) -> Option<SignedDuration> {
    if env.dry_run {
        return None;
    }
    let sink = (env.open)(&config.destination).ok()?;
    let asked = env.stop.or(async { Reader::open(sink).await.ok()?.retention().await.kept() }).await;
    asked.ok().flatten()
}

/// Says what a run over a range of days will do and the least time it can take.
pub(super) fn announce(what: &str, jobs: &[SeriesJob], range: Range, config: &Config) -> Result<(), StateError> {
    let (days, requests) = job::cost(jobs);
    let mut by_bot: HashMap<&str, u64> = HashMap::new();
    for job in jobs {
        *by_bot.entry(&job.series.bot.id).or_default() += job.windows.len() as u64;
    }
    let limits = config.platform.limits;
    let (per_minute, per_hour) = limits.of(Purpose::Backfill);
    let least: Option<Duration> = by_bot
        .values()
        .try_fold(Duration::ZERO, |least, requests| Some(least.max(limits.least_time(*requests, Purpose::Backfill)?)));
    let least = least.context("platform.backfill_share leaves no requests: raise it above 0")?;
    let least = SignedDuration::try_from(least).unwrap_or_default();
    let time = if least.is_zero() { String::new() } else { format!("at least {least:#} ") };
    tracing::info!(
        "{what} {range}: {} series, {} in total, {}; {time}at {per_minute} requests a minute and {per_hour} an hour per bot",
        jobs.len(),
        counted(days, "day"),
        counted(requests, "request")
    );
    Ok(())
}
