//! How use develops.

use serde_json::json;

use super::super::layout::{Line, Row};
use super::super::panel::Panel;
use super::super::query::Query;
use super::figures::{LARGEST, LARGEST_OF_CHANNEL, by_bot, by_bot_flux, date, sum_of, sums};
use super::looks::{BLUE, GREY, bars, by_name, curves, fixed, names, x_texts};
use super::now::{EARLIER, THIS_RANGE, TODAY, compared};
use super::windows::{Measurement, Window, chosen, points};

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

fn by_hour_and_bot() -> Panel {
    let panel = Panel::new(
        "timeseries",
        "Users per hour by bot",
        "Unique users of each hour; of several channels, the busiest. Over a long range, each step shows its \
         busiest hour. A gap is more than a day without figures: look for that bot in Exporter health. Click \
         a curve to open that bot.",
    );
    // The shortest step that keeps hours where they are in every zone.
    curves(panel, "bot").step("15m").to_bot("__field.labels.bot").query(Query::Curves {
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
        "Unique users of each hour in each channel, added up over all chosen bots. An hour that begins at \
         half past counts as the full hour before it, in UTC. \"all\" is the platform's own total, and less \
         than the channels together. Over a long range, each step adds up every bot's busiest hour in it.",
    );
    // No step below an hour: bots whose hours begin at half past would not be added to the others. And no more steps than
    // a database adds up in a second for fifty bots with four channels each.
    curves(panel, "channel").step("1h").steps(150).query(Query::Curves {
        tag: "channel",
        influxql: format!(
            "SELECT sum(\"users\") FROM (SELECT max(\"users\") AS \"users\" FROM \"user_engagement_hourly\" WHERE {} \
             GROUP BY time($__interval), \"bot\", \"channel\" fill(none)) WHERE {} \
             GROUP BY time($__interval), \"channel\" fill(none)",
            chosen(Window::Range),
            Window::Range.outside()
        ),
        flux: format!(
            "{}\n  |> aggregateWindow(every: v.windowPeriod, fn: max, createEmpty: false, timeSrc: \"_start\")\n  \
             {LARGEST_OF_CHANNEL}\n  |> group(columns: [\"channel\"])\n  \
             |> aggregateWindow(every: v.windowPeriod, fn: sum, createEmpty: false, timeSrc: \"_start\")\n  \
             |> sort(columns: [\"_time\"])\n  |> keep(columns: [\"_time\", \"channel\", \"_value\"])",
            points(Measurement::Hourly, Window::Range)
        ),
    })
}

fn today_by_hour() -> Panel {
    let panel = Panel::new(
        "barchart",
        "Today against a week earlier",
        "Users of each hour of this range, and of the same hour of the same weekday last week, added up over \
         all chosen bots. Only hours that both days have. The range is today unless you choose an absolute \
         one. If a single hour drops, a bot may not have reported it yet: see Bots.",
    );
    let legend = json!({ "showLegend": true, "displayMode": "list", "placement": "bottom", "calcs": [] });
    bars(compared(panel), "Time", "none", 60, legend)
        .field("Time", &x_texts(None))
        .field(TODAY, &[("displayName", json!(THIS_RANGE)), ("color", fixed(BLUE))])
        .field(EARLIER, &[("color", fixed(GREY))])
        .no_value("no hour of today that last week has too")
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

/// Why there are no days.
pub(super) const NO_DAYS: &str =
    "no whole day in this range, or no daily figures: these need intervals = [\"hourly\", \"daily\"]";

fn by_day() -> Panel {
    let panel = Panel::new(
        "barchart",
        "Daily unique users",
        "Unique users of each calendar day of the bot; of several channels, the busiest. Bots are stacked: \
         somebody who uses two of them counts in both. Needs bots with daily among their intervals. Click a \
         bar to open that bot.",
    );
    // The day comes first for the order; what is shown is what stands behind it.
    let panel = bars(panel, "Time\\bot", "normal", 90, names())
        .defaults(json!({ "color": by_name() }))
        .query(days_of_bots())
        .then("formatTime", date("YYYY-MM-DD ddd D MMM"));
    // Each is a sum of one; but the name that InfluxQL gave the column would hide the bots' names.
    sums(panel, &["Time", "bot"], &["users"])
        .then(
            "groupingToMatrix",
            json!({ "columnField": "bot", "rowField": "Time", "valueField": sum_of("users"), "emptyValue": "null" }),
        )
        .then("sortBy", json!({ "fields": {}, "sort": [{ "field": "Time\\bot" }] }))
        .field("Time\\bot", &x_texts(Some("\\d{4}-\\d{2}-\\d{2}")))
        .to_bot("__field.name")
        .no_value(NO_DAYS)
}
