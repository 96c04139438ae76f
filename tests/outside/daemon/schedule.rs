//! When ticks come: by cron line, at the start, one at a time, spread over the bots.

use std::time::{Duration, Instant};

use crate::support::daemon::{Daemon, EVERY_SECOND, NEVER, lines_with};
use crate::support::platform::SimulatedPlatform;
use crate::support::server::{Gate, Reply};
use crate::support::wait_for;
use crate::support::workspace::{Template, Workspace, bots};

#[test]
fn ticks_come_at_their_slots_and_a_bot_may_have_its_own() {
    let bots = bots(["quick"], "") + &bots(["slow"], "cron = \"0 0 29 2 *\"");
    let platform = SimulatedPlatform::well(&bots);
    let schedule = format!("{EVERY_SECOND}\nrun_on_start = false");
    let template = Template { platform_url: platform.url(), schedule: &schedule, bots: &bots, ..Template::default() };
    let workspace = Workspace::with(&template);
    let daemon = Daemon::start(&workspace);
    wait_for("three ticks", || (platform.asked_of("quick").len() == 3).then_some(()));
    let asked = platform.asked_of("quick");
    assert!(asked[2].at - asked[0].at >= Duration::from_secs(1), "one a second");
    assert!(platform.asked_of("slow").is_empty());
    let said = daemon.logged("next ticks: ").remove(0);
    assert!(said.contains("exporting 2 series of 2 bots"), "{said}");
    assert!(said.contains("Z for 1 bot, ") && said.ends_with("-02-29T00:00:00Z for 1 bot"), "{said}");
    daemon.end();
}

#[test]
fn a_start_is_a_tick_if_it_is_wanted() {
    let bots = bots(["one", "two"], "");
    let platform = SimulatedPlatform::well(&bots);
    let template = Template { platform_url: platform.url(), schedule: NEVER, bots: &bots, ..Template::default() };
    let workspace = Workspace::with(&template);
    let daemon = Daemon::start(&workspace);
    daemon.wait_for_log("tick finished", 1);
    assert_eq!(platform.asked().len(), 2);
    daemon.end();

    workspace.configure(&Template { schedule: &format!("{NEVER}\nrun_on_start = false"), ..template });
    let daemon = Daemon::start(&workspace);
    assert!(daemon.reload() && daemon.reload(), "the loop has come round");
    daemon.end();
    assert_eq!(platform.asked().len(), 2);
}

#[test]
fn a_tick_that_comes_while_the_last_one_runs_is_skipped_and_counted() {
    let bots = bots(["stuck", "free"], "");
    let gate = Gate::closed();
    let closed = gate.clone();
    let platform = SimulatedPlatform::start(&bots, move |asked, _| {
        (asked.bot_id() == "st-stuck").then(|| Reply::own().behind(&closed))
    });
    let template =
        Template { platform_url: platform.url(), schedule: EVERY_SECOND, bots: &bots, ..Template::default() };
    let workspace = Workspace::with(&template);
    let daemon = Daemon::start(&workspace);
    wait_for("two ticks to be skipped", || (daemon.value("kore_trend_ticks_skipped_total")? >= 2.0).then_some(()));
    wait_for("the other bot to go on", || (platform.asked_of("free").len() >= 3).then_some(()));
    assert_eq!(platform.asked_of("stuck").len(), 1);
    let of_stuck = |text: &str| lines_with(&daemon.logged(text).join("\n"), "bot=\"stuck\"");
    assert_eq!(of_stuck("the previous tick is still running").len(), 1, "said once");
    gate.open();
    wait_for("it to go on", || (platform.asked_of("stuck").len() >= 3).then_some(()));
    let ended = of_stuck("the long tick has ended; ").remove(0);
    let skipped = ended.split_once("ended; ").unwrap().1.split_once(" tick").unwrap().0;
    assert!(skipped.parse::<f64>().unwrap() <= daemon.value("kore_trend_ticks_skipped_total").unwrap(), "{ended}");
    daemon.end();
}

#[test]
fn a_wrong_cron_line_is_shown_with_its_field() {
    let bots = bots(["support"], "cron = \"0 0 3 * *\"");
    for (line, words) in [
        ("0 */15 * * * * *", "expected 6 fields (seconds first) or 5 (crontab), found 7"),
        ("0 10 25 * * *", "invalid hours \"25\""),
        ("10 * * JANUS *", "invalid month \"JANUS\""),
        ("0 0 0 31 6 *", "no date ever matches"),
    ] {
        let schedule = format!("cron = \"{line}\"");
        let workspace = Workspace::with(&Template { schedule: &schedule, bots: &bots, ..Template::default() });
        let output = workspace.run(&[]).expect_code(78);
        let whole = format!("config.toml: schedule.cron: found \"{line}\": {words}");
        assert!(output.stderr.contains(&whole), "{}", output.stderr);
    }
}

/// When each bot was asked after the first slot, in the order of asking.
fn starts_with(spread: &str) -> Vec<(String, Instant)> {
    let bots = bots(["a", "b", "c"], "");
    let platform = SimulatedPlatform::well(&bots);
    let schedule = format!("cron = \"*/3 * * * * *\"\nspread = \"{spread}\"\nrun_on_start = false");
    let template = Template { platform_url: platform.url(), schedule: &schedule, bots: &bots, ..Template::default() };
    let workspace = Workspace::with(&template);
    let daemon = Daemon::start(&workspace);
    daemon.wait_for_log("tick finished", 1);
    daemon.end();
    let first = platform.asked().into_iter().take(3);
    first.map(|asked| (asked.bot_id().to_owned(), asked.at)).collect()
}

#[test]
fn bots_start_apart_always_by_the_same_time_or_together() {
    let all = std::thread::scope(|scope| {
        let runs = ["2s", "2s", "0s"].map(|spread| scope.spawn(move || starts_with(spread)));
        runs.map(|run| run.join().unwrap())
    });
    let [first, second, together] = &all;
    let names = |starts: &[(String, Instant)]| starts.iter().map(|start| start.0.clone()).collect::<Vec<_>>();
    assert_eq!(names(first), names(second), "always in the same order");
    let span = |starts: &[(String, Instant)]| starts[2].1 - starts[0].1;
    let gaps = |starts: &[(String, Instant)]| [starts[1].1 - starts[0].1, starts[2].1 - starts[1].1];
    for (one, other) in gaps(first).into_iter().zip(gaps(second)) {
        assert!(one.abs_diff(other) < Duration::from_millis(400), "{:?} {:?}", gaps(first), gaps(second));
    }
    assert!(span(first) > span(together) && span(first) < Duration::from_secs(2), "{all:?}");
}
