//! What a real Grafana drew wrongly once. Each cause is an option that could come back unnoticed, for no query fails and
//! no figure is wrong: a rule for each, held over every panel of every dashboard, and shown to find its cause.

use serde_json::{Value, json};

use super::dashboards;
use crate::support::grafana::{panels, targets, words};

/// What is wrong about a panel.
type Rule = fn(&Value) -> bool;

/// Each with what a reader would see.
const RULES: [(&str, Rule); 18] = [
    ("a smear of texts under the bars", bars_without_a_text_write_one),
    ("\"no exporter\" in green, or nothing at all", nothing_is_not_mapped),
    ("\"no exporter\" in a colour that looks well", nothing_looks_well),
    ("figures 12 pixels high, which share one place", figures_share_a_place),
    ("25 bots of fifty", figures_are_cut_off),
    ("what was true before the exporter went away", an_old_figure_looks_new),
    ("a column of hours that is off the screen", a_table_of_hours),
    ("a legend that takes a third and shows three of fifty", many_names_below),
    ("an axis of \"1.39 hours\" and \"33.3 mins\"", an_age_in_seconds),
    ("colours that mean nothing", colours_by_any_name),
    ("spikes of 0.45 requests a second, once an hour", a_rate_of_what_happens_hourly),
    ("advice to set intervals that are set", no_days_blames_the_configuration),
    ("\"today\" over nine days", a_range_is_called_today),
    ("a title that ends in dots", the_title_is_cut),
    ("a bare header with a menu", a_merge_of_nothing),
    ("an hour too many in one of the languages", a_range_holds_its_end),
    ("twelve slices, three of them named", a_pie),
    ("columns that are cut on a phone", narrow_columns),
];

fn each(check: impl Fn(&str, &Value)) {
    for (file, dashboard) in dashboards::all() {
        panels(&dashboard).into_iter().for_each(|panel| check(file, panel));
    }
}

#[test]
fn no_panel_has_what_was_drawn_wrongly() {
    each(|file, panel| {
        for (seen, rule) in RULES {
            assert!(!rule(panel), "{file}: {}: {seen}", panel["title"]);
        }
    });
}

fn kind(panel: &Value) -> &str {
    words(&panel["type"])
}

fn defaults(panel: &Value) -> &Value {
    &panel["fieldConfig"]["defaults"]
}

fn overrides(panel: &Value) -> &[Value] {
    panel["fieldConfig"]["overrides"].as_array().map_or(&[], Vec::as_slice)
}

/// The value of a property for the field of this name.
fn property<'a>(panel: &'a Value, field: &Value, id: &str) -> Option<&'a Value> {
    let of_field = overrides(panel).iter().filter(|one| one["matcher"] == json!({ "id": "byName", "options": field }));
    let properties = of_field.flat_map(|one| one["properties"].as_array().unwrap());
    properties.filter(|property| property["id"] == id).map(|property| &property["value"]).next_back()
}

/// What a panel asks, in whatever language.
fn queries(panel: &Value) -> impl Iterator<Item = &str> {
    targets(panel).iter().map(|target| words(target.get("query").unwrap_or(&target["expr"])))
}

/// Grafana turns the texts that it skips into nothing, and writes the text for no value in their place.
fn bars_without_a_text_write_one(panel: &Value) -> bool {
    let options = &panel["options"];
    kind(panel) == "barchart"
        && options["xTickLabelSpacing"] != 0
        && property(panel, &options["xField"], "noValue") != Some(&json!(""))
}

/// What nothing is mapped to.
fn mapped_nothing<'a>(panel: &'a Value, kind: &str) -> Option<&'a Value> {
    let mappings = defaults(panel)["mappings"].as_array()?;
    let nothing = mappings.iter().find(|one| one["type"] == "special" && one["options"]["match"] == kind)?;
    Some(&nothing["options"]["result"])
}

fn nothing_is_not_mapped(panel: &Value) -> bool {
    let text = |kind| mapped_nothing(panel, kind).map(|result| &result["text"]);
    kind(panel) == "stat" && ["null", "nan"].iter().any(|kind| text(kind) != Some(&defaults(panel)["noValue"]))
}

fn nothing_looks_well(panel: &Value) -> bool {
    let color = mapped_nothing(panel, "null").map_or("", |result| result["color"].as_str().unwrap_or(""));
    kind(panel) == "stat"
        && panel["options"]["colorMode"] != "none"
        && color != if defaults(panel)["noValue"] == "–" { "#8e8e8e" } else { "red" }
}

