//! Whom the dashboards ask, and in which words: what the exporter writes and nothing else, the same in both languages.

use serde_json::Value;

use super::dashboards;
use super::lint::{each, texts};
use crate::support::grafana::{panels, targets, with_rows, words};

/// The database, or the Prometheus of a dashboard that has both.
#[test]
fn data_comes_from_the_source_that_the_reader_chose() {
    each(|file, dashboard| {
        let variables = dashboard["templating"]["list"].as_array().unwrap();
        let (sources, others): (Vec<&Value>, Vec<&Value>) =
            variables.iter().partition(|one| one["type"] == "datasource");
        let source = |variable: &Value| serde_json::json!({ "type": variable["query"], "uid": format!("${{{}}}", words(&variable["name"])) });
        let offered: Vec<Value> = sources.iter().map(|variable| source(variable)).collect();
        assert_eq!(sources[0]["name"], "datasource", "{file}");
        for panel in panels(dashboard).into_iter().filter(|panel| panel["type"] != "text") {
            assert!(offered.contains(&panel["datasource"]), "{file}: {}", panel["title"]);
            for target in targets(panel) {
                assert_eq!(target["datasource"], panel["datasource"], "{file}: {}", panel["title"]);
                assert_eq!(target.get("expr").is_some(), target["datasource"]["type"] == "prometheus", "{file}");
            }
        }
        let annotations = dashboard["annotations"]["list"].as_array().unwrap();
        for asked in others.into_iter().chain(annotations) {
            assert_eq!(asked["datasource"], offered[0], "{file}: {}", asked["name"]);
        }
    });
}

/// The queries of panels and variables to InfluxDB.
fn queries(dashboard: &Value) -> Vec<&str> {
    let of_panels = panels(dashboard).into_iter().flat_map(targets).map(|target| &target["query"]);
    let of_variables = dashboard["templating"]["list"].as_array().unwrap().iter().map(|one| &one["query"]["query"]);
    of_panels.chain(of_variables).filter_map(Value::as_str).collect()
}

/// What stands between quotes, and whether nothing is left open.
fn quoted(query: &str, quote: char) -> Vec<&str> {
    let parts: Vec<&str> = query.split(quote).collect();
    assert_eq!(parts.len() % 2, 1, "a quote is left open: {query}");
    parts.into_iter().skip(1).step_by(2).collect()
}

/// The dashboards on a database, in this language.
fn in_language(language: &str) -> Vec<Value> {
    let all = dashboards::all().into_iter().filter(|(file, _)| file.ends_with(&format!("-{language}.json")));
    let found: Vec<Value> = all.map(|(_, dashboard)| dashboard).collect();
    assert_eq!(found.len(), 2, "user engagement and fleet");
    found
}

#[test]
fn influxql_names_what_the_contract_names() {
    let contract = ["user_engagement_hourly", "user_engagement_daily", "bot", "channel", "users"];
    let columns = ["today", "a week earlier", "on average", "busiest day"];
    for dashboard in in_language("influxql") {
        assert!(queries(&dashboard).len() > 8);
        for query in queries(&dashboard).into_iter().filter(|query| *query != "influxdb") {
            let names = quoted(query, '"');
            assert!(names.iter().all(|name| contract.contains(name) || columns.contains(name)), "{query}");
            let measurement = names.iter().any(|name| name.starts_with("user_engagement_"));
            assert!(measurement || query.contains("FROM /^user_engagement_(hourly|daily)$/"), "{query}");
            // Also where values of variables are asked for: InfluxDB 3 would look at the last day only.
            assert!(query.contains("$timeFilter") || query.contains("${__to}ms"), "{query}");
            // A query over a query that names no time opens every shard that there is.
            assert_eq!(query.matches("SELECT ").count(), query.matches("time < ").count(), "{query}");
            // A keyword: it must stand between quotes.
            assert_eq!(query.matches("users").count(), query.matches("\"users\"").count(), "{query}");
            for column in columns {
                assert_eq!(
                    query.matches(column).count(),
                    query.matches(&format!("AS \"{column}\"")).count(),
                    "{query}"
                );
            }
            assert_eq!(query.matches('(').count(), query.matches(')').count(), "{query}");
        }
    }
}

