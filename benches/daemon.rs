//! The daemon at its start and at rest: time until it is ready, memory, and processor time between ticks.
//!
//! `cargo bench --bench daemon` prints what it measured, in some minutes: 10,000 series take six of them; words after `--` choose the cases that
//! hold them.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    missing_docs,
    reason = "a benchmark reports, and fails by panicking"
)]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use support::bench::{Services, Setting};
use support::measured::Daemon;
use support::tls::CERTIFICATES;

/// Where nothing of it is to be in the way.
const NEVER: &str = "cron = \"0 0 0 29 2 *\"\nspread = \"0s\"\n";

/// Until the platform answers. The real one takes longer still.
const LATENCY: Duration = Duration::from_millis(50);

fn main() {
    for tls in [true, false] {
        let scheme = if tls { "https" } else { "http" };
        if is_wanted(&format!("memory {scheme}")) {
            memory(tls);
        }
    }
    for refresh_days in [0, 2] {
        if is_wanted(&format!("steady tick, refresh_days = {refresh_days}")) {
            steady(refresh_days);
        }
    }
    for bots in [25, 250, 2500] {
        if is_wanted(&format!("many series, bots = {bots}")) {
            many(bots);
        }
    }
    start(&Start { bots: 1, sink: "influxdb", run_on_start: true, has_state: false });
    for sink in ["influxdb", "file"] {
        for (run_on_start, has_state) in [(false, false), (true, false), (true, true)] {
            start(&Start { bots: 1000, sink, run_on_start, has_state });
        }
    }
}

fn is_wanted(name: &str) -> bool {
    std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).all(|word| name.contains(&word))
}

/// 100 series: what they take in memory, and what the daemon does while it has nothing to do.
fn memory(tls: bool) {
    const CHANNELS: [&str; 10] =
        ["all", "rtm", "msteams", "ivr", "email", "sms", "slack", "line", "twilio", "facebook"];
    let workspace = |schedule: &str| {
        let folder = tempfile::tempdir().unwrap();
        let lines = format!("[admin]\nlisten = \"127.0.0.1:0\"\n[schedule]\n{schedule}");
        let setting = Setting { bots: 10, channels: &CHANNELS, latency: LATENCY, tls, lines: &lines };
        let services = Services::start(folder.path(), &setting);
        (folder, services)
    };
    let run = |folder: &TempDir| Daemon::start(folder.path(), environment(folder.path()));

    println!("100 series of 10 bots, the platform speaks {}", if tls { "https" } else { "http" });
    let (folder, _services) = workspace(&format!("{NEVER}run_on_start = false"));
    let daemon = run(&folder);
    daemon.ready();
    std::thread::sleep(Duration::from_secs(1));
    println!("  ready:                     {}", daemon.memory());
    drop(daemon);

    let (folder, _services) = workspace(NEVER);
    let daemon = run(&folder);
    let address = address(&daemon.logs("listening on", 1));
    daemon.logs("tick finished", 1);
    println!("  after the first tick:      {}", daemon.memory());
    std::thread::sleep(Duration::from_secs(30));
    println!("  30 s later:                {}", daemon.memory());
    let before = daemon.processor();
    std::thread::sleep(Duration::from_secs(60));
    let idle = daemon.processor() - before;
    println!("  processor while idle:      {:.4} %", idle.as_secs_f64() / 60.0 * 100.0);
    for _ in 0..20 {
        get(&address, "/metrics");
        get(&address, "/");
    }
    println!("  after 20 scrapes:          {}", daemon.memory());
    drop(daemon);

    let (folder, _services) = workspace("cron = \"*/2 * * * * *\"\nspread = \"0s\"");
    let daemon = run(&folder);
    daemon.logs("tick finished", 21);
    println!("  after 20 more ticks:       {}", daemon.memory());
}

/// 1,000 series in ticks without news: what is written, and what it takes to remember what is there. The difference
/// between 0 days and 2 is the memory of 48 buckets of each.
fn steady(refresh_days: u32) {
    println!("1,000 series of 250 bots, refresh_days = {refresh_days}");
    let folder = tempfile::tempdir().unwrap();
    let lines = format!(
        "[admin]\nlisten = \"127.0.0.1:0\"\n[schedule]\ncron = \"*/5 * * * * *\"\nspread = \"0s\"\nrefresh_days = {refresh_days}\n"
    );
    let channels = &["all", "rtm", "msteams", "ivr"];
    let setting = Setting { bots: 250, channels, latency: Duration::ZERO, tls: false, lines: &lines };
    let services = Services::start(folder.path(), &setting);
    let daemon = Daemon::start(folder.path(), Vec::new());
    daemon.logs("tick finished", 1);
    daemon.logs("tick finished", 1);
    let written = |line: &str| println!("  {line}\n    {} KiB to the database so far", services.database.bytes() >> 10);
    for _ in 0..3 {
        let before = daemon.processor();
        written(&daemon.logs("tick finished", 1));
        println!("    processor {:.0} ms", (daemon.processor() - before).as_secs_f64() * 1e3);
    }
    println!("  {}", daemon.memory());
}

