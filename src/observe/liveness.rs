//! Liveness: the loop makes progress, and no operation is past its timeout. The watchdog and `/healthz` both ask here.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

/// How often the loop beats where nothing else says.
const BEAT: Duration = Duration::from_secs(5);

/// Beats that may be missing before the loop counts as stuck.
const MISSING: u32 = 4;

/// The time beyond its own timeout after which an operation counts as stuck.
const MARGIN: Duration = Duration::from_secs(10);

/// Whether the process goes on. A clone watches over the same loop and operations.
#[derive(Clone, Debug)]
pub struct Liveness(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    last_beat: Instant,
    every: Duration,
    started: u64,
    /// By number: the deadline, and what it is.
    operations: BTreeMap<u64, (Instant, &'static str)>,
}

/// An operation under way; dropped when it ends.
#[derive(Debug)]
pub struct Operation {
    liveness: Liveness,
    number: u64,
}

impl Default for Liveness {
    fn default() -> Self {
        let state = State { last_beat: Instant::now(), every: BEAT, started: 0, operations: BTreeMap::new() };
        Liveness(Arc::new(Mutex::new(state)))
    }
}

impl Liveness {
    /// From now on the loop beats, and often enough for a watchdog that waits this long.
    pub fn start(&self, watchdog: Option<Duration>) {
        let mut state = self.0.lock();
        state.every = watchdog.map_or(BEAT, |watchdog| (watchdog / 3).min(BEAT));
        state.last_beat = Instant::now();
    }

    /// How often [`beat`](Liveness::beat) is to be called.
    pub fn every(&self) -> Duration {
        self.0.lock().every
    }

    /// The loop has come round.
    pub fn beat(&self) {
        self.0.lock().last_beat = Instant::now();
    }

    /// An operation begins that ends within this time.
    pub fn begin(&self, what: &'static str, within: Duration) -> Operation {
        let mut state = self.0.lock();
        state.started += 1;
        let number = state.started;
        state.operations.insert(number, (Instant::now() + within + MARGIN, what));
        Operation { liveness: self.clone(), number }
    }

    /// What keeps the daemon from going on, if anything does.
    pub fn trouble(&self) -> Option<String> {
        let state = self.0.lock();
        let silent = state.last_beat.elapsed();
        if silent > (state.every * MISSING).max(BEAT) {
            return Some(format!("the loop has made no progress for {silent:.0?}"));
        }
        let now = Instant::now();
        let stuck = state.operations.values().find(|(deadline, _)| *deadline < now);
        stuck.map(|(_, what)| format!("{what} is stuck past its timeout"))
    }
}

impl Drop for Operation {
    fn drop(&mut self) {
        self.liveness.0.lock().operations.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_silent_loop_and_a_stuck_operation_are_trouble() {
        let liveness = Liveness::default();
        tokio::time::advance(Duration::from_secs(19)).await;
        assert_eq!(liveness.trouble(), None);
        tokio::time::advance(Duration::from_secs(2)).await;
        assert_eq!(liveness.trouble().unwrap(), "the loop has made no progress for 21s");
        liveness.beat();
        assert_eq!(liveness.trouble(), None);
        let slow = liveness.begin("a slow one", Duration::from_secs(60));
        let quick = liveness.begin("a quick one", Duration::from_secs(5));
        tokio::time::advance(Duration::from_secs(14)).await;
        assert_eq!(liveness.trouble(), None);
        tokio::time::advance(Duration::from_secs(2)).await;
        assert_eq!(liveness.trouble().unwrap(), "a quick one is stuck past its timeout");
        drop(quick);
        assert_eq!(liveness.trouble(), None);
        tokio::time::advance(Duration::from_secs(60)).await;
        liveness.beat();
        assert_eq!(liveness.trouble().unwrap(), "a slow one is stuck past its timeout");
        drop(slow);
        assert_eq!(liveness.trouble(), None);
    }

    #[test]
    fn a_watchdog_hears_three_beats_in_its_time() {
        let liveness = Liveness::default();
        liveness.start(Some(Duration::from_secs(3)));
        assert_eq!(liveness.every(), Duration::from_secs(1));
        liveness.start(None);
        assert_eq!(liveness.every(), BEAT);
    }
}
