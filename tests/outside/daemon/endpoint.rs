//! Health and readiness, and a listener that no client can keep busy.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::daemon::{Daemon, EVERY_SECOND, NEVER};
use crate::support::http::exchange;
use crate::support::platform::SimulatedPlatform;
use crate::support::server::{Gate, Reply};
use crate::support::wait_for;
use crate::support::workspace::{Template, Workspace, bots};

fn readiness(daemon: &Daemon) -> (u16, Value) {
    let answer = daemon.get("/readyz");
    assert_eq!(answer.header("content-type"), Some("application/json"));
    (answer.status, serde_json::from_str(&answer.body).unwrap())
}

#[test]
fn it_is_ready_when_every_series_is_well_and_tells_which_is_not() {
    let bots = bots(["one", "two"], "intervals = [\"hourly\", \"daily\"]");
    let gate = Gate::closed();
    let closed = gate.clone();
    let is_failing = Arc::new(AtomicBool::new(false));
    let fails = Arc::clone(&is_failing);
    let platform = SimulatedPlatform::start(&bots, move |asked, number| {
        let is_it = asked.bot_id() == "st-two" && asked.query["aggregation_type"] == "Daily";
        match number {
            1 => Some(Reply::own().behind(&closed)),
            _ => (is_it && fails.load(Ordering::Relaxed)).then(|| Reply::errors(400, 400, "no such thing")),
        }
    });
    let template =
        Template { platform_url: platform.url(), schedule: EVERY_SECOND, bots: &bots, ..Template::default() };
    let workspace = Workspace::with(&template);
    let daemon = Daemon::start(&workspace);
    wait_for("the first question", || (!platform.asked().is_empty()).then_some(()));
    let (status, waiting) = readiness(&daemon);
    assert_eq!(status, 503);
    let first = platform.asked()[0].clone();
    let (bot, interval) = (first.bot_id().replace("st-", ""), first.query["aggregation_type"].to_lowercase());
    let pending = json!({"bot": bot, "channel": "all", "interval": interval, "error": "not fetched yet"});
    assert!(waiting.as_array().unwrap().contains(&pending), "{waiting}");
    assert_eq!((daemon.get("/healthz").status, daemon.get("/healthz").body.as_str()), (200, "ok\n"));
    gate.open();
    daemon.wait_until_ready();
    assert_eq!(readiness(&daemon), (200, json!([])));

    is_failing.store(true, Ordering::Relaxed);
    wait_for("the failure", || (daemon.get("/readyz").status == 503).then_some(()));
    let (_, failing) = readiness(&daemon);
    assert_eq!(failing.as_array().unwrap().len(), 1, "{failing}");
    let field = |name: &str| failing[0][name].as_str().unwrap();
    assert_eq!((field("bot"), field("channel"), field("interval")), ("two", "all", "daily"));
    assert!(field("error").contains("the platform answered 400: \"no such thing"), "{failing}");
    assert_eq!(daemon.get("/healthz").status, 200, "a failing series is no reason for a restart");
    is_failing.store(false, Ordering::Relaxed);
    daemon.wait_until_ready();
    daemon.end();
}

/// A daemon that has done its work, and where it listens.
fn idle() -> (SimulatedPlatform, Workspace, Daemon) {
    let bots = bots(["support"], "");
    let platform = SimulatedPlatform::well(&bots);
    let template = Template { platform_url: platform.url(), schedule: NEVER, bots: &bots, ..Template::default() };
    let workspace = Workspace::with(&template);
    let daemon = Daemon::start(&workspace);
    daemon.wait_until_ready();
    (platform, workspace, daemon)
}

