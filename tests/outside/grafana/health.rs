//! The dashboard of the exporter's health: it names metrics that there are, and a real Prometheus answers every query.

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::Value;

use super::dashboards;
use crate::support::daemon::Daemon;
use crate::support::fake_influxdb::Reply;
use crate::support::grafana::{panels, targets, words};
use crate::support::platform::SimulatedPlatform;
use crate::support::process::Running;
use crate::support::workspace::{Template, Workspace, bots};

fn dashboard() -> Value {
    dashboards::all().into_iter().find(|(file, _)| *file == "exporter-health.json").unwrap().1
}

/// The metrics that a query names.
fn metrics(query: &str) -> Vec<&str> {
    let words = query.split(|c: char| !c.is_alphanumeric() && c != '_');
    words.filter(|word| word.starts_with("kore_trend_") || word.starts_with("process_")).collect()
}

/// A daemon that works, with every metric that there is.
fn daemon() -> (SimulatedPlatform, Workspace, Daemon) {
    let bots = bots(["care", "sales-2"], "channels = [\"all\", \"rtm\"]\nintervals = [\"hourly\", \"daily\"]");
    let schedule = "cron = \"*/3 * * * * *\"\nspread = \"0s\"\ninitial_days = 1\nrefresh_days = 1";
    // Now and then a bot is asked to wait: the first time after the first tick, which is eight requests.
    let platform = SimulatedPlatform::start(&bots, |_, number| {
        let throttled = || Reply::errors(429, 429, "API rate limit exceeded").header("retry-after", 1);
        (number > 8 && number % 5 == 0).then(throttled)
    });
    let workspace =
        Workspace::with(&Template { platform_url: platform.url(), bots: &bots, schedule, ..Template::default() });
    let daemon = Daemon::start(&workspace);
    daemon.wait_for_ticks(1);
    (platform, workspace, daemon)
}

#[test]
fn every_metric_that_it_names_is_in_a_real_scrape() {
    let (_platform, _workspace, daemon) = daemon();
    let scrape = daemon.get("/metrics").body;
    let names: BTreeSet<&str> =
        scrape.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split(['{', ' ']).next()).collect();
    let dashboard = dashboard();
    let mut used = BTreeSet::new();
    for query in queries(&dashboard) {
        assert!(!metrics(query).is_empty(), "{query}");
        used.extend(metrics(query).into_iter().map(str::to_owned));
    }
    let unknown: Vec<&String> = used.iter().filter(|metric| !names.contains(metric.as_str())).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
    // The other way round: what the exporter tells is looked at, but for parts of histograms.
    let parts = ["request_duration_seconds_count", "request_duration_seconds_sum", "tick_duration_seconds_sum"];
    let unused: Vec<&&str> = names
        .iter()
        .filter(|name| name.starts_with("kore_trend_") && !used.contains(**name))
        .filter(|name| !parts.iter().any(|part| name.ends_with(part)))
        .collect();
    assert!(unused.is_empty(), "{unused:?}");
}

/// The queries of its panels, variables and annotations.
fn queries(dashboard: &Value) -> Vec<&str> {
    let of_panels = panels(dashboard).into_iter().flat_map(targets).map(|target| words(&target["expr"]));
    let variables = dashboard["templating"]["list"].as_array().unwrap().iter().skip(1);
    let annotations = events(dashboard).iter().map(|event| words(&event["expr"]));
    of_panels.chain(variables.map(|variable| words(&variable["query"]["query"]))).chain(annotations).collect()
}

/// What is drawn over every curve.
fn events(dashboard: &Value) -> &[Value] {
    dashboard["annotations"]["list"].as_array().unwrap()
}

#[test]
fn restarts_refused_reloads_and_failures_are_drawn_over_the_curves() {
    let dashboard = dashboard();
    let names: Vec<&str> = events(&dashboard).iter().map(|event| words(&event["name"])).collect();
    assert_eq!(names, ["Restarts", "Refused reloads", "Failing series"]);
    for event in events(&dashboard) {
        assert_eq!(event["enable"], true);
        // Of a restart the value is the time, in milliseconds; elsewhere what is above zero is drawn.
        assert_eq!(event["useValueForTime"], words(&event["expr"]).ends_with(" * 1000"), "{event}");
    }
}

