//! Ticks under way: one for each slot that came, over all bots of its schedule. A bot starts when its delay is over; the
//! tick is over when the last of them has ended.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use crate::observe::status::view::TickView;
use crate::run::Ticked;
use crate::run::summary::Outcome;

/// The number of a tick.
pub(super) type Number = u64;

/// Ticks that are not over, and bots that wait for their delay.
#[derive(Debug, Default)]
pub(super) struct TickTracker {
    opened: Number,
    open: HashMap<Number, OpenTick>,
    starts: BTreeMap<(Instant, u64), Start>,
    planned: u64,
}

/// A bot that is to start.
#[derive(Debug)]
pub(super) struct Start {
    /// The tick it takes part in.
    pub(super) tick: Number,
    /// Its name.
    pub(super) bot: String,
}

#[derive(Debug)]
struct OpenTick {
    since: Instant,
    /// Bots that have not ended, and did not fall out.
    pending: usize,
    sums: TickView,
}

impl TickTracker {
    /// A tick begins: these bots take part, each after its delay. It was due at `due`.
    pub(super) fn open(&mut self, due: Timestamp, starts: Vec<(String, Duration)>) {
        if starts.is_empty() {
            return;
        }
        self.opened += 1;
        let (tick, now) = (self.opened, Instant::now());
        let sums = TickView { started: due, ..TickView::default() };
        self.open.insert(tick, OpenTick { since: now, pending: starts.len(), sums });
        for (bot, delay) in starts {
            self.planned += 1;
            self.starts.insert((now + delay, self.planned), Start { tick, bot });
        }
    }

    /// When the next bot is to start.
    pub(super) fn next_start(&self) -> Option<Instant> {
        self.starts.first_key_value().map(|((at, _), _)| *at)
    }

    /// A bot whose delay is over.
    pub(super) fn take_start(&mut self) -> Option<Start> {
        let first = self.starts.first_entry()?;
        (first.key().0 <= Instant::now()).then(|| first.remove())
    }

    /// No bot starts any more. Returns the ticks that are over with that.
    pub(super) fn forget_starts(&mut self) -> Vec<TickView> {
        let starts = std::mem::take(&mut self.starts);
        starts.into_values().filter_map(|start| self.fall_out(start.tick)).collect()
    }

    /// A bot has ended. Returns the tick if it is over with that.
    pub(super) fn bot_ended(&mut self, tick: Number, ticked: &Ticked) -> Option<TickView> {
        if let Some(OpenTick { sums, .. }) = self.open.get_mut(&tick) {
            sums.bots += 1;
            sums.series += ticked.rows.len();
            for row in &ticked.rows {
                sums.points += row.points;
                sums.requests += row.requests;
                sums.failed += usize::from(row.outcome == Outcome::Failed);
            }
        }
        self.fall_out(tick)
    }

    /// A bot takes no part in it, or no more. Returns the tick if it is over with that and anyone took part.
    pub(super) fn fall_out(&mut self, tick: Number) -> Option<TickView> {
        let state = self.open.get_mut(&tick)?;
        state.pending -= 1;
        if state.pending > 0 {
            return None;
        }
        let OpenTick { since, sums, .. } = self.open.remove(&tick)?;
        (sums.bots > 0).then(|| TickView { took: since.elapsed(), ..sums })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bots(delays: &[(&str, u64)]) -> Vec<(String, Duration)> {
        delays.iter().map(|(bot, seconds)| ((*bot).to_owned(), Duration::from_secs(*seconds))).collect()
    }

    fn nothing() -> Ticked {
        Ticked { rows: Vec::new(), was_left: false }
    }

    #[tokio::test(start_paused = true)]
    async fn a_tick_is_over_when_its_last_bot_has_ended() {
        let mut tracker = TickTracker::default();
        tracker.open(Timestamp::UNIX_EPOCH, bots(&[("a", 20), ("b", 0), ("c", 10)]));
        let mut started = Vec::new();
        while let Some(at) = tracker.next_start() {
            tokio::time::sleep_until(at).await;
            started.push(tracker.take_start().unwrap().bot);
        }
        assert_eq!(started, ["b", "c", "a"]);
        assert!(tracker.bot_ended(1, &nothing()).is_none());
        assert!(tracker.fall_out(1).is_none());
        let tick = tracker.bot_ended(1, &nothing()).unwrap();
        assert_eq!((tick.bots, tick.took), (2, Duration::from_secs(20)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_tick_in_which_nobody_took_part_is_none() {
        let mut tracker = TickTracker::default();
        tracker.open(Timestamp::UNIX_EPOCH, bots(&[("a", 5), ("b", 6)]));
        assert!(tracker.take_start().is_none(), "its delay is not over");
        assert!(tracker.fall_out(1).is_none());
        assert!(tracker.fall_out(1).is_none());
        assert!(tracker.open.is_empty());
    }
}
