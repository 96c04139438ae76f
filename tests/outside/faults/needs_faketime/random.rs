//! A clock that is set at random, by anything from a second to a year, while the daemon runs, is stopped or is killed.
//!
//! `tests/clock SECONDS [SEED]` is the long form, in which the limits are reached as well; what it measured is printed.

use std::thread::sleep;
use std::time::{Duration, Instant};

use jiff::SignedDuration;
use kore_trend_exporter::domain::series::{Interval, Window, stable_hash};

use super::Scene;
use crate::support::daemon::EVERY_SECOND;
use crate::support::platform::{day, held_lines};
use crate::support::workspace::{Template, bots};

const NAMES: [&str; 2] = ["one", "two"];

/// By how many seconds the clock is to be off: as likely by some as by some thousands or millions of them.
fn offset(dice: u64) -> SignedDuration {
    let size = 10_f64.powf((dice / 4 % 1000) as f64 / 1000.0 * 7.5) as i64;
    match dice % 4 {
        0 => SignedDuration::ZERO,
        1 => SignedDuration::from_secs(-size),
        _ => SignedDuration::from_secs(size),
    }
}

#[test]
#[ignore = "needs the servers that tests/run brings"]
fn a_clock_that_is_set_at_random_falsifies_nothing() {
    let variable = |name| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let long = variable("KORE_TREND_CLOCK_SECONDS");
    let (seconds, seed) = (long.unwrap_or(5), variable("KORE_TREND_CLOCK_SEED").unwrap_or(1));
    let dice = |what: &str, round: u64| stable_hash(&format!("{seed} {what} {round}"));
    let per_minute: usize = if long.is_some() { 60 } else { 100_000 };
    let platform = format!("per_minute = {per_minute}\nper_hour = 1000000");
    let all = bots(NAMES, "channels = [\"all\", \"rtm\"]\nintervals = [\"hourly\", \"daily\"]");
    let template = Template { platform: &platform, schedule: EVERY_SECOND, ..Template::default() };
    let scene = Scene::new(&all, dice("strict", 0) % 2 == 0, template);

    let (today, started) = (day(0), Instant::now());
    let mut daemon = scene.daemon(Some(2));
    let (mut steps, mut stops, mut kills) = (0, 0, 0);
    for round in 0.. {
        if started.elapsed() > Duration::from_secs(seconds) {
            break;
        }
        steps += 1;
        match dice("what", round) % 10 {
            0 => {
                kills += 1;
                drop(daemon);
                scene.clock.set(offset(dice("offset", round)));
                daemon = scene.daemon(Some(2));
            }
            1..3 => {
                stops += 1;
                daemon.signal("STOP");
                scene.clock.set(offset(dice("offset", round)));
                daemon.signal("CONT");
            }
            _ => scene.clock.set(offset(dice("offset", round))),
        }
        // Nothing is waited for: this is how long the clock stays so.
        sleep(Duration::from_millis(dice("pause", round) % 1500));
        assert_eq!(daemon.get("/healthz").status, 200);
    }
    scene.clock.correct();
    // Longer than the limits may hold two ticks back.
    let (ticks, patience) = (daemon.ticks(), Instant::now() + Duration::from_secs(300));
    while daemon.ticks() < ticks + 2 || daemon.get("/readyz").status != 200 {
        assert!(Instant::now() < patience, "not ready under the right clock:\n{}", daemon.log());
        sleep(Duration::from_millis(20));
    }
    let cpu = daemon.value("process_cpu_seconds_total").unwrap();
    daemon.end();

    let mut most = 0;
    for bot in NAMES {
        let asked = scene.platform.asked_of(bot);
        for (number, first) in asked.iter().enumerate() {
            let within = asked[number..].partition_point(|asked| asked.at < first.at + Duration::from_secs(60));
            most = most.max(within);
        }
    }
    eprintln!(
        "seed {seed}, {:.0?}: {steps} steps, {stops} of them while it was stopped, {kills} while it was dead; {} requests, \
         {most} in the fullest minute of a bot; {cpu} s of CPU since the last start",
        started.elapsed(),
        scene.platform.asked().len()
    );
    assert!(most <= per_minute);
    for bot in NAMES {
        for channel in ["all", "rtm"] {
            let lines = [Interval::Hourly, Interval::Daily].map(|interval| held_lines(bot, channel, interval, -7));
            scene.check(&lines.concat());
        }
    }
    if day(0) == today {
        assert_eq!(scene.watermarks(), vec![day(-1).to_string(); 8]);
        let last = scene.platform.asked().last().unwrap().window();
        assert_eq!(last, Some(Window { first: day(-2), last: today }), "nothing more is owed");
    }
}
