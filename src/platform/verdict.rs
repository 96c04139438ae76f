//! What to do about a request to the platform that failed: ask again and when, leave the bot alone, ask for fewer days,
//! or give up.

use std::time::Duration;

use super::failure::Failure;
use crate::domain::backoff::LONGEST_RETRY_DELAY;

/// What to do about a failed attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Ask again, not before this delay.
    Retry(Duration),
    /// The bot was asked too often: leave it alone, for this long if the platform says so.
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
        Failure::Refused(refusal) => refusal,
        _ => return Verdict::GiveUp,
    };
    let after = refusal.retry_after;
    match refusal.status {
        _ if refusal.is_throttling() => Verdict::Throttled(after),
        408 | 413 | 504 if days > 1 => Verdict::Narrow,
        408 | 500..=599 => Verdict::Retry(after.unwrap_or_default().min(LONGEST_RETRY_DELAY)),
        _ => Verdict::GiveUp,
    }
}

#[cfg(test)]
mod tests {
    use super::super::failure::{Meaning, Refusal};
    use super::*;

    fn refused(status: u16, message: &str, retry_after: Option<u64>) -> Failure {
        let retry_after = retry_after.map(Duration::from_secs);
        let meaning = Meaning::of(status, message);
        Failure::Refused(Refusal { status, meaning, message: message.to_owned(), retry_after, clock_ahead: None })
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
            (refused(429, "", Some(1_000_000)), 1, Verdict::Throttled(Some(seconds(1_000_000)))),
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
}
