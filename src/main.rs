//! The entry point: start-up, modes and exit codes.

use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::Arc;

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser};
use jiff::Timestamp;
use kore_trend_exporter::cli::{Arguments, Invocation, Mode, UsageError};
use kore_trend_exporter::config::{Config, Destination, Environment, Problems, Source};
use kore_trend_exporter::domain::calendar;
use kore_trend_exporter::observe::console::Console;
use kore_trend_exporter::observe::logging::{self, Format, Log};
use kore_trend_exporter::observe::metrics::Watch;
use kore_trend_exporter::observe::panics;
use kore_trend_exporter::observe::status::board::Board;
use kore_trend_exporter::platform::client::over_the_network;
use kore_trend_exporter::run::progress::Show;
use kore_trend_exporter::run::summary::{Row, Summary};
use kore_trend_exporter::run::{self as export, Env};
use kore_trend_exporter::run::{check, verify};
use kore_trend_exporter::shutdown::Stop;
use kore_trend_exporter::startup::{Launch, LaunchError, Loaded};
use kore_trend_exporter::state::StateError;
use kore_trend_exporter::{daemon, database, manual};
use tokio::signal::unix::{SignalKind, signal};

/// Something failed; what succeeded is kept.
const FAILED: u8 = 1;
/// Wrong usage; clap exits with it, too.
const WRONG_USAGE: u8 = 2;
/// The configuration is wrong, or a newer release wrote the state.
const WRONG_CONFIGURATION: u8 = 78;

fn main() -> ExitCode {
    panics::guard();
    let environment = Environment::of_process();
    let invocation = match Arguments::parse().resolve(&environment, Timestamp::now()) {
        Ok(invocation) => invocation,
        Err(error) => wrong_usage(&error),
    };
    match invocation.mode {
        Mode::Completions(shell) => {
            return print(|out| clap_complete::generate(shell, &mut Arguments::command(), env!("CARGO_PKG_NAME"), out));
        }
        Mode::Man => return print(|out| out.extend(manual::page(Arguments::command()))),
        _ => {}
    }
    let console = Console::default();
    let log = logging::start(invocation.log_format, invocation.log_level.as_deref(), &environment, &console);

    // One thread: the work is waiting for two services, and what little there is to compute needs no second core.
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            tracing::error!("cannot start: {error}");
            return ExitCode::from(FAILED);
        }
    };
    let ended = runtime.block_on(run(invocation, environment, console, log));
    // What is left behind after the grace of a stop is not waited for.
    runtime.shutdown_background();
    match ended {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(FAILED),
        Err(error) => failed(error),
    }
}

/// Runs the mode. Returns whether everything that was asked for is done.
async fn run(
    invocation: Invocation,
    environment: Environment,
    console: Console,
    log: Log,
) -> Result<bool, LaunchError> {
    let Invocation { mode, dry_run, demo, source, selection, progress, log_format, .. } = invocation;
    survive_file_limits();
    let mut launch = Launch::new(source, environment, selection, demo);
    let Loaded { config, series } = launch.load().await?;
    log.set_level(config.log_level.as_deref());
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    let todays = series.iter().map(|series| calendar::today(&series.bot.time_zone, Timestamp::now()));
    if let Some(today) = todays.max() {
        mode.range_is_sensible(today)?;
    }
    let watch = Watch::new(Timestamp::now());
    let mut around = Env {
        clock: Timestamp::now,
        ask: over_the_network,
        open: database::open,
        stop: Stop::after(told_to_end()),
        simulated: demo,
        dry_run,
        console,
        show: if progress { Show::Bar } else { Show::Lines },
        board: Arc::new(Board::new(Arc::clone(&watch.metrics))),
        watch,
        stored: Arc::default(),
    };
    let rows = match mode {
        Mode::Daemon => {
            around.show = Show::Nothing;
            daemon::run(launch, Loaded { config, series }, log, around).await?;
            return Ok(true);
        }
        Mode::Once => export::once(&config, series, &around).await?,
        Mode::Backfill { range, restart } => export::backfill(&config, series, range, restart, &around).await?,
        Mode::Verify { range, repair, strict } => {
            let options = verify::Options { range, repair, strict, json: log_format == Format::Json };
            return Ok(verify::run(&config, series, options, &around).await?);
        }
        Mode::Check => return Ok(check::run(&config, &launch.source.name(), &series, &around).await?),
        Mode::Completions(_) | Mode::Man => return Ok(true),
    };
    if !dry_run {
        summarize(&rows, &launch, &config);
    }
    Ok(export::is_complete(&rows))
}

/// Logs what is wrong. Returns the exit code.
fn failed(error: LaunchError) -> ExitCode {
    let code = match &error {
        LaunchError::Usage(error) => wrong_usage(error),
        LaunchError::State(StateError::AnotherRange(_)) => WRONG_USAGE,
        LaunchError::Configuration(_) | LaunchError::State(StateError::Newer(_)) => WRONG_CONFIGURATION,
        LaunchError::State(StateError::Other(_)) | LaunchError::TooSlow(_) | LaunchError::Other(_) => FAILED,
    };
    match error {
        LaunchError::Configuration(Problems(problems)) => {
            problems.iter().for_each(|problem| tracing::error!("{problem}"))
        }
        error => tracing::error!("{error}"),
    }
    ExitCode::from(code)
}

/// Prints the summary table and, after a demo, what to try next.
fn summarize(rows: &[Row], launch: &Launch, config: &Config) {
    // Nobody reads the output any more; nothing is lost.
    let _closed = write!(io::stdout(), "{}", Summary(rows));
    if launch.demo && export::is_complete(rows) && matches!(launch.source, Source::BuiltIn(..)) {
        if let Destination::File(path) = &config.destination {
            tracing::info!("wrote the points to {} as line protocol", path.display());
        }
        tracing::info!(
            "next: --demo --backfill 2026-01-01..2026-03-31 for more history, --demo --verify 2026-01-01..2026-03-31 to \
             compare it, or --demo -c config.toml --once to fill your own database"
        );
    }
}

/// A file that may grow no further (`ulimit -f`) fails the write, like a full disk, instead of ending the process.
fn survive_file_limits() {
    // A handler that does nothing; without one, the signal kills.
    if let Err(error) = signal(SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw())) {
        tracing::debug!("a file size limit would end this process: {error}");
    }
}

/// Completes on SIGTERM or SIGINT, which are heard from now on; a second signal exits immediately.
fn told_to_end() -> impl Future<Output = ()> + Send + 'static {
    let heard = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()));
    async {
        let (Ok(mut terminate), Ok(mut interrupt)) = heard else { return std::future::pending().await };
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("shutting down, finishing requests in flight; signal again to exit now");
        tokio::spawn(async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            std::process::exit(i32::from(FAILED));
        });
    }
}

/// Prints a generated text. Nobody may read it to the end; nothing is lost.
fn print(generate: impl FnOnce(&mut Vec<u8>)) -> ExitCode {
    let mut text = Vec::new();
    generate(&mut text);
    let _closed = io::stdout().write_all(&text);
    ExitCode::SUCCESS
}

fn wrong_usage(error: &UsageError) -> ! {
    Arguments::command().error(ErrorKind::ValueValidation, error).exit()
}
