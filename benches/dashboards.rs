//! How long a real InfluxDB 2 takes for each query of the dashboards, with fifty bots, four channels and 400 days in it.
//!
//! `cargo bench --bench dashboards` starts a server of its own, named by KORE_TREND_TEST_INFLUXD or called `influxd` on
//! PATH, and prints the median of five times for each query; words after `--` choose the lines that hold them. A line
//! over one second is marked.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    missing_docs,
    reason = "a benchmark reports, and fails by panicking"
)]

#[path = "../grafana/generate/dashboards/mod.rs"]
#[allow(dead_code, reason = "nothing is written here")]
mod dashboards;
#[path = "../tests/outside/support/grafana/expand.rs"]
#[allow(dead_code, reason = "a part of what tests need")]
mod expand;

use std::fmt::Write;
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use jiff::{Timestamp, ToSpan};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use self::expand::{Chosen, expand};

/// When the dashboards are looked at, with the figures of the hour before.
const NOW: &str = "2026-11-05T17:25:00Z";
const BOTS: usize = 50;
const CHANNELS: [&str; 4] = ["all", "rtm", "msteams", "ivr"];
const DAYS: i64 = 400;
/// What a query may take.
const LIMIT: Duration = Duration::from_secs(1);
/// The bucket, the organization and the operator's token.
const NAME: &str = "engagement";
const TOKEN: &str = "a-token-of-the-benchmark";

fn main() {
    let wanted: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    let server = Server::start();
    server.fill();
    let mut slow = 0;
    for (file, days) in [("bot-fleet", 1), ("user-engagement", 14), ("user-engagement", 90)] {
        for language in ["influxql", "flux"] {
            let name = format!("{file}-{language}.json");
            let (_, dashboard) = dashboards::all().into_iter().find(|(one, _)| *one == name).unwrap();
            for (title, query) in queries(&dashboard, days, language == "flux") {
                let line = format!("{file}, {days} d, {language}: {title}");
                if wanted.iter().all(|word| line.contains(word.as_str())) {
                    let (time, lines) = server.median(&query, language == "flux");
                    let mark = if time > LIMIT { "  OVER THE LIMIT" } else { "" };
                    println!("{line:<85} {:>5} ms {lines:>7} lines{mark}", time.as_millis());
                    slow += usize::from(time > LIMIT);
                }
            }
        }
    }
    println!("{slow} over {} ms", LIMIT.as_millis());
}

/// Each query of the dashboard that the database is asked, as it reaches it.
fn queries(dashboard: &Value, days: i64, flux: bool) -> Vec<(String, String)> {
    let to: Timestamp = NOW.parse().unwrap();
    let chosen = Chosen { bots: None, channels: None, zone: "Europe/Berlin", from: to - (24 * days).hours(), to };
    let expanded = |panel: &Value, query: &str| {
        let chosen = chosen.in_panel(panel);
        let shortest = if panel["interval"] == "1h" { 60 } else { 15 };
        // A step has two pixels, of 620 that half a screen has.
        let minutes = ((chosen.to.as_second() - chosen.from.as_second()) / 60 / 310).max(shortest);
        expand(query, &chosen, flux, &format!("{minutes}m{}", if flux { "0s" } else { "" }), NAME)
    };
    let mut all = Vec::new();
    for variable in dashboard["templating"]["list"].as_array().unwrap().iter().filter(|one| one["type"] == "query") {
        let query = variable["query"]["query"].as_str().unwrap();
        all.push((format!("variable {}", variable["name"]), expanded(&Value::Null, query)));
    }
    let rows = dashboard["panels"].as_array().unwrap().iter();
    let panels = rows.flat_map(|one| [one].into_iter().chain(one["panels"].as_array().into_iter().flatten()));
    for panel in panels {
        for target in panel["targets"].as_array().into_iter().flatten() {
            if let Some(query) = target["query"].as_str() {
                let title = format!("{} {}", panel["title"].as_str().unwrap(), target["refId"].as_str().unwrap());
                all.push((title, expanded(panel, query)));
            }
        }
    }
    all
}

