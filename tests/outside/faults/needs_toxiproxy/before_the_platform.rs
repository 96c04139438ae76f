//! Faults between the exporter and the platform.

use crate::faults::needs_toxiproxy::fault::{Comes, Fault, Side, check};
use crate::faults::needs_toxiproxy::scene::{Patience, Scene, Store};
use crate::support::fake_influxdb::FakeInfluxDb;
use crate::support::toxiproxy::{Proxy, Toxic, Way};

const SIDE: Side = Side {
    proxy: |scene| &scene.to_platform,
    counts: ("kore_trend_requests_total", &["status=\"unreachable\"", "status=\"timeout\""]),
    // A platform that fails is tried five times in every tick, which takes too long for more than one.
    more_ticks: 0,
};

fn scene(patience: Patience) -> Scene {
    Scene::with(Store::Simulated(FakeInfluxDb::accepting()), patience, "")
}

const UNREACHABLE: &[&str] = &["cannot reach the platform", "check platform.url, DNS, the network and the proxy"];
const BROKEN_OFF: &[&str] = &["cannot reach the platform: connection lost after", "of the answer"];
const SILENT: &[&str] =
    &["the platform did not answer within 500ms", "check the network and the proxy", "raise platform.timeout"];

const AN_HOUR: u64 = 3_600_000;

fn harmless(name: &'static str, inject: fn(&Proxy)) -> Fault {
    Fault { name, inject, comes: Comes::Nothing }
}

fn failing(name: &'static str, says: &'static [&'static str], inject: fn(&Proxy)) -> Fault {
    Fault { name, inject, comes: Comes::Failure { says, arrives: false } }
}

#[test]
#[ignore = "needs the servers that tests/run brings"]
fn a_slow_way_is_no_failure() {
    let faults = vec![
        harmless("late by 50 ms, more or less", |proxy| {
            proxy.add(Way::There, Toxic::Latency { latency: 50, jitter: 50 });
            proxy.add(Way::Back, Toxic::Latency { latency: 50, jitter: 50 });
        }),
        harmless("in pieces of a few bytes", |proxy| {
            proxy.add(Way::There, Toxic::Slicer { size: 20, pause: 1 });
            proxy.add(Way::Back, Toxic::Slicer { size: 20, pause: 1 });
        }),
        harmless("ends late", |proxy| proxy.add(Way::Back, Toxic::SlowClose { delay: AN_HOUR })),
    ];
    check(&SIDE, || scene(Patience::Long), faults);
}

#[test]
#[ignore = "needs the servers that tests/run brings"]
fn a_broken_way_is_said_once_and_made_up_for() {
    let faults = vec![
        failing("shut", UNREACHABLE, Proxy::shut),
        failing("reset by the request", UNREACHABLE, |proxy| proxy.add(Way::There, Toxic::ResetPeer)),
        failing("reset by the answer", UNREACHABLE, |proxy| proxy.add(Way::Back, Toxic::ResetPeer)),
        failing("cut in the request", UNREACHABLE, |proxy| proxy.add(Way::There, Toxic::LimitData { bytes: 100 })),
        failing("cut in the head of the answer", UNREACHABLE, |proxy| {
            proxy.add(Way::Back, Toxic::LimitData { bytes: 30 })
        }),
        failing("cut in the body of the answer", BROKEN_OFF, |proxy| {
            proxy.add(Way::Back, Toxic::LimitData { bytes: 150 })
        }),
        failing("closed instead of an answer", UNREACHABLE, |proxy| {
            proxy.add(Way::Back, Toxic::Timeout { timeout: 100 })
        }),
    ];
    check(&SIDE, || scene(Patience::Long), faults);
}

#[test]
#[ignore = "needs the servers that tests/run brings"]
fn a_silent_way_is_said_once_and_made_up_for() {
    let faults = vec![
        failing("half open there", SILENT, |proxy| proxy.add(Way::There, Toxic::Timeout { timeout: 0 })),
        failing("half open back", SILENT, |proxy| proxy.add(Way::Back, Toxic::Timeout { timeout: 0 })),
        failing("stalled", SILENT, |proxy| proxy.add(Way::Back, Toxic::Bandwidth { rate: 0 })),
        // The head of the answer comes in time, then each byte, but not the answer.
        failing("by drips", SILENT, |proxy| proxy.add(Way::Back, Toxic::Slicer { size: 1, pause: 5_000 })),
        failing("cut in the answer and left open", SILENT, |proxy| {
            proxy.add(Way::Back, Toxic::LimitData { bytes: 100 });
            proxy.add(Way::Back, Toxic::SlowClose { delay: AN_HOUR });
        }),
    ];
    check(&SIDE, || scene(Patience::Short), faults);
}
