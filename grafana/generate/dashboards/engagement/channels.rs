//! Where people come from.

use serde_json::json;

use super::super::layout::{Line, Row};
use super::super::panel::Panel;
use super::super::query::Query;
use super::figures::{LARGEST_OF_CHANNEL, days_by_bot_and_channel, days_by_bot_and_channel_flux};
use super::looks::{BLUE, fixed};
use super::trend::NO_DAYS;
use super::windows::{Measurement, Window, chosen, points};

const WHY: &str = "**Channels must not be added up to a total.** The figures count unique people. Somebody who uses two \
    channels is one user in each of them and one user in the channel *all*, which is what the platform counts over all \
    channels. So the channels together are more than *all*, and the shares are shares of the uses of channels, not of \
    people.\n\nFor the same reason hours do not add up to a day. Where this dashboard adds hours up, it says so.";

/// The row with what has to be read once.
pub(super) fn reading() -> Row {
    Row::collapsed("How to read the figures", vec![Line::new(6, vec![(24, why())])])
}

fn why() -> Panel {
    Panel::new("text", "Why channels are not a total", "How to read the figures of channels.")
        .options(json!({ "mode": "markdown", "content": WHY }))
}

/// Each channel's part.
pub(super) fn shares() -> Panel {
    Panel::new(
        "bargauge",
        "Share of each channel",
        "Hourly users of each channel but \"all\", added up over the range. These are not shares of people: \
         somebody who uses two channels counts in both. How to read the figures, below, says why.",
    )
    .query(sums_of_channels())
    .then("organize", json!({ "excludeByName": { "Time": true }, "renameByName": {}, "indexByName": {} }))
    .then("sortBy", json!({ "fields": {}, "sort": [{ "field": "users", "desc": true }] }))
    .options(json!({
        "orientation": "horizontal", "displayMode": "basic", "valueMode": "text", "showUnfilled": false,
        "namePlacement": "left", "sizing": "auto",
        "reduceOptions": { "calcs": [], "fields": "", "values": true, "limit": 50 },
        "legend": { "showLegend": false, "displayMode": "list", "placement": "bottom", "calcs": [] },
    }))
    .defaults(json!({ "min": 0, "color": fixed(BLUE), "displayName": "${__data.fields.channel}" }))
    .no_value("the chosen bots have no channel but \"all\"")
}

/// Each series' hours are added up by the day before what stands twice is left out: an hour at a time, 90 days of fifty bots
/// took twenty seconds. What is exported again is exported by whole days, so nothing is lost.
fn sums_of_channels() -> Query {
    let outside = Window::Range.outside();
    Query::Table {
        influxql: format!(
            "SELECT sum(\"users\") AS \"users\" FROM (SELECT max(\"users\") AS \"users\" FROM (\
             SELECT sum(\"users\") AS \"users\" FROM \"{}\" WHERE \"channel\" != 'all' AND {} GROUP BY time(1d), * fill(none)) \
             WHERE {outside} GROUP BY time(1d), \"bot\", \"channel\" fill(none)) WHERE {outside} GROUP BY \"channel\"",
            Measurement::Hourly.name(),
            chosen(Window::Range)
        ),
        flux: format!(
            "{}\n  |> filter(fn: (r) => r.channel != \"all\")\n  \
             |> aggregateWindow(every: 1d, fn: sum, createEmpty: false)\n  {LARGEST_OF_CHANNEL}\n  \
             |> group(columns: [\"channel\"])\n  |> sum()\n  {}",
            points(Measurement::Hourly, Window::Range),
            lines("users")
        ),
    }
}

/// Days by channel.
pub(super) fn days() -> Panel {
    Panel::new(
        "table",
        "Users per day by channel",
        "Unique users of an average day and of the busiest day, added up over all chosen bots. Each bot's \
         average is over the days that it has, so a bot with late or few figures does not lower it. Needs \
         bots with daily among their intervals.",
    )
    .query(average())
    .query(busiest())
    .then("organize", json!({ "excludeByName": { "Time": true }, "renameByName": {}, "indexByName": {} }))
    .then("joinByField", json!({ "byField": "channel", "mode": "outer" }))
    .options(json!({
        "showHeader": true, "cellHeight": "sm", "sortBy": [{ "displayName": AVERAGE, "desc": true }],
    }))
    .defaults(json!({ "custom": { "minWidth": 70 } }))
    .field("channel", &[("displayName", json!("Channel"))])
    .no_value(NO_DAYS)
}

/// The columns of days.
const AVERAGE: &str = "on average";
const BUSIEST: &str = "busiest day";

fn average() -> Query {
    let outside = Window::Range.outside();
    Query::Table {
        influxql: format!(
            "SELECT sum(\"users\") AS \"{AVERAGE}\" FROM (SELECT mean(\"users\") AS \"users\" FROM ({}) \
             WHERE {outside} GROUP BY \"bot\", \"channel\") WHERE {outside} GROUP BY \"channel\"",
            days_by_bot_and_channel()
        ),
        flux: format!(
            "{}\n  |> mean()\n  |> group(columns: [\"channel\"])\n  |> sum()\n  {}",
            days_by_bot_and_channel_flux(),
            lines(AVERAGE)
        ),
    }
}

fn busiest() -> Query {
    let outside = Window::Range.outside();
    Query::Table {
        influxql: format!(
            "SELECT max(\"users\") AS \"{BUSIEST}\" FROM (SELECT sum(\"users\") AS \"users\" FROM ({}) \
             WHERE {outside} GROUP BY time(1d, 11h), \"channel\" fill(none)) WHERE {outside} GROUP BY \"channel\"",
            days_by_bot_and_channel()
        ),
        flux: format!(
            "{}\n  |> group(columns: [\"channel\"])\n  |> {}\n  |> max()\n  {}",
            days_by_bot_and_channel_flux(),
            Measurement::Daily.sums(),
            lines(BUSIEST)
        ),
    }
}

/// In Flux: a line for each channel.
fn lines(column: &str) -> String {
    format!(
        "|> group()\n  |> sort(columns: [\"channel\"])\n  |> keep(columns: [\"channel\", \"_value\"])\n  \
         |> rename(columns: {{_value: \"{column}\"}})"
    )
}
