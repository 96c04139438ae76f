//! Both sides under faults as the dice fall, one after the other and together, while the platform revises its figures.
//! When the weather clears, nothing is missing and nothing has grown.
//!
//! `tests/faults SECONDS [SEED]` is the long form; what it went through is printed.

use std::time::{Duration, Instant};

use kore_trend_exporter::domain::series::stable_hash;

use crate::faults::needs_toxiproxy::scene::{INTERVALS, Patience, Scene};
use crate::faults::needs_toxiproxy::shows::{ShownOnPanic, Shows};
use crate::support::daemon::Daemon;
use crate::support::toxiproxy::{Proxy, Toxic, Way};
use crate::support::wait_for;

#[test]
#[ignore = "needs the servers that tests/run brings"]
fn after_any_weather_the_database_holds_what_the_platform_holds() {
    let variable = |name| std::env::var(name).ok().and_then(|value| value.parse::<u64>().ok());
    let seconds = variable("KORE_TREND_FAULTS_SECONDS").unwrap_or(6);
    let seed = variable("KORE_TREND_FAULTS_SEED").unwrap_or(1);
    let dice = |what: &str, number: u64| stable_hash(&format!("{seed} {what} {number}"));

    let scene = Scene::new(Patience::Short);
    let daemon = Daemon::start(&scene.workspace);
    let shown = ShownOnPanic(&daemon);
    daemon.wait_until_ready();
    daemon.wait_for_ticks(2);
    let before = daemon.size();
    let (mut revision, mut faults, mut clear) = (0, 0, 0);
    let until = Instant::now() + Duration::from_secs(seconds);
    while Instant::now() < until {
        for (side, proxy) in [("platform", &scene.to_platform), ("database", &scene.to_database)] {
            match dice(side, faults) % 5 {
                // As it is.
                0 | 1 => {}
                2 => {
                    proxy.renew();
                    clear += 1;
                }
                _ => {
                    proxy.renew();
                    for fault in 0..1 + dice("faults", faults) % 2 {
                        worsen(proxy, |what| dice(&format!("{side} {fault} {what}"), faults));
                    }
                }
            }
        }
        faults += 1;
        revision = scene.platform.revise();
        daemon.size().is_about(before, "in the weather");
        assert_eq!(daemon.get("/healthz").status, 200);
        let longest = [200, 1000, 3000, 12_000][dice("longest", faults) as usize % 4];
        let lasts = Instant::now() + Duration::from_millis(dice("lasts", faults) % longest);
        wait_for("the next change", || (Instant::now() >= lasts.min(until)).then_some(()));
    }
    scene.to_platform.renew();
    scene.to_database.renew();
    daemon.wait_until_ready();
    scene.wait_until_it_holds(revision);
    daemon.wait_until_ready();
    daemon.size().is_about(before, "afterwards");
    println!(
        "seed {seed}: {faults} changes of the weather, {clear} for the better; {} ticks, {} requests, {} failed writes, \
         {} lines of errors; before {before:?}, in the end {:?}",
        daemon.ticks(),
        scene.platform.platform.asked().len(),
        daemon.sum("kore_trend_writes_total", "result=\"failure\""),
        daemon.logged("ERROR").len(),
        daemon.size()
    );
    let outages = daemon.logged("recovered after").len() + daemon.logged("is available again after").len();
    let kinds = 6;
    assert!(daemon.logged("ERROR").len() <= (outages + INTERVALS.len()) * kinds, "{}", daemon.log());
    scene.keeps_secrets(&daemon.everything());
    drop(shown);
    daemon.end();
}

/// Adds one fault, to all connections or to some.
fn worsen(proxy: &Proxy, dice: impl Fn(&str) -> u64) {
    let way = if dice("way").is_multiple_of(2) { Way::There } else { Way::Back };
    let toxic = match dice("kind") % 9 {
        0 => return proxy.shut(),
        1 => Toxic::Latency { latency: dice("latency") % 2000, jitter: dice("jitter") % 500 },
        2 => Toxic::Bandwidth { rate: dice("rate") % 4 },
        3 => Toxic::Timeout { timeout: 0 },
        4 => Toxic::Timeout { timeout: 1 + dice("timeout") % 2000 },
        5 => Toxic::ResetPeer,
        6 => Toxic::LimitData { bytes: dice("bytes") % 2000 },
        7 => Toxic::SlowClose { delay: dice("delay") % 10_000 },
        _ => Toxic::Slicer { size: 1 + dice("size") % 100, pause: dice("pause") % 20_000 },
    };
    let part = if dice("part").is_multiple_of(2) { 1.0 } else { 0.5 };
    proxy.add_to_some(part, way, toxic);
}
