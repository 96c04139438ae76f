//! Points on their way to the database, and what becomes of them.

use std::sync::Arc;

use tokio::sync::oneshot;

use super::WriteFailure;
use super::line_protocol::Encoder;
use crate::domain::point::Point;
use crate::domain::words::counted;

/// The points of one answer, and whom to tell.
#[derive(Debug)]
pub struct Parcel {
    /// Writes the series' lines.
    pub encoder: Arc<Encoder>,
    /// In the order of time; not empty.
    pub points: Vec<Point>,
    /// Told what became of them.
    pub reply: oneshot::Sender<Result<Written, WriteError>>,
}

/// Points that the database confirmed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Stored.
    pub points: usize,
    /// Not stored, for they are older than what the bucket retains; asking again cannot help.
    pub beyond_retention: usize,
    /// Whether a try failed before: nobody knows what of it the database still takes, and when.
    pub is_doubtful: bool,
}

/// Why the points of a series are not confirmed.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum WriteError {
    /// The write failed as a whole.
    #[error("{0}")]
    Failed(WriteFailure),
    /// The database refused some of the lines and has the rest.
    #[error(
        "the database refused {} of this series ({failure}); the first: {example}", counted(*count as u64, "point")
    )]
    LinesRefused {
        /// How many.
        count: usize,
        /// The first of them.
        example: String,
        /// What the database answered.
        failure: WriteFailure,
    },
}

impl WriteError {
    /// A word for this kind of problem, by which a new one is told from one that lasts.
    pub fn kind(&self) -> String {
        match self {
            WriteError::Failed(failure) => format!("database {}", failure.label()),
            WriteError::LinesRefused { .. } => "lines refused".to_owned(),
        }
    }

    /// The next step for the person on call; empty where there is none to suggest.
    pub fn advice(&self) -> String {
        const REST: &str = "the other points are stored, and these days will be retried";
        match self {
            WriteError::Failed(failure) => failure.advice().to_owned(),
            WriteError::LinesRefused { failure, .. } if failure.advice().is_empty() => REST.to_owned(),
            WriteError::LinesRefused { failure, .. } => format!("{}; {REST}", failure.advice()),
        }
    }
}