/// With a pattern for all columns, also texts and times are drawn, each as large as the smallest has room for.
fn figures_share_a_place(panel: &Value) -> bool {
    ["stat", "bargauge"].contains(&kind(panel)) && panel["options"]["reduceOptions"]["fields"] == "/.*/"
}

fn figures_are_cut_off(panel: &Value) -> bool {
    let reduce = &panel["options"]["reduceOptions"];
    ["stat", "bargauge"].contains(&kind(panel))
        && reduce["values"] == true
        && reduce["limit"].as_u64().is_none_or(|limit| limit < 50)
}

/// The last of a range that ends early is not what is now.
fn an_old_figure_looks_new(panel: &Value) -> bool {
    let now = |query: &str| {
        query.ends_with(" or vector(NaN)") && panel["options"]["reduceOptions"]["calcs"] == json!(["last"])
    };
    kind(panel) == "stat" && targets(panel).iter().any(|one| one["range"] == true) && !queries(panel).all(now)
}

/// A table keeps 50 pixels for a column.
fn a_table_of_hours(panel: &Value) -> bool {
    kind(panel) == "table"
        && queries(panel).count() > 0
        && panel["transformations"].to_string().contains("\"columnField\":\"hour\"")
}

/// A name for each bot, channel or instance.
fn has_many_names(panel: &Value) -> bool {
    let legends = targets(panel).iter().filter_map(|one| one["legendFormat"].as_str());
    let by_label = legends.clone().any(|legend| ["{{bot}}", "{{instance}}"].iter().any(|name| legend.contains(name)));
    by_label || has_bots_or_channels(panel)
}

/// A name for each bot or channel.
fn has_bots_or_channels(panel: &Value) -> bool {
    let names = ["{{bot}}", "__field.labels.bot", "__field.labels.channel", "\"columnField\":\"bot\""];
    let named = json!([panel["targets"], panel["transformations"], panel["fieldConfig"]["defaults"]["displayName"]]);
    names.iter().any(|name| named.to_string().contains(name))
}

fn many_names_below(panel: &Value) -> bool {
    let legend = &panel["options"]["legend"];
    let drawn = ["timeseries", "barchart"].contains(&kind(panel)) && legend["showLegend"] == true;
    drawn && has_many_names(panel) && (legend["placement"] != "right" || legend["displayMode"] != "table")
}

/// Round steps of seconds are no round hours.
fn an_age_in_seconds(panel: &Value) -> bool {
    let unit = defaults(panel)["unit"].as_str();
    kind(panel) == "timeseries"
        && unit.is_some_and(|unit| ["s", "ms", "m", "h", "d", "dtdurations"].contains(&unit))
        && queries(panel).any(|query| query.contains("time()"))
}

fn colours_by_any_name(panel: &Value) -> bool {
    panel["fieldConfig"].to_string().contains("palette-classic-by-name") && !has_bots_or_channels(panel)
}

fn a_rate_of_what_happens_hourly(panel: &Value) -> bool {
    queries(panel).any(|query| query.contains("rate(kore_trend_"))
}

fn no_days_blames_the_configuration(panel: &Value) -> bool {
    let text = defaults(panel)["noValue"].as_str().unwrap_or("");
    text.contains("intervals") && !text.starts_with("no whole day")
}

fn a_range_is_called_today(panel: &Value) -> bool {
    let shown = property(panel, &json!("today"), "displayName");
    let gone = || panel["transformations"].to_string().contains("\"today\":true");
    queries(panel).any(|query| query.contains("\"today\"")) && !gone() && shown != Some(&json!("this range"))
}

/// So many letters of a title fit, on a screen of 1,280.
fn the_title_is_cut(panel: &Value) -> bool {
    let width = panel["gridPos"]["w"].as_u64().unwrap() as usize;
    words(&panel["title"]).len() >= 5 * width
}

/// Of no series at all, `merge` leaves a column without lines; only to group them leaves nothing.
fn a_merge_of_nothing(panel: &Value) -> bool {
    let steps = panel["transformations"].as_array().map_or(&[][..], Vec::as_slice);
    let after = steps.iter().skip_while(|step| step["id"] != "merge").nth(1);
    steps.iter().any(|step| step["id"] == "merge") && after.is_none_or(|step| step["id"] != "groupBy")
}

