//! An endpoint under siege: slow clients, thousands of connections, and requests of every wrong kind, all at once. The
//! export goes on, a scrape is answered, and memory, files and tasks stay what they were.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tokio::net::TcpSocket;

use crate::support::daemon::{Daemon, EVERY_SECOND};
use crate::support::http::exchange;
use crate::support::platform::answer::v1;
use crate::support::platform::{Asked, Options};
use crate::support::wait_for;
use crate::support::workspace::{Template, Workspace, bots};

/// Connections that are opened at once and held.
const CONNECTIONS: u64 = 3_000;

/// Files that the daemon may have open, which is fewer than connections; a quarter of what systemd gives a service.
const FILES: u64 = 256;

/// Bots with one series each.
const BOTS: usize = 15;

/// Connections that the daemon keeps.
const KEPT: f64 = 64.0;

/// So much more memory may be in use, in bytes, besides the answers that slow clients do not fetch.
const MEMORY: f64 = 32.0 * 1024.0 * 1024.0;

/// Tasks there are at most: those of the ticks of fifteen bots, of the connections that are kept, and a few more.
const TASKS: f64 = 200.0;

/// What a scrape tells, if it was answered: whoever is one of thousands may have to ask again.
fn scrape(daemon: &Daemon) -> Option<Scrape> {
    let request = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let answer = exchange(daemon.address(), request).ok().flatten().filter(|answer| answer.status == 200)?;
    let value = |sample: &str| answer.body.lines().find_map(|line| line.strip_prefix(sample)?.trim().parse().ok());
    Some(Scrape {
        ticks: value("kore_trend_tick_duration_seconds_count ")?,
        writes: value("kore_trend_writes_total{result=\"success\"} ")?,
        tasks: value("kore_trend_tasks ")?,
        files: value("process_open_fds ")?,
        memory: value("process_resident_memory_bytes ")?,
        length: answer.body.len() as f64,
    })
}

#[derive(Clone, Copy, Debug)]
struct Scrape {
    ticks: f64,
    writes: f64,
    tasks: f64,
    files: f64,
    memory: f64,
    /// Of the answer, in bytes.
    length: f64,
}

/// Waits for a scrape that is as it should be.
#[track_caller]
fn wait_for_scrape(daemon: &Daemon, what: &str, is_right: impl Fn(&Scrape) -> bool) -> Scrape {
    wait_for(what, || {
        let found = scrape(daemon).filter(&is_right);
        if found.is_none() {
            // The answer is long: whoever asks again at once is a part of the siege.
            std::thread::sleep(Duration::from_millis(200));
        }
        found
    })
}

/// Checks that a scrape is answered and what is in use meanwhile, and waits until two more ticks have asked the platform
/// and written what it answered.
#[track_caller]
fn check_goes_on(daemon: &Daemon, questions: &AtomicUsize, before: &Scrape, siege: &str) -> Scrape {
    let began = Instant::now();
    let now = wait_for_scrape(daemon, siege, |_| true);
    eprintln!("{siege}: the first scrape is answered after {:?}", began.elapsed());
    let asked = questions.load(Ordering::Relaxed);
    wait_for("two more ticks", || (questions.load(Ordering::Relaxed) >= asked + 2 * BOTS).then_some(()));
    let later = wait_for_scrape(daemon, siege, |later| later.ticks > now.ticks && later.writes > now.writes);
    let answers = KEPT * before.length;
    for scrape in [now, later] {
        assert!(scrape.memory < before.memory + 2.0 * answers + MEMORY, "{siege}: {before:?} {scrape:?}");
        assert!(scrape.tasks < TASKS, "{siege}: {before:?} {scrape:?}");
        assert!(scrape.files < before.files + 100.0, "{siege}: {before:?} {scrape:?}");
    }
    eprintln!("{siege}: {later:?}");
    now
}

/// Files that the tests beside this one, in the same process, may have open.
const OTHERS: u64 = 1_500;

/// As many as are asked for, or as this process may have.
fn connections() -> u64 {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    let wanted = (CONNECTIONS + OTHERS).min(hard);
    if soft < wanted {
        setrlimit(Resource::RLIMIT_NOFILE, wanted, hard).unwrap();
    }
    CONNECTIONS.min(wanted - OTHERS)
}

fn connected(address: SocketAddr, request: &[u8]) -> Option<TcpStream> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.write_all(request).ok()?;
    Some(stream)
}

