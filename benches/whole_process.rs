//! The built program as a whole: processor time, memory and waiting, measured from outside while it works against a
//! simulated platform and a database that takes everything, both in this process.
//!
//! `cargo bench --bench whole_process` prints what it measured; words after `--` choose the cases that hold them.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    missing_docs,
    reason = "a benchmark reports, and fails by panicking"
)]

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};

use support::bench::{Services, Setting};

fn main() {
    let channels = ["all", "rtm", "msteams", "ivr"];
    report(
        "backfill of 50 bots x 4 channels x 31 days",
        &Case {
            bots: 50,
            channels: &channels,
            latency: Duration::ZERO,
            arguments: &["--backfill", "2026-08-01..2026-08-31"],
        },
    );
    report(
        "backfill of 7 years of one bot",
        &Case {
            bots: 1,
            channels: &channels[..1],
            latency: Duration::ZERO,
            arguments: &["--backfill", "2019-09-01..2026-08-31"],
        },
    );
    report(
        "backfill of 1,000 bots x 2 channels x 3 days",
        &Case {
            bots: 1000,
            channels: &channels[..2],
            latency: Duration::ZERO,
            arguments: &["--backfill", "2026-08-01..2026-08-03"],
        },
    );
    report(
        "--once over 100 series",
        &Case { bots: 25, channels: &channels, latency: Duration::ZERO, arguments: &["--once"] },
    );
    report(
        "--once over 1,000 series, the platform answers after 50 ms",
        &Case { bots: 250, channels: &channels, latency: Duration::from_millis(50), arguments: &["--once"] },
    );
    report(
        "--once over 10,000 series, the platform answers after 300 ms",
        &Case { bots: 2500, channels: &channels, latency: Duration::from_millis(300), arguments: &["--once"] },
    );
}

/// What the program is to do, and how fast the platform is.
struct Case<'a> {
    bots: usize,
    channels: &'a [&'a str],
    latency: Duration,
    arguments: &'a [&'a str],
}

fn report(name: &str, case: &Case) {
    let wanted: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    if !wanted.iter().all(|word| name.contains(word.as_str())) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let Case { bots, channels, latency, .. } = *case;
    let services = Services::start(folder.path(), &Setting { bots, channels, latency, tls: false, lines: "" });
    let before = getrusage(UsageWho::RUSAGE_CHILDREN).unwrap();
    let started = Instant::now();
    let child = Command::new(support::program())
        .args(case.arguments)
        .current_dir(folder.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let most = watch_memory(child.id());
    let output = child.wait_with_output().unwrap();
    let took = started.elapsed();
    let most = most.join().unwrap();
    let after = getrusage(UsageWho::RUSAGE_CHILDREN).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));

    let seconds = |usage: nix::sys::resource::Usage| {
        let (user, system) = (usage.user_time(), usage.system_time());
        (user.tv_sec() + system.tv_sec()) as f64 + (user.tv_usec() + system.tv_usec()) as f64 / 1e6
    };
    let processor = seconds(after) - seconds(before);
    let table = String::from_utf8_lossy(&output.stdout);
    let total = table.lines().last().unwrap_or_default();
    let points: f64 =
        total.split(' ').zip(total.split(' ').skip(1)).find(|(_, word)| *word == "points,").unwrap().0.parse().unwrap();
    let series = case.bots * case.channels.len();
    println!("{name}");
    println!(
        "  {points} points, {} writes, {} KiB to the database",
        services.database.writes(),
        services.database.bytes() >> 10
    );
    println!("  processor {:.0} ms: {:.2} million points a second of it", processor * 1e3, points / processor / 1e6);
    println!("  resident memory at most {:.1} MiB", most as f64 / 1024.0);
    let ideal = case.latency.as_secs_f64() * series as f64 / 8.0;
    if ideal > 0.0 {
        let spent = services.platform.spent().as_secs_f64() / 8.0;
        let took = took.as_secs_f64();
        println!(
            "  took {took:.2} s: {:.3} times series x latency / 8, {:.3} times the time that the platform really took / 8",
            took / ideal,
            took / spent
        );
    }
}

/// The most memory that the process has had resident, in KiB, by looking until it ends. What the system reports of an
/// ended process counts the one that started it as well.
fn watch_memory(process: u32) -> std::thread::JoinHandle<u64> {
    std::thread::spawn(move || {
        let mut most = 0;
        while let Ok(status) = std::fs::read_to_string(format!("/proc/{process}/status")) {
            let Some(line) = status.lines().find(|line| line.starts_with("VmHWM:")) else { break };
            most = line.split_whitespace().nth(1).unwrap().parse().unwrap();
            std::thread::sleep(Duration::from_millis(1));
        }
        most
    })
}