#[test]
fn whatever_is_sent_has_its_status() {
    let (_platform, _workspace, daemon) = idle();
    let long = format!("GET /{} HTTP/1.1\r\nHost: localhost", "x".repeat(20_000));
    let headers = format!("GET / HTTP/1.1\r\nHost: localhost\r\nX: {}", "x".repeat(20_000));
    let many = format!("GET / HTTP/1.1\r\nHost: localhost{}", "\r\nX: y".repeat(200));
    for (request, status) in [
        ("GET / HTTP/1.1\r\nHost: localhost", 200),
        ("GET /metrics HTTP/1.0", 200),
        ("HEAD /readyz HTTP/1.1\r\nHost: 127.0.0.1:1", 200),
        ("GET /healthz?x=y HTTP/1.1\r\nHost: [::1]:9468", 200),
        ("GET /metrics/ HTTP/1.1\r\nHost: localhost", 404),
        ("GET /../state/watermarks.json HTTP/1.1\r\nHost: localhost", 404),
        ("GET /config.toml HTTP/1.1\r\nHost: localhost", 404),
        ("POST /readyz HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0", 405),
        ("DELETE / HTTP/1.1\r\nHost: localhost", 405),
        ("OPTIONS /metrics HTTP/1.1\r\nHost: localhost", 405),
        ("GET / HTTP/1.1\r\nHost: kore.example.com", 421),
        ("GET /metrics HTTP/1.1\r\nHost: 127.0.0.1.example.com:9468", 421),
        ("nonsense", 400),
        ("GET / HTTP/1.1\r\nHost : localhost", 400),
        ("GET / HTTP/9.9\r\nHost: localhost", 400),
        (&long, 431),
        (&headers, 431),
        (&many, 431),
    ] {
        let answer = exchange(daemon.address(), format!("{request}\r\n\r\n").as_bytes());
        let start: String = request.chars().take(80).collect();
        let answer = answer.unwrap_or_else(|error| panic!("{start}: {error}")).unwrap_or_else(|| panic!("{start}"));
        assert_eq!(answer.status, status, "{start}: {}", answer.head);
        if matches!(status, 200 | 404 | 405 | 421) {
            assert_eq!(answer.header("cache-control"), Some("no-store"), "{start}");
            assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{start}");
        }
        if status == 200 {
            assert_eq!(answer.body.is_empty(), request.starts_with("HEAD"));
        }
    }
    daemon.end();
}

/// How long it takes until the other side closes this connection, on which a byte is sent now and then.
fn time_to_be_cut_off(mut stream: TcpStream, byte: &[u8]) -> Duration {
    let began = Instant::now();
    stream.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    let mut answer = [0; 1024];
    loop {
        match stream.read(&mut answer) {
            Ok(0) => return began.elapsed(),
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => drop(stream.write(byte)),
            Err(_) => return began.elapsed(),
        }
        assert!(began.elapsed() < Duration::from_secs(60), "never cut off");
    }
}

#[test]
fn a_slow_client_is_cut_off_and_many_hold_up_nobody() {
    let (_platform, _workspace, daemon) = idle();
    let address = daemon.address();
    let connect = |text: &[u8]| {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(text).unwrap();
        stream
    };
    let body = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n";
    std::thread::scope(|scope| {
        let silent = scope.spawn(|| time_to_be_cut_off(connect(b""), b""));
        let head = scope.spawn(|| time_to_be_cut_off(connect(b"GET / HTTP/1.1\r\nX: "), b"x"));
        let body = scope.spawn(|| time_to_be_cut_off(connect(body), b"x"));
        for slow in [silent, head, body] {
            let time = slow.join().unwrap();
            assert!(time < Duration::from_secs(12), "{time:?}");
        }
    });
    let idle: Vec<TcpStream> = (0..500).map(|_| connect(b"GET / HT")).collect();
    for _ in 0..20 {
        let began = Instant::now();
        assert_eq!(daemon.get("/healthz").status, 200);
        assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    }
    let tasks = daemon.value("kore_trend_tasks").unwrap();
    assert!(tasks < 100.0, "{tasks} tasks");
    drop(idle);
    daemon.end();
}
