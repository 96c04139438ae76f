//! What the daemon counts: every metric of the contract, by its name, its labels and its type, and what moves it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use kore_trend_exporter::domain::series::{Interval, day_after, days_between};

use crate::support::daemon::{Daemon, EVERY_SECOND, NEVER};
use crate::support::fake_influxdb::FakeInfluxDb;
use crate::support::http::exchange;
use crate::support::platform::{SimulatedPlatform, held_lines};
use crate::support::server::Reply;
use crate::support::wait_for;
use crate::support::workspace::{Template, Workspace, bots};

/// The metrics of the contract, without `kore_trend_`: type, name, labels.
const CONTRACT: [(&str, &str, &[&str]); 14] = [
    ("counter", "requests_total", &["bot", "status"]),
    ("histogram", "request_duration_seconds", &[]),
    ("counter", "throttled_total", &["bot"]),
    ("counter", "points_written_total", &["bot", "channel", "interval"]),
    ("counter", "writes_total", &["result"]),
    ("counter", "points_dropped_total", &["bot", "reason"]),
    ("gauge", "last_point_timestamp_seconds", &["bot", "channel", "interval"]),
    ("gauge", "watermark_timestamp_seconds", &["bot", "channel", "interval"]),
    ("gauge", "series_failing", &["bot", "channel", "interval"]),
    ("gauge", "last_tick_timestamp_seconds", &[]),
    ("histogram", "tick_duration_seconds", &[]),
    ("counter", "ticks_skipped_total", &[]),
    ("gauge", "config_last_reload_successful", &[]),
    ("gauge", "build_info", &["version"]),
];

/// The names of the labels of every sample, by the sample's name; `le` is left out.
fn labels_in(text: &str) -> BTreeMap<&str, BTreeSet<Vec<&str>>> {
    let mut labels: BTreeMap<&str, BTreeSet<Vec<&str>>> = BTreeMap::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (sample, value) = line.rsplit_once(' ').unwrap();
        assert!(value.parse::<f64>().is_ok(), "{line}");
        let (name, rest) = sample.split_once('{').unwrap_or((sample, ""));
        let names = rest.trim_end_matches('}').split(',').filter_map(|label| Some(label.split_once('=')?.0));
        labels.entry(name).or_default().insert(names.filter(|name| *name != "le").collect());
    }
    labels
}