/// How a process bears many series: one tick with a slow platform, its state, and what a scrape and the page cost then.
fn many(bots: usize) {
    const FOUR: [&str; 4] = ["all", "rtm", "msteams", "ivr"];
    println!("{} series of {bots} bots, the platform answers after 300 ms", FOUR.len() * bots);
    let folder = tempfile::tempdir().unwrap();
    let lines = format!("[admin]\nlisten = \"127.0.0.1:0\"\n[schedule]\n{NEVER}");
    let latency = Duration::from_millis(300);
    let setting = Setting { bots, channels: &FOUR, latency, tls: false, lines: &lines };
    let _services = Services::start(folder.path(), &setting);
    let begun = Instant::now();
    let daemon = Daemon::start(folder.path(), Vec::new());
    let address = address(&daemon.logs("listening on", 1));
    daemon.logs("tick finished", 1);
    println!("  tick: {:.1?}, {:.1?} of the processor", begun.elapsed(), daemon.processor());
    println!("  memory: {}", daemon.memory());
    for entry in std::fs::read_dir(folder.path().join("state")).unwrap() {
        let entry = entry.unwrap();
        println!("  state: {} has {} KiB", entry.file_name().display(), entry.metadata().unwrap().len() >> 10);
    }
    for path in ["/metrics", "/", "/readyz"] {
        let (begun, before) = (Instant::now(), daemon.processor());
        let length = get(&address, path);
        let (took, used) = (begun.elapsed(), daemon.processor() - before);
        println!("  {path}: {} KiB after {took:.1?}, {used:.1?} of the processor", length >> 10);
    }
    println!("  memory after these: {}", daemon.memory());
}

/// A start of the daemon.
struct Start<'a> {
    bots: usize,
    sink: &'a str,
    run_on_start: bool,
    /// Whether an earlier process has left watermarks and figures behind.
    has_state: bool,
}

/// How long it takes until the daemon is ready.
fn start(case: &Start) {
    let Start { bots, sink, run_on_start, has_state } = *case;
    let name = format!("start, bots = {bots}, {sink}, run_on_start = {run_on_start}, has_state = {has_state}");
    if !is_wanted(&name) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let lines = format!("[admin]\nlisten = \"127.0.0.1:0\"\n[schedule]\n{NEVER}run_on_start = {run_on_start}");
    let setting = Setting { bots, channels: &["all"], latency: Duration::ZERO, tls: true, lines: &lines };
    let _services = Services::start(folder.path(), &setting);
    if sink == "file" {
        let path = folder.path().join("config.toml");
        let text = std::fs::read_to_string(&path).unwrap();
        let (before, rest) = text.split_once("[influxdb]").unwrap();
        let (_, after) = rest.split_once("[bots").unwrap();
        std::fs::write(path, format!("{before}[file]\npath = \"engagement.lp\"\n[bots{after}")).unwrap();
    }
    let run = || Daemon::start(folder.path(), environment(folder.path()));
    if has_state {
        let daemon = run();
        daemon.logs("tick finished", 1);
        daemon.end();
    }
    let mut took: Vec<Duration> = (0..15)
        .map(|_| {
            if !has_state {
                let _absent = std::fs::remove_dir_all(folder.path().join("state"));
            }
            run().ready()
        })
        .collect();
    took.sort();
    println!("{name}");
    println!("  ready after {:.1?} (median; {:.1?} to {:.1?})", took[took.len() / 2], took[0], took[took.len() - 1]);
}

fn environment(folder: &Path) -> Vec<(&'static str, String)> {
    let certificates = folder.join(CERTIFICATES);
    if !certificates.exists() {
        return Vec::new();
    }
    vec![("SSL_CERT_DIR", certificates.to_str().unwrap().to_owned())]
}

fn address(line: &str) -> String {
    let (_, rest) = line.split_once("http://").unwrap();
    rest.split_once([':', ' ']).map(|(host, rest)| format!("{host}:{}", rest.split(':').next().unwrap())).unwrap()
}

fn get(address: &str, path: &str) -> usize {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    answer.len()
}
