//! Differences as lines of JSON, and the words that they share with the table.

use std::io::{self, Write};

use jiff::Timestamp;
use serde_json::{Value as Json, json};

use crate::database::read::Reader;
use crate::domain::compare::{Difference, Fields, Kind, Value};
use crate::domain::series::Series;

/// Prints a line of JSON for each difference.
///
/// # Errors
///
/// If standard output is closed.
pub(in crate::run) fn print(reader: &Reader, series: &Series, differences: &[Difference]) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    for difference in differences {
        writeln!(stdout, "{}", difference_line(reader, series, difference))?;
    }
    stdout.flush()
}

pub(super) fn identity(series: &Series) -> String {
    let Series { bot, channel, interval } = series;
    let (bot, channel) = (json!(bot.name), json!(channel));
    format!("{{\"bot\":{bot},\"channel\":{channel},\"interval\":\"{interval}\"}}")
}

fn difference_line(reader: &Reader, series: &Series, difference: &Difference) -> String {
    let object = |fields: Vec<(String, Json)>| {
        let fields: Vec<String> = fields.into_iter().map(|(name, value)| format!("{}:{value}", json!(name))).collect();
        format!("{{{}}}", fields.join(","))
    };
    let platform = difference.platform.map_or("null".to_owned(), |figures| {
        object(figures.fields().map(|(name, value)| (name.to_owned(), value.into())).collect())
    });
    let database = difference.database.as_ref().map_or("null".to_owned(), |fields| {
        object(in_order(fields).into_iter().map(|(name, value)| (name.to_owned(), as_json(value))).collect())
    });
    let delete = match difference.kind {
        Kind::Unexpected => format!(",\"delete\":{}", json!(deletion(reader, series, difference.timestamp))),
        Kind::Missing | Kind::Different => String::new(),
    };
    format!(
        "{{\"difference\":{{\"series\":{},\"time\":\"{}\",\"kind\":\"{}\",\"platform\":{platform},\
         \"database\":{database},\"late_revision\":{}{delete}}}}}",
        identity(series),
        instant(difference.timestamp),
        name(difference.kind),
        difference.late_revision,
    )
}

/// The program's own fields first, in its order.
pub(super) fn in_order(fields: &Fields) -> Vec<(&str, &Value)> {
    const OWN: [&str; 3] = ["users", "new_users", "returning_users"];
    let own = OWN.iter().filter_map(|name| Some((*name, fields.get(*name)?)));
    let others = fields.iter().map(|(name, value)| (name.as_str(), value)).filter(|(name, _)| !OWN.contains(name));
    own.chain(others).collect()
}

fn as_json(value: &Value) -> Json {
    match value {
        Value::Integer(value) => (*value).into(),
        Value::Unsigned(value) => (*value).into(),
        Value::Float(value) => json!(value),
        Value::Boolean(value) => (*value).into(),
        Value::Text(value) => value.as_str().into(),
    }
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

pub(super) fn instant(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).unwrap_or(Timestamp::MAX)
}
