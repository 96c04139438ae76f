//! When people come.

use serde_json::json;

use super::super::layout::{Line, Row};
use super::super::panel::Panel;
use super::channels;
use super::figures::{clock, date, sum_of, sums, total};
use super::looks::{BLUE, bars, fixed, x_texts};
use super::trend::{NO_DAYS, days_of_bots};
use super::windows::{Measurement, Window};

/// The row.
pub(super) fn row() -> Row {
    let below = vec![(8, weekdays()), (8, channels::shares()), (8, channels::days())];
    Row::new("Rhythm and channels", vec![Line::new(14, vec![(24, heat_map())]), Line::new(9, below)])
}

/// Not a table, which keeps 50 pixels a column and would have 22 and 23 o'clock off a screen of 1,280; not a heat map,
/// which draws each day a column early.
fn heat_map() -> Panel {
    let panel = Panel::new(
        "status-history",
        "Hours of the day, day by day",
        "Users of each hour in the time zone of the time picker, added up over all chosen bots. An empty \
         field is an hour for which the platform sent no figure, or that daylight saving skipped. Each column \
         is one day, labelled at noon. If the columns are too narrow for figures, point at a field. Of a longer \
         range you see the last 30 days.",
    );
    // Two texts out of one: Grafana reads what looks like JSON as columns. Of noon the date is right also where the zone of
    // the time picker is not that of the profile, in which Grafana reads it.
    let panel = panel
        .query(total(Measurement::Hourly, Window::EndOfRange, "users"))
        .then("formatTime", clock("[{\"day\":\"]YYYY-MM-DD[ 12\",\"hour\":\"]HH[:00\"}]"));
    let conversion = json!({ "targetField": "day\\hour", "destinationType": "time", "dateFormat": "YYYY-MM-DD HH" });
    sums(panel, &["Time"], &["users"])
        .then("extractFields", json!({ "source": "Time", "format": "json", "replace": false, "keepTime": false }))
        // The order of the lines is that of the columns to be.
        .then("sortBy", json!({ "fields": {}, "sort": [{ "field": "hour" }] }))
        .then(
            "groupingToMatrix",
            json!({ "columnField": "hour", "rowField": "day", "valueField": sum_of("users"), "emptyValue": "null" }),
        )
        .then("sortBy", json!({ "fields": {}, "sort": [{ "field": "day\\hour" }] }))
        .then("convertFieldType", json!({ "conversions": [conversion], "fields": {} }))
        .options(json!({
            "showValue": "auto", "rowHeight": 0.96, "colWidth": 0.98,
            "legend": { "showLegend": false, "displayMode": "list", "placement": "bottom" },
            "tooltip": { "mode": "single", "sort": "none" },
        }))
        .defaults(json!({
            "color": { "mode": "continuous-blues" }, "custom": { "fillOpacity": 100, "lineWidth": 0 },
        }))
        .no_value("no hourly figures in this range")
}

fn weekdays() -> Panel {
    let panel = Panel::new(
        "barchart",
        "Weekdays",
        "Unique users of an average Monday, Tuesday and so on, added up over all chosen bots. Each bot's \
         average is over the days that it has, so a bot with late or few figures does not lower it. Needs \
         bots with daily among their intervals. Choose four weeks or more for a steady picture.",
    );
    let users = sum_of("users (mean)");
    let none = json!({ "showLegend": false, "displayMode": "list", "placement": "bottom", "calcs": [] });
    let panel = bars(panel, "Time", "none", 30, none).query(days_of_bots()).then("formatTime", date("E ddd")).then(
        "groupBy",
        json!({ "fields": {
                "Time": { "operation": "groupby", "aggregations": [] },
                "bot": { "operation": "groupby", "aggregations": [] },
                "users": { "operation": "aggregate", "aggregations": ["mean"] },
            } }),
    );
    sums(panel, &["Time"], &["users (mean)"])
        .then("sortBy", json!({ "fields": {}, "sort": [{ "field": "Time" }] }))
        .field("Time", &x_texts(Some("\\d")))
        .field(&users, &[("displayName", json!("users a day")), ("color", fixed(BLUE))])
        .no_value(NO_DAYS)
}
