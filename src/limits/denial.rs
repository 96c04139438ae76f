//! A bot that the platform denies for being asked too often: how long it is left alone, and who may ask meanwhile. Pure.

use std::time::Duration;

use tokio::time::Instant;

const MINUTE: u64 = 60;

/// No server makes a bot wait longer than this at a time.
pub(super) const LONGEST_PAUSE: Duration = Duration::from_secs(3600);

/// When a request may be made; of several bounds the greatest holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Turn {
    Now,
    NotBefore(Instant),
    /// Not before one of those in flight has ended.
    AfterAnother,
    /// Not within the asker's patience: the bot has been denied for so long.
    InVain(Duration),
}

/// A bot that was denied, and not answered since.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Denial {
    since: Instant,
    /// When the latest denial came.
    latest: Instant,
    /// Denials in a row; those of requests that were in flight together count once.
    times: u32,
    paused_until: Instant,
}

impl Denial {
    /// The first denial.
    pub(super) fn first(now: Instant, retry_after: Option<Duration>) -> Denial {
        Denial { since: now, latest: now, times: 1, paused_until: now + pause(1, retry_after) }
    }

    /// A pause that another process, or an earlier life of this one, left behind.
    pub(super) fn of_another(now: Instant, left: Duration) -> Denial {
        Denial { since: now, latest: now, times: 1, paused_until: now + left.min(LONGEST_PAUSE) }
    }

    /// Another denial, of a request that began at `began`. Returns whether it is a step further.
    pub(super) fn again(&mut self, now: Instant, began: Instant, retry_after: Option<Duration>) -> bool {
        // A request that was in flight when another was denied tells nothing new, but perhaps a longer delay.
        let is_step = began > self.latest;
        if is_step {
            self.times = self.times.saturating_add(1);
            self.latest = now;
        }
        let until = match retry_after {
            None if !is_step => self.paused_until,
            delay => now + pause(self.times, delay),
        };
        self.paused_until = self.paused_until.max(until);
        is_step
    }

    /// Whether an answer to a request that began at `began` ends the denial.
    pub(super) fn is_ended_by(&self, began: Instant) -> bool {
        began > self.latest
    }

    /// For how long the bot has been denied.
    pub(super) fn lasted(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.since)
    }

    /// How much longer the bot is left alone.
    pub(super) fn paused_for(&self, now: Instant) -> Option<Duration> {
        self.paused_until.checked_duration_since(now).filter(|pause| !pause.is_zero())
    }

    /// Whether someone of this patience, counted from the first denial, may ask. One request probes for all.
    pub(super) fn turn(&self, now: Instant, patience: Duration, is_asked: bool) -> Turn {
        match self.paused_until > now {
            true if self.paused_until > self.since + patience => Turn::InVain(self.lasted(now)),
            true => Turn::NotBefore(self.paused_until),
            false if is_asked => Turn::AfterAnother,
            false => Turn::Now,
        }
    }
}

/// How long a bot is left alone that was denied for the n-th time in a row: what the server asks for, but ever longer at
/// least, else 1, 2, 4, 8, 15, 15 … minutes.
fn pause(times: u32, retry_after: Option<Duration>) -> Duration {
    let doubled = 1_u64 << times.saturating_sub(1).min(6);
    match retry_after {
        Some(delay) => delay.max(Duration::from_secs(doubled.min(MINUTE))).min(LONGEST_PAUSE),
        None => Duration::from_secs(doubled.min(15) * MINUTE),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_up_to_a_quarter_of_an_hour_or_follow_the_server() {
        let of = |retry_after: Option<u64>| {
            let retry_after = retry_after.map(Duration::from_secs);
            (1..8).map(|times| pause(times, retry_after).as_secs()).collect::<Vec<_>>()
        };
        assert_eq!(of(None), [60, 120, 240, 480, 900, 900, 900]);
        assert_eq!(of(Some(0)), [1, 2, 4, 8, 16, 32, 60]);
        assert_eq!(of(Some(20)), [20, 20, 20, 20, 20, 32, 60]);
        assert_eq!(of(Some(86_400)), [3600; 7]);
        assert_eq!(pause(u32::MAX, None).as_secs(), 900);
    }

    #[test]
    fn denials_of_requests_that_were_in_flight_together_are_one() {
        let start = Instant::now();
        let second = Duration::from_secs(1);
        let mut denial = Denial::first(start + second, None);
        assert!(!denial.again(start + 2 * second, start, None));
        assert_eq!(denial.paused_for(start + second), Some(60 * second));
        assert!(!denial.again(start + 2 * second, start, Some(300 * second)), "a longer delay is heard");
        assert_eq!(denial.paused_for(start + 2 * second), Some(300 * second));
        assert!(!denial.is_ended_by(start));
        let probe = start + 400 * second;
        assert!(denial.is_ended_by(probe) && denial.again(probe + second, probe, None));
        assert_eq!(denial.paused_for(probe + second), Some(120 * second));
        assert_eq!(denial.lasted(probe + second), 400 * second);
    }

    #[test]
    fn nobody_waits_for_a_pause_that_outlasts_the_patience() {
        let start = Instant::now();
        let seconds = Duration::from_secs;
        let denial = Denial::first(start, Some(seconds(700)));
        assert_eq!(denial.turn(start, seconds(600), false), Turn::InVain(Duration::ZERO));
        assert_eq!(denial.turn(start, seconds(7200), false), Turn::NotBefore(start + seconds(700)));
        assert_eq!(denial.turn(start + seconds(700), seconds(600), false), Turn::Now);
        assert_eq!(denial.turn(start + seconds(700), seconds(600), true), Turn::AfterAnother);
    }
}
