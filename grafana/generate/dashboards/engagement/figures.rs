//! The figures that several panels ask for, and how their times are read.
//!
//! Nothing is added up over channels: one person may use two. Of a bot's chosen channels the busiest counts, which is
//! `all` wherever the bot has it. Hours keep the times they begin at, which are quarters of an hour in every zone: whose
//! bots live in India must not see them half an hour early.

use serde_json::{Value, json};

use super::super::panel::Panel;
use super::super::query::Query;

/// A stretch of time to ask for, from the panel's range.
#[derive(Clone, Copy)]
pub(super) enum Window {
    /// The range itself.
    Range,
    /// Seven times 24 hours earlier.
    WeekEarlier,
    /// The same with another hour at both ends, for the clock may have been changed in between: who asks sorts out by
    /// weekday and hour.
    AroundWeekEarlier,
    /// The 30 days that end with the range.
    Month,
}

impl Window {
    fn influxql(self) -> &'static str {
        match self {
            Window::Range => "$timeFilter",
            Window::WeekEarlier => "time >= ${__from}ms - 7d AND time <= ${__to}ms - 7d",
            Window::AroundWeekEarlier => "time >= ${__from}ms - 7d - 1h AND time <= ${__to}ms - 7d + 1h",
            Window::Month => "time >= ${__to}ms - 30d AND time <= ${__to}ms",
        }
    }

    fn flux(self) -> &'static str {
        match self {
            Window::Range => "start: v.timeRangeStart, stop: v.timeRangeStop",
            Window::WeekEarlier => {
                "start: date.sub(d: 7d, from: v.timeRangeStart), stop: date.sub(d: 7d, from: v.timeRangeStop)"
            }
            Window::AroundWeekEarlier => {
                "start: date.sub(d: 169h, from: v.timeRangeStart), stop: date.sub(d: 167h, from: v.timeRangeStop)"
            }
            Window::Month => "start: date.sub(d: 30d, from: v.timeRangeStop), stop: v.timeRangeStop",
        }
    }
}

/// One of the two measurements.
#[derive(Clone, Copy)]
pub(super) enum Measurement {
    Hourly,
    Daily,
}

impl Measurement {
    fn name(self) -> &'static str {
        match self {
            Measurement::Hourly => "user_engagement_hourly",
            Measurement::Daily => "user_engagement_daily",
        }
    }

    /// In Flux: adds up what falls into a bucket.
    pub(super) fn sums(self) -> &'static str {
        match self {
            Measurement::Hourly => "aggregateWindow(every: 15m, fn: sum, createEmpty: false, timeSrc: \"_start\")",
            Measurement::Daily => {
                "aggregateWindow(every: 1d, offset: 11h, fn: sum, createEmpty: false, timeSrc: \"_start\")"
            }
        }
    }

    /// The buckets that the figures of one hour or one day fall into. That of days reaches from 11:00 in UTC to the
    /// next, so that the midnights of one date are together in it from Hawaii to New Zealand.
    fn buckets(self) -> &'static str {
        match self {
            Measurement::Hourly => "time(15m)",
            Measurement::Daily => "time(1d, 11h)",
        }
    }
}

/// Which points: the conditions of a query in InfluxQL.
pub(super) fn chosen(window: Window) -> String {
    format!("\"bot\" =~ /^${{bot:regex}}$/ AND \"channel\" =~ /^${{channel:regex}}$/ AND {}", window.influxql())
}

/// Which points: the beginning of a query in Flux.
pub(super) fn points(measurement: Measurement, window: Window) -> String {
    let import = if window.flux().contains("date.") { "import \"date\"\n\n" } else { "" };
    format!(
        "{import}from(bucket: v.defaultBucket)\n  |> range({})\n  \
         |> filter(fn: (r) => r._measurement == \"{}\" and r._field == \"users\")\n  \
         |> filter(fn: (r) => r.bot =~ /^${{bot:regex}}$/ and r.channel =~ /^${{channel:regex}}$/)",
        window.flux(),
        measurement.name()
    )
}

