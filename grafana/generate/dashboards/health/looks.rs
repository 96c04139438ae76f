//! How the figures of the exporter are asked for and shown.

use serde_json::{Value, json};

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

/// Colours from these values on.
pub(super) fn thresholds(steps: &[(&str, Option<f64>)]) -> Value {
    let steps: Vec<Value> = steps.iter().map(|(color, value)| json!({ "color": color, "value": value })).collect();
    json!({ "color": { "mode": "thresholds" }, "thresholds": { "mode": "absolute", "steps": steps } })
}

/// One figure as it is now.
pub(super) fn stat(title: &'static str, description: &str, expr: String, look: Value) -> Panel {
    Panel::new("stat", title, description)
        .query(Query::Now { expr, legend: "__auto", table: false })
        .options(json!({
            "reduceOptions": { "calcs": ["lastNotNull"], "fields": "", "values": false }, "orientation": "auto",
            "textMode": "value", "colorMode": "value", "graphMode": "none", "justifyMode": "auto", "wideLayout": true,
        }))
        .defaults(look)
        .no_value("no exporter")
}

/// An age, exact enough to be held against its thresholds: "2.5 hours" and not "3 hours".
pub(super) fn age() -> Value {
    json!({ "unit": "s", "decimals": 1 })
}

/// Words for yes and no.
pub(super) fn mapped(zero: &str, one: &str) -> Value {
    json!({ "mappings": [{ "type": "value", "options": { "0": { "text": zero }, "1": { "text": one } } }] })
}

/// Curves over time, each with its name.
pub(super) fn curves(
    title: &'static str,
    description: &str,
    unit: &str,
    queries: Vec<(String, &'static str)>,
) -> Panel {
    let panel = Panel::new("timeseries", title, description)
        .defaults(json!({
            "unit": unit, "decimals": null, "min": 0, "color": { "mode": "palette-classic-by-name" },
            "custom": {
                "drawStyle": "line", "lineWidth": 1, "fillOpacity": 5,
                // What has a value for one step only would not be seen otherwise.
                "showPoints": "auto", "spanNulls": false,
                "stacking": { "mode": "none", "group": "A" },
            },
        }))
        .options(json!({
            "legend": { "showLegend": true, "displayMode": "list", "placement": "bottom", "calcs": [] },
            "tooltip": { "mode": "multi", "sort": "desc", "maxHeight": 400 },
        }))
        .no_value("no exporter");
    queries.into_iter().fold(panel, |panel, (expr, legend)| panel.query(Query::Range { expr, legend }))
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