/// The query as it reaches Prometheus; a value as Grafana puts it between quotes.
fn expand(query: &str, instance: &str, bot: &str) -> String {
    let escape = |value: &str| value.replace('.', "\\\\.");
    let values = [("$instance", instance), ("$bot", bot)];
    let expanded = values.iter().fold(query.replace("$__rate_interval", "8s"), |query, (name, value)| {
        query.replace(name, &if *value == ".*" { (*value).to_owned() } else { escape(value) })
    });
    assert!(!expanded.contains('$'), "{expanded}");
    expanded
}

mod needs_prometheus {
    use super::*;
    use crate::support::prometheus::Prometheus;
    use crate::support::{from_tests_run, wait_for};

    #[test]
    #[ignore = "needs the servers that tests/run brings"]
    fn every_query_of_the_health_dashboard_is_answered_by_a_real_prometheus() {
        let (_platform, _workspace, daemon) = daemon();
        let (instance, prometheus) = (daemon.address().to_string(), Prometheus::scraping(daemon.address()));
        // Of both bots Prometheus has seen that they were throttled once more.
        wait_for("throttling", || {
            let throttled = prometheus.now("increase(kore_trend_throttled_total[1h]) > 0");
            (throttled.len() == 2).then_some(())
        });
        daemon.wait_for_ticks(3);
        let ticks = daemon.ticks() as f64;
        wait_for("a scrape of these ticks", || {
            let seen = prometheus.now("kore_trend_tick_duration_seconds_count");
            (words(&seen.first()?["value"][1]).parse::<f64>().unwrap() >= ticks).then_some(())
        });
        let dashboard = dashboard();
        for (instance, bot) in [(".*", ".*"), (instance.as_str(), "sales-2"), (instance.as_str(), "(care|sales-2)")] {
            for panel in panels(&dashboard) {
                for target in targets(panel) {
                    let query = expand(words(&target["expr"]), instance, bot);
                    let found =
                        if target["instant"] == true { prometheus.now(&query) } else { prometheus.past(&query, 3) };
                    check(words(&panel["title"]), words(&target["refId"]), &found, bot);
                }
            }
            // Nothing has failed and nothing was refused; it has started once, and not in 1970.
            for event in events(&dashboard) {
                let found = prometheus.past(&expand(words(&event["expr"]), instance, bot), 3);
                let values = found.iter().flat_map(|one| one["values"].as_array().unwrap());
                let mut values: Vec<f64> = values.map(|value| words(&value[1]).parse().unwrap()).collect();
                values.dedup();
                match words(&event["name"]) {
                    "Restarts" => assert!(values.len() == 1 && values[0] > 1.6e12, "{values:?}"),
                    _ => assert!(!values.is_empty() && values.iter().all(|value| *value == 0.0), "{values:?}"),
                }
            }
        }
        // Where there is no such exporter, a figure with a past is no number, and not what it was before.
        for panel in panels(&dashboard).into_iter().filter(|panel| panel["type"] == "stat") {
            let target = &targets(panel)[0];
            let query = expand(words(&target["expr"]), "nobody", "nobody");
            let values = if target["instant"] == true { prometheus.now(&query) } else { prometheus.past(&query, 3) };
            let last = |one: &Value| words(&one["values"].as_array().unwrap().last().unwrap()[1]).to_owned();
            let expected: &[&str] = if target["instant"] == true { &[] } else { &["NaN"] };
            assert_eq!(values.iter().map(last).collect::<Vec<_>>(), expected, "{}", panel["title"]);
        }
        assert_eq!(prometheus.label_values("instance", "kore_trend_build_info"), [instance.as_str()]);
        let variables = dashboard["templating"]["list"].as_array().unwrap();
        let asked = expand(words(&variables[2]["query"]["query"]), &instance, ".*");
        let metric = asked.strip_prefix("label_values(").unwrap().strip_suffix(", bot)").unwrap();
        assert_eq!(prometheus.label_values("bot", metric), ["care", "sales-2"]);
    }

