//! When to try again: growing, jittered pauses, and what a server asks for, within bounds. Whether a failure is worth
//! another try is decided where that failure is known.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use jiff::Timestamp;

/// Attempts at one request within a tick, the first included.
pub const TRIES: usize = 5;

/// Before another try at something that fails, no server makes the program wait longer than this.
pub const LONGEST_RETRY_DELAY: Duration = Duration::from_secs(60);

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

/// Reads the date of an HTTP header.
pub fn http_date(header: &str) -> Option<Timestamp> {
    Timestamp::try_from(httpdate::parse_http_date(header.trim()).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

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
