//! A write that the network keeps and delivers after a newer one. No protocol of InfluxDB's could refuse it; the next tick
//! puts right what it did, for the first tick writes all of the live days.

use crate::faults::needs_toxiproxy::scene::{Patience, Scene};
use crate::faults::needs_toxiproxy::shows::Shows;
use crate::support::daemon::Daemon;
use crate::support::toxiproxy::{Proxy, Toxic, Way};
use crate::support::wait_for;

#[test]
#[ignore = "needs the servers that tests/run brings"]
fn a_write_that_arrives_after_a_newer_one_is_put_right_by_the_next_tick() {
    let scene = Scene::new(Patience::Short);
    let late = &scene.to_database;
    let daemon = Daemon::start(&scene.workspace);
    daemon.wait_until_ready();
    let older = scene.platform.revise();
    scene.wait_until_it_holds(older);
    late.add(Way::There, Toxic::Latency { latency: 3_600_000, jitter: 0 });
    let failures = || daemon.sum("kore_trend_writes_total", "result=\"failure\"");
    // The first of them may have begun before.
    let enough = failures() + 2.0;
    // Of what does not change nothing is written.
    scene.platform.revise();
    wait_for("a write without an answer", || (failures() >= enough).then_some(()));
    drop(daemon);

    let newer = scene.platform.revise();
    let direct = Proxy::to(scene.database.url());
    scene.configure(&direct, Patience::Long, "");
    let daemon = Daemon::start(&scene.workspace);
    daemon.wait_until_ready();
    assert!(scene.holds(newer));
    drop(daemon);

    late.heal();
    wait_for("the older write to arrive", || (!scene.holds(newer)).then_some(()));
    let daemon = Daemon::start(&scene.workspace);
    daemon.wait_until_ready();
    assert!(scene.holds(newer));
    daemon.end();
}
