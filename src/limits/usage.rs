//! Whose turn it is: what a bot has used of its limits, and whether it was denied. Pure; everything takes `now`.
//!
//! The platform counts a request when it arrives, which is some time between sending it and having its answer. So a
//! request counts here from before it is sent until a whole window after its answer: whatever the travel time, the
//! platform never sees more than the limit in any window.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use super::denial::{Denial, Turn};
use crate::config::Limits;

/// The requests of one bot that count now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Budget {
    /// Against the limit of the minute.
    pub minute: u32,
    /// Against the limit of the hour.
    pub hour: u32,
    /// How much longer the bot is left alone, because the platform denied it.
    pub paused_for: Option<Duration>,
    /// For how long the platform has denied the bot, with no answer since.
    pub denied_for: Option<Duration>,
}

/// What a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A tick: may use the whole limit.
    Live,
    /// `--backfill`: may use its share.
    Backfill,
}

pub(super) const MINUTE: Duration = Duration::from_secs(60);
pub(super) const HOUR: Duration = Duration::from_secs(3600);

/// Added to both windows, for a platform that counts in steps of its own.
pub(super) const MARGIN: Duration = Duration::from_millis(250);

impl Limits {
    /// How many requests of this purpose fit into a minute and into an hour.
    pub fn of(&self, purpose: Purpose) -> (u32, u32) {
        match purpose {
            Purpose::Live => (self.per_minute, self.per_hour),
            Purpose::Backfill => (self.share_of(self.per_minute), self.share_of(self.per_hour)),
        }
    }

    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of a u32 is a u32")]
    fn share_of(&self, limit: u32) -> u32 {
        let share = (f64::from(limit) * self.backfill_share).floor() as u32;
        if self.backfill_share > 0.0 { share.max(1) } else { 0 }
    }

    /// The least time in which a bot takes so many requests of this purpose; `None` if it takes none at all.
    pub fn least_time(&self, requests: u64, purpose: Purpose) -> Option<Duration> {
        let (per_minute, per_hour) = self.of(purpose);
        let last = requests.saturating_sub(1);
        let hours = last.checked_div(u64::from(per_hour))?;
        let minutes = (last % u64::from(per_hour)).checked_div(u64::from(per_minute))?;
        Some(Duration::from_secs(hours * 3600 + minutes * 60))
    }
}

/// The requests of one bot that still count.
#[derive(Debug, Default)]
pub(super) struct Usage {
    /// When the answers came, oldest first, and what was asked for.
    ended: VecDeque<(Instant, Purpose)>,
    /// By purpose.
    in_flight: [usize; 2],
    pub(super) denial: Option<Denial>,
}

impl Usage {
    /// Whether a request of this purpose may be made now, by one who waits for a bot that is denied until so long after
    /// its first denial.
    pub(super) fn turn(&mut self, now: Instant, purpose: Purpose, patience: Duration, limits: &Limits) -> Turn {
        self.forget_old(now);
        let all = self.in_flight.iter().sum();
        let within = |limits: (u32, u32), in_flight, counts: fn(Purpose) -> bool| {
            let (per_minute, per_hour) = limits;
            let minute = self.window_turn(now, MINUTE, per_minute, in_flight, counts);
            minute.max(self.window_turn(now, HOUR, per_hour, in_flight, counts))
        };
        let mut turn = within(limits.of(Purpose::Live), all, |_| true);
        if purpose == Purpose::Backfill {
            let in_flight = self.in_flight[Purpose::Backfill as usize];
            turn = turn.max(within(limits.of(Purpose::Backfill), in_flight, |one| one == Purpose::Backfill));
        }
        let denied = self.denial.map(|denial| denial.turn(now, patience, all > 0));
        turn.max(denied.unwrap_or(Turn::Now))
    }

    /// A request is made: it counts from now on.
    pub(super) fn begin(&mut self, purpose: Purpose) {
        self.in_flight[purpose as usize] += 1;
    }

    /// The request ended at this time.
    pub(super) fn end(&mut self, at: Instant, purpose: Purpose) {
        self.in_flight[purpose as usize] -= 1;
        self.ended(at, purpose);
    }

