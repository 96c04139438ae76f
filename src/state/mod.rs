//! What outlives the process: the watermarks, how far a backfill has come, and the traces of who writes beside. Knows
//! files and [`domain`](crate::domain); it never asks a service.

use std::time::Duration;

pub mod atomic;
pub mod backfill;
pub mod beside;
pub mod watermarks;

/// Why a run cannot begin, or what it did cannot be recorded.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// A newer release wrote a file of it.
    #[error("{0}")]
    Newer(String),
    /// A backfill over another range was interrupted.
    #[error("{0}")]
    AnotherRange(String),
    /// Anything else.
    #[error("{0:#}")]
    Other(#[from] anyhow::Error),
}

/// How long progress of so many series is not saved again: their file takes longer to write the more there are, and a tick
/// lasts longer, but saving is to cost the same part of it. What is lost in a crash is asked for again.
pub fn rest_after_save(series: usize) -> Duration {
    Duration::from_secs((series as u64 / 500).clamp(2, 30))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_of_many_series_is_saved_less_often() {
        for (series, seconds) in [(0, 2), (1, 2), (1_000, 2), (5_000, 10), (10_000, 20), (1_000_000, 30)] {
            assert_eq!(rest_after_save(series).as_secs(), seconds, "{series}");
        }
    }
}
