//! What the date of an answer tells of the platform's clock.

use std::time::Duration;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use reqwest::header::{DATE, HeaderMap};

use crate::domain::{backoff, calendar};

/// When the platform answered, unless its clock tells nothing.
pub(super) fn date(headers: &HeaderMap) -> Option<Timestamp> {
    let told = backoff::http_date(headers.get(DATE)?.to_str().ok()?)?;
    Some(told).filter(|told| calendar::today(&TimeZone::UTC, *told) >= calendar::EARLIEST_TODAY)
}

/// When the platform was asked, by its own clock: its date is that of the answer, for which it took so long. It tells
/// whole seconds; a time of our own that fits in between is as good.
pub(super) fn when_asked(date: Timestamp, took: Duration, own_time: Timestamp) -> Timestamp {
    let earliest = SignedDuration::try_from(took).ok().and_then(|took| date.checked_sub(took).ok()).unwrap_or(date);
    let fits = (0..1_000).contains(&own_time.duration_since(earliest).as_millis());
    if fits { own_time } else { earliest }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_that_cannot_be_right_tells_nothing() {
        let told = |text: &str| {
            let headers = HeaderMap::from_iter([(DATE, text.parse().unwrap())]);
            date(&headers).map(|told| told.to_string())
        };
        assert_eq!(told("Sun, 22 Nov 2026 12:01:30 GMT").as_deref(), Some("2026-11-22T12:01:30Z"));
        assert_eq!(told("Thu, 01 Jan 2026 00:00:00 GMT").as_deref(), Some("2026-01-01T00:00:00Z"));
        assert_eq!(told("Wed, 31 Dec 2025 23:59:59 GMT"), None);
        assert_eq!(told("Thu, 01 Jan 1970 00:00:00 GMT"), None);
        assert_eq!(told("yesterday"), None);
        assert_eq!(date(&HeaderMap::new()), None);
    }

    #[test]
    fn the_platforms_time_is_that_of_the_question() {
        let at = |text: &str| -> Timestamp { format!("2026-08-06T{text}Z").parse().unwrap() };
        for (date, took, own_time, expected) in [
            ("10:00:00", 100, "10:00:00.300", "10:00:00.300"),
            ("10:00:01", 900, "10:00:00.300", "10:00:00.300"),
            ("10:00:09", 9_500, "10:00:00.200", "10:00:00.200"),
            ("10:00:01", 2_000, "10:00:27", "09:59:59"),
            ("10:00:01", 2_000, "09:00:00", "09:59:59"),
        ] {
            let took = Duration::from_millis(took);
            assert_eq!(when_asked(at(date), took, at(own_time)), at(expected), "{date} {took:?} {own_time}");
        }
    }
}
