//! Faults between the exporter and InfluxDB.

use crate::faults::needs_toxiproxy::fault::{Comes, Fault, Side, check};
use crate::faults::needs_toxiproxy::scene::{Patience, Scene};
use crate::support::toxiproxy::{Proxy, Toxic, Way};

const SIDE: Side = Side {
    proxy: |scene| &scene.to_database,
    counts: ("kore_trend_writes_total", &["result=\"failure\""]),
    // A database that is away is tried once a tick.
    more_ticks: 2,
};

const UNREACHABLE: &[&str] =
    &["cannot reach the database", "check influxdb.url, DNS, the network, and that the database is running"];
const SILENT: &[&str] = &["the database did not answer within 1s", "check the network and the database's load"];

const AN_HOUR: u64 = 3_600_000;

fn harmless(name: &'static str, inject: fn(&Proxy)) -> Fault {
    Fault { name, inject, comes: Comes::Nothing }
}

/// A fault by which nothing gets there.
fn lost(name: &'static str, says: &'static [&'static str], inject: fn(&Proxy)) -> Fault {
    Fault { name, inject, comes: Comes::Failure { says, arrives: false } }
}

/// A fault by which the database stores what it never confirms.
fn unconfirmed(name: &'static str, says: &'static [&'static str], inject: fn(&Proxy)) -> Fault {
    Fault { name, inject, comes: Comes::Failure { says, arrives: true } }
}

#[test]
#[ignore = "needs the servers that tests/run brings"]
fn a_slow_way_is_no_failure() {
    let faults = vec![
        harmless("late by 100 ms, more or less", |proxy| {
            proxy.add(Way::There, Toxic::Latency { latency: 100, jitter: 100 });
            proxy.add(Way::Back, Toxic::Latency { latency: 100, jitter: 100 });
        }),
        harmless("narrow", |proxy| proxy.add(Way::There, Toxic::Bandwidth { rate: 8 })),
        harmless("in pieces of a few bytes", |proxy| {
            proxy.add(Way::There, Toxic::Slicer { size: 20, pause: 1 });
            proxy.add(Way::Back, Toxic::Slicer { size: 20, pause: 1 });
        }),
        harmless("ends late", |proxy| proxy.add(Way::Back, Toxic::SlowClose { delay: AN_HOUR })),
    ];
    check(&SIDE, || Scene::new(Patience::Long), faults);
}

#[test]
#[ignore = "needs the servers that tests/run brings"]
fn a_broken_way_is_said_once_and_made_up_for() {
    let faults = vec![
        lost("shut", UNREACHABLE, Proxy::shut),
        lost("reset by the request", UNREACHABLE, |proxy| proxy.add(Way::There, Toxic::ResetPeer)),
        unconfirmed("reset by the answer", UNREACHABLE, |proxy| proxy.add(Way::Back, Toxic::ResetPeer)),
        lost("cut in the head of the request", UNREACHABLE, |proxy| {
            proxy.add(Way::There, Toxic::LimitData { bytes: 100 })
        }),
        lost("cut in the body of the request", UNREACHABLE, |proxy| {
            proxy.add(Way::There, Toxic::LimitData { bytes: 400 })
        }),
        unconfirmed("cut before the answer", UNREACHABLE, |proxy| proxy.add(Way::Back, Toxic::LimitData { bytes: 0 })),
        unconfirmed("cut in the answer", UNREACHABLE, |proxy| proxy.add(Way::Back, Toxic::LimitData { bytes: 30 })),
        unconfirmed("closed instead of an answer", UNREACHABLE, |proxy| {
            proxy.add(Way::Back, Toxic::Timeout { timeout: 200 })
        }),
    ];
    check(&SIDE, || Scene::new(Patience::Long), faults);
}

#[test]
#[ignore = "needs the servers that tests/run brings"]
fn a_silent_way_is_said_once_and_made_up_for() {
    let faults = vec![
        lost("half open there", SILENT, |proxy| proxy.add(Way::There, Toxic::Timeout { timeout: 0 })),
        unconfirmed("half open back", SILENT, |proxy| proxy.add(Way::Back, Toxic::Timeout { timeout: 0 })),
        lost("stalled", SILENT, |proxy| proxy.add(Way::There, Toxic::Bandwidth { rate: 0 })),
        unconfirmed("later than the time-out", SILENT, |proxy| {
            proxy.add(Way::Back, Toxic::Latency { latency: AN_HOUR, jitter: 0 });
        }),
        unconfirmed("cut in the answer and left open", SILENT, |proxy| {
            proxy.add(Way::Back, Toxic::LimitData { bytes: 30 });
            proxy.add(Way::Back, Toxic::SlowClose { delay: AN_HOUR });
        }),
    ];
    check(&SIDE, || Scene::new(Patience::Short), faults);
}
