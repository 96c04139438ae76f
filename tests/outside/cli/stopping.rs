//! Being told to end: what is in hand is finished, what is not stays owed, and the same command continues.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use kore_trend_exporter::domain::series::Interval;

use crate::support::fake_influxdb::FakeInfluxDb;
use crate::support::platform::{Asked, SimulatedPlatform, day, held_lines};
use crate::support::process::Running;
use crate::support::server::{Gate, Reply, Server};
use crate::support::wait_for;
use crate::support::workspace::{Template, Workspace, bots};

const TWO: &str = "channels = [\"all\", \"rtm\"]";

/// A platform that keeps its answer to the request of this number behind the gate, and a place to ask it from, one
/// request at a time.
fn start(bot_lines: &str, held_back: usize) -> (SimulatedPlatform, Gate, Workspace) {
    let bots = bots(["support"], bot_lines);
    let gate = Gate::closed();
    let closed = gate.clone();
    let platform =
        SimulatedPlatform::start(&bots, move |_, number| (number == held_back).then(|| Reply::own().behind(&closed)));
    let template =
        Template { platform_url: platform.url(), platform: "concurrency = 1", bots: &bots, ..Template::default() };
    let workspace = Workspace::with(&template);
    (platform, gate, workspace)
}

fn has_arrived(workspace: &Workspace, channel: &str, first: i64) -> bool {
    let lines = workspace.sorted_lines("engagement.lp");
    held_lines("support", channel, Interval::Hourly, first).iter().all(|line| lines.contains(line))
}

/// Tells it to end while the request of this number waits for its answer.
fn interrupt(running: &mut Running, signal: &str, platform: &SimulatedPlatform, number: usize) {
    wait_for("the request", || (platform.asked().len() == number).then_some(()));
    running.signal(signal);
    running.wait_for_stderr("shutting down, finishing");
}

#[test]
fn a_run_finishes_what_is_in_hand_and_the_next_one_does_the_rest() {
    for signal in ["TERM", "INT"] {
        let (platform, gate, workspace) = start(TWO, 1);
        let mut running = workspace.start(&["--once"]);
        interrupt(&mut running, signal, &platform, 1);
        gate.open();
        let output = running.finish().expect_code(1);
        assert!(output.stdout.contains("not finished") && output.stdout.contains("1 of 2 series"), "{}", output.stdout);
        let asked = platform.asked();
        assert_eq!(asked.len(), 1, "nothing new is begun");
        let (in_hand, rest) = if asked[0].channel() == "all" { ("all", "rtm") } else { ("rtm", "all") };
        assert!(has_arrived(&workspace, in_hand, -7));

        workspace.run(&["--once"]).expect_code(0);
        assert!(has_arrived(&workspace, rest, -7));
        let days: Vec<u32> = platform.asked()[1..].iter().map(|asked| asked.window().unwrap().days()).collect();
        assert_eq!(days.iter().sum::<u32>(), 3 + 8, "what was confirmed is not owed any more: {days:?}");
    }
}

/// More bots than there are places for while one of them is asked.
#[test]
fn series_that_had_not_begun_are_not_finished_either() {
    let names: Vec<String> = (0..12).map(|number| format!("bot-{number}")).collect();
    let bots = bots(names.iter().map(String::as_str), "");
    let gate = Gate::closed();
    let closed = gate.clone();
    let platform =
        SimulatedPlatform::start(&bots, move |_, number| (number == 1).then(|| Reply::own().behind(&closed)));
    let template =
        Template { platform_url: platform.url(), platform: "concurrency = 1", bots: &bots, ..Template::default() };
    let workspace = Workspace::with(&template);
    let mut running = workspace.start(&["--once"]);
    interrupt(&mut running, "TERM", &platform, 1);
    gate.open();
    let said = running.finish().expect_code(1).stdout;
    assert!(said.contains("1 of 12 series"), "{said}");
    assert_eq!(said.matches("not finished").count(), 11, "{said}");
    assert_eq!(platform.asked().len(), 1, "nothing new is begun");

    workspace.run(&["--once"]).expect_code(0);
    assert_eq!(platform.asked().len(), 12 + 1, "each of the others once, and the live days of the first again");
}

#[test]
fn a_backfill_finishes_what_is_in_hand_and_continues_behind_it() {
    continues_behind_it(&[], "run the same command again to continue");
    continues_behind_it(&["--restart"], "run the same command again without --restart to continue");
}