    /// What has happened once an hour is seen all the time, and what has not happened is not seen at all.
    #[test]
    #[ignore = "needs the servers that tests/run brings"]
    fn with_a_tick_an_hour_no_panel_is_blank() {
        let dashboard = dashboard();
        let query = |title: &str| {
            let found = panels(&dashboard).into_iter().find(|panel| panel["title"] == title);
            expand(words(&targets(found.unwrap())[0]["expr"]), ".*", ".*")
        };
        // A tick of two seconds and its requests at ten past every hour, or a minute later, in ten hours.
        let series = |name: &str| {
            let count: String =
                (1..=10).map(|hour| format!(" {hour}x{}", if hour % 2 == 0 { 58 } else { 60 })).collect();
            let buckets = [("1", "0x610".to_owned()), ("5", format!("0x9{count}")), ("+Inf", format!("0x9{count}"))];
            let line = |(le, values): (&str, String)| {
                format!("      - {{series: '{name}_bucket{{instance=\"i\", le=\"{le}\"}}', values: '{values}'}}\n")
            };
            buckets.map(line).concat()
        };
        let mut text = String::from("rule_files: []\nevaluation_interval: 1m\ntests:\n");
        text += "  - interval: 1m\n    input_series:\n";
        text += &(series("kore_trend_tick_duration_seconds") + &series("kore_trend_request_duration_seconds"));
        text += "    promql_expr_test:\n";
        for title in ["Duration of ticks", "Duration of requests"] {
            // From a second tick on, in every minute.
            for minute in 90..600 {
                text += &format!(
                    "      - {{expr: 'count({} > 1)', eval_time: {minute}m, exp_samples: [{{labels: '{{}}', value: 1}}]}}\n",
                    query(title)
                );
            }
        }
        // An exporter that has just started has had no tick, and did not have its last one in 1970.
        text += "  - interval: 1m\n    input_series:\n";
        text += "      - {series: 'kore_trend_last_tick_timestamp_seconds{instance=\"i\"}', values: '0x30 1800x30'}\n";
        text += "    promql_expr_test:\n";
        // In seconds, and in minutes.
        for (title, labels, age) in
            [("Since the last tick", "{}", 600), ("Age of the last tick", "{instance=\"i\"}", 10)]
        {
            text += &format!("      - {{expr: '{}', eval_time: 20m, exp_samples: []}}\n", query(title));
            text += &format!(
                "      - {{expr: '{}', eval_time: 40m, exp_samples: [{{labels: '{labels}', value: {age}}}]}}\n",
                query(title)
            );
        }
        let folder = Workspace::new();
        folder.write("panels.yml", &text);
        let mut promtool = Command::new(from_tests_run("KORE_TREND_TEST_PROMTOOL"));
        promtool.current_dir(folder.path("")).args(["test", "rules", "panels.yml"]);
        let tested = Running::start(promtool).finish().expect_code(0);
        assert!(tested.stdout.contains("SUCCESS"), "{tested:?}");
    }

    /// Something is found, and it is what a daemon that is well and has two bots of four series each must show.
    fn check(title: &str, ref_id: &str, found: &[Value], bot: &str) {
        let bots = if bot == "sales-2" { 1 } else { 2 };
        let numbers: Vec<f64> = found
            .iter()
            .map(|one| {
                if one["values"].is_array() {
                    &one["values"].as_array().unwrap().last().unwrap()[1]
                } else {
                    &one["value"][1]
                }
            })
            .map(|number| words(number).parse().unwrap())
            .collect();
        assert!(!numbers.is_empty(), "{title} {ref_id}: nothing");
        assert!(numbers.iter().all(|number| number.is_finite() && *number >= 0.0), "{title} {ref_id}: {numbers:?}");
        let count = match title {
            "Series" => 4 * bots,
            "Age of the newest hourly figure" | "Failing series" | "Throttled" | "Points written" => bots,
            "Limits used" => 2 * bots,
            "Requests by status" => 2,
            // Each reason, which is there from the start.
            "Points dropped" => numbers.len().max(3),
            "Writes by result" => 3,
            _ => 1,
        };
        assert_eq!(numbers.len(), count, "{title} {ref_id}: {found:?}");
        let sum: f64 = numbers.iter().sum();
        let good = match title {
            "Since the last tick" => sum < 60.0,
            "Age of the last tick" => sum < 1.0,
            "Configuration" | "Release" | "Exporters up" => sum == 1.0,
            "State folder" | "Series failing" => sum == 0.0,
            "Oldest figure" => sum < 130.0 * 60.0,
            "Age of the newest hourly figure" => numbers.iter().all(|age| *age < 130.0 / 60.0),
            "Ticks" if ref_id == "A" => sum > 0.0,
            "Throttled" | "Limits used" => numbers.iter().all(|number| *number > 0.0),
            "Duration of ticks" | "Duration of requests" => sum > 0.0,
            // Points that have not changed since the start are not written again.
            "Memory" | "Requests by status" => sum > 0.0,
            _ => true,
        };
        assert!(good, "{title} {ref_id}: {numbers:?}");
    }
}
