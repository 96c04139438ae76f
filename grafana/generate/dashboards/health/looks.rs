//! How the metrics of the exporter are asked for and shown.

use serde_json::{Value, json};

use super::super::engagement::{busiest_first, by_name, fixed, names};
use super::super::panel::Panel;
use super::super::query::Query;

/// What a metric without bots is asked for.
pub(super) const INSTANCE: &str = "{instance=~\"$instance\"}";
/// What a metric of bots is asked for.
pub(super) const BOT: &str = "{instance=~\"$instance\", bot=~\"$bot\"}";
/// The hourly series of bots.
pub(super) const HOURLY: &str = "{instance=~\"$instance\", bot=~\"$bot\", interval=\"hourly\"}";

/// Zero is good.
pub(super) const GREEN_RED: [(&str, Option<f64>); 2] = [("green", None), ("red", Some(1.0))];

/// What stands where nothing is known.
pub(super) const NO_EXPORTER: &str = "no exporter";

/// Colours from these values on.
pub(super) fn thresholds(steps: &[(&str, Option<f64>)]) -> Value {
    let steps: Vec<Value> = steps.iter().map(|(color, value)| json!({ "color": color, "value": value })).collect();
    json!({ "color": { "mode": "thresholds" }, "thresholds": { "mode": "absolute", "steps": steps } })
}

/// One figure as it is now.
pub(super) fn stat(title: &'static str, description: &str, expr: String, look: Value) -> Panel {
    figure(title, description, look, "lastNotNull", "none").query(Query::Now { expr, legend: "__auto", table: false })
}

/// One figure as it is now, over its past. Where there is none now it is no number: else the figure of the time before the
/// exporter went away would stand there as if it were true.
pub(super) fn stat_with_past(title: &'static str, description: &str, expr: &str, look: Value) -> Panel {
    figure(title, description, look, "last", "area")
        .query(Query::Range { expr: format!("{expr} or vector(NaN)"), legend: "__auto" })
        // In minutes, not in what a small panel has room for: the last step is what is read.
        .step("1m")
        .steps(1500)
}

/// One figure, whose query is still to come.
pub(super) fn figure(title: &'static str, description: &str, look: Value, calculation: &str, graph: &str) -> Panel {
    Panel::new("stat", title, description)
        .options(json!({
            "reduceOptions": { "calcs": [calculation], "fields": "", "values": false }, "orientation": "auto",
            "textMode": "value", "colorMode": "value", "graphMode": graph, "justifyMode": "auto", "wideLayout": true,
        }))
        .defaults(look)
        .nothing(NO_EXPORTER, "red")
}

/// An age, exact enough to be held against its thresholds: "2.5 hours" and not "3 hours".
pub(super) fn age() -> Value {
    json!({ "unit": "s", "decimals": 1 })
}

/// Words for yes and no.
pub(super) fn mapped(zero: &str, one: &str) -> Value {
    json!({ "mappings": [{ "type": "value", "options": { "0": { "text": zero }, "1": { "text": one } } }] })
}

/// Curves over time, each with its name, in the order of Grafana's colours.
pub(super) fn curves(
    title: &'static str,
    description: &str,
    unit: &str,
    queries: Vec<(String, &'static str)>,
) -> Panel {
    let panel = Panel::new("timeseries", title, description)
        .defaults(json!({
            "unit": unit, "decimals": null, "min": 0, "color": { "mode": "palette-classic" },
            "custom": {
                "drawStyle": "line", "lineWidth": 1, "fillOpacity": 0,
                // What has a value for one step only would not be seen otherwise.
                "showPoints": "auto", "spanNulls": false,
                "stacking": { "mode": "none", "group": "A" },
            },
        }))
        .options(json!({
            "legend": { "showLegend": true, "displayMode": "list", "placement": "bottom", "calcs": [] },
            "tooltip": { "mode": "multi", "sort": "desc", "maxHeight": 400 },
        }))
        .no_value(NO_EXPORTER);
    queries.into_iter().fold(panel, |panel, (expr, legend)| panel.query(Query::Range { expr, legend }))
}

/// One curve for each bot, of which there may be fifty.
pub(super) fn by_bot(panel: Panel) -> Panel {
    panel.defaults(json!({ "color": by_name() })).options(json!({ "legend": busiest_first() }))
}

/// One curve for each instance, of which there may be many too.
pub(super) fn by_instance(panel: Panel) -> Panel {
    panel.options(json!({ "legend": names() }))
}

/// A red line from this value on.
pub(super) fn limit(panel: Panel, value: f64) -> Panel {
    panel.defaults(json!({ "custom": { "thresholdsStyle": { "mode": "line" } } })).defaults(json!({
        "thresholds": { "mode": "absolute", "steps": [
            { "color": "transparent", "value": null }, { "color": "red", "value": value },
        ] },
    }))
}

/// Good, slow and bad, by what the curves are called.
pub(super) fn meaning(panel: Panel, colors: &[(&str, &str)]) -> Panel {
    colors
        .iter()
        .fold(panel, |panel, (names, color)| panel.fields_like(&format!("/^({names})$/"), &[("color", fixed(color))]))
}

/// The quantiles of a histogram, of the two hours before each step: with a tick an hour, a shorter time has nothing in it
/// but for one step an hour.
pub(super) fn quantiles(metric: &str) -> Vec<(String, &'static str)> {
    [("0.5", "half"), ("0.9", "9 of 10"), ("0.99", "99 of 100")]
        .map(|(quantile, legend)| {
            let counts = format!("sum by (le) (increase({metric}_bucket{INSTANCE}[2h]))");
            (format!("histogram_quantile({quantile}, {counts})"), legend)
        })
        .into()
}