/// An InfluxDB 2 in a folder of its own.
struct Server {
    process: Child,
    url: String,
    client: reqwest::Client,
    runtime: Runtime,
    _folder: tempfile::TempDir,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Server {
    fn start() -> Server {
        let program = std::env::var("KORE_TREND_TEST_INFLUXD").unwrap_or_else(|_| "influxd".to_owned());
        let folder = tempfile::tempdir().unwrap();
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let mut command = Command::new(&program);
        for (option, file) in [("--bolt-path", "bolt"), ("--sqlite-path", "sqlite"), ("--engine-path", "engine")] {
            command.arg(option).arg(folder.path().join(file));
        }
        command.args(["--http-bind-address", &address.to_string(), "--reporting-disabled", "--log-level", "error"]);
        let process = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let process =
            process.unwrap_or_else(|error| panic!("{program}: {error}; name an InfluxDB 2 by KORE_TREND_TEST_INFLUXD"));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let server = Server { process, url: format!("http://{address}"), client, runtime, _folder: folder };
        let begun = Instant::now();
        while server.send(server.client.get(format!("{}/health", server.url))).is_err() {
            assert!(begun.elapsed() < Duration::from_secs(60), "{program} does not start");
            std::thread::sleep(Duration::from_millis(50));
        }
        let setup = json!({ "username": "benchmark", "password": TOKEN, "org": NAME, "bucket": NAME, "token": TOKEN });
        server.send(server.client.post(format!("{}/api/v2/setup", server.url)).json(&setup)).unwrap();
        server
    }

    fn send(&self, request: reqwest::RequestBuilder) -> reqwest::Result<String> {
        self.runtime.block_on(async { request.send().await?.error_for_status()?.text().await })
    }

    /// The hours and days of all bots up to the newest that is known.
    fn fill(&self) {
        let begun = Instant::now();
        let newest = NOW.parse::<Timestamp>().unwrap().as_second().div_euclid(3600) * 3600 - 3600;
        let mut points = 0;
        for bot in 0..BOTS {
            let mut lines = String::new();
            for (number, channel) in CHANNELS.iter().enumerate() {
                for back in 0..DAYS * 24 {
                    let at = newest - back * 3600;
                    let hour = at.div_euclid(3600).rem_euclid(24);
                    let users = (13 - (hour - 13).abs()) * (bot as i64 + 5) / (number as i64 + 1) + back % 7;
                    let tags = format!("bot=bot-{bot:02},bot_id=st-{bot:02},channel={channel}");
                    writeln!(lines, "user_engagement_hourly,{tags} users={users}i {at}").unwrap();
                    points += 1;
                    if hour == 0 {
                        writeln!(lines, "user_engagement_daily,{tags} users={}i {at}", users + 90).unwrap();
                        points += 1;
                    }
                }
            }
            let url = format!("{}/api/v2/write?org={NAME}&bucket={NAME}&precision=s", self.url);
            let request = self.client.post(url).header("Authorization", format!("Token {TOKEN}")).body(lines);
            self.send(request).unwrap();
        }
        println!(
            "{points} points of {BOTS} bots x {} channels x {DAYS} days in {:.0?}",
            CHANNELS.len(),
            begun.elapsed()
        );
    }

    /// The median time of five answers, and how many lines they have.
    fn median(&self, query: &str, flux: bool) -> (Duration, usize) {
        let mut times = Vec::new();
        let mut lines = 0;
        for _ in 0..5 {
            let request = if flux {
                let body = json!({ "query": query, "type": "flux", "dialect": { "annotations": [], "header": false } });
                self.client.post(format!("{}/api/v2/query?org={NAME}", self.url)).json(&body)
            } else {
                let form = [("db", NAME), ("epoch", "ms"), ("q", query)];
                self.client.post(format!("{}/query", self.url)).query(&form).header("Accept", "application/csv")
            };
            let begun = Instant::now();
            let answer = self.send(request.header("Authorization", format!("Token {TOKEN}"))).unwrap();
            times.push(begun.elapsed());
            lines = answer.lines().count();
            assert!(!answer.contains("error"), "{query}: {answer}");
        }
        times.sort();
        (times[2], lines)
    }
}
