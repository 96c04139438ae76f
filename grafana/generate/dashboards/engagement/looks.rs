//! How curves and bars are drawn, and which colours mean what.

use serde_json::{Value, json};

use super::super::panel::Panel;
use super::super::query::merge;

/// Of what is now.
pub(super) const BLUE: &str = "blue";
/// Of what was before.
pub(super) const GREY: &str = "#8e8e8e";

/// Always this colour, in light and dark.
pub(crate) fn fixed(color: &str) -> Value {
    json!({ "mode": "fixed", "fixedColor": color })
}

/// The colour of a bot or a channel, everywhere the same; nothing else has a colour by its name.
pub(crate) fn by_name() -> Value {
    json!({ "mode": "palette-classic-by-name" })
}

/// A legend that has room for fifty names, at the right.
pub(crate) fn names() -> Value {
    json!({ "showLegend": true, "displayMode": "table", "placement": "right", "width": 160, "calcs": [] })
}

/// The same with the largest value of each, the busiest first.
pub(crate) fn busiest_first() -> Value {
    let mut legend = names();
    merge(&mut legend, json!({ "width": 230, "calcs": ["max"], "sortBy": "Max", "sortDesc": true }));
    legend
}

/// Curves of hours with the busiest first, which is what can be read where there are fifty.
pub(super) fn curves(panel: Panel, tag: &str) -> Panel {
    panel
        .defaults(json!({
            "displayName": format!("${{__field.labels.{tag}}}"), "min": 0, "color": by_name(),
            "custom": {
                "drawStyle": "line", "lineWidth": 1, "fillOpacity": 0, "lineInterpolation": "linear",
                "showPoints": "auto", "pointSize": 4, "axisPlacement": "auto",
                // Neither database sends anything for an hour without a figure: a line over more than a day is none. No
                // less, for over a long range a step is a whole day.
                "insertNulls": 25 * 3_600_000, "spanNulls": false,
                "stacking": { "mode": "none", "group": "A" },
            },
        }))
        .options(json!({
            "legend": busiest_first(), "tooltip": { "mode": "multi", "sort": "desc", "maxHeight": 400 },
        }))
        .no_value("no hourly figures in this range")
}

/// Bars over texts, all series of a text on top of each other or side by side. So many pixels lie between two texts; the
/// bars between get none, for which Grafana would write the text for no value.
pub(super) fn bars(panel: Panel, x: &str, stacking: &str, spacing: u32, legend: Value) -> Panel {
    panel
        .options(json!({
            "xField": x, "orientation": "vertical", "stacking": stacking, "showValue": "never", "barWidth": 0.9,
            "groupWidth": 0.8, "xTickLabelRotation": 0, "xTickLabelSpacing": spacing, "fullHighlight": false,
            "legend": legend, "tooltip": { "mode": "multi", "sort": "desc", "maxHeight": 400 },
        }))
        .defaults(json!({ "min": 0, "custom": { "lineWidth": 0, "fillOpacity": 80, "axisPlacement": "auto" } }))
}

/// How the texts under bars are shown: of what stands in front only for the order, nothing.
pub(super) fn x_texts(order: Option<&str>) -> Vec<(&'static str, Value)> {
    let mut shown = vec![("noValue", json!(""))];
    if let Some(order) = order {
        let result = json!({ "text": "$1" });
        let mapping = json!({ "type": "regex", "options": { "pattern": format!("^{order} (.+)$"), "result": result } });
        shown.push(("mappings", json!([mapping])));
    }
    shown
}
