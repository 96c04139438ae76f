//! Faults under a daemon that is well: before the database, before the platform, and both at random.

mod before_the_database;
mod before_the_platform;
mod runs;
mod late;
mod weather;

use std::thread;

use super::scene::{BOT, INTERVALS, Patience, Scene, ShownOnPanic, Shows};
use crate::support::daemon::Daemon;
use crate::support::toxiproxy::Proxy;
use crate::support::wait_for;

/// A fault, and what comes of it.
struct Fault {
    name: &'static str,
    inject: fn(&Proxy),
    comes: Comes,
}

/// What comes of a fault.
enum Comes {
    /// Nothing: the export goes on.
    Nothing,
    /// Every series fails for as long as it lasts.
    Failure {
        /// What the log and `/readyz` say.
        says: &'static [&'static str],
        /// Whether the figures reach the database all the same, which nobody knows.
        arrives: bool,
    },
}

/// The side on which a fault is.
struct Side {
    proxy: fn(&Scene) -> &Proxy,
    /// What to do about it.
    advice: &'static [&'static str],
    /// The metric that counts it, and a label.
    counts: (&'static str, &'static [&'static str]),
    /// Ticks to wait for that fail too, for it is said once.
    more_ticks: u64,
}

/// Each fault under a daemon of its own, side by side, for most of their time is spent on waiting between tries.
fn check(side: &Side, patience: Patience, faults: Vec<Fault>) {
    thread::scope(|scope| {
        for fault in &faults {
            let run = || weather_a_fault(side, patience, fault);
            thread::Builder::new().name(fault.name.to_owned()).spawn_scoped(scope, run).unwrap();
        }
    });
}

/// The platform revises all its figures while the fault lasts.
fn weather_a_fault(side: &Side, patience: Patience, fault: &Fault) {
    let scene = Scene::new(patience);
    let daemon = Daemon::start(&scene.workspace);
    let shown = ShownOnPanic(&daemon);
    daemon.wait_until_ready();
    daemon.wait_for_ticks(2);
    assert!(scene.holds(0));
    let before = daemon.size();

    let failed = || side.counts.1.iter().map(|label| daemon.sum(side.counts.0, label)).sum::<f64>();
    let failed_before = failed();
    (fault.inject)((side.proxy)(&scene));
    if matches!(fault.comes, Comes::Failure { .. }) {
        // What was under way when it began may end well.
        wait_for("failures", || (failed() >= failed_before + 3.0).then_some(()));
    }
    let revision = scene.platform.revise();
    match &fault.comes {
        Comes::Nothing => {
            scene.wait_until_it_holds(revision);
            daemon.wait_for_ticks(2);
            assert_eq!(daemon.failing(), [Some(0.0); 2]);
            assert!(daemon.errors().values().all(Vec::is_empty), "{}", daemon.log());
        }
        Comes::Failure { says, arrives } => {
            wait_for("all series to fail", || (daemon.failing() == [Some(1.0); 2]).then_some(()));
            daemon.wait_for_ticks(side.more_ticks);
            is_said_once(&daemon, &[says, side.advice].concat());
            match arrives {
                true => scene.wait_until_it_holds(revision),
                false => assert!(scene.holds(revision - 1), "nothing passes"),
            }
        }
    }
    assert_eq!(daemon.get("/healthz").status, 200);
    daemon.size().is_about(before, "while it lasts");

    (side.proxy)(&scene).heal();
    daemon.wait_until_ready();
    scene.wait_until_it_holds(revision);
    assert_eq!(daemon.failing(), [Some(0.0); 2]);
    let ends = if matches!(fault.comes, Comes::Nothing) { 0 } else { INTERVALS.len() };
    assert_eq!(daemon.logged("well again after").len(), ends, "{}", daemon.log());
    daemon.size().is_about(before, "afterwards");
    scene.keeps_secrets(&daemon.everything());
    drop(shown);
    daemon.end();
}

/// One line for each series, however many ticks failed; `/readyz` says the same.
#[track_caller]
fn is_said_once(daemon: &Daemon, words: &[&str]) {
    let log = daemon.log();
    for (interval, lines) in daemon.errors() {
        assert_eq!(lines.len(), 1, "{interval} in\n{log}");
        let bot = format!("bot=\"{BOT}\"");
        for word in words.iter().chain([&bot.as_str(), &"channel=\"all\"", &"days=2"]) {
            assert!(lines[0].contains(word), "{word:?} is missing: {}", lines[0]);
        }
    }
    let not_ready = daemon.not_ready();
    assert_eq!(not_ready.len(), INTERVALS.len(), "{not_ready:?}");
    for series in not_ready {
        assert!(series["bot"] == BOT && series["since"].is_string(), "{series}");
        let said = series["error"].as_str().unwrap().to_owned() + series["advice"].as_str().unwrap();
        assert!(words.iter().all(|word| said.contains(word)), "{words:?}: {series}");
    }
}
