//! An answer of the platform that ends anywhere: no part of it is ever taken for the whole.

use std::thread;

use kore_trend_exporter::domain::series::Interval;

use super::revised::{answer_lines, reply};
use crate::support::http::exchange;
use crate::support::platform::{SimulatedPlatform, day};
use crate::support::process::Running;
use crate::support::toxiproxy::{Proxy, Toxic, Way};
use crate::support::wait_for;
use crate::support::workspace::{Template, Workspace, bots};

/// How the answer says where it ends.
#[derive(Clone, Copy, Debug)]
enum End {
    Announced,
    ByAnEmptyPiece,
}

#[test]
#[ignore = "needs the servers that tests/run brings"]
fn an_answer_of_known_length_is_whole_or_nothing() {
    check(End::Announced);
}

#[test]
#[ignore = "needs the servers that tests/run brings"]
fn an_answer_in_pieces_is_whole_or_nothing() {
    check(End::ByAnEmptyPiece);
}

fn check(end: End) {
    let bots = bots(["support"], "");
    let platform = SimulatedPlatform::start(&bots, move |asked, _| {
        let reply = reply(asked);
        Some(match end {
            End::Announced => reply,
            End::ByAnEmptyPiece => reply.in_pieces(),
        })
    });
    let (head, all) = length(&platform);
    let body = all - head;
    let mut places = vec![0, 1, head / 2, head - 1, head, head + 1, head + body / 3, head + 2 * body / 3];
    // The end of the text, and what ends a body in pieces: five bytes.
    places.extend((1..=6).map(|missing| all - missing));
    thread::scope(|scope| {
        for bytes in places {
            let (platform, bots) = (&platform, &bots);
            let run = move || cut_and_heal(platform, bots, bytes);
            thread::Builder::new().name(format!("{end:?}, {bytes} of {all} bytes")).spawn_scoped(scope, run).unwrap();
        }
    });
}

/// The first try gets so many bytes and writes nothing; a later one gets the answer, and the run succeeds.
fn cut_and_heal(platform: &SimulatedPlatform, bots: &str, bytes: usize) {
    let proxy = Proxy::to(platform.url());
    proxy.add(Way::Back, Toxic::LimitData { bytes: bytes as u64 });
    let url = proxy.url();
    let workspace = Workspace::with(&Template {
        platform_url: &url,
        schedule: "initial_days = 3\nrefresh_days = 0",
        bots,
        ..Template::default()
    });
    let mut command = workspace.command();
    // A limiter of its own for each run would not know of the others.
    command.args(["--once", "--log-level", "debug"]);
    let mut running = Running::start(command);
    running.wait_for_stderr("DEBUG cannot reach the platform");
    assert!(!workspace.path("engagement.lp").exists(), "{}", workspace.read("engagement.lp"));
    proxy.heal();
    let output = running.finish().expect_code(0);
    assert!(!output.stderr.contains("not as documented"), "{}", output.stderr);
    let lines = workspace.sorted_lines("engagement.lp");
    let expected = answer_lines("support", Interval::Hourly, -3, -1);
    assert!(expected.iter().all(|line| lines.contains(line)), "{}", output.stderr);
    assert_eq!(workspace.watermark("support"), day(-1).to_string());
}

/// How long the head of the answer to the run's question is on the wire, and all of it.
#[track_caller]
fn length(platform: &SimulatedPlatform) -> (usize, usize) {
    let (first, last) = (day(-3), day(0));
    let query = format!("aggregation_type=Hourly&start_date={first}&end_date={last}");
    let path = format!("/api/public/bot/st-support/userEngagementTrend?{query}");
    let request = format!("POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    let address = platform.url().strip_prefix("http://").unwrap().parse().unwrap();
    let answer = wait_for("an answer", || exchange(address, request.as_bytes()).ok().flatten());
    let end_of_head = "\r\n\r\n".len();
    // Said to this request only.
    let said = "connection: close\r\n".len();
    assert!(answer.head.contains("connection: close"), "{}", answer.head);
    let head = answer.head.trim_end().len() + end_of_head - said;
    (head, head + answer.body.len())
}
