//! The figures that several panels ask for, and how their times are read.
//!
//! Nothing is added up over channels: one person may use two. Of a bot's chosen channels the busiest counts, which is
//! `all` wherever the bot has it. Hours keep the times they begin at, which are quarters of an hour in every zone: whose
//! bots live in India must not see them half an hour early.

use serde_json::{Value, json};

use super::super::panel::Panel;
use super::super::query::Query;
use super::windows::{Measurement, Window, chosen, points};

/// The users of each hour or day, those of all chosen bots added up.
pub(crate) fn total(measurement: Measurement, window: Window, column: &str) -> Query {
    Query::Table {
        influxql: format!(
            "SELECT sum(\"users\") AS \"{column}\" FROM ({}) WHERE {} GROUP BY {} fill(none)",
            by_bot(measurement, window),
            window.outside(),
            measurement.buckets()
        ),
        flux: format!(
            "{}\n  |> group()\n  |> {}\n  |> sort(columns: [\"_time\"])\n  \
             |> keep(columns: [\"_time\", \"_value\"])\n  |> rename(columns: {{_time: \"Time\", _value: \"{column}\"}})",
            by_bot_flux(measurement, window),
            measurement.sums()
        ),
    }
}

/// All hours' users of a bot added up, a line for each bot.
pub(crate) fn hours_of_bots(window: Window, column: &str) -> Query {
    Query::Table {
        influxql: format!(
            "SELECT sum(\"users\") AS \"{column}\" FROM ({}) WHERE {} GROUP BY \"bot\"",
            by_bot(Measurement::Hourly, window),
            window.outside()
        ),
        flux: format!(
            "{}\n  |> sum()\n  |> group()\n  |> keep(columns: [\"bot\", \"_value\"])\n  \
             |> rename(columns: {{_value: \"{column}\"}})",
            by_bot_flux(Measurement::Hourly, window)
        ),
    }
}

/// The newest hour of each bot.
pub(crate) fn newest() -> Query {
    Query::Table {
        influxql: format!(
            "SELECT last(\"users\") AS \"users\" FROM \"user_engagement_hourly\" WHERE {} GROUP BY \"bot\"",
            chosen(Window::Month)
        ),
        flux: format!(
            "{}\n  |> last()\n  |> group(columns: [\"bot\"])\n  |> max(column: \"_time\")\n  |> group()\n  \
             |> sort(columns: [\"bot\"])\n  |> keep(columns: [\"_time\", \"bot\", \"_value\"])\n  \
             |> rename(columns: {{_time: \"Time\", _value: \"users\"}})",
            points(Measurement::Hourly, Window::Month)
        ),
    }
}

/// In InfluxQL: the busiest channel's users of each bot in each hour or day.
pub(crate) fn by_bot(measurement: Measurement, window: Window) -> String {
    format!(
        "SELECT max(\"users\") AS \"users\" FROM \"{}\" WHERE {} GROUP BY {}, \"bot\" fill(none)",
        measurement.name(),
        chosen(window),
        measurement.buckets()
    )
}

/// The same in Flux, which has no quick way to the largest of each time: for 90 days of 50 bots with 4 channels
/// grouping by time took ten seconds, this less than two.
pub(crate) fn by_bot_flux(measurement: Measurement, window: Window) -> String {
    format!("{}\n  {LARGEST}", points(measurement, window))
}

/// In Flux: of the values that a bot has at one time, the largest. To sort copies every column: what is not needed goes
/// first.
pub(crate) const LARGEST: &str = "|> group(columns: [\"bot\"])\n  \
    |> keep(columns: [\"_start\", \"_stop\", \"_time\", \"bot\", \"_value\"])\n  \
    |> sort(columns: [\"_value\"], desc: true)\n  |> unique(column: \"_time\")";

/// In InfluxQL: the users of each bot in each of its channels, day by day. That is one point, but for a bot whose own
/// tags were changed: what is exported again stands twice then, and must not count twice.
pub(crate) fn days_by_bot_and_channel() -> String {
    format!(
        "SELECT max(\"users\") AS \"users\" FROM \"{}\" WHERE {} GROUP BY {}, \"bot\", \"channel\" fill(none)",
        Measurement::Daily.name(),
        chosen(Window::Range),
        Measurement::Daily.buckets()
    )
}

/// The same in Flux.
pub(crate) fn days_by_bot_and_channel_flux() -> String {
    format!("{}\n  {LARGEST_OF_CHANNEL}", points(Measurement::Daily, Window::Range))
}

/// In Flux: of the values that a bot has in a channel at one time, the largest.
pub(crate) const LARGEST_OF_CHANNEL: &str = "|> group(columns: [\"bot\", \"channel\"])\n  \
    |> keep(columns: [\"_start\", \"_stop\", \"_time\", \"bot\", \"channel\", \"_value\"])\n  \
    |> sort(columns: [\"_value\"], desc: true)\n  |> unique(column: \"_time\")";

/// Reads the column Time as the reader's clock: in the zone of the time picker.
pub(crate) fn clock(format: &str) -> Value {
    json!({ "timeField": "Time", "outputFormat": format, "timezone": "${__timezone}" })
}

/// Reads the column Time of daily figures as a date: where a clock is 13 hours ahead of UTC, the midnight of every bot
/// from Hawaii to New Zealand is within the day that it begins.
pub(crate) fn date(format: &str) -> Value {
    json!({ "timeField": "Time", "outputFormat": format, "timezone": "Etc/GMT-13" })
}

/// One line for each value of the columns `keys`, with the sum of what they share. Of the clock's readings: bots whose
/// hours begin half an hour apart belong together, and an hour that a clock change repeats is the sum of both.
///
/// The column of sums is called by [`sum_of`], and by nothing that the database said.
pub(crate) fn sums(panel: Panel, keys: &[&str], columns: &[&str]) -> Panel {
    let mut fields = json!({});
    for key in keys {
        fields[*key] = json!({ "operation": "groupby", "aggregations": [] });
    }
    for column in columns {
        fields[*column] = json!({ "operation": "aggregate", "aggregations": ["sum"] });
    }
    panel.then("groupBy", json!({ "fields": fields }))
}

/// The name of a column after [`sums`].
pub(crate) fn sum_of(column: &str) -> String {
    format!("{column} (sum)")
}

/// The column of hours that have passed since Time, up to the end of the range.
pub(crate) const AGE: &str = "age";

/// Adds [`AGE`].
pub(crate) fn aged(panel: Panel) -> Panel {
    let since = json!({ "matcher": { "id": "byName", "options": "since" } });
    panel.then("calculateField", binary("since", "${__to}", "-", "Time")).then(
        "calculateField",
        json!({
            "mode": "binary", "alias": AGE, "replaceFields": false,
            "binary": { "left": since, "operator": "/", "right": { "fixed": "3600000" } },
        }),
    )
}

/// A column that is worked out of two others, or of one and a number. These are called by their names in so many words: of
/// a mere name that is not there Grafana makes a constant, and keeps to that when the column comes.
pub(crate) fn binary(alias: &str, left: &str, operator: &str, right: &str) -> Value {
    let named = |name: &str| json!({ "matcher": { "id": "byName", "options": name } });
    json!({
        "mode": "binary", "alias": alias, "replaceFields": false,
        "binary": { "left": named(left), "operator": operator, "right": named(right) },
    })
}
