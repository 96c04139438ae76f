//! What outlives the process: the watermarks, how far a backfill has come, and the traces of who writes beside. Knows
//! files and [`domain`](crate::domain); it never asks a service.

use std::time::Duration;

pub mod atomic;
pub mod backfill;
pub mod beside;
pub mod watermarks;

/// How long progress is not saved again after that took so long: with many series the file is large, and saving it is to
/// take a twentieth of the time; a disk that takes seconds is still written to after 30.
pub fn rest_after_save(took: Duration) -> Duration {
    (19 * took).clamp(Duration::from_secs(2), Duration::from_secs(30))
}
