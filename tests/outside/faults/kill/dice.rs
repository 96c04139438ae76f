//! What a seed decides: the modes, the instants, whether the power is cut.

use std::time::Duration;

use kore_trend_exporter::domain::series::stable_hash;

/// Draws the same in every run of the same seed.
pub(super) struct Dice {
    seed: String,
    drawn: u64,
}

/// What runs when it is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    Once,
    Backfill,
    Daemon,
    /// A daemon and a backfill beside it.
    Both,
}

/// When it is killed: after so many of these have happened, and a little later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum After {
    /// Nothing: counted from the start.
    Start,
    /// Requests to the platform.
    Requests(u64),
    /// Changes in the state folder: a file that appears, is replaced or goes.
    Changes(u64),
}

/// An instant, which is the same on every machine as far as it hangs on what happens and not on the clock.
#[derive(Clone, Copy, Debug)]
pub(super) struct Instant {
    pub(super) after: After,
    pub(super) delay: Duration,
}

impl Dice {
    pub(super) fn new(seed: String) -> Dice {
        Dice { seed, drawn: 0 }
    }

    /// A number below this one.
    pub(super) fn below(&mut self, limit: u64) -> u64 {
        self.drawn += 1;
        (stable_hash(&format!("{} {}", self.seed, self.drawn)) >> 20) % limit
    }

    /// Dice of their own for something that draws in an order of its own.
    pub(super) fn fork(&mut self, what: &str) -> Dice {
        self.drawn += 1;
        Dice::new(format!("{} {} {what}", self.seed, self.drawn))
    }

    pub(super) fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    pub(super) fn mode(&mut self) -> Mode {
        match self.below(10) {
            0..3 => Mode::Once,
            3..6 => Mode::Backfill,
            6..9 => Mode::Daemon,
            _ => Mode::Both,
        }
    }

    pub(super) fn instant(&mut self) -> Instant {
        let (after, delay) = match self.below(10) {
            0 => (After::Start, 250_000),
            1..4 => (After::Requests(1 + self.below(16)), 150_000),
            4..7 => (After::Requests(1 + self.below(100)), 150_000),
            _ => (After::Changes(1 + self.below(9)), 4_000),
        };
        Instant { after, delay: Duration::from_micros(self.below(delay)) }
    }
}
