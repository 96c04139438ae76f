//! Faults under runs that end: what they leave owed, the same command brings.

use std::thread;

use crate::faults::needs_toxiproxy::revised::figures;
use crate::faults::needs_toxiproxy::scene::{INTERVALS, Patience, Scene, Store};
use crate::support::daemon::{Daemon, lines_with};
use crate::support::influxdb::Database;
use crate::support::platform::day;
use crate::support::process::{Output, Running};
use crate::support::toxiproxy::{Toxic, Way};
use crate::support::wait_for;

/// A fault that lasts for as long as a run does, and what the run says.
struct Fault {
    name: &'static str,
    patience: Patience,
    inject: fn(&Scene),
    says: &'static str,
    /// Whether the database stores what it never confirms.
    arrives: bool,
}

const FAULTS: [Fault; 6] = [
    Fault {
        name: "the database is shut",
        patience: Patience::Long,
        inject: |scene| scene.to_database.shut(),
        says: "cannot reach the database",
        arrives: false,
    },
    Fault {
        name: "the database's answers are cut",
        patience: Patience::Long,
        inject: |scene| scene.to_database.add(Way::Back, Toxic::LimitData { bytes: 30 }),
        says: "cannot reach the database",
        arrives: true,
    },
    Fault {
        name: "the database's answers are swallowed",
        patience: Patience::Short,
        inject: |scene| scene.to_database.add(Way::Back, Toxic::Timeout { timeout: 0 }),
        says: "the database did not answer within 1s",
        arrives: true,
    },
    Fault {
        name: "the platform is shut",
        patience: Patience::Long,
        inject: |scene| scene.to_platform.shut(),
        says: "cannot reach the platform",
        arrives: false,
    },
    Fault {
        name: "the platform's answers are reset",
        patience: Patience::Long,
        inject: |scene| scene.to_platform.add(Way::Back, Toxic::ResetPeer),
        says: "cannot reach the platform",
        arrives: false,
    },
    Fault {
        name: "the platform's answers are swallowed",
        patience: Patience::Short,
        inject: |scene| scene.to_platform.add(Way::Back, Toxic::Timeout { timeout: 0 }),
        says: "the platform did not answer within 500ms",
        arrives: false,
    },
];

#[test]
#[ignore = "needs the servers that tests/run brings"]
fn a_run_in_a_fault_fails_and_the_next_one_brings_everything() {
    thread::scope(|scope| {
        for fault in &FAULTS {
            let run = || run_in_a_fault(fault);
            thread::Builder::new().name(fault.name.to_owned()).spawn_scoped(scope, run).unwrap();
        }
    });
}

fn run_in_a_fault(fault: &Fault) {
    let scene = Scene::new(fault.patience);
    (fault.inject)(&scene);
    let output = scene.start(&["--once"]).finish().expect_code(1);
    says_once(&output, fault.says);
    assert!(output.stdout.contains("0 of 2 series complete"), "{}", output.stdout);
    for series in watermarks(&scene) {
        assert!(series["through"].is_null(), "{series}");
    }
    assert_eq!(scene.holds(0), fault.arrives);

    let revision = scene.platform.revise();
    scene.to_platform.heal();
    scene.to_database.heal();
    let after = scene.start(&["--once"]).finish().expect_code(0);
    assert!(scene.stored(-3, -1) == figures(revision, -3, -1), "{}", after.stderr);
    for series in watermarks(&scene) {
        assert_eq!(series["through"], day(-1).to_string());
    }
    if !scene.platform.platform.asked().is_empty() {
        scene.keeps_secrets(&(output.stdout + &output.stderr + &after.stdout + &after.stderr));
    }
}

/// One line for each series, or one for both.
#[track_caller]
fn says_once(output: &Output, says: &str) {
    let errors = lines_with(&output.stderr, "ERROR");
    for interval in INTERVALS {
        let interval_field = format!("interval={interval}");
        let is_said = |line: &&String| line.contains(&interval_field) || line.contains(": 2 series failed");
        let lines: Vec<_> = errors.iter().filter(is_said).collect();
        assert!(lines.len() == 1 && lines[0].contains(says), "{interval}: {says:?}\n{}", output.stderr);
    }
}

#[track_caller]
fn watermarks(scene: &Scene) -> Vec<serde_json::Value> {
    let state: serde_json::Value = serde_json::from_str(&scene.workspace.read("state/watermarks.json")).unwrap();
    let series = state["series"].as_array().unwrap().clone();
    assert_eq!(series.len(), INTERVALS.len());
    series
}

