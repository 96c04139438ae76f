//! What can be seen of a dashboard without a server: that Grafana takes it, that nothing in it is left over or left out,
//! and that it speaks of what the exporter writes and of nothing else.

use std::collections::BTreeSet;

use serde_json::Value;

use super::dashboards;
use crate::support::grafana::{panels, targets, with_rows, words};

/// The panels that come with Grafana, of those that are made for these figures.
const KINDS: [&str; 7] = ["bargauge", "barchart", "stat", "status-history", "table", "text", "timeseries"];

fn each(check: impl Fn(&str, &Value)) {
    for (file, dashboard) in dashboards::all() {
        check(file, &dashboard);
    }
}

#[test]
fn each_has_a_name_of_its_own_and_can_be_provisioned() {
    let (mut uids, mut titles) = (BTreeSet::new(), BTreeSet::new());
    for (file, dashboard) in dashboards::all() {
        let uid = words(&dashboard["uid"]).to_owned();
        assert!(uid.starts_with("kore-trend-") && uid.len() <= 40, "{file}: {uid}");
        assert!(uids.insert(uid) && titles.insert(dashboard["title"].to_string()), "{file}: a name twice");
        assert!(dashboard["id"].is_null() && dashboard.get("__inputs").is_none(), "{file}");
        assert_eq!(dashboard["schemaVersion"], 42, "{file}");
        assert!(!words(&dashboard["description"]).is_empty(), "{file}");
        let links = dashboard["links"].as_array().unwrap();
        assert!(links.iter().any(|link| link["tags"] == dashboard["tags"]), "{file}: no way to the others");
    }
}

#[test]
fn panels_are_numbered_titled_described_and_of_a_known_kind() {
    each(|file, dashboard| {
        let (mut ids, mut titles) = (BTreeSet::new(), BTreeSet::new());
        for panel in with_rows(dashboard) {
            assert!(ids.insert(panel["id"].as_u64().unwrap()), "{file}: an id twice");
        }
        for panel in panels(dashboard) {
            let title = words(&panel["title"]);
            assert!(!title.is_empty() && titles.insert(title), "{file}: {title:?}");
            assert!(words(&panel["description"]).ends_with('.'), "{file}: {title}: no description");
            assert!(KINDS.contains(&words(&panel["type"])), "{file}: {title}: {}", panel["type"]);
            if panel["type"] != "text" {
                assert!(!targets(panel).is_empty(), "{file}: {title}: no query");
                let no_value = panel["fieldConfig"]["defaults"]["noValue"].as_str();
                assert!(no_value.is_some_and(|text| !text.is_empty()), "{file}: {title}: no text for no value");
                assert!(panel["fieldConfig"]["defaults"]["unit"].is_string(), "{file}: {title}: no unit");
            }
            let refs: BTreeSet<&str> = targets(panel).iter().map(|target| words(&target["refId"])).collect();
            assert_eq!(refs.len(), targets(panel).len(), "{file}: {title}: a refId twice");
        }
    });
}

/// Units that shorten what they show, so that it must not be rounded, too: 1,250 would be "1 K", two and a half hours "3
/// hours".
#[test]
fn figures_are_as_exact_as_they_must_be() {
    each(|file, dashboard| {
        for panel in panels(dashboard).into_iter().filter(|panel| panel["type"] != "text") {
            let config = &panel["fieldConfig"];
            let mut looks = vec![(config["defaults"]["unit"].clone(), config["defaults"]["decimals"].clone())];
            for one in config["overrides"].as_array().unwrap() {
                let properties = one["properties"].as_array().unwrap();
                let of = |id: &str, before: &Value| {
                    let own = properties.iter().find(|property| property["id"] == id);
                    own.map_or(before.clone(), |property| property["value"].clone())
                };
                looks.push((of("unit", &looks[0].0), of("decimals", &looks[0].1)));
            }
            for (unit, decimals) in looks {
                assert!(!(unit == "short" && decimals == 0), "{file}: {}: 1,250 would be 1 K", panel["title"]);
                assert!(!(unit == "s" && decimals == 0), "{file}: {}: 2.5 hours would be 3", panel["title"]);
            }
        }
    });
}

/// Neither language answers anything for an hour without a figure, so only a gap in time can break a curve. Grafana knows
/// it by this threshold, which must be longer than its longest step below a week.
#[test]
fn curves_are_broken_where_there_is_nothing() {
    const DAY: u64 = 86_400_000;
    let engagement = dashboards::all().into_iter().filter(|(file, _)| file.starts_with("user-engagement-"));
    for (file, dashboard) in engagement {
        let curves: Vec<&Value> =
            panels(&dashboard).into_iter().filter(|panel| panel["type"] == "timeseries").collect();
        assert!(!curves.is_empty(), "{file}");
        for panel in curves {
            let custom = &panel["fieldConfig"]["defaults"]["custom"];
            assert!(custom["insertNulls"].as_u64().is_some_and(|gap| gap > DAY && gap < 2 * DAY), "{file}: {custom}");
            assert_eq!(custom["spanNulls"], false, "{file}");
        }
    }
}

