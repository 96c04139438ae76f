//! A failure that lasts: when it is worth saying again. Pure; takes `now`.

use jiff::{SignedDuration, Timestamp};

/// The first pause between saying the same thing twice; each one is twice as long as the one before.
const FIRST_PAUSE: SignedDuration = SignedDuration::from_mins(30);

/// The longest pause.
const LONGEST_PAUSE: SignedDuration = SignedDuration::from_hours(24);

/// Failures in a row.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Trouble {
    /// When the first of them was.
    pub(super) since: Timestamp,
    /// How many there were.
    pub(super) times: u32,
    /// The kinds that were said already.
    kinds: Vec<String>,
    said_at: Timestamp,
    pause: SignedDuration,
}

impl Trouble {
    /// A first failure, which is said.
    pub(super) fn begin(now: Timestamp, kind: String) -> Trouble {
        Trouble { since: now, times: 1, kinds: vec![kind], said_at: now, pause: FIRST_PAUSE }
    }

    /// Another failure. Returns whether to say it: where it is of a new kind, or enough time has passed.
    pub(super) fn again(&mut self, now: Timestamp, kind: String) -> bool {
        self.times = self.times.saturating_add(1);
        let is_new = !self.kinds.contains(&kind);
        if is_new {
            self.kinds.push(kind);
        }
        let passed = now.duration_since(self.said_at);
        // A clock that was set back must not silence it.
        let is_due = passed >= self.pause || passed.is_negative();
        if is_due {
            self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        }
        if is_due || is_new {
            self.said_at = now;
        }
        is_due || is_new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_that_lasts_is_said_ever_less_often() {
        let start: Timestamp = "2026-08-06T12:00:00Z".parse().unwrap();
        let mut trouble = Trouble::begin(start, "503".to_owned());
        let after = |hours| start.saturating_add(SignedDuration::from_hours(hours)).unwrap();
        let said: Vec<i64> = (1..=120).filter(|hour| trouble.again(after(*hour), "503".to_owned())).collect();
        assert_eq!(said, [1, 2, 4, 8, 16, 32, 56, 80, 104]);
        assert_eq!(trouble.times, 121);
    }

    #[test]
    fn a_clock_that_is_set_back_does_not_silence_a_failure() {
        let start: Timestamp = "2026-08-06T12:00:00Z".parse().unwrap();
        let mut trouble = Trouble::begin(start, "503".to_owned());
        let earlier = start.saturating_add(SignedDuration::from_hours(-5)).unwrap();
        assert!(trouble.again(earlier, "503".to_owned()));
        assert!(!trouble.again(earlier, "503".to_owned()));
    }

    #[test]
    fn another_kind_of_failure_is_said_at_once_and_once() {
        let start: Timestamp = "2026-08-06T12:00:00Z".parse().unwrap();
        let mut trouble = Trouble::begin(start, "503".to_owned());
        let said: Vec<bool> =
            ["503", "401", "503", "401"].into_iter().map(|kind| trouble.again(start, kind.to_owned())).collect();
        assert_eq!(said, [false, true, false, false]);
    }
}