#[test]
fn flux_names_what_the_contract_names() {
    for dashboard in in_language("flux") {
        assert!(queries(&dashboard).len() > 8);
        for query in queries(&dashboard).into_iter().filter(|query| *query != "influxdb") {
            let measurements = query.split("user_engagement_").skip(1);
            let known =
                |rest: &str| ["hourly\"", "daily\"", "(hourly|daily)$/"].iter().any(|name| rest.starts_with(name));
            assert!(query.contains("user_engagement_") && measurements.clone().all(known), "{query}");
            for field in query.split("r._field == ").skip(1) {
                assert!(field.starts_with("\"users\""), "{query}");
            }
            let columns = ["bot", "channel", "_time", "_value", "_measurement", "_field"];
            for column in query.split("r.").skip(1).filter(|rest| !rest.starts_with(char::is_whitespace)) {
                let column = &column[..column.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(column.len())];
                assert!(columns.contains(&column), "{column:?} in {query}");
            }
            assert!(query.contains("v.defaultBucket") && query.contains("v.timeRangeStop"), "{query}");
        }
    }
}

/// But for the queries, and for the dashboard that links lead to.
#[test]
fn both_languages_have_the_same_panels() {
    let without_language = |dashboard: &Value| -> Vec<Value> {
        let mut panels: Vec<Value> = with_rows(dashboard).into_iter().cloned().collect();
        for panel in &mut panels {
            let targets = panel["targets"].take();
            panel["targets"] = targets.as_array().map_or(0, Vec::len).into();
            panel["panels"].take();
            let text = panel.to_string().replace("kore-trend-engagement-flux", "kore-trend-engagement-influxql");
            *panel = serde_json::from_str(&text).unwrap();
        }
        panels
    };
    for (influxql, flux) in in_language("influxql").iter().zip(&in_language("flux")) {
        assert_eq!(without_language(influxql), without_language(flux));
    }
}

/// Every address that a click leads to: a dashboard that there is, or a text.
#[test]
fn links_lead_to_what_there_is() {
    let uids: Vec<String> = dashboards::all().iter().map(|(_, one)| words(&one["uid"]).to_owned()).collect();
    let mut found = 0;
    each(|_, dashboard| {
        let mut all = Vec::new();
        texts(dashboard, "", &mut all);
        for (_, url) in all.iter().filter(|(name, text)| *name == "url" && !text.is_empty()) {
            match url.strip_prefix("/d/") {
                Some(rest) => {
                    let uid = rest.split('?').next().unwrap();
                    assert!(uids.iter().any(|known| known == uid), "{url}");
                    assert!(url.contains("var-bot=${__") && url.contains("${__url_time_range}"), "{url}");
                }
                None => assert!(url.starts_with("docs/troubleshooting.md#"), "{url}"),
            }
        }
    });
    for (file, titles) in [
        ("user-engagement-flux.json", &["Freshness", "Users per hour by bot", "Daily unique users", "Bots"][..]),
        (
            "bot-fleet-influxql.json",
            &["Today against last week", "Hours since the newest figure", "Failing series", "Bots"],
        ),
        ("exporter-health.json", &["Series", "Age of the newest hourly figure", "Failing series", "Throttled"]),
    ] {
        let all = dashboards::all();
        let (_, dashboard) = all.iter().find(|(name, _)| *name == file).unwrap();
        for title in titles {
            let panel = panels(dashboard).into_iter().find(|panel| panel["title"] == *title).unwrap();
            assert!(panel["fieldConfig"].to_string().contains("var-bot=${__"), "{file}: {title} leads to no bot");
            found += 1;
        }
    }
    assert_eq!(found, 12);
}