/// In InfluxQL Grafana's own filter holds the end of the range, which Flux does not.
fn a_range_holds_its_end(panel: &Value) -> bool {
    queries(panel).any(|query| query.contains("$timeFilter") || query.contains("time <="))
}

fn a_pie(panel: &Value) -> bool {
    kind(panel) == "piechart"
}

fn narrow_columns(panel: &Value) -> bool {
    kind(panel) == "table" && defaults(panel)["custom"]["minWidth"] != 70
}

/// Each cause, put back into the panel of this title: the rules that find it.
#[test]
fn each_cause_is_found_where_it_comes_back() {
    let all = dashboards::all();
    let mut found = Vec::new();
    let mut check = |title: &str, seen: &str, spoil: fn(&mut Value)| {
        let panel = all.iter().flat_map(|(_, dashboard)| panels(dashboard)).find(|panel| panel["title"] == title);
        let mut panel = panel.unwrap_or_else(|| panic!("no panel {title:?}")).clone();
        spoil(&mut panel);
        let broken: Vec<&str> = RULES.iter().filter(|(_, rule)| rule(&panel)).map(|(seen, _)| *seen).collect();
        assert!(broken.iter().any(|one| one.contains(seen)), "{title}: {seen}: {broken:?}");
        found.extend(broken);
    };
    check("Weekdays", "a smear", |panel| panel["fieldConfig"]["overrides"] = json!([]));
    check("Series failing", "or nothing at all", |panel| panel["fieldConfig"]["defaults"]["mappings"] = json!([]));
    check("Last hour", "or nothing at all", |panel| panel["fieldConfig"]["defaults"]["mappings"] = json!([]));
    check("State folder", "looks well", |panel| {
        for mapping in panel["fieldConfig"]["defaults"]["mappings"].as_array_mut().unwrap() {
            mapping["options"]["result"]["color"] = json!("green");
        }
    });
    check("Last hour", "share one place", |panel| panel["options"]["reduceOptions"]["fields"] = json!("/.*/"));
    check("Today against last week", "25 bots", |panel| {
        panel["options"]["reduceOptions"].as_object_mut().unwrap().remove("limit");
    });
    check("Oldest figure", "went away", |panel| panel["options"]["reduceOptions"]["calcs"] = json!(["lastNotNull"]));
    check("Hours of the day, day by day", "off the screen", |panel| panel["type"] = json!("table"));
    check("Users per hour by bot", "shows three", |panel| panel["options"]["legend"]["placement"] = json!("bottom"));
    check("Daily unique users", "shows three", |panel| panel["options"]["legend"]["displayMode"] = json!("list"));
    check("Running for", "33.3 mins", |panel| panel["fieldConfig"]["defaults"]["unit"] = json!("s"));
    let by_name =
        |panel: &mut Value| panel["fieldConfig"]["defaults"]["color"]["mode"] = json!("palette-classic-by-name");
    check("Weekdays", "mean nothing", by_name);
    check("Duration of requests", "mean nothing", by_name);
    check("Requests by status", "0.45 requests", |panel| {
        panel["targets"][0]["expr"] = json!("sum by (status) (rate(kore_trend_requests_total[5m]))");
    });
    check("Weekdays", "intervals that are set", |panel| {
        panel["fieldConfig"]["defaults"]["noValue"] = json!("no daily figures in this range: set intervals");
    });
    check("Bots", "over nine days", |panel| panel["fieldConfig"]["overrides"] = json!([]));
    check("Oldest figure", "ends in dots", |panel| panel["title"] = json!("Oldest hourly figure"));
    check("Series", "a bare header", |panel| {
        panel["transformations"].as_array_mut().unwrap().retain(|step| step["id"] != "groupBy");
    });
    check("Bots", "an hour too many", |panel| {
        panel["targets"][0]["query"] = json!("SELECT \"users\" FROM \"user_engagement_hourly\" WHERE $timeFilter");
    });
    check("Share of each channel", "twelve slices", |panel| panel["type"] = json!("piechart"));
    check("Bots", "on a phone", |panel| panel["fieldConfig"]["defaults"]["custom"]["minWidth"] = json!(44));
    let never: Vec<&str> = RULES.iter().map(|(seen, _)| *seen).filter(|seen| !found.contains(seen)).collect();
    assert!(never.is_empty(), "rules that nothing was shown to break: {never:?}");
}
