//! What can be seen of a dashboard without a server: that Grafana takes it, that nothing in it is left over or left out,
//! and that it speaks of what the exporter writes and of nothing else.

use std::collections::BTreeSet;

use serde_json::Value;

use super::dashboards;
use crate::support::grafana::{panels, targets, words};

/// The panels that come with Grafana, of those that are made for these figures.
const KINDS: [&str; 6] = ["barchart", "piechart", "stat", "table", "text", "timeseries"];

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
        for panel in dashboard["panels"].as_array().unwrap() {
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
    let engagement = dashboards::all().into_iter().filter(|(file, _)| file.starts_with("user-engagement"));
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

/// Grafana paints a field without a figure in the colour of the smallest.
#[test]
fn what_is_painted_has_no_colour_where_there_is_no_figure() {
    let mut painted = 0;
    for (file, dashboard) in dashboards::all() {
        for panel in panels(&dashboard) {
            let defaults = &panel["fieldConfig"]["defaults"];
            if defaults["custom"]["cellOptions"]["type"] == "color-background" {
                let nothing = &defaults["mappings"][0];
                assert_eq!(
                    (&nothing["type"], &nothing["options"]["match"]),
                    (&"special".into(), &"null".into()),
                    "{file}"
                );
                assert_eq!(nothing["options"]["result"]["color"], "transparent", "{file}");
                painted += 1;
            }
        }
    }
    assert_eq!(painted, 2, "the heat map in both languages");
}

#[test]
fn the_grid_has_neither_overlaps_nor_holes() {
    each(|file, dashboard| {
        let mut cells = BTreeSet::new();
        for panel in dashboard["panels"].as_array().unwrap() {
            let at = |name: &str| panel["gridPos"][name].as_u64().unwrap();
            assert!(at("w") > 0 && at("h") > 0 && at("x") + at("w") <= 24, "{file}: {}", panel["title"]);
            for (x, y) in (at("y")..at("y") + at("h")).flat_map(|y| (at("x")..at("x") + at("w")).map(move |x| (x, y))) {
                assert!(cells.insert((y, x)), "{file}: two panels at column {x}, line {y}");
            }
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
        let own = |name: &&str| !name.starts_with("__") && !["timeFilter", "tag_bot", "tag_channel"].contains(name);
        // What Grafana calls its own "All".
        let found = found.iter().filter(|(_, text)| *text != "$__all");
        let found: BTreeSet<&str> = found.flat_map(|(_, text)| used(text)).filter(own).collect();
        assert_eq!(found, defined, "{file}");
    });
}

#[test]
fn data_comes_from_the_source_that_the_reader_chose() {
    each(|file, dashboard| {
        let variable = &dashboard["templating"]["list"][0];
        assert_eq!(variable["type"], "datasource", "{file}");
        let source = serde_json::json!({ "type": variable["query"], "uid": "${datasource}" });
        for panel in panels(dashboard).into_iter().filter(|panel| panel["type"] != "text") {
            assert_eq!(panel["datasource"], source, "{file}: {}", panel["title"]);
            assert!(targets(panel).iter().all(|target| target["datasource"] == source), "{file}: {}", panel["title"]);
        }
        for variable in dashboard["templating"]["list"].as_array().unwrap().iter().skip(1) {
            assert_eq!(variable["datasource"], source, "{file}: {}", variable["name"]);
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

#[test]
fn influxql_names_what_the_contract_names() {
    let contract = ["user_engagement_hourly", "user_engagement_daily", "bot", "channel", "users"];
    let columns = ["today", "a week earlier", "on average", "busiest day"];
    let dashboard = &dashboards::all()[0].1;
    assert!(queries(dashboard).len() > 10);
    for query in queries(dashboard).into_iter().filter(|query| *query != "influxdb") {
        let names = quoted(query, '"');
        assert!(names.iter().all(|name| contract.contains(name) || columns.contains(name)), "{query}");
        let measurement = names.iter().any(|name| name.starts_with("user_engagement_"));
        assert!(measurement || query.contains("FROM /^user_engagement_(hourly|daily)$/"), "{query}");
        // Also where values of variables are asked for: InfluxDB 3 would look at the last day only.
        assert!(query.contains("$timeFilter") || query.contains("${__to}ms"), "{query}");
        // A keyword: it must stand between quotes.
        assert_eq!(query.matches("users").count(), query.matches("\"users\"").count(), "{query}");
        for column in columns {
            assert_eq!(query.matches(column).count(), query.matches(&format!("AS \"{column}\"")).count(), "{query}");
        }
        assert_eq!(query.matches('(').count(), query.matches(')').count(), "{query}");
    }
}

#[test]
fn flux_names_what_the_contract_names() {
    let dashboard = &dashboards::all()[1].1;
    assert!(queries(dashboard).len() > 10);
    for query in queries(dashboard).into_iter().filter(|query| *query != "influxdb") {
        let measurements = query.split("user_engagement_").skip(1);
        let known = |rest: &str| ["hourly\"", "daily\"", "(hourly|daily)$/"].iter().any(|name| rest.starts_with(name));
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

#[test]
fn both_languages_have_the_same_panels() {
    let all = dashboards::all();
    let without_queries = |dashboard: &Value| -> Vec<Value> {
        let mut panels: Vec<Value> = dashboard["panels"].as_array().unwrap().clone();
        for panel in &mut panels {
            let panel = panel.as_object_mut().unwrap();
            if let Some(targets) = panel.remove("targets") {
                panel.insert("queries".to_owned(), targets.as_array().unwrap().len().into());
            }
        }
        panels
    };
    assert_eq!(without_queries(&all[0].1), without_queries(&all[1].1));
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
