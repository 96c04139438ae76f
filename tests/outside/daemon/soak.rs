//! A long life in a short time: many schedules with a slot every second, faults on both sides, reloads right and wrong.
//! Nothing grows, and in the end nothing is missing.
//!
//! `tests/soak SECONDS [SEED]` is the long form; what it measured is printed.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use kore_trend_exporter::domain::series::{Interval, stable_hash};

use crate::support::daemon::Daemon;
use crate::support::fake_influxdb::FakeInfluxDb;
use crate::support::platform::{SimulatedPlatform, day, held_lines};
use crate::support::server::Reply;
use crate::support::wait_for;
use crate::support::workspace::{Template, Workspace, bots};

const BOTS: usize = 12;
const CHANNELS: [&str; 3] = ["all", "rtm", "ivr"];

#[test]
fn nothing_grows_and_nothing_is_missing() {
    let seconds = variable("KORE_TREND_SOAK_SECONDS").unwrap_or(12);
    let seed = variable("KORE_TREND_SOAK_SEED").unwrap_or(1);
    let dice = move |what: &str, number: u64| stable_hash(&format!("{seed} {what} {number}"));
    let faulty = Arc::new(AtomicBool::new(true));

    let names: Vec<String> = (0..BOTS).map(|number| format!("bot-{number}")).collect();
    let all_bots = bots(names.iter().map(String::as_str), "");
    let trouble = Arc::clone(&faulty);
    let platform = SimulatedPlatform::start(&all_bots, move |_, number| {
        let fault = dice("platform", number as u64) % 100;
        match fault {
            _ if !trouble.load(Ordering::Relaxed) => None,
            0..3 => Some(Reply::errors(503, 503, "Service Unavailable")),
            3..6 => Some(Reply::errors(429, 429, "API rate limit exceeded").header("retry-after", 1)),
            6..9 => Some(Reply::own().cut_off()),
            9..12 => Some(Reply::hang_up()),
            12..15 => Some(Reply::errors(200, 500, "Internal Server Error")),
            15..18 => Some(Reply::own().late(Duration::from_millis(300))),
            _ => None,
        }
    });
    let trouble = Arc::clone(&faulty);
    let database = FakeInfluxDb::start(move |_, number| match dice("database", number as u64) % 100 {
        _ if !trouble.load(Ordering::Relaxed) => Reply::stored(),
        0..4 => Reply::refused(503, "unavailable", "try again later"),
        4..8 => Reply::hang_up(),
        8..10 => Reply::refused(401, "unauthorized", "unauthorized access"),
        10..12 => Reply::stored().late(Duration::from_millis(300)),
        _ => Reply::stored(),
    });
    let workspace = Workspace::new();
    let configure = |bots: &str| {
        workspace.configure(&Template {
            platform_url: platform.url(),
            platform: "per_minute = 100000\nper_hour = 1000000",
            schedule: "spread = \"500ms\"",
            sink: &database.config(),
            bots,
            listen: "127.0.0.1:0",
            ..Template::default()
        });
    };
    configure(&chosen(|_, _| true));
    let daemon = Daemon::start(&workspace);

    // Compared is what is alike: all bots, no faults.
    let at_rest = || {
        faulty.store(false, Ordering::Relaxed);
        configure(&chosen(|_, _| true));
        assert!(daemon.reload());
        daemon.wait_until_ready();
        let size = Size::of(&daemon);
        faulty.store(true, Ordering::Relaxed);
        size
    };

    let started = Instant::now();
    let mut half = None;
    for round in 0.. {
        let elapsed = started.elapsed().as_secs();
        if elapsed >= seconds {
            break;
        }
        if elapsed >= seconds / 2 && half.is_none() {
            half = Some(at_rest());
        }
        match dice("reload", round) % 4 {
            0 => workspace.write("config.toml", "[bots.wrong]\n"),
            _ => configure(&chosen(|bot, channel| bot == 0 || dice(channel, round * 100 + bot) % 10 < 7)),
        }
        daemon.reload();
        daemon.wait_for_ticks(1 + dice("ticks", round) % 20);
        assert_eq!(daemon.get("/healthz").status, 200);
        assert!(daemon.get("/").body.len() < 60 << 10);
    }

    let (half, mut end) = (half.unwrap(), at_rest());
    faulty.store(false, Ordering::Relaxed);
    println!("{} ticks, {} requests, {} writes", daemon.ticks(), platform.asked().len(), database.requests().len());
    println!("after half of the time: {half:?}\nin the end: {end:?}");
    // In the middle of a tick there is more of everything; what has leaked stays.
    wait_for("as little as after half of the time", || {
        end = Size::of(&daemon);
        let counted = [(half.files, end.files), (half.threads, end.threads), (half.tasks, end.tasks)];
        counted.iter().all(|(before, after)| *after <= before + 12).then_some(())
    });
    let held: Vec<String> = names
        .iter()
        .flat_map(|bot| CHANNELS.map(|channel| held_lines(bot, channel, Interval::Hourly, -7)))
        .flatten()
        .collect();
    wait_for("everything that the platform holds", || {
        let stored: BTreeSet<String> = database.stored().into_iter().collect();
        held.iter().all(|line| stored.contains(line)).then_some(())
    });
    wait_for("watermarks that say so", || {
        let state: serde_json::Value = serde_json::from_str(&workspace.read("state/watermarks.json")).unwrap();
        let mut series = state["series"].as_array().unwrap().iter();
        series.all(|series| series["through"] == day(-1).to_string()).then_some(())
    });
    assert!(end.memory_kib < half.memory_kib * 115 / 100 + 2048, "{half:?} {end:?}");
    daemon.end();
}

/// The sections of the bots and channels that are chosen, each bot with a cron line of its own for every second.
fn chosen(wanted: impl Fn(u64, &str) -> bool) -> String {
    let bot = |number: u64| {
        let channels: Vec<&str> = CHANNELS.into_iter().filter(|channel| wanted(number, channel)).collect();
        let cron = format!("0-{number},{}-59 * * * * *", number + 1);
        let lines = format!("channels = {channels:?}\ncron = \"{cron}\"");
        (!channels.is_empty()).then(|| bots([format!("bot-{number}").as_str()], &lines))
    };
    (0..BOTS as u64).filter_map(bot).collect()
}

fn variable(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// What must not grow: the least of a few looks, for some of it comes and goes.
#[derive(Debug)]
struct Size {
    memory_kib: u64,
    files: u64,
    threads: u64,
    tasks: u64,
}

impl Size {
    fn of(daemon: &Daemon) -> Size {
        let looks: Vec<[u64; 4]> = (0..10)
            .map(|_| {
                let sample = |name| daemon.value(name).unwrap() as u64;
                let memory = sample("process_resident_memory_bytes") / 1024;
                [memory, sample("process_open_fds"), sample("process_threads"), sample("kore_trend_tasks")]
            })
            .collect();
        let [memory_kib, files, threads, tasks] =
            [0, 1, 2, 3].map(|which| looks.iter().map(|look| look[which]).min().unwrap());
        Size { memory_kib, files, threads, tasks }
    }
}
