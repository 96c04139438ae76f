//! Reads the points of a series back: in Flux or in InfluxQL, whichever the database is asked in.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::InfluxDbReader;
use super::generation::Generation;
use super::{flux, influxql};
use crate::config::ReadLanguage;
use crate::database::WriteFailure;
use crate::database::found::{Found, Span};
use crate::database::line_protocol::{measurement, tags};
use crate::domain::calendar::instant;
use crate::domain::compare::Value;
use crate::domain::series::Series;

/// Points of one set of tags that one question brings at most; a week of hours is 168.
const MOST: usize = 5_000;

/// A shard of the database, within which a field has one type, is at least so long, in seconds.
const DAY: i64 = 86_400;

impl InfluxDbReader {
    /// What the bucket has of the series in the span, and under other tags of the same bot and channel.
    ///
    /// # Errors
    ///
    /// If it cannot be read, or not in full.
    pub(in crate::database) async fn read(&self, series: &Series, span: Span) -> Result<Found, WriteFailure> {
        let read = match self.speaks_flux(series) {
            true => self.read_by_flux(series, span).await,
            false => self.read_by_influxql(series, span).await,
        };
        read.map_err(|failure| failure.while_reading(&self.sink.database.bucket))
    }

    /// Flux where the configuration says so, or of InfluxDB 2; below a path the Flux client does not find it, and a tag
    /// that is called like a column of Flux's own is lost in it.
    fn speaks_flux(&self, series: &Series) -> bool {
        let is_wanted = match self.sink.database.read {
            Some(language) => language == ReadLanguage::Flux,
            None => self.generation == Generation::Two,
        };
        let has_own_name = |(key, _): &(String, String)| flux::COLUMNS.contains(&key.as_str());
        is_wanted && self.sink.database.url.path() == "/" && !series.bot.tags.iter().any(has_own_name)
    }

    async fn read_by_flux(&self, series: &Series, span: Span) -> Result<Found, WriteFailure> {
        let text = flux::string;
        let question = format!(
            "from(bucket: {}) |> range(start: {}, stop: {}) |> filter(fn: (r) => r._measurement == {} and r.bot == {} \
             and r.channel == {}) |> drop(columns: [\"_start\", \"_stop\"]) |> limit(n: {MOST})",
            text(&self.sink.database.bucket),
            span.start,
            span.end,
            text(measurement(series.interval)),
            text(&series.bot.name),
            text(&series.channel),
        );
        let mut found = Found::of(series);
        let mut rows: BTreeMap<i32, usize> = BTreeMap::new();
        for flux::Row { table, tags, time, field, value } in self.sink.flux(question).await? {
            let in_table = rows.entry(table).or_default();
            *in_table += 1;
            if *in_table >= MOST {
                return Err(too_many());
            }
            found.add(tags, time, field, value);
        }
        Ok(found)
    }

    /// JSON does not tell a whole number of one type from that of another, so the types are asked for.
    async fn read_by_influxql(&self, series: &Series, span: Span) -> Result<Found, WriteFailure> {
        let floats = self.floats(measurement(series.interval), &span).await?;
        if floats.are_mixed && span.end - span.start > DAY {
            let mut found = Found::of(series);
            let mut start = span.start;
            while start < span.end {
                let day = start..span.end.min((start.div_euclid(DAY) + 1) * DAY);
                start = day.end;
                found.merge(Box::pin(self.read_by_influxql(series, day)).await?);
            }
            return Ok(found);
        }
        let from = influxql::name(measurement(series.interval));
        let question = format!(
            "SELECT * FROM {from} WHERE \"bot\" = {} AND \"channel\" = {} AND time >= {}s AND time < {}s GROUP BY * \
             LIMIT {MOST}",
            influxql::string(&series.bot.name),
            influxql::string(&series.channel),
            span.start,
            span.end,
        );
        let tables = self.influxql(&question).await?;
        let mut found = Found::of(series);
        for table in tables {
            if table.values.len() >= MOST {
                return Err(too_many());
            }
            let tags: BTreeMap<String, String> =
                table.tags.into_iter().filter(|(_, value)| !value.is_empty()).collect();
            for row in &table.values {
                let mut cells = table.columns.iter().zip(row);
                let Some(time) = cells.next().and_then(|(_, time)| time.as_i64()) else { continue };
                for (field, value) in cells {
                    if let Some(value) = of_json(value) {
                        let value = if floats.fields.contains(field) { as_float(value) } else { value };
                        found.add(tags.clone(), time, field.clone(), value);
                    }
                }
            }
        }
        Ok(found)
    }