/// A client with room for next to nothing of the answer.
fn with_little_room(address: SocketAddr, request: &[u8]) -> TcpStream {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let stream = runtime.block_on(async {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(1).unwrap();
        socket.connect(address).await.unwrap().into_std().unwrap()
    });
    stream.set_nonblocking(false).unwrap();
    (&stream).write_all(request).unwrap();
    stream
}

/// Requests that nobody should make.
fn wrong_requests() -> Vec<(&'static str, Vec<u8>)> {
    let with = |lines: &str, body: &[u8]| [format!("{lines}\r\n\r\n").as_bytes(), body].concat();
    let get = |lines: &str| with(&format!("GET / HTTP/1.1\r\nHost: localhost\r\n{lines}"), b"");
    let post = |lines: &str, body: &[u8]| with(&format!("POST / HTTP/1.1\r\nHost: localhost\r\n{lines}"), body);
    vec![
        ("a header of a megabyte", get(&format!("X: {}", "x".repeat(1 << 20)))),
        ("a request line of 64 KiB", with(&format!("GET /{} HTTP/1.1", "x".repeat(64 << 10)), b"")),
        ("a query of 15 KiB", with(&format!("GET /?bot={} HTTP/1.1\r\nHost: localhost", "%3C".repeat(5_000)), b"")),
        ("ten thousand headers", get(&"X: y\r\n".repeat(10_000))),
        ("a name of a header that is none", get("X\u{e9}: y")),
        ("a header without an end", get("X: y\r\n  folded: z")),
        ("the preface of HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0".to_vec()),
        ("a greeting of TLS", b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03".to_vec()),
        ("nothing but zeros", vec![0; 100_000]),
        ("a zero in the path", b"GET /\0 HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec()),
        ("a zero in a header", b"GET / HTTP/1.1\r\nHost: local\0host\r\n\r\n".to_vec()),
        ("every byte there is", (0..=255).collect()),
        ("many requests in a row", get("").repeat(1_000)),
        ("a body in pieces", post("Transfer-Encoding: chunked", &b"ffff\r\nx".repeat(10))),
        ("a piece of an impossible length", post("Transfer-Encoding: chunked", b"ffffffffffffffffffff\r\n")),
        ("a body of exabytes", post("Content-Length: 18446744073709551615", &[b'x'; 1_000])),
        ("a body longer than any number", post(&format!("Content-Length: {}", "9".repeat(100)), b"")),
        ("a body of a negative length", post("Content-Length: -1", b"")),
        ("two lengths", post("Content-Length: 1\r\nContent-Length: 2", b"xx")),
        ("a length and pieces", post("Content-Length: 4\r\nTransfer-Encoding: chunked", b"0\r\n\r\nGET /metrics")),
        ("a body that is expected", post("Expect: 100-continue\r\nContent-Length: 1000000", b"")),
        ("an upgrade", get("Connection: Upgrade\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk")),
        ("a method that is none", with("BREW / HTTP/1.1\r\nHost: localhost", b"")),
        ("a method of a megabyte", vec![b'G'; 1 << 20]),
        ("a tunnel", with("CONNECT kore.example.com:443 HTTP/1.1\r\nHost: kore.example.com:443", b"")),
        ("another host's page", with("GET http://kore.example.com/ HTTP/1.1\r\nHost: kore.example.com", b"")),
        ("a name that leads here", with("GET /metrics HTTP/1.1\r\nHost: rebound.example.com", b"")),
        ("a name in no alphabet", b"GET /metrics HTTP/1.1\r\nHost: \xff\xfe\r\n\r\n".to_vec()),
        ("line ends of one byte", b"GET /nowhere HTTP/1.1\nHost: rebound.example.com\n\n".to_vec()),
    ]
}

/// The statuses of what was answered, by the kind of request; a connection may also be closed on a client that is not
/// done with its request.
fn send_wrong_requests(address: SocketAddr, answers: &mut BTreeSet<(&'static str, u16)>) {
    for (kind, request) in wrong_requests() {
        // Whoever waits for the rest of a request is cut off after a while, which other tests wait for: not here.
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        drop(stream.write_all(&request));
        drop(stream.shutdown(std::net::Shutdown::Write));
        let mut answer = Vec::new();
        let _reset = stream.read_to_end(&mut answer);
        let text = String::from_utf8_lossy(&answer);
        if let Some(status) = text.split(' ').nth(1).and_then(|status| status.parse().ok()) {
            assert!(text.starts_with("HTTP/1."), "{kind}: {text}");
            answers.insert((kind, status));
        }
    }
}

#[test]
fn under_siege_the_export_goes_on_and_a_scrape_is_answered() {
    // Names so long that an answer fits into no buffer of the kernel's.
    let bot = |number: usize| {
        let (name, number) = (format!("bots.bot-{number}-{}", "x".repeat(11_000)), number.to_string());
        bots([number.as_str()], "intervals = [\"daily\"]").replace(&format!("bots.{number}"), &name)
    };
    let bots: String = (0..BOTS).map(bot).collect();
    let questions = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&questions);
    // Figures that are others with each request, or there would be nothing to write.
    let figures = move |asked: &Asked, number: usize| {
        counter.fetch_add(1, Ordering::Relaxed);
        v1(asked.window().unwrap(), asked.interval(), |_, _| Some(number as i64))
    };
    let platform = Options::new(&bots).figures(figures).start();
    let template = Template {
        platform_url: platform.url(),
        platform: "per_minute = 100000\nper_hour = 100000",
        schedule: EVERY_SECOND,
        bots: &bots,
        ..Template::default()
    };
    let workspace = Workspace::with(&template);
    let own = workspace.command();
    let mut command = Command::new("sh");
    command.args(["-c", &format!("ulimit -n {FILES} && exec \"$0\"")]).arg(own.get_program());
    command.current_dir(workspace.path("")).env_clear().env("KORE_TREND__ADMIN__LISTEN", "127.0.0.1:0");
    let daemon = Daemon::launch(command);
    let address = daemon.address();
    daemon.wait_until_ready();
    let mut answers = BTreeSet::new();
    send_wrong_requests(address, &mut answers);
    let before = wait_for_scrape(&daemon, "a first scrape", |scrape| scrape.ticks >= 2.0);

    // Slow heads of requests, thousands of them, opened one after the other as fast as that goes, and held.
    let count = connections();
    let began = Instant::now();
    let held: Vec<Option<TcpStream>> = (0..count).map(|_| connected(address, b"GET / HTTP/1.1\r\nX: ")).collect();
    eprintln!("{count} connections in {:?}", began.elapsed());
    assert!(held.iter().flatten().count() as u64 >= count * 9 / 10);
    let now = check_goes_on(&daemon, &questions, &before, "thousands of connections");
    assert!(now.files > before.files + 40.0, "many are held: {before:?} {now:?}");
    drop(held);

    // Slow readers of the longest answers, more of them than there are places.
    let ask = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let readers: Vec<TcpStream> = (0..70).map(|_| with_little_room(address, ask)).collect();
    let now = check_goes_on(&daemon, &questions, &before, "slow readers");
    assert!(now.files > before.files + 40.0, "their answers are too long to be sent: {before:?} {now:?}");
    drop(readers);

    // Everything wrong from all sides, for as long as a few ticks take.
    let (is_over, sent) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    let requests = wrong_requests();
                    let _held: Vec<_> = requests.iter().map(|(_, request)| connected(address, request)).collect();
                    sent.fetch_add(requests.len(), Ordering::Relaxed);
                }
            });
        }
        let checked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            check_goes_on(&daemon, &questions, &before, "a flood")
        }));
        is_over.store(true, Ordering::Relaxed);
        checked.unwrap();
    });

    // Soon after, everything is as it was.
    send_wrong_requests(address, &mut answers);
    check_answers(&answers);
    let after = wait_for_scrape(&daemon, "files and tasks to be given back", |after| {
        after.files <= before.files + 5.0 && after.tasks <= before.tasks + 5.0
    });
    assert!(after.memory < before.memory + 2.0 * KEPT * before.length + MEMORY, "{before:?} {after:?}");
    assert!(sent.load(Ordering::Relaxed) > 100);
    assert_eq!(daemon.get("/healthz").body, "ok\n");
    assert_eq!(daemon.get("/readyz").status, 200);
    eprintln!("{} requests in the flood; after: {after:?}; {answers:?}", sent.load(Ordering::Relaxed));
    let log = daemon.end().stderr;
    assert!(!log.contains("ERROR"), "{log}");
}

fn check_answers(answers: &BTreeSet<(&str, u16)>) {
    for (kind, status) in answers {
        assert!((200..500).contains(status), "{kind}: {status}");
    }
    for expected in [
        ("a query of 15 KiB", 404),
        ("a zero in a header", 400),
        ("many requests in a row", 200),
        ("a method that is none", 405),
        ("another host's page", 421),
        ("a name that leads here", 421),
        ("a name in no alphabet", 421),
        ("line ends of one byte", 421),
        ("a tunnel", 421),
    ] {
        assert!(answers.contains(&expected), "{expected:?} in {answers:?}");
    }
}
