//! How use develops.

use serde_json::json;

use super::super::layout::{Line, Row};
use super::super::panel::Panel;
use super::super::query::Query;
use super::figures::{
    LARGEST, Measurement, Window, by_bot, by_bot_and_channel, by_bot_and_channel_flux, by_bot_flux, chosen, date,
    points, sum_of, sums,
};
use super::now::compared;

/// The row.
pub(super) fn row() -> Row {
    Row::new(
        "Trend",
        vec![
            Line::new(9, vec![(12, by_hour_and_bot()), (12, by_hour_and_channel())]),
            Line::new(9, vec![(12, today_by_hour()), (12, by_day())]),
        ],
    )
}

/// Curves with the busiest first, which is what can be read where there are fifty.
fn curves(panel: Panel, tag: &str) -> Panel {
    panel
        // The shortest that keeps hours where they are in every zone.
        .step("15m")
        .defaults(json!({
            "displayName": format!("${{__field.labels.{tag}}}"), "min": 0,
            "color": { "mode": "palette-classic-by-name" },
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
            "legend": {
                "showLegend": true, "displayMode": "table", "placement": "bottom", "calcs": ["max", "lastNotNull"],
                "sortBy": "Max", "sortDesc": true,
            },
            "tooltip": { "mode": "multi", "sort": "desc", "maxHeight": 400 },
        }))
        .no_value("no hourly figures in this range")
}

/// Bars over texts, all series of a text on top of each other or side by side.
pub(super) fn bars(panel: Panel, x: &str, stacking: &str, legend: bool) -> Panel {
    panel
        .options(json!({
            "xField": x, "orientation": "vertical", "stacking": stacking, "showValue": "never", "barWidth": 0.9,
            "groupWidth": 0.8, "xTickLabelRotation": 0, "xTickLabelSpacing": 100, "fullHighlight": false,
            "legend": { "showLegend": legend, "displayMode": "list", "placement": "bottom", "calcs": [] },
            "tooltip": { "mode": "multi", "sort": "desc", "maxHeight": 400 },
        }))
        .defaults(json!({
            "min": 0, "color": { "mode": "palette-classic-by-name" },
            "custom": { "lineWidth": 0, "fillOpacity": 80, "axisPlacement": "auto" },
        }))
}

fn by_hour_and_bot() -> Panel {
    let panel = Panel::new(
        "timeseries",
        "Users per hour by bot",
        "Unique users of each hour; of several channels the busiest. Where the range is too long to draw every hour, the \
         busiest hour of each step.",
    );
    curves(panel, "bot").query(Query::Curves {
        tag: "bot",
        influxql: format!(
            "SELECT max(\"users\") FROM \"user_engagement_hourly\" WHERE {} GROUP BY time($__interval), \"bot\" fill(none)",
            chosen(Window::Range)
        ),
        flux: format!(
            "{}\n  |> aggregateWindow(every: v.windowPeriod, fn: max, createEmpty: false, timeSrc: \"_start\")\n  \
             {LARGEST}\n  |> sort(columns: [\"_time\"])\n  \
             |> keep(columns: [\"_time\", \"bot\", \"_value\"])",
            points(Measurement::Hourly, Window::Range)
        ),
    })
}

fn by_hour_and_channel() -> Panel {
    let panel = Panel::new(
        "timeseries",
        "Users per hour by channel",
        "Unique users of each hour in each channel, those of the chosen bots whose hours begin together added up: a bot \
         whose hours begin at half past is not added to one whose hours begin at the full hour. The curve \"all\" is the \
         platform's own total and less than the channels together. Where the range is too long to draw every hour, the \
         busiest hour of each step.",
    );
    curves(panel, "channel").query(Query::Curves {
        tag: "channel",
        influxql: format!(
            "SELECT max(\"users\") FROM (SELECT sum(\"users\") AS \"users\" FROM ({}) \
             GROUP BY time(15m), \"channel\" fill(none)) GROUP BY time($__interval), \"channel\" fill(none)",
            by_bot_and_channel(Measurement::Hourly, Window::Range)
        ),
        flux: format!(
            "{}\n  |> group(columns: [\"channel\"])\n  |> {}\n  \
             |> aggregateWindow(every: v.windowPeriod, fn: max, createEmpty: false, timeSrc: \"_start\")\n  \
             |> sort(columns: [\"_time\"])\n  |> keep(columns: [\"_time\", \"channel\", \"_value\"])",
            by_bot_and_channel_flux(Measurement::Hourly, Window::Range),
            Measurement::Hourly.sums()
        ),
    })
}

fn today_by_hour() -> Panel {
    let panel = Panel::new(
        "barchart",
        "Today against a week earlier",
        "Users of each hour of today and of the same hour of the same weekday last week, those of all chosen bots added \
         up: the hours that both days have.",
    );
    bars(compared(panel), "Time", "none", true).no_value("no hour of today that last week has too")
}

/// The users of each bot on each of its days.
pub(super) fn days_of_bots() -> Query {
    Query::Table {
        influxql: by_bot(Measurement::Daily, Window::Range),
        flux: format!(
            "{}\n  |> group()\n  \
             |> keep(columns: [\"_time\", \"bot\", \"_value\"])\n  |> sort(columns: [\"bot\", \"_time\"])\n  \
             |> rename(columns: {{_time: \"Time\", _value: \"users\"}})",
            by_bot_flux(Measurement::Daily, Window::Range)
        ),
    }
}

fn by_day() -> Panel {
    let panel = Panel::new(
        "barchart",
        "Daily unique users",
        "Unique users of each of the bot's own calendar days; of several channels the busiest. Bots are stacked: somebody \
         who uses two of them is in both. The bots need daily among their intervals.",
    );
    let panel =
        bars(panel, "Time\\bot", "normal", true).query(days_of_bots()).then("formatTime", date("YYYY-MM-DD ddd"));
    // Each is a sum of one; but the name that InfluxQL gave the column would hide the bots' names.
    sums(panel, &["Time", "bot"], &["users"])
        .then(
            "groupingToMatrix",
            json!({ "columnField": "bot", "rowField": "Time", "valueField": sum_of("users"), "emptyValue": "null" }),
        )
        .then("sortBy", json!({ "fields": {}, "sort": [{ "field": "Time\\bot" }] }))
        .no_value("no daily figures in this range: set intervals = [\"hourly\", \"daily\"]")
}
