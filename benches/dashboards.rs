//! How long a real InfluxDB 2 takes for each query of the dashboards, with fifty bots, four channels and 400 days in it.
//!
//! `KORE_TREND_TEST_INFLUXD=/path/to/influxd cargo bench --bench dashboards` starts a server of its own and prints the
//! median of five times for each query; words after `--` choose the lines that hold them. A line over one second is marked.

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

use std::fmt::Write;
use std::time::{Duration, Instant};

use jiff::{Timestamp, ToSpan};
use serde_json::{Value, json};
use support::grafana::expand::{Chosen, expand};
use support::grafana::panels;
use support::http::send;
use support::influxd::Influxd;
use support::influxdb::Database;

/// When the dashboards are looked at, with the figures of the hour before.
const NOW: &str = "2026-11-05T17:25:00Z";
const BOTS: usize = 50;
const CHANNELS: [&str; 4] = ["all", "rtm", "msteams", "ivr"];
const DAYS: i64 = 400;
/// What a query may take.
const LIMIT: Duration = Duration::from_secs(1);

fn main() {
    let wanted: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    let influxd = Influxd::start();
    let database = influxd.database();
    fill(&database);
    let mut slow = 0;
    for (file, days) in [("bot-fleet", 1), ("user-engagement", 14), ("user-engagement", 90)] {
        for language in ["influxql", "flux"] {
            let name = format!("{file}-{language}.json");
            let (_, dashboard) = dashboards::all().into_iter().find(|(one, _)| *one == name).unwrap();
            for (title, query) in queries(&dashboard, days, language == "flux", &database.bucket) {
                let line = format!("{file}, {days} d, {language}: {title}");
                if wanted.iter().all(|word| line.contains(word.as_str())) {
                    let (time, lines) = median(&database, &query, language == "flux");
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
fn queries(dashboard: &Value, days: i64, flux: bool, bucket: &str) -> Vec<(String, String)> {
    let to: Timestamp = NOW.parse().unwrap();
    let chosen = Chosen { bots: None, channels: None, zone: "Europe/Berlin", from: to - (24 * days).hours(), to };
    let expanded = |panel: &Value, query: &str| {
        let chosen = chosen.in_panel(panel);
        let shortest = if panel["interval"] == "1h" { 60 } else { 15 };
        // A step has two pixels, of 620 that half a screen has.
        let steps = panel["maxDataPoints"].as_i64().unwrap_or(310).min(310);
        let minutes = ((chosen.to.as_second() - chosen.from.as_second()) / 60 / steps).max(shortest);
        expand(query, &chosen, flux, &format!("{minutes}m{}", if flux { "0s" } else { "" }), bucket)
    };
    let mut all = Vec::new();
    for variable in dashboard["templating"]["list"].as_array().unwrap().iter().filter(|one| one["type"] == "query") {
        let query = variable["query"]["query"].as_str().unwrap();
        all.push((format!("variable {}", variable["name"]), expanded(&Value::Null, query)));
    }
    for panel in panels(dashboard) {
        for target in panel["targets"].as_array().into_iter().flatten() {
            if let Some(query) = target["query"].as_str() {
                let title = format!("{} {}", panel["title"].as_str().unwrap(), target["refId"].as_str().unwrap());
                all.push((title, expanded(panel, query)));
            }
        }
    }
    all
}

/// The hours and days of all bots up to the newest that is known.
fn fill(database: &Database) {
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
        database.write(&lines).success();
    }
    println!("{points} points of {BOTS} bots x {} channels x {DAYS} days in {:.0?}", CHANNELS.len(), begun.elapsed());
}

/// The median time of five answers, and how many lines they have.
fn median(database: &Database, query: &str, flux: bool) -> (Duration, usize) {
    let Database { url, org, bucket, operator_token, .. } = database;
    let mut times = Vec::new();
    let mut lines = 0;
    for _ in 0..5 {
        let begun = Instant::now();
        let answer = send(|client| {
            let request = if flux {
                let body = json!({ "query": query, "type": "flux", "dialect": { "annotations": [], "header": false } });
                client.post(format!("{url}/api/v2/query")).query(&[("org", org)]).json(&body)
            } else {
                let query = [("db", bucket.as_str()), ("epoch", "ms"), ("q", query)];
                client.post(format!("{url}/query")).query(&query).header("Accept", "application/csv")
            };
            request.header("Authorization", format!("Token {operator_token}"))
        });
        times.push(begun.elapsed());
        assert!(answer.status == 200 && !answer.body.contains("error"), "{query}: {}", answer.body);
        lines = answer.body.lines().count();
    }
    times.sort();
    (times[2], lines)
}
