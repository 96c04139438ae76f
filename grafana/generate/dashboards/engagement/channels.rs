//! Where people come from.

use serde_json::json;

use super::super::layout::{Line, Row};
use super::super::panel::Panel;
use super::super::query::Query;
use super::figures::{Measurement, Window, chosen, points};

const WHY: &str = "**Channels must not be added up to a total.** The figures count unique people. Somebody who uses two \
    channels is one user in each of them and one user in the channel *all*, which is what the platform counts over all \
    channels. So the channels together are more than *all*, and the shares are shares of the uses of channels, not of \
    people.\n\nFor the same reason hours do not add up to a day. Where this dashboard adds hours up, it says so.";

/// The row.
pub(super) fn row() -> Row {
    let panels = vec![(7, why()), (8, shares()), (9, days())];
    Row::new("Channels", vec![Line::new(9, panels)])
}

fn why() -> Panel {
    Panel::new("text", "Why channels are not a total", "How to read the figures of channels.")
        .options(json!({ "mode": "markdown", "content": WHY }))
}

fn shares() -> Panel {
    Panel::new(
        "piechart",
        "Share of each channel",
        "Each channel's hourly users, added up over the range, among those of all channels but \"all\". Not a share of \
         people: see the text beside it.",
    )
    .query(Query::Table {
        influxql: format!(
            "SELECT sum(\"users\") AS \"users\" FROM \"user_engagement_hourly\" WHERE \"channel\" != 'all' AND {} \
             GROUP BY \"channel\"",
            chosen(Window::Range)
        ),
        flux: format!(
            "{}\n  |> filter(fn: (r) => r.channel != \"all\")\n  |> group(columns: [\"channel\"])\n  |> sum()\n  \
             |> group()\n  |> sort(columns: [\"channel\"])\n  \
             |> keep(columns: [\"channel\", \"_value\"])\n  |> rename(columns: {{_value: \"users\"}})",
            points(Measurement::Hourly, Window::Range)
        ),
    })
    .then("organize", json!({ "excludeByName": { "Time": true }, "renameByName": {}, "indexByName": {} }))
    .options(json!({
        "pieType": "donut", "reduceOptions": { "calcs": [], "fields": "/^users$/", "values": true },
        "displayLabels": ["percent"],
        "legend": { "showLegend": true, "displayMode": "table", "placement": "bottom", "values": ["percent", "value"] },
        "tooltip": { "mode": "single", "sort": "none" },
    }))
    .no_value("the chosen bots have no channel but \"all\"")
}

fn days() -> Panel {
    Panel::new(
        "table",
        "Users per day by channel",
        "Unique users of a day on average, and of the busiest day, those of all chosen bots added up. The bots need daily \
         among their intervals.",
    )
    .query(Query::Table {
        influxql: format!(
            "SELECT mean(\"users\") AS \"on average\", max(\"users\") AS \"busiest day\" FROM \
             (SELECT sum(\"users\") AS \"users\" FROM \"user_engagement_daily\" WHERE {} \
             GROUP BY time(1d, 11h), \"channel\" fill(none)) GROUP BY \"channel\"",
            chosen(Window::Range)
        ),
        flux: format!(
            "{}\n  |> group(columns: [\"channel\"])\n  |> {}\n  \
             |> reduce(identity: {{days: 0, users: 0, most: 0}}, fn: (r, accumulator) => ({{days: accumulator.days + 1, \
             users: accumulator.users + r._value, \
             most: if r._value > accumulator.most then r._value else accumulator.most}}))\n  \
             |> map(fn: (r) => ({{channel: r.channel, \"on average\": float(v: r.users) / float(v: r.days), \
             \"busiest day\": r.most}}))\n  |> group()\n  |> sort(columns: [\"channel\"])",
            points(Measurement::Daily, Window::Range),
            Measurement::Daily.sums()
        ),
    })
    .then("organize", json!({ "excludeByName": { "Time": true }, "renameByName": {}, "indexByName": {} }))
    .options(json!({
        "showHeader": true, "cellHeight": "sm", "sortBy": [{ "displayName": "on average", "desc": true }],
    }))
    .field("channel", &[("displayName", json!("Channel"))])
    .no_value("no daily figures in this range")
}
