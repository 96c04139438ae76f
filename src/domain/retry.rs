//! Is a failure worth another try, and when: one answer for either side.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::fmt::rfc2822;
use jiff::tz::Offset;

use crate::platform::failure::Failure;

/// Attempts at one request within a tick, the first included.
pub const TRIES: usize = 5;

/// No server makes the program wait longer than this at a time.
const LONGEST_PAUSE: Duration = Duration::from_secs(3600);

/// Before another try at something that fails, no server makes it wait longer than this.
const LONGEST_RETRY_DELAY: Duration = Duration::from_secs(60);

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

/// Judges a failed request to the platform for so many days.
pub fn platform(failure: &Failure, days: u32) -> Verdict {
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

/// Whether a failure may lie with one of the days asked for, so that others are worth a request of their own.
pub fn may_be_the_days(failure: &Failure) -> bool {
    match failure {
        Failure::Shape(_) | Failure::TooLarge(_) | Failure::TimedOut(_) => true,
        Failure::Refused(refusal) => matches!(refusal.status, 400 | 412 | 413 | 500 | 502 | 504),
        Failure::Unreachable(_) | Failure::NoToken(_) => false,
    }
}

/// The pauses between the tries at one request: growing, jittered, one fewer than `tries`.
pub fn pauses(tries: usize) -> impl Iterator<Item = Duration> {
    ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(500))
        .with_factor(2.0)
        .with_max_delay(Duration::from_secs(30))
        .with_max_times(tries.saturating_sub(1))
        .with_jitter()
        .build()
}

/// How long a bot is left alone at least that was asked too often for the n-th time in a row, whatever the server says.
pub fn least_pause(times: u32) -> Duration {
    Duration::from_secs(1 << times.saturating_sub(1).min(6)).min(LONGEST_RETRY_DELAY)
}

/// Reads a `Retry-After` header: seconds, or an HTTP date. A date in the past is no delay.
pub fn retry_after(header: &str, now: Timestamp) -> Option<Duration> {
    let header = header.trim();
    if !header.is_empty() && header.bytes().all(|byte| byte.is_ascii_digit()) {
        // More seconds than a number holds are a long time, too.
        return Some(Duration::from_secs(header.parse().unwrap_or(u64::MAX)));
    }
    let seconds = http_date(header)?.as_second() - now.as_second();
    Some(Duration::from_secs(u64::try_from(seconds).unwrap_or(0)))
}

/// Reads the date of an HTTP header, as in `Sun, 06 Nov 1994 08:49:37 GMT`, or in one of the two forms that are
/// obsolete but, as RFC 9110 has it, still to be understood.
pub fn http_date(header: &str) -> Option<Timestamp> {
    let header = header.trim();
    if let Ok(date) = rfc2822::parse(header) {
        return Some(date.timestamp());
    }
    let obsolete = ["%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"];
    let date = obsolete.iter().find_map(|form| DateTime::strptime(form, header).ok())?;
    Offset::UTC.to_timestamp(date).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::failure::Refusal;

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
            assert_eq!(platform(&failure, days), expected, "{failure:?} over {days} days");
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

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = "2026-11-22T12:00:00Z".parse().unwrap();
        for (header, expected) in [
            ("120", Some(120)),
            (" 0 ", Some(0)),
            ("99999999999999999999", Some(u64::MAX)),
            ("Sun, 22 Nov 2026 12:01:30 GMT", Some(90)),
            ("Sun, 22 Nov 2026 11:00:00 GMT", Some(0)),
            ("Sunday, 22-Nov-26 12:01:30 GMT", Some(90)),
            ("Tue Dec  1 12:00:00 2026", Some(9 * 24 * 3600)),
            ("soon", None),
            ("-5", None),
            ("", None),
        ] {
            assert_eq!(retry_after(header, now), expected.map(Duration::from_secs), "{header}");
        }
    }

    #[test]
    fn pauses_grow_are_jittered_and_end() {
        for _ in 0..100 {
            let pauses: Vec<u128> = pauses(TRIES).map(|pause| pause.as_millis()).collect();
            assert_eq!(pauses.len(), TRIES - 1);
            for (pause, least) in pauses.iter().zip([500, 1000, 2000, 4000]) {
                assert!((least..=2 * least).contains(pause), "{pauses:?}");
            }
        }
    }
}
