//! One fault under a daemon that is well: what is seen while it lasts, and that nothing of it is left.

use std::thread;

use super::scene::{BOT, INTERVALS, Scene};
use super::shows::{ShownOnPanic, Shows};
use crate::support::daemon::{Daemon, lines_with};
use crate::support::toxiproxy::Proxy;
use crate::support::wait_for;

/// A fault, and what comes of it.
pub(super) struct Fault {
    pub(super) name: &'static str,
    pub(super) inject: fn(&Proxy),
    pub(super) comes: Comes,
}

/// What comes of a fault.
pub(super) enum Comes {
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
pub(super) struct Side {
    pub(super) proxy: fn(&Scene) -> &Proxy,
    /// The metric that counts its failures, and its labels for those of the network.
    pub(super) counts: (&'static str, &'static [&'static str]),
    /// Ticks to wait for that fail too, for it is said once.
    pub(super) more_ticks: u64,
}

/// Each fault in a scene of its own, side by side, for most of their time is spent on waiting between tries.
pub(super) fn check(side: &Side, scene: fn() -> Scene, faults: Vec<Fault>) {
    thread::scope(|scope| {
        for fault in &faults {
            let run = || weather_a_fault(side, &scene(), fault);
            thread::Builder::new().name(fault.name.to_owned()).spawn_scoped(scope, run).unwrap();
        }
    });
}

/// The platform revises all its figures while the fault lasts.
fn weather_a_fault(side: &Side, scene: &Scene, fault: &Fault) {
    let daemon = Daemon::start(&scene.workspace);
    let shown = ShownOnPanic(&daemon);
    daemon.wait_for_ticks(1);
    daemon.wait_until_ready();
    assert!(scene.holds(0));
    let (before, well) = (daemon.size(), daemon.log().len());

    let failed = || side.counts.1.iter().map(|label| daemon.sum(side.counts.0, label)).sum::<f64>();
    let failed_before = failed();
    (fault.inject)((side.proxy)(scene));
    // The database is written to only where there is something new.
    let only_news = side.counts.0 == "kore_trend_writes_total";
    let revised = only_news.then(|| scene.platform.revise());
    if matches!(fault.comes, Comes::Failure { .. }) {
        // What was under way when it began may end well.
        wait_for("failures", || (failed() >= failed_before + 3.0).then_some(()));
    }
    let revision = revised.unwrap_or_else(|| scene.platform.revise());
    match &fault.comes {
        Comes::Nothing => {
            scene.wait_until_it_holds(revision);
            assert_eq!(daemon.failing(), [Some(0.0); 2]);
            assert!(daemon.errors_after(well).values().all(Vec::is_empty), "{}", daemon.log());
        }
        Comes::Failure { says, arrives } => {
            wait_for("all series to fail", || (daemon.failing() == [Some(1.0); 2]).then_some(()));
            daemon.wait_for_ticks(side.more_ticks);
            is_said_once(&daemon, well, says);
            eprintln!("{}: {}", fault.name, daemon.not_ready()[0]["error"]);
            match arrives {
                true => scene.wait_until_it_holds(revision),
                false => assert!(scene.holds(revision - 1), "nothing passes"),
            }
        }
    }
    assert_eq!(daemon.get("/healthz").status, 200);
    daemon.size().is_about(before, "while it lasts");

    (side.proxy)(scene).heal();
    daemon.wait_until_ready();
    scene.wait_until_it_holds(revision);
    assert_eq!(daemon.failing(), [Some(0.0); 2]);
    let ends = if matches!(fault.comes, Comes::Nothing) { 0 } else { INTERVALS.len() };
    let over = |words| lines_with(&daemon.log()[well..], words).len();
    let ended = || over("recovered after") + INTERVALS.len() * over("is available again after");
    wait_for("the end of each failure, or of all", || (ended() >= ends).then_some(()));
    assert_eq!(ended(), ends, "each or both: {}", daemon.log());
    daemon.size().is_about(before, "afterwards");
    scene.keeps_secrets(&daemon.everything());
    drop(shown);
    daemon.end();
}

/// One line for each series after so many bytes of the log, however many ticks failed; `/readyz` says the same.
#[track_caller]
fn is_said_once(daemon: &Daemon, well: usize, words: &[&str]) {
    // The metrics follow each series at once; the lines come when the tick is over.
    let errors = wait_for("each series' line", || {
        Some(daemon.errors_after(well)).filter(|errors| errors.values().all(|lines| !lines.is_empty()))
    });
    let log = daemon.log();
    for (interval, lines) in errors {
        assert_eq!(lines.len(), 1, "{interval} in\n{log}");
        let bot = format!("bot=\"{BOT}\"");
        let of_one = [bot.as_str(), "channel=\"all\"", "days=2"];
        let of_all = ["2 series failed", "next try at 2", ""];
        let also = if lines[0].contains("series failed") { of_all } else { of_one };
        for word in words.iter().chain(&also) {
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
