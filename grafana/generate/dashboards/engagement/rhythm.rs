//! When people come.

use serde_json::json;

use super::super::layout::{Line, Row};
use super::super::panel::Panel;
use super::figures::{Measurement, Window, clock, date, sum_of, sums, total};
use super::trend::{bars, days_of_bots};

/// The row.
pub(super) fn row() -> Row {
    Row::new("Rhythm", vec![Line::new(14, vec![(24, heat_map())]), Line::new(8, vec![(24, weekdays())])])
}

fn heat_map() -> Panel {
    let panel = Panel::new(
        "table",
        "Hours of the day, day by day",
        "Users of each hour, those of all chosen bots added up, in the zone of the time picker. A dash is an hour \
         that the platform sent no figure for, or that the clock skipped.",
    );
    // Two texts out of one: Grafana reads what looks like JSON as columns.
    let panel = panel
        .query(total(Measurement::Hourly, Window::Range, "users"))
        .then("formatTime", clock("[{\"day\":\"]YYYY-MM-DD ddd[\",\"hour\":\"]HH[\"}]"));
    sums(panel, &["Time"], &["users"])
        .then("extractFields", json!({ "source": "Time", "format": "json", "replace": false, "keepTime": false }))
        // The order of the lines is that of the columns to be.
        .then("sortBy", json!({ "fields": {}, "sort": [{ "field": "hour" }] }))
        .then(
            "groupingToMatrix",
            json!({ "columnField": "hour", "rowField": "day", "valueField": sum_of("users"), "emptyValue": "null" }),
        )
        .then("sortBy", json!({ "fields": {}, "sort": [{ "field": "day\\hour", "desc": true }] }))
        .options(json!({ "showHeader": true, "cellHeight": "sm" }))
        .defaults(json!({
            "color": { "mode": "continuous-blues" },
            // No figure is not a small one.
            "mappings": [{
                "type": "special",
                "options": { "match": "null", "result": { "text": "–", "color": "transparent" } },
            }],
            "custom": {
                "align": "center", "minWidth": 44, "filterable": false,
                "cellOptions": { "type": "color-background", "mode": "basic" },
            },
        }))
        .field(
            "day\\hour",
            &[
                ("displayName", json!("Day")),
                ("custom.width", json!(130)),
                ("custom.align", json!("left")),
                ("custom.cellOptions", json!({ "type": "auto" })),
            ],
        )
        .no_value("no hourly figures in this range")
}

fn weekdays() -> Panel {
    let panel = Panel::new(
        "barchart",
        "Weekdays",
        "Unique users of a day on average for each weekday, those of all chosen bots added up. The average is each bot's \
         own over the days that it has, so that a bot whose figures begin later or are late does not lower it. The bots \
         need daily among their intervals.",
    );
    let panel = bars(panel, "Time", "none", false).query(days_of_bots()).then("formatTime", date("E ddd")).then(
        "groupBy",
        json!({ "fields": {
                "Time": { "operation": "groupby", "aggregations": [] },
                "bot": { "operation": "groupby", "aggregations": [] },
                "users": { "operation": "aggregate", "aggregations": ["mean"] },
            } }),
    );
    sums(panel, &["Time"], &["users (mean)"])
        .then("sortBy", json!({ "fields": {}, "sort": [{ "field": "Time" }] }))
        .field(&sum_of("users (mean)"), &[("displayName", json!("users a day"))])
        .no_value("no daily figures in this range: set intervals = [\"hourly\", \"daily\"]")
}
