//! `--verify`: asks the platform again, reads the database, and tells where they differ. It is a backfill's plan with a
//! comparison in the place of a write; it moves no watermark and deletes nothing.

pub(super) mod lines;
mod report;

use std::sync::Arc;

use anyhow::Context;
use parking_lot::Mutex;

use super::backfill::announce;
use super::job::SeriesJob;
use super::running::RunningJobs;
use super::summary::Outcome;
pub use super::verifier::Options;
use super::verifier::Verifier;
use super::{Env, clients, limiter, say_left, take_place_beside};
use crate::config::Config;
use crate::database::WriteFailure;
use crate::database::influxdb::retention::in_days;
use crate::database::read::Reader;
use crate::domain::calendar;
use crate::domain::plan::chunks;
use crate::domain::series::Series;
use crate::domain::words::with_advice;
use crate::limits::limiter::Purpose;
use crate::state::{StateError, atomic};

/// Compares the days of these series. Returns whether nothing is left that exit code 1 stands for.
///
/// # Errors
///
/// If the comparison cannot begin.
pub async fn run(config: &Config, series: Vec<Series>, options: Options, env: &Env) -> Result<bool, StateError> {
    atomic::make_folder(&config.state_dir)
        .with_context(|| format!("the state folder {} cannot be created", config.state_dir.display()))?;
    let _lock = if options.repair { Some(take_place_beside(&config.state_dir)?) } else { None };
    let now = (env.clock)();
    let max_days = config.platform.max_days_per_request;
    let jobs: Vec<SeriesJob> = series
        .iter()
        .map(|series| {
            let window = options.range.window(calendar::today(&series.bot.time_zone, now));
            let windows = window.map_or_else(Vec::new, |window| chunks(window, max_days)).into();
            SeriesJob { series: series.clone(), windows, live: None }
        })
        .collect();
    announce("verifying", &jobs, options.range, config)?;

    let sink = (env.open)(&config.destination)?;
    let opening = async {
        let reader = Reader::open(sink).await?;
        let retention = reader.retention().await;
        Ok::<_, WriteFailure>((reader, retention))
    };
    let opened = env.stop.or(opening).await.map_err(|_| anyhow::anyhow!("nothing is compared: shutting down"))?;
    let (reader, retention) = opened.map_err(|failure| anyhow::Error::msg(with_advice(&failure, failure.advice())))?;
    let kept = retention.kept();
    if let Some(kept) = kept {
        tracing::info!("the bucket keeps points for {}: older points are not compared", in_days(kept));
    }
    let verifier = Arc::new(Verifier {
        reader,
        options,
        refresh_days: config.schedule.refresh_days,
        kept,
        include_open: config.schedule.include_open,
        clock: env.clock,
        stop: env.stop.clone(),
        findings: Mutex::default(),
    });
    let mut clients = clients(config, limiter(config, env)?, Purpose::Backfill, env)?;
    Arc::get_mut(&mut clients).context("the clients are in use already")?.verifier = Some(Arc::clone(&verifier));
    env.board.expect(&series);
    let mut run = RunningJobs::start(jobs, clients, config, env);
    while run.next().await.is_some() {}
    if run.was_left {
        say_left(config);
    }
    env.board.say_outages((env.clock)());
    let complete: Vec<bool> = run.rows.iter().map(|row| row.outcome == Outcome::Complete).collect();
    // Whoever closed standard output does not read it.
    let _closed = report::print(&verifier, &series, &complete, config.schedule.refresh_days);
    Ok(complete.iter().all(|complete| *complete) && !verifier.has_failing())
}
