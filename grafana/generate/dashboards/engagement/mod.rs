//! How many people use the bots: the same panels in InfluxQL and in Flux.
//!
//! Hours are shown in the zone of Grafana's time picker. Days are the bots' own calendar days, in whichever zone they
//! are looked at.

mod bots;
mod channels;
mod figures;
mod now;
mod rhythm;
mod trend;

use serde_json::Value;

use super::frame::Frame;
use super::layout;
use super::query::Language;
use super::variables::{data_source, values};

/// The dashboard in this language.
pub(crate) fn dashboard(language: Language) -> Value {
    let rows = vec![now::row(), trend::row(), rhythm::row(), channels::row(), bots::row()];
    let (uid, title, source) = match language {
        Language::Flux => ("kore-trend-engagement-flux", "User engagement (Flux)", "kore-trend-flux"),
        _ => ("kore-trend-engagement-influxql", "User engagement (InfluxQL)", "kore-trend-influxql"),
    };
    let ask =
        |influxql: &str, flux: &str| if language == Language::Flux { flux.to_owned() } else { influxql.to_owned() };
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
    Frame {
        uid,
        title,
        description: "Users of the chatbots by hour and by day, from kore-trend-exporter",
        from: "now-14d",
        refresh: "5m",
        variables: vec![
            data_source(language, source),
            values(language, "bot", "Bot", "The bots' names in the exporter's configuration", &bots),
            values(
                language,
                "channel",
                "Channel",
                "The chosen bots' channels; \"all\" is the platform's own total. Of several channels the busiest counts.",
                &channels,
            ),
        ],
        panels: layout::panels(language, rows),
    }
    .json()
}
