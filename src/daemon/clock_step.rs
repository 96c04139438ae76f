//! Whether the clock goes on as the time does: it does not where it is set, or where the machine slept.

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

/// A clock that goes wrong by less from one look to the next is being corrected, which is nothing to speak of.
const WORTH_SAYING: SignedDuration = SignedDuration::from_mins(1);

/// What the clock said when somebody looked last.
#[derive(Debug)]
pub(super) struct ClockStep {
    clock: Timestamp,
    at: Instant,
}

impl ClockStep {
    /// Looks for the first time.
    pub(super) fn new(clock: Timestamp) -> ClockStep {
        ClockStep { clock, at: Instant::now() }
    }

    /// Looks again: says what there is to say, and returns whether the clock goes back.
    pub(super) fn look(&mut self, clock: Timestamp) -> bool {
        let before = std::mem::replace(self, ClockStep::new(clock));
        let passed = SignedDuration::try_from(self.at.duration_since(before.at)).unwrap_or(SignedDuration::MAX);
        let step = clock.duration_since(before.clock).saturating_sub(passed);
        let seconds = SignedDuration::from_secs(step.abs().as_secs());
        if step >= WORTH_SAYING {
            tracing::info!("the clock jumped forward by {seconds:#}: it was set, or the machine was suspended");
        } else if step <= -WORTH_SAYING {
            tracing::info!("the clock jumped back by {seconds:#}");
        }
        clock < before.clock
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn only_a_clock_that_goes_back_is_told() {
        let at = |second| Timestamp::from_second(1_800_000_000 + second).unwrap();
        let mut step_watch = ClockStep::new(at(0));
        for (later, clock, goes_back) in [
            (5, 5_i64, false),
            (5, 10_000, false),
            (5, 10_005, false),
            (5, 9_000, true),
            (5, 9_004, false),
            (5, -1, true),
        ] {
            tokio::time::advance(Duration::from_secs(later)).await;
            assert_eq!(step_watch.look(at(clock)), goes_back, "{clock}");
        }
    }
}
