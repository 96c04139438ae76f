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
    platform: Option<InOrder<'a>>,
    database: Option<InOrder<'a>>,
    late_revision: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    delete: Option<String>,
}

/// Fields in an order of their own, which a map would not keep.
struct InOrder<'a>(&'a Fields);

impl Serialize for InOrder<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(in_order(self.0))
    }
}

fn difference_line<'a>(reader: &Reader, series: &'a Series, difference: &'a Difference) -> Line<'a> {
    let is_unexpected = difference.kind == Kind::Unexpected;
    Line {
        difference: Content {
            series: series.into(),
            time: instant(difference.timestamp),
            kind: name(difference.kind),
            platform: difference.platform.as_ref().map(InOrder),
            database: difference.database.as_ref().map(InOrder),
            late_revision: difference.late_revision,
            delete: is_unexpected.then(|| deletion(reader, series, difference.timestamp)),
        },
    }
}

/// The program's own fields first, in its order.
pub(super) fn in_order(fields: &Fields) -> impl Iterator<Item = (&str, &Value)> {
    const OWN: [&str; 3] = ["users", "new_users", "returning_users"];
    let own = OWN.iter().filter_map(|name| Some((*name, fields.get(*name)?)));
    let others = fields.iter().map(|(name, value)| (name.as_str(), value)).filter(|(name, _)| !OWN.contains(name));
    own.chain(others)
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
