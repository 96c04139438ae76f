//! Being told to end: what is in hand is finished, nothing new begins, and it does not take for ever.

use std::time::Duration;

use kore_trend_exporter::domain::series::{Interval, stable_hash};

use crate::support::daemon::{Daemon, EVERY_SECOND, NEVER};
use crate::support::fake_influxdb::FakeInfluxDb;
use crate::support::platform::{SimulatedPlatform, day, held_lines};
use crate::support::server::{Gate, Reply};
use crate::support::wait_for;
use crate::support::workspace::{Template, Workspace, bots};

/// A daemon that has asked its first question, whose answer is held back; others of its series wait for their turn.
fn with_a_request_in_hand(grace: &str) -> (SimulatedPlatform, Gate, Workspace, Daemon) {
    let bots = bots(["support"], "channels = [\"all\", \"rtm\"]");
    let gate = Gate::closed();
    let closed = gate.clone();
    let platform =
        SimulatedPlatform::start(&bots, move |_, number| (number == 1).then(|| Reply::own().behind(&closed)));
    let template = Template {
        top: &format!("shutdown_grace = \"{grace}\""),
        platform_url: platform.url(),
        platform: "concurrency = 1",
        schedule: EVERY_SECOND,
        bots: &bots,
        ..Template::default()
    };
    let workspace = Workspace::with(&template);
    let daemon = Daemon::start(&workspace);
    wait_for("the request", || (platform.asked().len() == 1).then_some(()));
    (platform, gate, workspace, daemon)
}

#[test]
fn what_is_in_hand_is_finished_and_nothing_new_begins() {
    for signal in ["TERM", "INT"] {
        let (platform, gate, workspace, daemon) = with_a_request_in_hand("60s");
        daemon.signal(signal);
        daemon.wait_for_log("shutting down, finishing", 1);
        gate.open();
        let log = daemon.finish(0).stderr;
        assert!(log.lines().last().unwrap().contains("ended"), "{log}");
        let asked = platform.asked();
        assert_eq!(asked.len(), 1);
        let lines = workspace.sorted_lines("engagement.lp");
        let held = held_lines("support", asked[0].channel(), Interval::Hourly, -7);
        assert!(held.iter().all(|line| lines.contains(line)), "its points are written");
        assert!(workspace.read("state/watermarks.json").contains(&format!("\"through\": \"{}\"", day(-1))));
        workspace.run(&["--once"]).expect_code(0);
        assert_eq!(platform.asked().len(), 3, "the rest was owed");
    }
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let (_platform, _gate, _workspace, daemon) = with_a_request_in_hand("600s");
    daemon.signal("TERM");
    daemon.wait_for_log("shutting down, finishing", 1);
    daemon.signal("TERM");
    daemon.finish(1);
}

#[test]
fn it_ends_well_when_the_grace_is_over() {
    let (_platform, _gate, _workspace, daemon) = with_a_request_in_hand("200ms");
    daemon.signal("TERM");
    let log = daemon.finish(0).stderr;
    assert!(log.contains("requests in flight did not finish within 200ms"), "{log}");
}

#[test]
fn a_reload_does_not_disturb_the_end() {
    let (platform, gate, _workspace, daemon) = with_a_request_in_hand("600s");
    daemon.signal("TERM");
    daemon.wait_for_log("shutting down, finishing", 1);
    daemon.signal("HUP");
    gate.open();
    let log = daemon.finish(0).stderr;
    assert!(!log.contains("reloaded"), "{log}");
    assert_eq!(platform.asked().len(), 1);
}

#[test]
fn who_waits_is_not_waited_for() {
    let bots = bots(["throttled", "retried"], "");
    let platform = SimulatedPlatform::start(&bots, |asked, _| {
        let reply =
            if asked.bot_id() == "st-throttled" { Reply::errors(429, 429, "") } else { Reply::errors(503, 503, "") };
        Some(reply.header("retry-after", 60))
    });
    let template = Template { platform_url: platform.url(), schedule: NEVER, bots: &bots, ..Template::default() };
    let workspace = Workspace::with(&template);
    let daemon = Daemon::start(&workspace);
    wait_for("both requests", || (platform.asked().len() == 2).then_some(()));
    daemon.wait_for_log("rate limited by the platform", 1);
    daemon.end();
    assert_eq!(platform.asked().len(), 2);
}

#[test]
fn a_bot_that_waits_for_its_delay_does_not_start_any_more() {
    let part = |name: &String| stable_hash(&format!("st-{name}")) % (1 << 16);
    let early = (0..).map(|number| format!("bot-{number}")).find(|name| part(name) < 10).unwrap();
    let bots = bots([early.as_str(), "late", "later"], "");
    let platform = SimulatedPlatform::well(&bots);
    let schedule = "cron = \"* * * * * *\"\nspread = \"1h\"\nrun_on_start = false";
    let template = Template { platform_url: platform.url(), schedule, bots: &bots, ..Template::default() };
    let workspace = Workspace::with(&template);
    let daemon = Daemon::start(&workspace);
    wait_for("two ticks", || (platform.asked_of(&early).len() == 2).then_some(()));
    daemon.end();
    assert_eq!(platform.asked().len(), platform.asked_of(&early).len());
}

#[test]
fn a_write_in_hand_is_finished() {
    let bots = bots(["support"], "");
    let platform = SimulatedPlatform::well(&bots);
    let database = FakeInfluxDb::start(|_, _| Reply::stored().late(Duration::from_millis(500)));
    let sink = database.config();
    let template =
        Template { platform_url: platform.url(), schedule: NEVER, sink: &sink, bots: &bots, ..Template::default() };
    let workspace = Workspace::with(&template);
    let daemon = Daemon::start(&workspace);
    wait_for("the write", || (database.requests().len() == 1).then_some(()));
    daemon.end();
    assert_eq!(workspace.watermark("support"), day(-1).to_string());
}
