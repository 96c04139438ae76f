//! Human-readable durations, instants and numbers.

use std::time::Duration;

use jiff::Timestamp;

use crate::domain::words::plural;

/// The whole seconds from one instant to another; none if it lies before.
pub(super) fn seconds_between(from: Timestamp, to: Timestamp) -> u64 {
    u64::try_from(to.as_second() - from.as_second()).unwrap_or(0)
}

/// A length of time, rounded down to its largest unit.
pub(super) fn rough(seconds: u64) -> String {
    match seconds {
        0..60 => "less than a minute".to_owned(),
        60..3600 => counted(seconds / 60, "minute"),
        3600..172_800 => counted(seconds / 3600, "hour"),
        _ => counted(seconds / 86_400, "day"),
    }
}

/// How long ago an instant was.
pub(super) fn ago(at: Timestamp, now: Timestamp) -> String {
    format!("{} ago", rough(seconds_between(at, now)))
}

/// When an instant will be; one that has passed is about to be dealt with.
pub(super) fn ahead(at: Timestamp, now: Timestamp) -> String {
    match seconds_between(now, at) {
        0 => "now".to_owned(),
        seconds => format!("in {}", rough(seconds)),
    }
}

/// How long something took.
pub(super) fn took(time: Duration) -> String {
    match time.as_secs() {
        0..10 => format!("{:.1} s", time.as_secs_f64()),
        seconds @ 10..120 => format!("{seconds} s"),
        seconds => format!("{} min {} s", seconds / 60, seconds % 60),
    }
}

/// A number with its noun.
pub(super) fn counted(number: u64, noun: &str) -> String {
    format!("{} {}", grouped(number), plural(number, noun))
}

/// A number with a comma after every three digits.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// An instant to the minute, in UTC.
pub(super) fn minute(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

/// An instant to the second, in UTC.
pub(super) fn second(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_rounded_down() {
        for (seconds, expected) in [
            (0, "less than a minute"),
            (59, "less than a minute"),
            (60, "1 minute"),
            (3599, "59 minutes"),
            (3600, "1 hour"),
            (172_799, "47 hours"),
            (172_800, "2 days"),
            (86_400 * 1000, "1,000 days"),
        ] {
            assert_eq!(rough(seconds), expected);
        }
        for (millis, expected) in [(40, "0.0 s"), (3210, "3.2 s"), (119_999, "119 s"), (125_000, "2 min 5 s")] {
            assert_eq!(took(Duration::from_millis(millis)), expected);
        }
    }

    #[test]
    fn the_past_and_the_future_are_told_apart() {
        let at = |second| Timestamp::from_second(second).unwrap();
        assert_eq!(ago(at(0), at(7200)), "2 hours ago");
        assert_eq!(ago(at(7200), at(0)), "less than a minute ago", "a clock that was set back");
        assert_eq!(ahead(at(7200), at(0)), "in 2 hours");
        assert_eq!(ahead(at(0), at(7200)), "now");
    }

    #[test]
    fn numbers_are_grouped() {
        for (number, expected) in [(0, "0"), (999, "999"), (1000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(grouped(number), expected);
        }
        assert_eq!(counted(1000, "day"), "1,000 days");
    }
}