/// A backfill that begins with these arguments, is told to end, and says this.
#[track_caller]
fn continues_behind_it(arguments: &[&str], says: &str) {
    let (platform, gate, workspace) = start("", 2);
    let range = format!("{}..{}", day(-8), day(-1));
    let backfill = |arguments: &[&str]| {
        let mut command = workspace.command();
        command.args(["--backfill", &range]).args(arguments).env("KORE_TREND__PLATFORM__MAX_DAYS_PER_REQUEST", "2");
        Running::start(command)
    };
    let mut running = backfill(arguments);
    interrupt(&mut running, "TERM", &platform, 2);
    gate.open();
    let said = running.finish().expect_code(1).stderr;
    assert!(said.contains(says), "{said}");
    assert_eq!(platform.asked().len(), 2);
    let state: serde_json::Value = serde_json::from_str(&workspace.read("state/backfill.json")).unwrap();
    assert_eq!(state["series"][0]["through"], day(-5).to_string(), "{state}");

    backfill(&[]).finish().expect_code(0);
    assert!(has_arrived(&workspace, "all", -8));
    let first_days: Vec<_> = platform.asked().iter().map(|asked| asked.window().unwrap().first).collect();
    assert_eq!(first_days, [day(-8), day(-6), day(-4), day(-2)], "each once");
    assert!(!workspace.path("state/backfill.json").exists());
}

#[test]
fn a_backfill_remembers_what_is_done_while_the_next_answer_takes_long() {
    let (platform, _gate, workspace) = start("", 2);
    let mut command = workspace.command();
    command.args(["--backfill", &format!("{}..{}", day(-8), day(-1))]);
    command.env("KORE_TREND__PLATFORM__MAX_DAYS_PER_REQUEST", "2").env("KORE_TREND__PLATFORM__TIMEOUT", "600s");
    let running = Running::start(command);
    wait_for("the progress", || {
        let text = std::fs::read_to_string(workspace.path("state/backfill.json")).ok()?;
        let state: serde_json::Value = serde_json::from_str(&text).ok()?;
        (state["series"][0]["through"] == day(-7).to_string()).then_some(())
    });
    assert_eq!(platform.asked().len(), 2, "the second answer is not there yet");
    running.signal("KILL");
    assert_eq!(running.finish().code, None);
}

#[test]
fn a_verification_that_is_told_to_end_is_never_equal() {
    let (platform, gate, workspace) = start("", 1);
    let range = format!("{}..{}", day(-8), day(-1));
    let mut command = workspace.command();
    command.args(["--verify", &range, "--log-format", "json"]).env("KORE_TREND__PLATFORM__MAX_DAYS_PER_REQUEST", "4");
    let mut running = Running::start(command);
    interrupt(&mut running, "TERM", &platform, 1);
    gate.open();
    let output = running.finish().expect_code(1);
    let series: serde_json::Value = serde_json::from_str(output.stdout.lines().last().unwrap()).unwrap();
    assert_eq!((&series["days"], &series["complete"]), (&4.into(), &false.into()), "{}", output.stdout);
    assert_eq!(platform.asked().len(), 1, "nothing new is begun");
}

#[test]
fn a_run_that_was_told_to_end_and_has_nothing_left_to_do_has_succeeded() {
    let (platform, gate, workspace) = start("", 1);
    let mut running = workspace.start(&["--once"]);
    interrupt(&mut running, "TERM", &platform, 1);
    gate.open();
    running.finish().expect_code(0);
    assert!(has_arrived(&workspace, "all", -7));
    assert_eq!(workspace.watermark("support"), day(-1).to_string());
}

#[test]
fn a_write_in_hand_is_finished() {
    let bots = bots(["support"], "");
    let platform = SimulatedPlatform::well(&bots);
    let gate = Gate::closed();
    let closed = gate.clone();
    let database = FakeInfluxDb::start(move |_, _| Reply::stored().behind(&closed));
    let sink = database.config();
    let template = Template { platform_url: platform.url(), bots: &bots, sink: &sink, ..Template::default() };
    let workspace = Workspace::with(&template);
    let mut running = workspace.start(&["--once"]);
    wait_for("the write", || (database.requests().len() == 1).then_some(()));
    running.signal("TERM");
    running.wait_for_stderr("shutting down, finishing");
    gate.open();
    running.finish().expect_code(0);
    assert_eq!(workspace.watermark("support"), day(-1).to_string());
}

#[test]
fn waiting_for_a_retry_gives_way() {
    let bots = bots(["support"], "");
    let platform = SimulatedPlatform::start(&bots, |_, _| Some(Reply::errors(429, 429, "").header("retry-after", 120)));
    let template = Template { platform_url: platform.url(), bots: &bots, ..Template::default() };
    let workspace = Workspace::with(&template);
    let mut running = workspace.start(&["--once"]);
    running.wait_for_stderr("rate limited by the platform");
    running.signal("TERM");
    let said = running.finish().expect_code(1).stderr;
    assert!(!said.contains("did not finish within"), "the stop is heard, not the end of the grace: {said}");
    assert_eq!(platform.asked().len(), 1);
}