#[test]
#[ignore = "needs the servers that tests/run brings"]
fn a_backfill_that_a_fault_ends_continues_where_it_was() {
    let scene = Scene::with(
        Store::InfluxDb(Database::fresh(None)),
        Patience::Long,
        "concurrency = 1\nmax_days_per_request = 1",
    );
    // Slow enough to be met half-way.
    scene.to_platform.add(Way::Back, Toxic::Latency { latency: 200, jitter: 0 });
    let range = format!("{}..{}", day(-10), day(-2));
    let running = scene.start(&["--backfill", &range]);
    wait_for("a first day of each series", || {
        let first = scene.stored(-10, -2);
        let has = |interval: &&str| first.keys().any(|(measurement, _)| measurement.ends_with(*interval));
        INTERVALS.iter().all(has).then_some(())
    });
    scene.to_database.shut();
    let output = running.finish().expect_code(1);
    says_once(&output, "cannot reach the database");
    assert!(scene.workspace.path("state/backfill.json").exists());
    let arrived = scene.stored(-10, -2).len();
    let all = figures(0, -10, -2);
    assert!(arrived < all.len(), "it was met half-way");

    scene.to_database.heal();
    scene.to_platform.heal();
    scene.platform.platform.forget();
    scene.start(&["--backfill", &range]).finish().expect_code(0);
    assert_eq!(scene.stored(-11, -1), all);
    assert!(!scene.workspace.path("state/backfill.json").exists());
    let asked = scene.platform.platform.asked();
    assert!(asked.iter().all(|asked| !asked.asks_for(day(-10))), "what was confirmed is not asked for again");
}

#[test]
#[ignore = "needs the servers that tests/run brings"]
fn a_slow_line_gets_smaller_questions() {
    let scene = Scene::new(Patience::Long);
    // Sixteen days of hours are six kilobytes, eight are three.
    scene.to_platform.add(Way::Back, Toxic::Bandwidth { rate: 1 });
    let mut command = scene.workspace.command();
    command.arg("--once").env("KORE_TREND__SCHEDULE__INITIAL_DAYS", "15").env("KORE_TREND__PLATFORM__TIMEOUT", "2s");
    let output = Running::start(command).finish().expect_code(0);
    assert!(scene.stored(-15, -1) == figures(0, -15, -1), "{}", output.stderr);
    let asked = scene.platform.platform.asked();
    let longest = asked.iter().filter_map(|asked| asked.window()).map(|window| window.days()).max();
    assert_eq!(longest, Some(16));
    assert!(asked.len() > 2 && !output.stderr.contains("ERROR"), "{}", output.stderr);
}

#[test]
#[ignore = "needs the servers that tests/run brings"]
fn a_check_in_a_fault_ends_and_says_which_side_it_is() {
    let check = |scene: &Scene, says: &str, well: &str| {
        let output = scene.start(&["--check"]).finish().expect_code(1);
        assert!(output.stdout.contains(says), "{says:?} is missing in\n{}", output.stdout);
        assert!(output.stdout.lines().any(|line| line.starts_with("ok") && line.contains(well)), "{}", output.stdout);
        assert!(!output.stdout.contains(scene.database.token()));
    };
    let scene = Scene::new(Patience::Short);
    scene.to_platform.add(Way::Back, Toxic::Timeout { timeout: 0 });
    check(&scene, "the platform did not answer within 500ms", "write access");
    let scene = Scene::new(Patience::Short);
    scene.to_database.add(Way::Back, Toxic::Timeout { timeout: 0 });
    check(&scene, "the database did not answer within 1s", "platform for support");
}

#[test]
#[ignore = "needs the servers that tests/run brings"]
fn a_half_open_connection_keeps_nobody_from_ending() {
    thread::scope(|scope| {
        scope.spawn(|| end_in_a_fault(|scene| scene.to_platform.add(Way::There, Toxic::Timeout { timeout: 0 })));
        scope.spawn(|| end_in_a_fault(|scene| scene.to_platform.add(Way::Back, Toxic::Timeout { timeout: 0 })));
        scope.spawn(|| end_in_a_fault(|scene| scene.to_database.add(Way::Back, Toxic::Timeout { timeout: 0 })));
    });
}

/// The daemon is told to end while a request waits for what will never come.
fn end_in_a_fault(inject: fn(&Scene)) {
    let scene = Scene::new(Patience::Long);
    let daemon = Daemon::start(&scene.workspace);
    daemon.wait_until_ready();
    inject(&scene);
    // Of what does not change nothing is written.
    scene.platform.revise();
    let (mut ended, mut skipped) = (None, 0.0);
    wait_for("a tick that does not end", || {
        let now = daemon.value("kore_trend_ticks_skipped_total").unwrap();
        if ended != Some(daemon.ticks()) {
            (ended, skipped) = (Some(daemon.ticks()), now);
        }
        (now >= skipped + 3.0).then_some(())
    });
    daemon.signal("TERM");
    let log = daemon.finish(0).stderr;
    assert!(log.contains("requests in flight did not finish within 1s: giving up on them"), "{log}");
}
