//! What a real Prometheus and its own checks make of the metrics and of the rules that come with them.

use std::process::Command;

use crate::support::daemon::{Daemon, NEVER};
use crate::support::fake_influxdb::{FakeInfluxDb, Reply};
use crate::support::from_tests_run;
use crate::support::platform::SimulatedPlatform;
use crate::support::process::{Output, Running};
use crate::support::prometheus::Prometheus;
use crate::support::wait_for;
use crate::support::workspace::{Template, Workspace, bots};

/// The metrics of the contract, with their types.
const CONTRACT: [(&str, &str); 14] = [
    ("kore_trend_requests_total", "counter"),
    ("kore_trend_request_duration_seconds", "histogram"),
    ("kore_trend_throttled_total", "counter"),
    ("kore_trend_points_written_total", "counter"),
    ("kore_trend_writes_total", "counter"),
    ("kore_trend_points_dropped_total", "counter"),
    ("kore_trend_last_point_timestamp_seconds", "gauge"),
    ("kore_trend_watermark_timestamp_seconds", "gauge"),
    ("kore_trend_series_failing", "gauge"),
    ("kore_trend_last_tick_timestamp_seconds", "gauge"),
    ("kore_trend_tick_duration_seconds", "histogram"),
    ("kore_trend_ticks_skipped_total", "counter"),
    ("kore_trend_config_last_reload_successful", "gauge"),
    ("kore_trend_build_info", "gauge"),
];

/// Runs it in the folder of the alerts.
#[track_caller]
fn promtool(arguments: &[&str]) -> Output {
    let mut command = Command::new(from_tests_run("KORE_TREND_TEST_PROMTOOL"));
    command.current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/grafana/alerts")).args(arguments);
    Running::start(command).finish()
}

#[test]
#[ignore = "needs the servers that tests/run brings"]
fn promtool_finds_nothing_to_object_to() {
    let bots = bots(["care", "support"], "");
    // Everything that can be counted is: throttling, failures, refused points.
    let platform = SimulatedPlatform::start(&bots, |asked, number| match number {
        1 => Some(Reply::errors(429, 429, "API rate limit exceeded").header("retry-after", 1)),
        _ => (asked.bot_id() == "st-care").then(|| Reply::errors(401, 4002, "Invalid SDK credentials")),
    });
    let conflict = "partial write: field type conflict dropped=1";
    let database = FakeInfluxDb::start(move |request, _| match request.body.lines().count() {
        1 => Reply::refused(422, "unprocessable entity", conflict),
        _ => Reply::stored(),
    });
    let workspace = Workspace::with(&Template {
        platform_url: platform.url(),
        schedule: NEVER,
        sink: &database.config(),
        bots: &bots,
        ..Template::default()
    });
    let daemon = Daemon::start(&workspace);
    let check = || {
        let text = daemon.get("/metrics").body;
        let folder = Workspace::new();
        folder.write("metrics", &text);
        let command = format!("\"$PROMTOOL\" check metrics < '{}'", folder.path("metrics").display());
        let mut shell = Command::new("sh");
        shell.args(["-c", &command]).env("PROMTOOL", from_tests_run("KORE_TREND_TEST_PROMTOOL"));
        let checked = Running::start(shell).finish().expect_code(0);
        assert_eq!((checked.stdout.as_str(), checked.stderr.as_str()), ("", ""), "{text}");
    };
    check();
    daemon.wait_for_value(r#"kore_trend_requests_total{bot="care",status="401"}"#, 1.0);
    wait_for("the end of the first tick", || (daemon.ticks() > 0).then_some(()));
    check();
}

#[test]
#[ignore = "needs the servers that tests/run brings"]
fn a_real_prometheus_scrapes_every_metric_and_forgets_a_bot_that_a_reload_removed() {
    let both = bots(["care", "support"], "");
    let platform = SimulatedPlatform::start(&both, |asked, number| {
        (number == 1 && asked.bot_id() != "st-none")
            .then(|| Reply::errors(429, 429, "API rate limit exceeded").header("retry-after", 1))
    });
    let configured = |bots: &str, workspace: &Workspace| {
        workspace.configure(&Template { platform_url: platform.url(), schedule: NEVER, bots, ..Template::default() });
    };
    let workspace = Workspace::new();
    configured(&both, &workspace);
    let daemon = Daemon::start(&workspace);
    daemon.wait_until_ready();
    let prometheus = Prometheus::scraping(daemon.address());
    let metadata = prometheus.metadata();
    for (name, kind) in CONTRACT {
        let about = &metadata[name][0];
        assert_eq!(about["type"], kind, "{name}");
        assert!(about["help"].as_str().unwrap().len() > 10, "{name}: {about}");
        let sample = if kind == "histogram" { format!("{name}_count") } else { name.to_owned() };
        wait_for(&sample, || (!prometheus.now(&sample).is_empty()).then_some(()));
    }

    let of_care = "count({bot=\"care\"})";
    assert!(!prometheus.now(of_care).is_empty());
    configured(&bots(["support"], ""), &workspace);
    assert!(daemon.reload());
    wait_for("a scrape without the bot", || prometheus.now(of_care).is_empty().then_some(()));
    assert!(!prometheus.now("count({bot=\"support\"})").is_empty());
}

#[test]
#[ignore = "needs the servers that tests/run brings"]
fn every_alert_fires_when_it_should_and_is_silent_when_it_should() {
    let checked = promtool(&["check", "rules", "prometheus-rules.yml"]).expect_code(0);
    assert!(checked.stdout.contains("SUCCESS"), "{checked:?}");
    for file in ["prometheus-rules.test.yml", "data-rules.test.yml", "days-rules.test.yml"] {
        let tested = promtool(&["test", "rules", file]).expect_code(0);
        assert!(tested.stdout.contains("SUCCESS"), "{tested:?}");
    }

    let rules = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/grafana/alerts/prometheus-rules.yml"));
    let tests = concat!(
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/grafana/alerts/prometheus-rules.test.yml")),
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/grafana/alerts/data-rules.test.yml")),
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/grafana/alerts/days-rules.test.yml"))
    );
    let values = |text: &'static str, key: &str| -> Vec<&str> {
        text.lines().filter_map(|line| line.trim_start_matches(['-', ' ']).strip_prefix(key)).collect()
    };
    let alerts = values(rules, "alert: ");
    assert_eq!(alerts.len(), 13);
    for alert in alerts {
        // What follows the alert's name in each of its cases, up to the next one.
        let cases: Vec<&str> = tests.split(&format!("alertname: {alert}\n")).skip(1).collect();
        assert!(cases.iter().any(|case| case.trim_start().starts_with("exp_alerts: []")), "{alert} is never silent");
        assert!(cases.iter().any(|case| case.trim_start().starts_with("exp_alerts:\n")), "{alert} never fires");
    }
}
