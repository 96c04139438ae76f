//! What the machine and the network do to a daemon that runs: its database goes away and comes back, names lead nowhere
//! and then elsewhere, disks fill up. While it lasts the person on call can see what is wrong; once it is over
//! everything is in place, and nobody had to help.

mod database;
mod names;
mod runs;
mod state_folder;

use std::collections::BTreeMap;

use jiff::civil::Date;
use kore_trend_exporter::domain::series::{Interval, Window};
use serde_json::{Value, json};

use crate::support::daemon::Daemon;
use crate::support::influxdb::StoredPoint;
use crate::support::platform::{day, held};
use crate::support::wait_for;
use crate::support::workspace::Workspace;

/// Leaves behind what a daemon would know of these bots: confirmed through this day.
fn remember(workspace: &Workspace, bots: &[&str], through: Date) {
    workspace.write("state/watermarks.json", &watermarks(bots, through));
}

/// The state of these bots, confirmed through this day.
fn watermarks(bots: &[&str], through: Date) -> String {
    let progress = |bot: &&str| {
        json!({
            "bot": bot, "bot_id": format!("st-{bot}"), "channel": "all", "interval": "hourly",
            "since": through, "through": through,
        })
    };
    let series: Vec<Value> = bots.iter().map(progress).collect();
    json!({ "version": 1, "series": series }).to_string()
}

fn failing(bot: &str) -> String {
    format!("kore_trend_series_failing{{bot=\"{bot}\",channel=\"all\",interval=\"hourly\"}}")
}

/// Waits until these bots, and no others, are said to fail by everything that says so, with all of these words; the
/// daemon as such is well.
#[track_caller]
fn wait_for_outage(daemon: &Daemon, bots: &[&str], words: &[&str]) {
    for bot in bots {
        daemon.wait_for_value(&failing(bot), 1.0);
    }
    let ready = daemon.get("/readyz");
    let told: Vec<Value> = serde_json::from_str(&ready.body).unwrap();
    let names: Vec<&str> = told.iter().map(|series| series["bot"].as_str().unwrap()).collect();
    assert_eq!((ready.status, names), (503, bots.to_vec()), "{told:?}");
    assert_eq!(daemon.get("/healthz").status, 200, "the daemon itself is well");
    let page = daemon.get("/").body;
    for (bot, told) in bots.iter().zip(told) {
        // The metrics follow each series at once; the lines come when the tick is over.
        let says_all = |line: &String| words.iter().all(|word| line.contains(word));
        wait_for(&format!("a line with {words:?} of {bot} in\n{}", daemon.log()), || {
            errors_of(daemon, bot).last().is_some_and(says_all).then_some(())
        });
        let told = format!("{}; {}", told["error"].as_str().unwrap(), told["advice"].as_str().unwrap());
        assert!(words.iter().all(|word| told.contains(word)), "no {words:?} in {told}");
        assert!(page.contains(bot) && page.contains("failing"), "{page}");
    }
}

/// The lines by which the log tells that a bot fails: its own, or those of a service that is away for all.
fn errors_of(daemon: &Daemon, bot: &str) -> Vec<String> {
    let lines = daemon.logged("ERROR").into_iter();
    lines.filter(|line| line.contains(&format!("bot=\"{bot}\"")) || line.contains("series failed")).collect()
}

/// Waits until everything is well again, and checks that each of these bots told its failure in one line, and the end
/// of it in another.
#[track_caller]
fn wait_for_recovery(daemon: &Daemon, bots: &[&str], outages: usize) {
    wait_for(&format!("/readyz to be ready\n{}", daemon.log()), || (daemon.get("/readyz").status == 200).then_some(()));
    for bot in bots {
        assert_eq!(daemon.value(&failing(bot)), Some(0.0));
        let lasting = |line: &&String| line.contains("still failing");
        let errors = errors_of(daemon, bot);
        assert_eq!(errors.iter().filter(|line| !lasting(line)).count(), outages, "{}", daemon.log());
        let of_bot = |line: &String| line.contains("recovered after") && line.contains(&format!("bot=\"{bot}\""));
        let is_end = |line: &String| of_bot(line) || line.contains("is available again after");
        let ends = || daemon.logged(" after ").iter().filter(|line| is_end(line)).count();
        wait_for(&format!("{outages} lines that {bot} is well again"), || (ends() >= outages).then_some(()));
        assert_eq!(ends(), outages, "{}", daemon.log());
    }
}

/// Checks that a database holds every figure of a bot from this day through yesterday, as the platform has it.
#[track_caller]
fn check_stored(points: &[StoredPoint], bot: &str, first: i64) {
    check_confirmed(points, bot, first, -1);
}

/// The same through another day.
#[track_caller]
fn check_confirmed(points: &[StoredPoint], bot: &str, first: i64, last: i64) {
    let of_bot = points.iter().filter(|(_, tags, ..)| tags.get("bot").is_some_and(|name| name == bot));
    let stored: BTreeMap<i64, i64> = of_bot.map(|(.., time, users)| (*time, *users)).collect();
    let window = Window { first: day(first), last: day(last) };
    let held = held(&format!("st-{bot}"), "all", Interval::Hourly, window);
    assert!(held.len() >= 20 * usize::try_from(1 + last - first).unwrap(), "the platform has next to nothing");
    let missing: Vec<_> = held.iter().filter(|(time, users)| stored.get(time) != Some(users)).collect();
    assert!(
        missing.is_empty(),
        "{} of {} figures of {bot} are missing or wrong: {missing:?}",
        missing.len(),
        held.len()
    );
}

/// Checks that nothing that the daemon says or writes holds one of these secrets.
#[track_caller]
fn check_secrets(daemon: &Daemon, workspace: &Workspace, secrets: &[&str]) {
    let pages = ["/", "/metrics", "/readyz"].map(|path| daemon.get(path).body).concat();
    let files = std::fs::read_dir(workspace.path("state")).unwrap().map(|file| file.unwrap().path());
    let files: String = files.map(|path| String::from_utf8_lossy(&std::fs::read(path).unwrap()).into_owned()).collect();
    let everything = pages + &files + &daemon.log();
    for secret in secrets {
        assert!(!secret.is_empty() && !everything.contains(secret), "{secret} is shown");
    }
}
