//! What to do about a request to the platform that failed: ask again and when, leave the bot alone, ask for fewer days,
//! or give up.

use std::time::Duration;

use super::failure::Failure;
use crate::domain::backoff::LONGEST_RETRY_DELAY;

/// No server makes a bot wait longer than this at a time.
const LONGEST_PAUSE: Duration = Duration::from_secs(3600);

/// What to do about a failed attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Ask again, not before this delay.
    Retry(Duration),
    /// The bot was asked too often: leave it alone for this long, or until its rolling window allows.
    Throttled(Option<Duration>),
    /// Ask for fewer days at a time.
    Narrow,
    /// Asking again cannot help within this tick.
    GiveUp,
}

/// Judges a failed request for so many days.
pub fn verdict(failure: &Failure, days: u32) -> Verdict {
    let refusal = match failure {
        Failure::Unreachable(_) => return Verdict::Retry(Duration::ZERO),
        Failure::TimedOut(_) if days > 1 => return Verdict::Narrow,
        Failure::TimedOut(_) => return Verdict::Retry(Duration::ZERO),
        Failure::Shape(_) | Failure::TooLarge(_) | Failure::NoToken(_) => return Verdict::GiveUp,
        Failure::Refused(refusal) => refusal,
    };
    let after = refusal.retry_after;
    match refusal.status {
        _ if refusal.is_throttling() => Verdict::Throttled(after.map(|delay| delay.min(LONGEST_PAUSE))),
        408 | 413 | 504 if days > 1 => Verdict::Narrow,
        408 | 500..=599 => Verdict::Retry(after.unwrap_or_default().min(LONGEST_RETRY_DELAY)),
        _ => Verdict::GiveUp,
    }
}

/// How long a bot is left alone at least that was asked too often for the n-th time in a row, whatever the server says.
pub fn least_pause(times: u32) -> Duration {
    Duration::from_secs(1 << times.saturating_sub(1).min(6)).min(LONGEST_RETRY_DELAY)
}

/// Whether a failure may lie with one of the days asked for, so that others are worth a request of their own.
pub fn may_be_the_days(failure: &Failure) -> bool {
    match failure {
        Failure::Shape(_) | Failure::TooLarge(_) | Failure::TimedOut(_) => true,
        Failure::Refused(refusal) => matches!(refusal.status, 400 | 412 | 413 | 500 | 502 | 504),
        Failure::Unreachable(_) | Failure::NoToken(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::super::failure::Refusal;
    use super::*;

    fn refused(status: u16, message: &str, retry_after: Option<u64>) -> Failure {
        let retry_after = retry_after.map(Duration::from_secs);
        Failure::Refused(Refusal { status, message: message.to_owned(), retry_after, clock_ahead: None })
    }

    #[test]
    fn every_failure_of_the_platform_has_its_verdict() {
        let seconds = Duration::from_secs;
        let timed_out = || Failure::TimedOut(seconds(30));
        for (failure, days, expected) in [
            (Failure::Unreachable("refused".into()), 31, Verdict::Retry(Duration::ZERO)),
            (timed_out(), 2, Verdict::Narrow),
            (timed_out(), 1, Verdict::Retry(Duration::ZERO)),
            (refused(500, "", None), 31, Verdict::Retry(Duration::ZERO)),
            (refused(503, "", Some(7)), 31, Verdict::Retry(seconds(7))),
            (refused(503, "", Some(86_400)), 31, Verdict::Retry(seconds(60))),
            (refused(504, "", None), 2, Verdict::Narrow),
            (refused(504, "", None), 1, Verdict::Retry(Duration::ZERO)),
            (refused(413, "", None), 2, Verdict::Narrow),
            (refused(413, "", None), 1, Verdict::GiveUp),
            (refused(429, "", Some(5)), 1, Verdict::Throttled(Some(seconds(5)))),
            (refused(429, "", Some(1_000_000)), 1, Verdict::Throttled(Some(seconds(3600)))),
            (refused(400, "Rate Limit exceeded", None), 1, Verdict::Throttled(None)),
            (refused(401, "Invalid SDK credentials", None), 1, Verdict::GiveUp),
            (refused(403, "", None), 1, Verdict::GiveUp),
            (refused(400, "Invalid StreamId", None), 31, Verdict::GiveUp),
            (refused(404, "", None), 31, Verdict::GiveUp),
            (refused(405, "", None), 31, Verdict::GiveUp),
            (refused(412, "", None), 31, Verdict::GiveUp),
            (refused(302, "", None), 31, Verdict::GiveUp),
            (Failure::Shape("".into()), 31, Verdict::GiveUp),
            (Failure::TooLarge(1), 31, Verdict::GiveUp),
        ] {
            assert_eq!(verdict(&failure, days), expected, "{failure:?} over {days} days");
        }
    }

    #[test]
    fn only_a_failure_that_may_lie_with_a_day_is_worth_asking_for_the_others() {
        for (failure, expected) in [
            (Failure::Shape("".into()), true),
            (Failure::TooLarge(1), true),
            (Failure::TimedOut(Duration::from_secs(30)), true),
            (Failure::Unreachable("refused".into()), false),
            (Failure::NoToken("no key".into()), false),
        ] {
            assert_eq!(may_be_the_days(&failure), expected, "{failure:?}");
        }
        let statuses: Vec<u16> = (100..600).filter(|status| may_be_the_days(&refused(*status, "", None))).collect();
        assert_eq!(statuses, [400, 412, 413, 500, 502, 504]);
    }

    #[test]
    fn a_bot_that_is_asked_too_often_again_and_again_is_left_alone_for_longer_up_to_a_minute() {
        let pauses: Vec<u64> = (0..10).map(|times| least_pause(times).as_secs()).collect();
        assert_eq!(pauses, [1, 1, 2, 4, 8, 16, 32, 60, 60, 60]);
        assert_eq!(least_pause(u32::MAX).as_secs(), 60);
    }
}
