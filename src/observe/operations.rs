//! Operations under way that must end by themselves. One that has outlived its time means that the program is stuck,
//! which the watchdog and `/healthz` should know.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// The time beyond its own time-out after which an operation counts as stuck.
const MARGIN: Duration = Duration::from_secs(10);

/// The operations under way. A clone watches over the same ones.
#[derive(Clone, Debug, Default)]
pub struct Pulse(Arc<Mutex<Operations>>);

#[derive(Debug, Default)]
struct Operations {
    started: u64,
    under_way: BTreeMap<u64, (Instant, &'static str)>,
}

/// An operation under way; dropped when it ends.
#[derive(Debug)]
pub struct Operation {
    pulse: Pulse,
    number: u64,
}

impl Pulse {
    /// An operation begins that ends within this time.
    pub fn begin(&self, what: &'static str, within: Duration) -> Operation {
        let mut operations = self.lock();
        operations.started += 1;
        let number = operations.started;
        operations.under_way.insert(number, (Instant::now() + within + MARGIN, what));
        Operation { pulse: self.clone(), number }
    }

    /// An operation that should have ended, if there is one.
    pub fn overdue(&self) -> Option<&'static str> {
        let now = Instant::now();
        self.lock().under_way.values().find(|(deadline, _)| *deadline < now).map(|(_, what)| *what)
    }

    fn lock(&self) -> MutexGuard<'_, Operations> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Operation {
    fn drop(&mut self) {
        self.pulse.lock().under_way.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn only_what_outlives_its_time_is_overdue() {
        let pulse = Pulse::default();
        let slow = pulse.begin("a slow one", Duration::from_secs(60));
        let quick = pulse.begin("a quick one", Duration::from_secs(5));
        tokio::time::advance(Duration::from_secs(14)).await;
        assert_eq!(pulse.overdue(), None);
        tokio::time::advance(Duration::from_secs(2)).await;
        assert_eq!(pulse.overdue(), Some("a quick one"));
        drop(quick);
        assert_eq!(pulse.overdue(), None);
        tokio::time::advance(Duration::from_secs(60)).await;
        assert_eq!(pulse.overdue(), Some("a slow one"));
        drop(slow);
        assert_eq!(pulse.overdue(), None);
    }
}