/// What is rarely needed asks nothing until somebody opens it, and is not what one opens a dashboard for.
#[test]
fn rows_that_are_rarely_needed_are_collapsed() {
    let mut collapsed = Vec::new();
    for (file, dashboard) in dashboards::all() {
        for row in dashboard["panels"].as_array().unwrap().iter().filter(|panel| panel["type"] == "row") {
            assert_eq!(row["collapsed"] == true, !row["panels"].as_array().unwrap().is_empty(), "{file}");
            if row["collapsed"] == true {
                collapsed.push(words(&row["title"]).to_owned());
            }
        }
    }
    let (reading, every) = ("How to read the figures", "Figures of every bot");
    assert_eq!(collapsed, [reading, reading, every, every, "Ticks", "Resources"]);
}

/// As if every row were open: what is in a collapsed one pushes the rest down.
#[test]
fn the_grid_has_neither_overlaps_nor_holes() {
    each(|file, dashboard| {
        let mut cells = BTreeSet::new();
        let mut below = 0;
        for panel in dashboard["panels"].as_array().unwrap() {
            let inside = panel["panels"].as_array().map_or(&[][..], Vec::as_slice);
            for panel in [panel].into_iter().chain(inside) {
                let at = |name: &str| panel["gridPos"][name].as_u64().unwrap();
                assert!(at("w") > 0 && at("h") > 0 && at("x") + at("w") <= 24, "{file}: {}", panel["title"]);
                let (top, left) = (at("y") + below, at("x"));
                for (x, y) in (top..top + at("h")).flat_map(|y| (left..left + at("w")).map(move |x| (x, y))) {
                    assert!(cells.insert((y, x)), "{file}: two panels at column {x}, line {y}");
                }
            }
            let row = panel["gridPos"]["y"].as_u64().unwrap();
            let bottom = |one: &Value| one["gridPos"]["y"].as_u64().unwrap() + one["gridPos"]["h"].as_u64().unwrap();
            below += inside.iter().map(bottom).max().map_or(0, |bottom| bottom - row - 1);
        }
        let lines = cells.last().unwrap().0 + 1;
        assert_eq!(cells.len() as u64, 24 * lines, "{file}: a hole");
    });
}

/// Every text in a value, with the name it stands under.
fn texts<'a>(value: &'a Value, name: &'a str, found: &mut Vec<(&'a str, &'a str)>) {
    match value {
        Value::String(text) => found.push((name, text)),
        Value::Array(values) => values.iter().for_each(|value| texts(value, name, found)),
        Value::Object(members) => members.iter().for_each(|(name, value)| texts(value, name, found)),
        _ => {}
    }
}

/// The names after `$` in a text.
fn used(text: &str) -> Vec<&str> {
    text.split('$')
        .skip(1)
        .map(|rest| {
            let rest = rest.strip_prefix('{').unwrap_or(rest);
            &rest[..rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len())]
        })
        .filter(|name| !name.is_empty())
        .collect()
}

#[test]
fn every_variable_is_defined_and_used() {
    each(|file, dashboard| {
        let defined: BTreeSet<&str> =
            dashboard["templating"]["list"].as_array().unwrap().iter().map(|one| words(&one["name"])).collect();
        let mut found = Vec::new();
        texts(dashboard, "", &mut found);
        let others = ["timeFilter", "tag_bot", "tag_channel", "1"];
        let own = |name: &&str| !name.starts_with("__") && !others.contains(name);
        // What Grafana calls its own "All".
        let found = found.iter().filter(|(_, text)| *text != "$__all");
        let found: BTreeSet<&str> = found.flat_map(|(_, text)| used(text)).filter(own).collect();
        assert_eq!(found, defined, "{file}");
    });
}

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

#[test]
fn no_text_is_empty_where_grafana_would_show_it() {
    each(|file, dashboard| {
        let mut found = Vec::new();
        texts(dashboard, "", &mut found);
        let shown = ["title", "label", "description", "displayName", "legendFormat"];
        for (name, text) in found.into_iter().filter(|(name, _)| shown.contains(name)) {
            assert!(!text.trim().is_empty() && text.trim() == text && !text.contains("  "), "{file}: {name} {text:?}");
        }
    });
}
