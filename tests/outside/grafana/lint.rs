//! What can be seen of a dashboard without a server: that Grafana takes it, that nothing in it is left over or left out,
//! and that it speaks of what the exporter writes and of nothing else.

use std::collections::BTreeSet;

use serde_json::Value;

use super::dashboards;
use crate::support::grafana::{panels, targets, with_rows, words};

/// The panels that come with Grafana, of those that are made for these figures.
const KINDS: [&str; 7] = ["bargauge", "barchart", "stat", "status-history", "table", "text", "timeseries"];

pub(super) fn each(check: impl Fn(&str, &Value)) {
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
pub(super) fn texts<'a>(value: &'a Value, name: &'a str, found: &mut Vec<(&'a str, &'a str)>) {
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