#[test]
fn every_metric_of_the_contract_is_there_with_its_labels_and_type() {
    let bots = bots(["support"], "");
    let platform = SimulatedPlatform::well(&bots);
    let template = Template { platform_url: platform.url(), schedule: NEVER, bots: &bots, ..Template::default() };
    let workspace = Workspace::with(&template);
    let daemon = Daemon::start(&workspace);
    daemon.wait_until_ready();
    let plain = daemon.get("/metrics");
    assert_eq!(plain.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    let labels = labels_in(&plain.body);
    for (kind, name, expected) in CONTRACT {
        let name = format!("kore_trend_{name}");
        for announced in [format!("# TYPE {name} {kind}"), format!("# HELP {name} ")] {
            let found = plain.body.lines().filter(|line| line.starts_with(&announced)).count();
            assert_eq!(found, 1, "{announced} in\n{}", plain.body);
        }
        let samples = if kind == "histogram" { ["_bucket", "_sum", "_count"].as_slice() } else { &[""] };
        for suffix in samples {
            let sample = format!("{name}{suffix}");
            assert_eq!(labels[sample.as_str()], BTreeSet::from([expected.to_vec()]), "{sample}");
        }
    }
    assert_eq!(daemon.value(concat!("kore_trend_build_info{version=\"", env!("CARGO_PKG_VERSION"), "\"}")), Some(1.0));
    for result in ["success", "refused", "failure"] {
        assert!(daemon.value(&format!("kore_trend_writes_total{{result=\"{result}\"}}")).is_some());
    }
    for reason in ["nonexistent_hour", "retention", "forgotten_day", "refused"] {
        let sample = format!("kore_trend_points_dropped_total{{bot=\"support\",reason=\"{reason}\"}}");
        assert_eq!(daemon.value(&sample), Some(0.0));
    }
    for sample in ["process_resident_memory_bytes", "process_cpu_seconds_total", "process_open_fds"] {
        assert!(daemon.value(sample).is_some(), "{sample}");
    }

    let accept =
        "GET /metrics HTTP/1.1\r\nHost: localhost\r\nAccept: application/openmetrics-text;version=1.0.0\r\n\r\n";
    let open = exchange(daemon.address(), accept.as_bytes()).unwrap().unwrap();
    assert_eq!(open.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"), "the one that all read");
    daemon.end();
}

#[test]
fn values_follow_what_happens() {
    let bots = bots(["well"], "time_zone = \"Asia/Kolkata\"") + &bots(["throttled", "failing"], "");
    let platform = SimulatedPlatform::start(&bots, |asked, number| match asked.bot_id() {
        "st-throttled" if number <= 3 => Some(Reply::errors(429, 429, "").header("retry-after", 0)),
        "st-failing" => Some(Reply::errors(405, 405, "")),
        _ => None,
    });
    let template = Template { platform_url: platform.url(), schedule: NEVER, bots: &bots, ..Template::default() };
    let workspace = Workspace::with(&template);
    let before = Timestamp::now().as_second();
    let daemon = Daemon::start(&workspace);
    daemon.wait_for_log("tick finished", 1);
    for (sample, value) in [
        ("requests_total{bot=\"well\",status=\"200\"}", 1.0),
        ("requests_total{bot=\"throttled\",status=\"200\"}", 1.0),
        ("requests_total{bot=\"throttled\",status=\"429\"}", 1.0),
        ("requests_total{bot=\"failing\",status=\"405\"}", 1.0),
        ("request_duration_seconds_count", 4.0),
        ("throttled_total{bot=\"throttled\"}", 1.0),
        ("throttled_total{bot=\"well\"}", 0.0),
        ("series_failing{bot=\"well\",channel=\"all\",interval=\"hourly\"}", 0.0),
        ("series_failing{bot=\"failing\",channel=\"all\",interval=\"hourly\"}", 1.0),
        ("points_written_total{bot=\"failing\",channel=\"all\",interval=\"hourly\"}", 0.0),
        ("writes_total{result=\"success\"}", 2.0),
        ("tick_duration_seconds_count", 1.0),
    ] {
        assert_eq!(daemon.value(&format!("kore_trend_{sample}")), Some(value), "{sample}\n{}", daemon.log());
    }
    let of = |name: &str, bot: &str| {
        daemon.value(&format!("kore_trend_{name}{{bot=\"{bot}\",channel=\"all\",interval=\"hourly\"}}"))
    };
    for (bot, zone) in [("well", "Asia/Kolkata"), ("throttled", "UTC")] {
        let lines = workspace.sorted_lines("engagement.lp");
        let of_bot = || lines.iter().filter(|line| line.contains(&format!("bot={bot},")));
        let newest = of_bot().map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap()).fold(0.0, f64::max);
        assert_eq!(of("points_written_total", bot), Some(of_bot().count() as f64));
        assert_eq!(of("last_point_timestamp_seconds", bot), Some(newest));
        let yesterday = day_after(Timestamp::now().in_tz(zone).unwrap().date(), -1);
        let midnight = yesterday.in_tz(zone).unwrap().timestamp().as_second();
        assert_eq!(of("watermark_timestamp_seconds", bot), Some(midnight as f64), "{bot}");
    }
    assert_eq!(
        (of("watermark_timestamp_seconds", "failing"), of("last_point_timestamp_seconds", "failing")),
        (None, None)
    );
    let ended = daemon.value("kore_trend_last_tick_timestamp_seconds").unwrap();
    assert!(before as f64 <= ended && ended <= Timestamp::now().as_second() as f64 + 1.0, "{ended}");
    daemon.end();
}

/// The points that were dropped for this reason after at least two ticks.
fn dropped(daemon: &Daemon, reason: &str) -> f64 {
    wait_for("two ticks", || (daemon.ticks() >= 2).then_some(()));
    daemon.value(&format!("kore_trend_points_dropped_total{{bot=\"support\",reason=\"{reason}\"}}")).unwrap()
}

#[test]
fn what_the_database_does_not_take_is_counted() {
    let bots = bots(["support"], "");
    let bad = held_lines("support", "all", Interval::Hourly, -1)[3..6].to_vec();
    let is_bad = move |line: &str| bad.iter().any(|bad| bad == line);
    let refusing = FakeInfluxDb::start(move |write, _| match write.body.lines().any(&is_bad) {
        true => Reply::refused(422, "unprocessable entity", "the field is of another type"),
        false => Reply::stored(),
    });
    let forgetting = FakeInfluxDb::start(|_, _| {
        let words = "partial write: dropped 2 points outside retention policy of duration 72h0m0s";
        Reply::refused(422, "unprocessable entity", words)
    });
    for (database, reason, a_tick) in [(refusing, "refused", 3.0), (forgetting, "retention", 2.0)] {
        let platform = SimulatedPlatform::well(&bots);
        let sink = database.config();
        let template = Template { platform_url: platform.url(), sink: &sink, bots: &bots, ..Template::default() };
        let workspace = Workspace::with(&Template { schedule: EVERY_SECOND, ..template });
        let daemon = Daemon::start(&workspace);
        let dropped = dropped(&daemon, reason);
        assert!(dropped >= 2.0 * a_tick && dropped % a_tick == 0.0, "{reason}: {dropped}");
        let failing = daemon.value("kore_trend_series_failing{bot=\"support\",channel=\"all\",interval=\"hourly\"}");
        assert_eq!(failing, Some(if reason == "refused" { 1.0 } else { 0.0 }));
        assert!(daemon.value("kore_trend_writes_total{result=\"refused\"}").unwrap() >= 2.0);
        assert!(daemon.reload());
        daemon.wait_for_ticks(1);
        assert_eq!(daemon.logged("older than the bucket's retention").len(), usize::from(reason == "retention"));
        daemon.end();
    }
}

#[test]
fn an_hour_that_never_was_is_counted_and_said_once() {
    let zone = TimeZone::get("Europe/Berlin").unwrap();
    let spring = zone.preceding(Timestamp::now()).find(|change| change.dst().is_dst()).unwrap();
    let day = spring.timestamp().to_zoned(zone.clone()).date();
    let days = days_between(day, Timestamp::now().to_zoned(zone).date());
    let bots = bots(["support"], "time_zone = \"Europe/Berlin\"");
    let platform = SimulatedPlatform::start(&bots, move |_, _| {
        let day = day.strftime("%b %d %Y");
        Some((200, format!("{{\"results\":[{{\"date\":\"{day}\",\"1 - 2\":5,\"2 - 3\":7}}]}}")).into())
    });
    let schedule = format!("{EVERY_SECOND}\nrefresh_days = {days}\ninitial_days = {days}");
    let platform_lines = "max_days_per_request = 400";
    let template =
        Template { platform_url: platform.url(), platform: platform_lines, schedule: &schedule, ..Template::default() };
    let workspace = Workspace::with(&Template { bots: &bots, ..template });
    let daemon = Daemon::start(&workspace);
    assert_eq!(dropped(&daemon, "nonexistent_hour"), 1.0);
    let said = daemon.logged("the hour 2, skipped by daylight saving in Europe/Berlin");
    assert!(said.len() == 1 && said[0].contains(&format!("day={day}")), "{said:?}");
    daemon.end();
}
