//! Reads back what a destination has of a series: a database a week at a time, a file as a file.

use super::file::LineFile;
pub use super::found::{Found, Span};
use super::influxdb::InfluxDbReader;
use super::influxdb::retention::Retention;
use super::{Sink, WriteFailure};
use crate::domain::backoff;
use crate::domain::series::Series;
use crate::shutdown::Stop;

/// A question to a database spans no more than this: InfluxDB 3 Core reads only so many files at a time, and Flux skips
/// points whose field is of another type than before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// From Monday to Monday, as InfluxDB divides its files.
    Week,
    /// A day, of UTC.
    Day,
}

impl Step {
    /// The end of the step that a time lies in, in Unix seconds.
    fn end(self, time: i64) -> i64 {
        const DAY: i64 = 86_400;
        // The epoch began on a Thursday.
        let (length, offset) = match self {
            Step::Week => (7 * DAY, 4 * DAY),
            Step::Day => (DAY, 0),
        };
        ((time - offset).div_euclid(length) + 1) * length + offset
    }
}

/// A destination that is read.
#[derive(Debug)]
pub enum Reader {
    /// A database.
    Database(Box<InfluxDbReader>),
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
            Sink::InfluxDb(database) => Ok(Reader::Database(Box::new(database.open_to_read().await?))),
            Sink::File(file) => Ok(Reader::File(file)),
            Sink::Other(_) => Err(WriteFailure::Unread("this destination cannot be read".to_owned(), "")),
        }
    }

    /// How long it keeps points.
    pub async fn retention(&self) -> Retention {
        match self {
            Reader::Database(database) => database.retention().await,
            Reader::File(_) => Retention::Forever,
        }
    }

    /// What there is of the series in the span. What fails for the moment is tried again.
    ///
    /// # Errors
    ///
    /// If it cannot be read in full.
    pub async fn read(&self, series: &Series, span: Span, step: Step, stop: &Stop) -> Result<Found, WriteFailure> {
        let database = match self {
            Reader::Database(database) => database,
            Reader::File(file) => return read_file(file, series, span).await,
        };
        let mut found = Found::of(series);
        let mut start = span.start;
        while start < span.end {
            let piece = start..span.end.min(step.end(start));
            let mut pauses = backoff::pauses(backoff::TRIES);
            let read = loop {
                let failure = match database.read(series, piece.clone()).await {
                    Ok(read) => break read,
                    Err(failure) => failure,
                };
                let pause = if failure.is_passing() { pauses.next() } else { None };
                match pause {
                    Some(pause) if stop.or(tokio::time::sleep(pause)).await.is_ok() => {}
                    _ => return Err(failure),
                }
            };
            found.merge(read);
            start = piece.end;
        }
        Ok(found)
    }

    /// The times of the first and the last point of the series, in Unix seconds.
    ///
    /// # Errors
    ///
    /// If they cannot be read.
    pub async fn history(&self, series: &Series) -> Result<Option<(i64, i64)>, WriteFailure> {
        match self {
            Reader::Database(database) => database.history(series).await,
            Reader::File(file) => {
                let own = read_file(file, series, i64::MIN..i64::MAX).await?.own;
                Ok(own.first_key_value().zip(own.last_key_value()).map(|((first, _), (last, _))| (*first, *last)))
            }
        }
    }

    /// The command that would delete what the span has of the series.
    pub fn deletion(&self, series: &Series, span: Span) -> String {
        match self {
            Reader::Database(database) => database.deletion(series, span),
            Reader::File(file) => file.deletion(series, &span),
        }
    }
}

async fn read_file(file: &LineFile, series: &Series, span: Span) -> Result<Found, WriteFailure> {
    let (file, series) = (file.clone(), series.clone());
    let read = tokio::task::spawn_blocking(move || file.read(&series, &span)).await;
    let read = read.map_err(std::io::Error::other).flatten();
    read.map_err(|error| WriteFailure::Unread(error.to_string(), "check the file's permissions"))
}
