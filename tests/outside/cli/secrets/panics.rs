//! A defect in one series' task ends that series for the tick, and says nothing that may be a secret.
//!
//! The program has no known way to panic. What it is handed is made to: a clock that panics when the task of a series, or
//! of a bot's tick, or of a connection, asks it. For that the test runs the library's daemon in a process of its own, which is this test
//! again, started with a variable set.

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use jiff::Timestamp;
use kore_trend_exporter::cli::Selection;
use kore_trend_exporter::config::{Environment, Source};
use kore_trend_exporter::daemon;
use kore_trend_exporter::domain::series::Interval;
use kore_trend_exporter::observe::console::Console;
use kore_trend_exporter::observe::logging::{self, Format};
use kore_trend_exporter::observe::metrics::Watch;
use kore_trend_exporter::observe::panics;
use kore_trend_exporter::observe::status::board::Board;
use kore_trend_exporter::run::Env;
use kore_trend_exporter::run::progress::Show;
use kore_trend_exporter::shutdown::Stop;
use kore_trend_exporter::startup::Launch;
use serde_json::Value;
use tokio::signal::unix::{SignalKind, signal};

use crate::support::daemon::{Daemon, EVERY_SECOND};
use crate::support::platform::{SimulatedPlatform, held_lines};
use crate::support::workspace::{Template, Workspace, bots};

const CHILD: &str = "KORE_TREND_TEST_PANICKING_CLOCK";
const CANARY: &str = "canary-in-the-words-of-a-panic";

/// How often the tasks have asked for the time.
static ASKED: AtomicUsize = AtomicUsize::new(0);

/// Panics in every third task that asks, until it has done so a dozen times.
fn panicking_clock() -> Timestamp {
    if tokio::task::try_id().is_some() {
        let asked = ASKED.fetch_add(1, Ordering::Relaxed);
        assert!(asked % 3 != 2 || asked >= 36, "the clock says {CANARY}");
    }
    Timestamp::now()
}

/// What `main` does, with that clock.
fn run_daemon() {
    panics::guard();
    let environment = Environment::of_process();
    let console = Console::default();
    let log = logging::start(Format::Json, None, &environment, &console);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let source = Source::File("config.toml".into());
        let mut launch = Launch::new(source, environment, Selection::default(), false);
        let loaded = launch.load().await.unwrap();
        let mut told = signal(SignalKind::terminate()).unwrap();
        let watch = Watch::new(Timestamp::now());
        let around = Env {
            clock: panicking_clock,
            ask: kore_trend_exporter::platform::client::over_the_network,
            open: kore_trend_exporter::database::open,
            stop: Stop::after(async move {
                let _told = told.recv().await;
            }),
            simulated: false,
            dry_run: false,
            console,
            show: Show::Nothing,
            board: Arc::new(Board::new(Arc::clone(&watch.metrics))),
            watch,
            stored: Arc::default(),
        };
        daemon::run(launch, loaded, log, around).await.unwrap();
    });
    std::process::exit(0);
}

#[test]
fn a_panic_ends_one_series_for_one_tick_and_shows_no_secret() {
    if std::env::var_os(CHILD).is_some() {
        run_daemon();
    }
    const NAMES: [&str; 3] = ["one", "three", "two"];
    let bots = bots(NAMES, "intervals = [\"hourly\", \"daily\"]");
    let platform = SimulatedPlatform::well(&bots);
    let template =
        Template { platform_url: platform.url(), schedule: EVERY_SECOND, bots: &bots, ..Template::default() };
    let workspace = Workspace::with(&template);
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "--nocapture"]).arg(format!("{}::{}", module(), TEST));
    command.current_dir(workspace.path("")).env_clear().env(CHILD, "1").env("KORE_TREND__ADMIN__LISTEN", "127.0.0.1:0");
    let daemon = Daemon::launch(command);
    let mut answers = String::new();
    let said = |daemon: &Daemon| daemon.logged("internal error at ").len();
    crate::support::wait_for("all panics", || {
        // The task of a connection asks for the time, too.
        for answer in ["/readyz", "/metrics"].into_iter().filter_map(|path| daemon.try_get(path)) {
            answers += &answer.body;
        }
        (said(&daemon) >= 12).then_some(())
    });
    daemon.wait_until_ready();
    let (of_series, of_ticks) = (daemon.logged("internal error: ").len(), said(&daemon));
    assert!(of_series >= 1 && of_ticks >= 12, "{of_series} and {of_ticks}\n{}", daemon.log());
    assert_eq!(daemon.get("/healthz").status, 200);
    answers += &daemon.get("/metrics").body;
    let log = daemon.end().stderr;

    assert!(!log.contains(CANARY) && !answers.contains(CANARY), "{log}");
    assert!(answers.contains("internal error"), "{answers}");
    for line in log.lines() {
        let line: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        assert!(line["level"].is_string(), "{line}");
    }
    let lines = workspace.sorted_lines("engagement.lp");
    for (bot, interval) in
        NAMES.iter().flat_map(|bot| [Interval::Hourly, Interval::Daily].map(|interval| (bot, interval)))
    {
        for line in held_lines(bot, "all", interval, -7) {
            assert!(lines.binary_search(&line).is_ok(), "{line}");
        }
    }
}

const TEST: &str = "a_panic_ends_one_series_for_one_tick_and_shows_no_secret";

/// The path of this module as the test's name has it.
fn module() -> &'static str {
    module_path!().split_once("::").unwrap().1
}