    /// The times of the first and the last point of the series.
    pub(in crate::database) async fn history(&self, series: &Series) -> Result<Option<(i64, i64)>, WriteFailure> {
        let mut ends = Vec::new();
        for end in ["first", "last"] {
            let time = match self.speaks_flux(series) {
                true => {
                    self.sink.flux(self.end_by_flux(series, end)).await.map(|rows| rows.first().map(|row| row.time))
                }
                false => self
                    .influxql(&end_by_influxql(series, end))
                    .await
                    .map(|tables| tables.first().and_then(|table| table.values.first()?.first()?.as_i64())),
            };
            ends.extend(time.map_err(|failure| failure.while_reading(&self.sink.database.bucket))?);
        }
        Ok(ends.first().copied().zip(ends.get(1).copied()))
    }

    fn end_by_flux(&self, series: &Series, end: &str) -> String {
        let of_series =
            of_series(series, " and ", |key, value| format!("r[{}] == {}", flux::string(key), flux::string(value)));
        format!(
            "from(bucket: {}) |> range(start: 0) |> filter(fn: (r) => r._measurement == {} and r._field == \"users\" and {}) \
             |> {end}() |> drop(columns: [\"_start\", \"_stop\"]) |> limit(n: 1)",
            flux::string(&self.sink.database.bucket),
            flux::string(measurement(series.interval)),
            of_series
        )
    }

    /// The command that would delete the points of the series from one time to another, both included.
    pub(in crate::database) fn deletion(&self, series: &Series, span: Span) -> String {
        let (first, end) = (instant(span.start), instant(span.end));
        match self.generation {
            Generation::One => format!(
                "DELETE FROM {} WHERE {} AND time >= '{first}' AND time < '{end}'",
                influxql::name(measurement(series.interval)),
                of_series(series, " AND ", influxql::equals)
            ),
            Generation::Three => "InfluxDB 3 deletes no single points".to_owned(),
            _ => {
                let tags =
                    of_series(series, " AND ", |key, value| format!("{}={}", flux::string(key), flux::string(value)));
                let predicate = format!("_measurement={} AND {tags}", flux::string(measurement(series.interval)));
                format!(
                    "influx delete --org {} --bucket {} --start {first} --stop {end} --predicate {}",
                    shell(&self.sink.database.org),
                    shell(&self.sink.database.bucket),
                    shell(&predicate)
                )
            }
        }
    }
}

fn end_by_influxql(series: &Series, end: &str) -> String {
    let from = influxql::name(measurement(series.interval));
    format!("SELECT {end}(\"users\") FROM {from} WHERE {}", of_series(series, " AND ", influxql::equals))
}

/// The condition that holds for the series alone, by its tags.
fn of_series(series: &Series, and: &str, equals: impl Fn(&str, &str) -> String) -> String {
    tags(series).into_iter().map(|(key, value)| equals(key, value)).collect::<Vec<_>>().join(and)
}

fn too_many() -> WriteFailure {
    let words = format!("one set of tags has {MOST} points or more within a week, which are not this program's");
    WriteFailure::Unread(words, "")
}

fn of_json(value: &Json) -> Option<Value> {
    match value {
        Json::Null => None,
        Json::Bool(value) => Some(Value::Boolean(*value)),
        Json::String(value) => Some(Value::Text(value.clone())),
        Json::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(value), _) => Some(Value::Integer(value)),
            (None, Some(value)) => Some(Value::Unsigned(value)),
            (None, None) => number.as_f64().map(Value::Float),
        },
        other => Some(Value::Text(other.to_string())),
    }
}

/// The database writes a whole number of this type without a point.
fn as_float(value: Value) -> Value {
    match value {
        Value::Integer(value) => Value::Float(value as f64),
        other => other,
    }
}

/// A word of a shell's command line.
fn shell(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}
