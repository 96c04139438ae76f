//! How many people use the bots: the same panels in InfluxQL and in Flux.
//!
//! Hours are shown in the zone of Grafana's time picker. Days are the bots' own calendar days, in whichever zone they
//! are looked at.

pub(crate) mod bots;
mod channels;
pub(crate) mod figures;
mod looks;
pub(crate) mod now;
mod rhythm;
mod trend;
mod windows;

use serde_json::Value;

use super::frame::Frame;
use super::layout;
use super::links;
use super::query::Language;
use super::variables::{data_source, values};

pub(crate) use self::looks::{busiest_first, by_name, fixed, names};

/// The dashboard in this language.
pub(crate) fn dashboard(language: Language) -> Value {
    let rows = vec![now::row(), trend::row(), rhythm::row(), bots::row(), channels::reading()];
    let title = match language {
        Language::Flux => "User engagement (Flux)",
        _ => "User engagement (InfluxQL)",
    };
    Frame {
        uid: links::engagement(language),
        title,
        description: "Users of the chatbots by hour and by day, from kore-trend-exporter",
        from: "now-14d",
        refresh: "5m",
        variables: variables(language),
        annotations: Vec::new(),
        panels: layout::panels(language, rows),
    }
    .json()
}

/// The database and what is looked at of it.
pub(crate) fn variables(language: Language) -> Vec<Value> {
    let (source, ask): (_, fn(&str, &str) -> String) = match language {
        Language::Flux => ("kore-trend-flux", |_, flux| flux.to_owned()),
        _ => ("kore-trend-influxql", |influxql, _| influxql.to_owned()),
    };
    // Without a time InfluxDB 3 looks at the last day only, and a bot that has been silent could not be chosen.
    let bots = ask(
        "SHOW TAG VALUES FROM /^user_engagement_(hourly|daily)$/ WITH KEY = \"bot\" WHERE $timeFilter",
        "import \"influxdata/influxdb/schema\"\n\nschema.tagValues(bucket: v.defaultBucket, tag: \"bot\", \
         predicate: (r) => r._measurement =~ /^user_engagement_(hourly|daily)$/, \
         start: v.timeRangeStart, stop: v.timeRangeStop)",
    );
    let channels = ask(
        "SHOW TAG VALUES FROM /^user_engagement_(hourly|daily)$/ WITH KEY = \"channel\" \
         WHERE \"bot\" =~ /^${bot:regex}$/ AND $timeFilter",
        "import \"influxdata/influxdb/schema\"\n\nschema.tagValues(bucket: v.defaultBucket, tag: \"channel\", \
         predicate: (r) => r._measurement =~ /^user_engagement_(hourly|daily)$/ and r.bot =~ /^${bot:regex}$/, \
         start: v.timeRangeStart, stop: v.timeRangeStop)",
    );
    vec![
        data_source(language, source),
        values(language, "bot", "Bot", "The bots' names in the exporter's configuration", &bots),
        values(
            language,
            "channel",
            "Channel",
            "The chosen bots' channels. \"All\" is Grafana's word for every one of them, \"all\" the platform's own total. Of \
             several channels the busiest counts.",
            &channels,
        ),
    ]
}
