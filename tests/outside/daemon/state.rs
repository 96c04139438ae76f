//! The state folder of a daemon, and others who want it; outages of either side that last for several ticks.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use kore_trend_exporter::domain::series::Interval;
use serde_json::json;

use crate::support::daemon::{Daemon, EVERY_SECOND, NEVER};
use crate::support::fake_influxdb::FakeInfluxDb;
use crate::support::platform::{SimulatedPlatform, day, held_lines};
use crate::support::server::{Gate, Reply};
use crate::support::wait_for;
use crate::support::workspace::{Template, Workspace, bots};

const STATE_FAILING: &str = "kore_trend_state_failing";

#[test]
fn a_state_folder_has_one_daemon_and_a_backfill_may_run_beside_it() {
    let bots = bots(["support"], "");
    let platform = SimulatedPlatform::well(&bots);
    let template = Template { platform_url: platform.url(), schedule: NEVER, bots: &bots, ..Template::default() };
    let workspace = Workspace::with(&template);
    let daemon = Daemon::start(&workspace);
    daemon.wait_until_ready();
    for arguments in [&[][..], &["--once"]] {
        let output = workspace.run(arguments).expect_code(1);
        let refusal = format!("another exporter (process {}) is using the state folder state: stop it", daemon.id());
        assert!(output.stderr.contains(&refusal), "{}", output.stderr);
    }
    assert_eq!(platform.asked().len(), 1);
    workspace.run(&["--backfill", &format!("{}..{}", day(-20), day(-18))]).expect_code(0);
    let lines = workspace.sorted_lines("engagement.lp");
    assert!(held_lines("support", "all", Interval::Hourly, -20)[..72].iter().all(|line| lines.contains(line)));
    assert!(daemon.reload(), "the daemon goes on");
    daemon.end();
    assert_eq!(workspace.watermark("support"), day(-1).to_string());
    workspace.run(&["--once"]).expect_code(0);
}

#[test]
fn one_process_at_a_time_writes_beside_the_daemon() {
    let bots = bots(["support"], "");
    let platform = SimulatedPlatform::well(&bots);
    let workspace = Workspace::with(&Template { platform_url: platform.url(), bots: &bots, ..Template::default() });
    let range = format!("{0}..{0}", day(-1));
    workspace.run(&["--backfill", &range]).expect_code(0);
    let other = std::fs::File::open(workspace.path("state/backfill.lock")).unwrap();
    other.lock().unwrap();
    for arguments in [&["--backfill", &range][..], &["--verify", &range, "--repair"]] {
        let output = workspace.run(arguments).expect_code(1);
        assert!(output.stderr.contains("another backfill or repair (process "), "{}", output.stderr);
    }
    workspace.run(&["--verify", &range]).expect_code(0);
    workspace.run(&["--once"]).expect_code(0);
}

#[test]
fn watermarks_of_a_newer_release_are_refused_with_78() {
    let workspace = Workspace::with(&Template::default());
    workspace.write("state/watermarks.json", "{\"version\":2}");
    let output = workspace.run(&[]).expect_code(78);
    assert!(output.stderr.contains("has format version 2, but this release supports up to 1"), "{}", output.stderr);
    assert!(!output.stderr.contains("listening"), "{}", output.stderr);
}

#[test]
fn a_state_folder_that_cannot_be_written_keeps_nothing_from_being_exported() {
    let bots = bots(["support"], "");
    let gate = Gate::closed();
    let closed = gate.clone();
    let platform =
        SimulatedPlatform::start(&bots, move |_, number| (number == 1).then(|| Reply::own().behind(&closed)));
    let template =
        Template { platform_url: platform.url(), schedule: EVERY_SECOND, bots: &bots, ..Template::default() };
    let workspace = Workspace::with(&template);
    let daemon = Daemon::start(&workspace);
    wait_for("the question", || (!platform.asked().is_empty()).then_some(()));
    wait_for("the first day", || workspace.path("state/watermarks.json").exists().then_some(()));
    assert_eq!(daemon.value(STATE_FAILING), Some(0.0));
    std::fs::rename(workspace.path("state"), workspace.path("away")).unwrap();
    gate.open();
    daemon.wait_for_value(STATE_FAILING, 1.0);
    assert!(!workspace.sorted_lines("engagement.lp").is_empty());
    let asked = platform.asked().len();
    daemon.wait_for_ticks(3);
    assert!(platform.asked().len() > asked);
    assert_eq!(daemon.get("/readyz").status, 200, "the points are where they should be");
    let said = daemon.logged("cannot write the state folder");
    assert!(said.len() == 1 && said[0].contains("ERROR") && said[0].contains("No such file"), "{said:?}");
    std::fs::rename(workspace.path("away"), workspace.path("state")).unwrap();
    daemon.wait_for_value(STATE_FAILING, 0.0);
    daemon.wait_for_log("the state folder is writable again", 1);
    assert_eq!(workspace.watermark("support"), day(-1).to_string());
    daemon.end();
}

/// A daemon whose last confirmed day is long ago, and one of whose sides is away for some ticks.
fn check_outage(is_platform: bool) {
    let bots = bots(["support"], "");
    let is_back = Arc::new(AtomicBool::new(false));
    let [platform_back, database_back] = [!is_platform, is_platform].map(|always| {
        let is_back = Arc::clone(&is_back);
        move || always || is_back.load(Ordering::Relaxed)
    });
    let platform =
        SimulatedPlatform::start(&bots, move |_, _| (!platform_back()).then(|| Reply::errors(405, 405, "not now")));
    let database = FakeInfluxDb::start(move |_, _| match database_back() {
        true => Reply::stored(),
        false => Reply::refused(404, "not found", "no bucket"),
    });
    let sink = database.config();
    let template = Template { platform_url: platform.url(), schedule: EVERY_SECOND, ..Template::default() };
    let workspace = Workspace::with(&Template { sink: &sink, bots: &bots, ..template });
    let progress = json!({
        "bot": "support", "bot_id": "st-support", "channel": "all", "interval": "hourly",
        "since": day(-40), "through": day(-20),
    });
    workspace.write("state/watermarks.json", &json!({"version": 1, "series": [progress]}).to_string());
    let daemon = Daemon::start(&workspace);
    daemon.wait_for_log("1 failed", 3);
    assert_eq!(workspace.watermark("support"), day(-20).to_string());
    is_back.store(true, Ordering::Relaxed);
    daemon.wait_until_ready();
    let stored = database.stored();
    assert!(held_lines("support", "all", Interval::Hourly, -19).iter().all(|line| stored.contains(line)));
    daemon.end();
    assert_eq!(workspace.watermark("support"), day(-1).to_string());
}

#[test]
fn an_outage_of_the_platform_over_several_ticks_is_made_up_for() {
    check_outage(true);
}

#[test]
fn an_outage_of_the_database_over_several_ticks_is_made_up_for() {
    check_outage(false);
}
