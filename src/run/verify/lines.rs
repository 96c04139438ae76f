//! Differences as lines of JSON, and the words that they share with the table.

use std::io::{self, Write};

use jiff::Timestamp;
use serde::{Serialize, Serializer};

use crate::database::read::Reader;
use crate::domain::calendar::instant;
use crate::domain::compare::{Difference, Fields, Kind, Value};
use crate::domain::series::{Interval, Series};

/// Prints a line of JSON for each difference.
///
/// # Errors
///
/// If standard output is closed.
pub(in crate::run) fn print(reader: &Reader, series: &Series, differences: &[Difference]) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    for difference in differences {
        writeln!(stdout, "{}", serde_json::to_string(&difference_line(reader, series, difference))?)?;
    }
    stdout.flush()
}

/// A series, as lines of JSON name it.
#[derive(Serialize)]
pub(super) struct Named<'a> {
    bot: &'a str,
    channel: &'a str,
    interval: Interval,
}

impl<'a> From<&'a Series> for Named<'a> {
    fn from(series: &'a Series) -> Self {
        Named { bot: &series.bot.name, channel: &series.channel, interval: series.interval }
    }
}

#[derive(Serialize)]
struct Line<'a> {
    difference: Content<'a>,
}

#[derive(Serialize)]
struct Content<'a> {
    series: Named<'a>,
    time: Timestamp,
    kind: &'static str,
    platform: Option<InOrder<i64>>,
    database: Option<InOrder<&'a Value>>,
    late_revision: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    delete: Option<String>,
}

/// Fields in an order of their own, which a map would not keep.
struct InOrder<T>(Vec<(String, T)>);

impl<T: Serialize> Serialize for InOrder<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

fn difference_line<'a>(reader: &Reader, series: &'a Series, difference: &'a Difference) -> Line<'a> {
    let named = |(name, value): (&str, _)| (name.to_owned(), value);
    let platform = difference
        .platform
        .map(|figures| InOrder(figures.fields().map(|(name, value)| (name.to_owned(), value)).collect()));
    let database =
        difference.database.as_ref().map(|fields| InOrder(in_order(fields).into_iter().map(named).collect()));
    let is_unexpected = difference.kind == Kind::Unexpected;
    Line {
        difference: Content {
            series: series.into(),
            time: instant(difference.timestamp),
            kind: name(difference.kind),
            platform,
            database,
            late_revision: difference.late_revision,
            delete: is_unexpected.then(|| deletion(reader, series, difference.timestamp)),
        },
    }
}

/// The program's own fields first, in its order.
pub(super) fn in_order(fields: &Fields) -> Vec<(&str, &Value)> {
    const OWN: [&str; 3] = ["users", "new_users", "returning_users"];
    let own = OWN.iter().filter_map(|name| Some((*name, fields.get(*name)?)));
    let others = fields.iter().map(|(name, value)| (name.as_str(), value)).filter(|(name, _)| !OWN.contains(name));
    own.chain(others).collect()
}

pub(super) fn deletion(reader: &Reader, series: &Series, time: i64) -> String {
    reader.deletion(series, time..time + 1)
}

pub(super) fn name(kind: Kind) -> &'static str {
    match kind {
        Kind::Missing => "missing",
        Kind::Different => "different",
        Kind::Unexpected => "unexpected",
    }
}
