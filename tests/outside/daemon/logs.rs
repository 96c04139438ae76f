//! What the daemon logs: little while all is well, each trouble when it begins, changes and ends.

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use serde_json::Value;

use crate::support::daemon::{Daemon, EVERY_SECOND, NEVER};
use crate::support::fake_influxdb::FakeInfluxDb;
use crate::support::platform::SimulatedPlatform;
use crate::support::server::Reply;
use crate::support::workspace::{Template, Workspace, bots};

/// The lines from the end of the start on.
fn after_start(log: &str) -> Vec<&str> {
    log.lines().skip_while(|line| !line.contains("next ticks: ")).skip(1).collect()
}

#[test]
fn a_quiet_run_logs_one_line_a_tick() {
    let bots = bots(["one", "two"], "channels = [\"all\", \"rtm\"]");
    let platform = SimulatedPlatform::well(&bots);
    let schedule = format!("{EVERY_SECOND}\nrun_on_start = false");
    let template = Template { platform_url: platform.url(), schedule: &schedule, bots: &bots, ..Template::default() };
    let workspace = Workspace::with(&template);
    let daemon = Daemon::start(&workspace);
    daemon.wait_for_log("tick finished", 3);
    let log = daemon.end().stderr;
    let (end, ticks) = after_start(&log).into_iter().partition::<Vec<_>, _>(|line| !line.contains("tick finished in "));
    for line in &ticks {
        assert!(
            line.contains("INFO") && line.contains(": 4 series of 2 bots, ") && line.contains(" 4 requests"),
            "{line}"
        );
        assert!(line.contains("; next tick at 2"), "{line}");
    }
    assert!(end.len() == 2 && end[0].contains("shutting down, finishing") && end[1].contains("ended"), "{log}");
    assert!(!log.contains("ERROR"), "{log}");
}

#[test]
fn json_lines_carry_bot_channel_and_interval() {
    let bots = bots(["support"], "channels = [\"rtm\"]\nintervals = [\"daily\"]");
    let platform = SimulatedPlatform::start(&bots, |_, _| Some(Reply::errors(400, 400, "no")));
    let template = Template { platform_url: platform.url(), schedule: NEVER, bots: &bots, ..Template::default() };
    let workspace = Workspace::with(&template);
    let daemon = Daemon::start_with(&workspace, &["--log-format", "json"], &[]);
    daemon.wait_for_log("tick finished", 1);
    let log = daemon.end().stderr;
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
    let errors: Vec<&Value> = lines.iter().filter(|line| line["level"] == "ERROR").collect();
    assert_eq!(errors.len(), 1, "{log}");
    let field = |name: &str| errors[0][name].as_str().unwrap_or_default().to_owned();
    assert_eq!((field("bot"), field("channel"), field("interval")), ("support".into(), "rtm".into(), "daily".into()));
    assert!(field("message").contains("the platform answered 400: \"no"), "{log}");
    assert!(lines.iter().all(|line| line["timestamp"].is_string() && line["message"].is_string()));
}

/// What a failing run writes to a file, under a variable that says where the journal is.
fn log_in_a_file(journal: impl Fn(&std::fs::Metadata) -> String) -> String {
    let workspace = Workspace::with(&Template::default());
    let file = std::fs::File::create(workspace.path("log")).unwrap();
    let mut command = workspace.command();
    command.arg("--once").env("JOURNAL_STREAM", journal(&file.metadata().unwrap())).stderr(file);
    assert_eq!(command.status().unwrap().code(), Some(1));
    workspace.read("log")
}

#[test]
fn lines_have_no_time_of_their_own_where_standard_error_is_the_journal() {
    use std::os::unix::fs::MetadataExt;
    let log = log_in_a_file(|file| format!("{}:{}", file.dev(), file.ino()));
    assert!(!log.is_empty() && log.lines().all(|line| ["<3>", "<4>", "<6>"].contains(&&line[..3])), "{log}");
    for elsewhere in ["8:12345", "0:0", "", ":", "nonsense"] {
        let log = log_in_a_file(|_| elsewhere.to_owned());
        assert!(!log.is_empty() && log.lines().all(|line| line.starts_with("20")), "{elsewhere}: {log}");
    }
}

#[test]
fn a_failure_is_said_when_it_begins_when_it_changes_and_when_it_is_over() {
    let bots = bots(["support"], "");
    let status = Arc::new(AtomicU16::new(400));
    let now = Arc::clone(&status);
    let platform = SimulatedPlatform::start(&bots, move |_, _| match now.load(Ordering::Relaxed) {
        0 => None,
        status => Some(Reply::errors(status, status, "")),
    });
    let template =
        Template { platform_url: platform.url(), schedule: EVERY_SECOND, bots: &bots, ..Template::default() };
    let workspace = Workspace::with(&template);
    let daemon = Daemon::start(&workspace);
    daemon.wait_for_log("1 failed", 3);
    assert_eq!(daemon.logged("ERROR").len(), 1, "{}", daemon.log());
    status.store(405, Ordering::Relaxed);
    daemon.wait_for_log("still failing: the platform answered 405", 1);
    status.store(400, Ordering::Relaxed);
    daemon.wait_for_ticks(2);
    assert_eq!(daemon.logged("ERROR").len(), 2, "each kind once: {}", daemon.log());
    status.store(0, Ordering::Relaxed);
    daemon.wait_until_ready();
    daemon.wait_for_ticks(1);
    let said = daemon.logged("recovered").remove(0);
    let (_, lasted) = said.split_once("recovered after ").unwrap();
    assert!(lasted.split_once("s and ").unwrap().0.parse::<u32>().is_ok(), "whole seconds: {said}");
    assert!(said.contains("failed ticks bot=\"support\" channel=\"all\" interval=hourly"), "{said}");
    assert_eq!(daemon.logged("recovered").len(), 1);
    daemon.end();
}

#[test]
fn a_database_that_is_away_is_said_once_for_all_series() {
    let bots = bots(["one", "two"], "");
    let platform = SimulatedPlatform::well(&bots);
    let status = Arc::new(AtomicU16::new(404));
    let now = Arc::clone(&status);
    let database = FakeInfluxDb::start(move |_, _| match now.load(Ordering::Relaxed) {
        0 => Reply::stored(),
        status => Reply::refused(status, "not found", "no bucket"),
    });
    let sink = database.config();
    let template = Template {
        platform_url: platform.url(),
        schedule: EVERY_SECOND,
        sink: &sink,
        bots: &bots,
        ..Template::default()
    };
    let workspace = Workspace::with(&template);
    let daemon = Daemon::start(&workspace);
    daemon.wait_for_log("2 failed", 3);
    let said = daemon.logged("ERROR");
    assert!(said.len() == 1 && said[0].contains(" the database answered 404"), "{said:?}");
    for words in [": 2 series failed; ", "check influxdb.org", "; next try at 2"] {
        assert!(said[0].contains(words), "{words} is missing: {said:?}");
    }
    status.store(0, Ordering::Relaxed);
    daemon.wait_until_ready();
    let over = daemon.logged("the database is available again after ").len();
    assert_eq!((over, daemon.logged("recovered").len(), daemon.logged("ERROR").len()), (1, 0, 1), "{}", daemon.log());
    daemon.end();
}