/// The users of each hour or day, those of all chosen bots added up.
pub(super) fn total(measurement: Measurement, window: Window, column: &str) -> Query {
    Query::Table {
        influxql: format!(
            "SELECT sum(\"users\") AS \"{column}\" FROM ({}) GROUP BY {} fill(none)",
            by_bot(measurement, window),
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
pub(super) fn hours_of_bots(window: Window, column: &str) -> Query {
    Query::Table {
        influxql: format!(
            "SELECT sum(\"users\") AS \"{column}\" FROM ({}) GROUP BY \"bot\"",
            by_bot(Measurement::Hourly, window)
        ),
        flux: format!(
            "{}\n  |> sum()\n  |> group()\n  |> keep(columns: [\"bot\", \"_value\"])\n  \
             |> rename(columns: {{_value: \"{column}\"}})",
            by_bot_flux(Measurement::Hourly, window)
        ),
    }
}

/// The newest hour of each bot.
pub(super) fn newest() -> Query {
    Query::Table {
        influxql: format!(
            "SELECT last(\"users\") AS \"users\" FROM \"user_engagement_hourly\" WHERE {} GROUP BY \"bot\"",
            chosen(Window::Month)
        ),
        flux: format!(
            "{}\n  |> group(columns: [\"bot\"])\n  |> max(column: \"_time\")\n  |> group()\n  \
             |> keep(columns: [\"_time\", \"bot\", \"_value\"])\n  \
             |> rename(columns: {{_time: \"Time\", _value: \"users\"}})",
            points(Measurement::Hourly, Window::Month)
        ),
    }
}

/// In InfluxQL: the busiest channel's users of each bot in each hour or day.
pub(super) fn by_bot(measurement: Measurement, window: Window) -> String {
    format!(
        "SELECT max(\"users\") AS \"users\" FROM \"{}\" WHERE {} GROUP BY {}, \"bot\" fill(none)",
        measurement.name(),
        chosen(window),
        measurement.buckets()
    )
}

/// The same in Flux, which has no quick way to the largest of each time: for 90 days of 50 bots with 4 channels
/// grouping by time took ten seconds, this less than two.
pub(super) fn by_bot_flux(measurement: Measurement, window: Window) -> String {
    format!("{}\n  {LARGEST}", points(measurement, window))
}

/// In Flux: of the values that a bot has at one time, the largest.
pub(super) const LARGEST: &str = "|> group(columns: [\"bot\"])\n  |> sort(columns: [\"_value\"], desc: true)\n  \
    |> unique(column: \"_time\")";

/// In InfluxQL: the users of each bot in each of its channels, hour by hour or day by day. That is one point, but for a
/// bot whose own tags were changed: what is exported again stands twice then, and must not count twice.
pub(super) fn by_bot_and_channel(measurement: Measurement, window: Window) -> String {
    format!(
        "SELECT max(\"users\") AS \"users\" FROM \"{}\" WHERE {} GROUP BY {}, \"bot\", \"channel\" fill(none)",
        measurement.name(),
        chosen(window),
        measurement.buckets()
    )
}

/// The same in Flux.
pub(super) fn by_bot_and_channel_flux(measurement: Measurement, window: Window) -> String {
    format!(
        "{}\n  |> group(columns: [\"bot\", \"channel\"])\n  |> sort(columns: [\"_value\"], desc: true)\n  \
         |> unique(column: \"_time\")",
        points(measurement, window)
    )
}

/// Reads the column Time as the reader's clock: in the zone of the time picker.
pub(super) fn clock(format: &str) -> Value {
    json!({ "timeField": "Time", "outputFormat": format, "timezone": "${__timezone}" })
}

/// Reads the column Time of daily figures as a date: where a clock is 13 hours ahead of UTC, the midnight of every bot
/// from Hawaii to New Zealand is within the day that it begins.
pub(super) fn date(format: &str) -> Value {
    json!({ "timeField": "Time", "outputFormat": format, "timezone": "Etc/GMT-13" })
}

/// One line for each value of the columns `keys`, with the sum of what they share. Of the clock's readings: bots whose
/// hours begin half an hour apart belong together, and an hour that a clock change repeats is the sum of both.
///
/// The column of sums is called by [`sum_of`], and by nothing that the database said.
pub(super) fn sums(panel: Panel, keys: &[&str], columns: &[&str]) -> Panel {
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
pub(super) fn sum_of(column: &str) -> String {
    format!("{column} (sum)")
}
