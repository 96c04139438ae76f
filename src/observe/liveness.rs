//! Whether the daemon goes on: its loop beats, and nothing under way has outlived its time. The watchdog and `/healthz`
//! both ask here.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::observe::operations::Pulse;

/// How often the loop beats where nothing else says.
const BEAT: Duration = Duration::from_secs(5);

/// Beats that may be missing before the loop counts as stuck.
const MISSING: u32 = 4;

/// The beat of the daemon's loop.
#[derive(Debug)]
pub struct Heart {
    last: Mutex<Instant>,
    pulse: Pulse,
    every: Duration,
}

impl Heart {
    /// Beats often enough for a watchdog that waits this long.
    pub fn new(pulse: Pulse, watchdog: Option<Duration>) -> Heart {
        let every = watchdog.map_or(BEAT, |watchdog| (watchdog / 3).min(BEAT));
        Heart { last: Mutex::new(Instant::now()), pulse, every }
    }

    /// How often [`beat`](Heart::beat) is to be called.
    pub fn every(&self) -> Duration {
        self.every
    }

    /// The loop has come round.
    pub fn beat(&self) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    /// What keeps the daemon from going on, if anything does.
    pub fn trouble(&self) -> Option<String> {
        let silent = self.last.lock().unwrap_or_else(PoisonError::into_inner).elapsed();
        if silent > (self.every * MISSING).max(BEAT) {
            return Some(format!("the loop has made no progress for {silent:.0?}"));
        }
        self.pulse.overdue().map(|what| format!("{what} has outlived its time-out"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_silent_loop_and_a_stuck_request_are_trouble() {
        let pulse = Pulse::default();
        let heart = Heart::new(pulse.clone(), None);
        tokio::time::advance(Duration::from_secs(19)).await;
        assert_eq!(heart.trouble(), None);
        tokio::time::advance(Duration::from_secs(2)).await;
        assert_eq!(heart.trouble().unwrap(), "the loop has made no progress for 21s");
        heart.beat();
        assert_eq!(heart.trouble(), None);
        let _request = pulse.begin("a request to the platform", Duration::from_secs(5));
        tokio::time::advance(Duration::from_secs(16)).await;
        assert_eq!(heart.trouble().unwrap(), "a request to the platform has outlived its time-out");
    }

    #[test]
    fn a_watchdog_hears_three_beats_in_its_time() {
        let watchdog = Some(Duration::from_secs(3));
        assert_eq!(Heart::new(Pulse::default(), watchdog).every(), Duration::from_secs(1));
    }
}
