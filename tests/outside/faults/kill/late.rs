//! A write that outlives its process. What a killed process has handed to its kernel may reach the database minutes later,
//! over a network that was away meanwhile or a proxy that kept it, and after what the next process wrote. InfluxDB takes
//! what comes last. The program cannot call it back; what bounds the harm is that every tick writes the live days anew.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc;

use super::dice::Dice;
use super::judge::{Figures, stored};
use super::platform::RevisedPlatform;
use crate::support::influxdb::Database;
use crate::support::process::Running;
use crate::support::workspace::{Template, Workspace, bots};

/// Takes one request on a port of its own and never answers. Returns where, and the request once it is complete.
fn hold_one_request() -> (String, mpsc::Receiver<Vec<u8>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let (mut connection, _) = listener.accept().unwrap();
        let (mut request, mut part) = (Vec::new(), [0; 4096]);
        while !is_complete(&request) {
            let length = connection.read(&mut part).unwrap();
            assert!(length > 0, "the request broke off");
            request.extend_from_slice(&part[..length]);
        }
        sender.send(request).unwrap();
        let _until_the_other_side_ends = connection.read(&mut part);
    });
    (url, receiver)
}

fn is_complete(request: &[u8]) -> bool {
    let Some(end) = request.windows(4).position(|window| window == b"\r\n\r\n") else { return false };
    let head = String::from_utf8_lossy(&request[..end]).to_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok());
    request.len() >= end + 4 + length.unwrap()
}

/// The revision that every figure is of.
fn revision(figures: &Figures) -> i64 {
    let mut revisions = figures.values().map(|users| users / 1000);
    let first = revisions.next().unwrap();
    assert!(revisions.all(|revision| revision == first), "{figures:?}");
    first
}

pub(super) fn a_late_write_is_replaced_by_the_next_tick() {
    let bots = bots(["one"], "");
    let platform = RevisedPlatform::start(&bots, &mut Dice::new("late".to_owned()));
    let database = Database::fresh(None);
    let workspace = Workspace::with(&Template {
        platform_url: platform.url(),
        schedule: "initial_days = 2",
        sink: &database.config(),
        bots: &bots,
        ..Template::default()
    });
    let (url, held) = hold_one_request();
    let mut command = workspace.command();
    command.env("KORE_TREND__INFLUXDB__URL", url).arg("--once");
    let mut killed = Running::start(command);
    let late = held.recv_timeout(std::time::Duration::from_secs(60)).unwrap();
    killed.kill();
    assert_eq!(killed.finish().code, None);
    let remembers = workspace.path("state/watermarks.json").exists();
    assert!(!remembers || workspace.watermark("one").is_null());
    assert!(stored(&database).is_empty());

    workspace.run(&["--once"]).expect_code(0);
    assert_eq!(stored(&database), platform.latest());
    assert_eq!(revision(&stored(&database)), 2);

    let mut connection = TcpStream::connect(database.url.trim_start_matches("http://")).unwrap();
    connection.write_all(&late).unwrap();
    let mut status = [0; 12];
    connection.read_exact(&mut status).unwrap();
    assert_eq!(&status, b"HTTP/1.1 204");
    assert_eq!(revision(&stored(&database)), 1, "the database takes what comes last");

    workspace.run(&["--once"]).expect_code(0);
    assert_eq!(stored(&database), platform.latest());
    assert_eq!(revision(&stored(&database)), 3);
}