    /// Counts a request of another process, the answer to which came, or is taken to come, at this time.
    pub(super) fn ended(&mut self, at: Instant, purpose: Purpose) {
        let place = self.ended.partition_point(|(earlier, _)| *earlier <= at);
        self.ended.insert(place, (at, purpose));
    }

    /// Forgets requests that count against no limit any more.
    pub(super) fn forget_old(&mut self, now: Instant) {
        while self.ended.front().is_some_and(|(ended, _)| *ended + HOUR + MARGIN <= now) {
            self.ended.pop_front();
        }
    }

    pub(super) fn budget(&self, now: Instant) -> Budget {
        let in_flight: usize = self.in_flight.iter().sum();
        let within = |length: Duration| {
            let over = self.ended.partition_point(|(ended, _)| *ended + length + MARGIN <= now);
            let ended = self.ended.len() - over;
            u32::try_from(ended + in_flight).unwrap_or(u32::MAX)
        };
        let denial = self.denial.as_ref();
        Budget {
            minute: within(MINUTE),
            hour: within(HOUR),
            paused_for: denial.and_then(|denial| denial.paused_for(now)),
            denied_for: denial.map(|denial| denial.lasted(now)),
        }
    }

    /// When one window of the length holds fewer than `limit` requests of those that count.
    fn window_turn(
        &self,
        now: Instant,
        length: Duration,
        limit: u32,
        in_flight: usize,
        counts: impl Fn(Purpose) -> bool,
    ) -> Turn {
        let length = length + MARGIN;
        let first = self.ended.partition_point(|(ended, _)| *ended + length <= now);
        let within = self.ended.range(first..).filter(|(_, purpose)| counts(*purpose));
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let too_many = (within.clone().count() + in_flight + 1).saturating_sub(limit);
        match too_many.checked_sub(1) {
            None => Turn::Now,
            Some(last_to_leave) => match within.clone().nth(last_to_leave) {
                Some((ended, _)) => Turn::NotBefore(*ended + length),
                None => Turn::AfterAnother,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn least_time_counts_whole_windows() {
        let limits = Limits { per_minute: 60, per_hour: 1800, backfill_share: 0.5 };
        let seconds = |requests, purpose| limits.least_time(requests, purpose).map(|time| time.as_secs());
        assert_eq!(seconds(0, Purpose::Live), Some(0));
        assert_eq!(seconds(60, Purpose::Live), Some(0));
        assert_eq!(seconds(61, Purpose::Live), Some(60));
        assert_eq!(seconds(1801, Purpose::Live), Some(3600));
        assert_eq!(seconds(61, Purpose::Backfill), Some(120));
        let none = Limits { backfill_share: 0.0, ..limits };
        assert_eq!(none.least_time(1, Purpose::Backfill), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_denied_bot_is_probed_by_one_request_and_an_answer_ends_the_denial() {
        let limits = Limits { per_minute: 60, per_hour: 1800, backfill_share: 0.5 };
        let (start, patience) = (Instant::now(), Duration::from_secs(600));
        let mut usage = Usage::default();
        usage.begin(Purpose::Live);
        usage.denial = Some(Denial::first(start, None));
        usage.end(start, Purpose::Live);
        let turn = |usage: &mut Usage, now| usage.turn(now, Purpose::Live, patience, &limits);
        let over = start + MINUTE + MARGIN;
        assert_eq!(turn(&mut usage, start), Turn::NotBefore(start + MINUTE));
        assert_eq!(usage.budget(start).paused_for, Some(MINUTE));
        assert_eq!(turn(&mut usage, over), Turn::Now);
        usage.begin(Purpose::Live);
        assert_eq!(turn(&mut usage, over), Turn::AfterAnother, "one request probes for all");
        usage.end(over, Purpose::Live);
        assert_eq!(usage.budget(over).denied_for, Some(MINUTE + MARGIN));
        assert_eq!(usage.turn(start, Purpose::Live, Duration::ZERO, &limits), Turn::InVain(Duration::ZERO));
        usage.denial = None;
        assert_eq!(turn(&mut usage, over), Turn::Now);
    }
}