/// Starts `--once` with this grace and interrupts it while its only request waits for ever.
fn stuck(grace: &str) -> (SimulatedPlatform, Workspace, Running) {
    let (platform, _, workspace) = start("", 1);
    let mut command = workspace.command();
    command.arg("--once").env("KORE_TREND__SHUTDOWN_GRACE", grace).env("KORE_TREND__PLATFORM__TIMEOUT", "600s");
    let mut running = Running::start(command);
    interrupt(&mut running, "TERM", &platform, 1);
    (platform, workspace, running)
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let (platform, workspace, running) = stuck("600s");
    running.signal("TERM");
    running.finish().expect_code(1);
    continues(&platform, &workspace);
}

#[test]
fn it_ends_when_the_grace_is_over() {
    let (platform, workspace, running) = stuck("100ms");
    let output = running.finish().expect_code(1);
    assert!(output.stderr.contains("did not finish within 100ms"), "{}", output.stderr);
    continues(&platform, &workspace);
}

#[test]
fn a_run_that_is_killed_loses_nothing() {
    let (platform, _, workspace) = start(TWO, 2);
    let running = workspace.start(&["--once"]);
    wait_for("the second request", || (platform.asked().len() == 2).then_some(()));
    running.signal("KILL");
    assert_eq!(running.finish().code, None);
    continues(&platform, &workspace);
    assert!(has_arrived(&workspace, "rtm", -7));
}

/// The same command, once the platform answers, does all that is owed.
fn continues(platform: &SimulatedPlatform, workspace: &Workspace) {
    workspace.run(&["--once"]).expect_code(0);
    assert!(has_arrived(workspace, "all", -7));
    assert!(platform.asked().last().and_then(Asked::window).is_some_and(|window| window.contains(day(-7))));
}

#[test]
fn a_state_folder_serves_one_run_at_a_time_and_a_backfill_next_to_it() {
    let (platform, gate, workspace) = start("", 1);
    let running = workspace.start(&["--once"]);
    wait_for("the request", || (platform.asked().len() == 1).then_some(()));
    let second = workspace.run(&["--once"]).expect_code(1);
    let message = format!("another exporter (process {}) is using the state folder", running.id());
    assert!(second.stderr.contains(&message), "{}", second.stderr);
    assert_eq!(platform.asked().len(), 1);

    workspace.run(&["--backfill", &format!("{}..{}", day(-20), day(-15))]).expect_code(0);
    assert!(has_arrived_until(&workspace, -20, -15));
    gate.open();
    running.finish().expect_code(0);
    assert!(has_arrived(&workspace, "all", -7));
}

fn has_arrived_until(workspace: &Workspace, first: i64, last: i64) -> bool {
    let lines = workspace.sorted_lines("engagement.lp");
    let hours = usize::try_from(last - first + 1).unwrap() * 24;
    held_lines("support", "all", Interval::Hourly, first)[..hours].iter().all(|line| lines.contains(line))
}

#[test]
fn a_check_ends_after_the_grace_whoever_does_not_answer() {
    let bots = bots(["support"], "");
    let platform = SimulatedPlatform::start(&bots, |_, _| Some(Reply::never()));
    let template = Template {
        top: "shutdown_grace = \"1s\"",
        platform_url: platform.url(),
        platform: "timeout = \"600s\"",
        bots: &bots,
        ..Template::default()
    };
    let workspace = Workspace::with(&template);
    let mut running = workspace.start(&["--check"]);
    interrupt(&mut running, "TERM", &platform, 1);
    let output = running.finish().expect_code(1);
    assert!(output.stderr.contains("did not finish within 1s"), "{}", output.stderr);
}

/// A database that says what it is, answers nothing else, and counts what it leaves without an answer.
fn mute_database() -> (Server, Arc<AtomicUsize>) {
    let unanswered = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&unanswered);
    let ping = get(|| async { (StatusCode::NO_CONTENT, [("x-influxdb-version", "v2.7.12")]) });
    let never = move || {
        counter.fetch_add(1, Ordering::Relaxed);
        std::future::pending::<StatusCode>()
    };
    (Server::start(Router::new().route("/ping", ping).fallback(never)), unanswered)
}

#[test]
fn a_run_that_asks_the_database_before_it_begins_gives_way_at_once() {
    let bots = bots(["support"], "");
    let platform = SimulatedPlatform::well(&bots);
    let (database, unanswered) = mute_database();
    let sink = format!(
        "[influxdb]\nurl = \"{}\"\norg = \"o\"\nbucket = \"b\"\ntoken = \"t\"\ntimeout = \"600s\"\n",
        database.url()
    );
    let template = Template { platform_url: platform.url(), sink: &sink, bots: &bots, ..Template::default() };
    let workspace = Workspace::with(&template);
    for mode in ["--backfill", "--verify"] {
        let before = unanswered.load(Ordering::Relaxed);
        let running = workspace.start(&[mode, "2026-08-01..2026-08-03"]);
        wait_for("the question", || (unanswered.load(Ordering::Relaxed) > before).then_some(()));
        running.signal("TERM");
        running.finish().expect_code(1);
        assert_eq!(platform.asked().len(), 0, "{mode}: nothing new is begun");
    }
}
