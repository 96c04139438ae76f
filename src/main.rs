//! Start-up and exit codes: a table of contents of the program.

use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::Arc;

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser};
use jiff::Timestamp;
use kore_trend_exporter::backfill::BackfillError;
use kore_trend_exporter::cli::{Arguments, Invocation, Mode, UsageError, range_is_sensible};
use kore_trend_exporter::config::{self, Config, Environment, Problems};
use kore_trend_exporter::demo::{Behaviour, Platform};
use kore_trend_exporter::export::{self, RunError, Surroundings};
use kore_trend_exporter::logging::{self, Console};
use kore_trend_exporter::metrics::Watch;
use kore_trend_exporter::progress::Show;
use kore_trend_exporter::status::board::Board;
use kore_trend_exporter::stop::Stop;
use kore_trend_exporter::summary::{Row, Summary};
use kore_trend_exporter::watermark::WatermarkError;
use kore_trend_exporter::{calendar, check};
use tokio::signal::unix::{SignalKind, signal};

/// Something failed; what succeeded is kept.
const FAILED: u8 = 1;
/// The command line asks for what cannot be; clap ends with it as well.
const WRONG_USAGE: u8 = 2;
/// The configuration, or the state of a newer release, cannot be used.
const WRONG_CONFIGURATION: u8 = 78;

/// Why the program ends without having done its work.
enum Fault {
    Usage(UsageError),
    Configuration(Problems),
    Run(RunError),
}

fn main() -> ExitCode {
    let environment = Environment::of_process();
    let invocation = match Arguments::parse().resolve(&environment, Timestamp::now()) {
        Ok(invocation) => invocation,
        Err(error) => wrong_usage(&error),
    };
    if let Mode::Completions(shell) = invocation.mode {
        let mut script = Vec::new();
        clap_complete::generate(shell, &mut Arguments::command(), env!("CARGO_PKG_NAME"), &mut script);
        // Nothing is lost where nobody reads on.
        let _closed = io::stdout().write_all(&script);
        return ExitCode::SUCCESS;
    }
    let console = Console::default();
    logging::start(invocation.log_format, &invocation.log_level, &environment, &console);

    // One thread: the work is waiting for two services, and what little there is to compute needs no second core.
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            tracing::error!("cannot start: {error}");
            return ExitCode::from(FAILED);
        }
    };
    let ended = runtime.block_on(run(invocation, &environment, console));
    // What is left behind after the grace of a stop is not waited for.
    runtime.shutdown_background();
    match ended {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(FAILED),
        Err(Fault::Usage(error)) => wrong_usage(&error),
        Err(Fault::Configuration(Problems(problems))) => {
            for problem in problems {
                tracing::error!("{problem}");
            }
            ExitCode::from(WRONG_CONFIGURATION)
        }
        Err(Fault::Run(error)) => {
            tracing::error!("{error}");
            if matches!(error, RunError::Backfill(BackfillError::AnotherRange { .. })) {
                return ExitCode::from(WRONG_USAGE);
            }
            let newer = matches!(error, RunError::Watermarks(WatermarkError::Newer { .. }));
            ExitCode::from(if newer { WRONG_CONFIGURATION } else { FAILED })
        }
    }
}

/// Does what was asked for and says whether all of it is done.
async fn run(invocation: Invocation, environment: &Environment, console: Console) -> Result<bool, Fault> {
    let load = if invocation.demo { config::load_simulated } else { config::load };
    let mut config = load(&invocation.source, environment).map_err(Fault::Configuration)?;
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    let series = invocation.selection.choose(&config).map_err(Fault::Usage)?;
    if invocation.demo {
        simulate(&mut config, &invocation.source).await.map_err(|error| Fault::Run(RunError::Other(error.into())))?;
    }
    let watch = Watch::new(Timestamp::now());
    let mut around = Surroundings {
        clock: Timestamp::now,
        stop: Stop::after(told_to_end()),
        simulated: invocation.demo,
        dry_run: false,
        console,
        show: if invocation.progress { Show::Bar } else { Show::Lines },
        board: Arc::new(Board::new(Arc::clone(&watch.metrics))),
        watch,
    };
    let rows = match invocation.mode {
        Mode::Once { dry_run } => {
            around.dry_run = dry_run;
            export::once(&config, series, &around).await.map_err(Fault::Run)?
        }
        Mode::Backfill { range, restart, dry_run } => {
            around.dry_run = dry_run;
            let todays = series.iter().map(|series| calendar::today(&series.bot.time_zone, Timestamp::now()));
            if let Some(today) = todays.max() {
                range_is_sensible(&range, today).map_err(Fault::Usage)?;
            }
            export::backfill(&config, series, range, restart, &around).await.map_err(Fault::Run)?
        }
        Mode::Check => {
            let name = invocation.source.name();
            let well = check::run(&config, &name, &series, &around).await;
            return well.map_err(|error| Fault::Run(RunError::Other(error)));
        }
        Mode::Daemon | Mode::Completions(_) => {
            return Err(Fault::Usage(UsageError("choose one of --once, --backfill and --check".to_owned())));
        }
    };
    if !around.dry_run {
        summarize(&rows, &invocation, &config);
    }
    Ok(export::is_complete(&rows))
}

/// Puts the simulated platform in the place of the real one.
async fn simulate(config: &mut Config, source: &config::Source) -> io::Result<()> {
    let address = Platform::new(&config.bots, Behaviour::LIVELY, Timestamp::now).start().await?;
    let url = format!("http://{address}").parse();
    config.platform.url = url.map_err(io::Error::other)?;
    if let config::Source::BuiltIn(..) = source {
        return Ok(());
    }
    // Invented figures must not move the watermarks of the real ones.
    config.state_dir.push("demo");
    let destination = match &config.destination {
        config::Destination::InfluxDb(database) => format!("the bucket {} at {}", database.bucket, database.url),
        config::Destination::File(path) => path.display().to_string(),
    };
    tracing::warn!(
        "the figures of this run are invented and go to {destination}; their state is kept in {}",
        config.state_dir.display()
    );
    Ok(())
}

/// Prints the table, and to whoever tries the demo what to try next.
fn summarize(rows: &[Row], invocation: &Invocation, config: &Config) {
    // Nothing is lost where nobody reads it any more.
    let _closed = write!(io::stdout(), "{}", Summary(rows));
    if invocation.demo && export::is_complete(rows) && matches!(invocation.source, config::Source::BuiltIn(..)) {
        if let config::Destination::File(path) = &config.destination {
            tracing::info!("the points are in {} as line protocol", path.display());
        }
        tracing::info!(
            "try next: --demo --backfill 2026-01-01..2026-03-31 for more history, --demo --once --dry-run to see the \
             lines, and --demo -c config.toml --once for your own bots' names in your own database"
        );
    }
}

/// Completes when the program is told to end; told twice, it ends at once.
async fn told_to_end() {
    let (Ok(mut terminate), Ok(mut interrupt)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    tracing::info!("told to end: finishing the requests in hand; told again, it ends at once");
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        std::process::exit(i32::from(FAILED));
    });
}

fn wrong_usage(error: &UsageError) -> ! {
    Arguments::command().error(ErrorKind::ValueValidation, error).exit()
}
