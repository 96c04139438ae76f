//! Reads back what a destination has of a series: a database a week at a time, a file as a file.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use super::file::LineFile;
use super::influxdb::InfluxDbSink;
use super::influxdb::generation::Generation;
use super::influxdb::retention::Retention;
use super::line_protocol::tags;
use super::{Sink, WriteFailure};
use crate::domain::backoff;
use crate::domain::compare::{Stored, Value};
use crate::domain::series::Series;
use crate::shutdown::Stop;

/// A span of time, in Unix seconds; the end is not part of it.
pub type Span = Range<i64>;

/// A question to a database spans no more than this: InfluxDB 3 Core reads only so many files at a time.
const WEEK: i64 = 7 * 86_400;

/// What a destination has of a series.
#[derive(Debug, Default)]
pub struct Found {
    own_tags: BTreeMap<String, String>,
    /// Under its own tags.
    pub own: Stored,
    /// Points of the same bot and channel under other tags: the tags and the time.
    others: BTreeSet<(BTreeMap<String, String>, i64)>,
}

impl Found {
    /// Nothing found yet.
    pub(super) fn of(series: &Series) -> Found {
        let own_tags = tags(series).into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
        Found { own_tags, ..Found::default() }
    }

    /// Takes in a field of a point.
    pub(super) fn add(&mut self, tags: BTreeMap<String, String>, time: i64, field: String, value: Value) {
        if tags == self.own_tags {
            self.own.entry(time).or_default().insert(field, value);
        } else {
            self.others.insert((tags, time));
        }
    }

    /// Forgets the fields of a point, for a later line replaces it.
    pub(super) fn replace(&mut self, tags: &BTreeMap<String, String>, time: i64) {
        if *tags == self.own_tags {
            self.own.remove(&time);
        }
    }

    /// How many points of the span stand under other tags, which are not those of another bot that is configured.
    pub fn elsewhere(&self, span: &Span, bots: &[String]) -> u64 {
        let own_bot = self.own_tags.get("bot");
        let is_anothers = |tags: &BTreeMap<String, String>| {
            tags.get("bot") != own_bot && tags.get("bot").is_some_and(|bot| bots.contains(bot))
        };
        self.others.iter().filter(|(tags, time)| span.contains(time) && !is_anothers(tags)).count() as u64
    }
}

/// A destination that is read.
#[derive(Debug)]
pub enum Reader {
    /// A database of this kind.
    Database(Box<InfluxDbSink>, Generation),
    /// A file of lines.
    File(LineFile),
}

impl Reader {
    /// Asks the database which kind it is.
    ///
    /// # Errors
    ///
    /// If it does not answer.
    pub async fn open(sink: Sink) -> Result<Reader, WriteFailure> {
        match sink {
            Sink::InfluxDb(database) => {
                let generation = database.generation().await?;
                Ok(Reader::Database(database, generation))
            }
            Sink::File(file) => Ok(Reader::File(file)),
            Sink::Other(_) => Err(WriteFailure::Unread("this destination cannot be read".to_owned(), "")),
        }
    }

    /// How long it keeps points.
    pub async fn retention(&self) -> Retention {
        match self {
            Reader::Database(database, generation) => database.retention(*generation).await,
            Reader::File(_) => Retention::Forever,
        }
    }

    /// What there is of the series in the span. What fails for the moment is tried again.
    ///
    /// # Errors
    ///
    /// If it cannot be read in full.
    pub async fn read(&self, series: &Series, span: Span, stop: &Stop) -> Result<Found, WriteFailure> {
        let (database, generation) = match self {
            Reader::Database(database, generation) => (database, *generation),
            Reader::File(file) => {
                let (file, series) = (file.clone(), series.clone());
                let read = tokio::task::spawn_blocking(move || file.read(&series, &span)).await;
                let read = read.map_err(std::io::Error::other).flatten();
                return read.map_err(|error| WriteFailure::Unread(error.to_string(), "check the file's permissions"));
            }
        };
        let mut found = Found::of(series);
        let mut start = span.start;
        while start < span.end {
            let week = start..span.end.min(start + WEEK);
            let mut pauses = backoff::pauses(backoff::TRIES);
            let read = loop {
                let failure = match database.read(generation, series, week.clone()).await {
                    Ok(read) => break read,
                    Err(failure) => failure,
                };
                let pause = if failure.is_passing() { pauses.next() } else { None };
                match pause {
                    Some(pause) if stop.or(tokio::time::sleep(pause)).await.is_ok() => {}
                    _ => return Err(failure),
                }
            };
            found.own.extend(read.own);
            found.others.extend(read.others);
            start = week.end;
        }
        Ok(found)
    }

    /// The command that would delete what the span has of the series.
    pub fn deletion(&self, series: &Series, span: Span) -> String {
        match self {
            Reader::Database(database, generation) => database.deletion(*generation, series, span),
            Reader::File(file) => file.deletion(series, &span),
        }
    }
}
