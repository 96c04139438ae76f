//! Which instants a local day and its hours are, in any zone, on any day: the only place that knows about clock
//! changes.
//!
//! The platform labels buckets by local hour ("1 - 2"), so a day with a clock change has a label for two hours or a
//! label for none. A bucket belongs to the *first* instant that bears its local hour; an hour that no instant bears
//! has no place.

use jiff::Timestamp;
use jiff::civil::{Date, Time};
use jiff::tz::{Offset, TimeZone};

use crate::domain::series::day_after;

/// A run of time that a local hour, or a whole local day, covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The first instant.
    pub start: Timestamp,
    /// The instant after the last one. Where the clock is set back, the hour ends with its second pass.
    pub end: Timestamp,
}

/// The instants of one local day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Day {
    /// The whole day; `None` where the zone skipped it, as Samoa did on 2011-12-30.
    pub span: Option<Span>,
    /// Hour 0 to 23; `None` for an hour that the clock skipped.
    pub hours: [Option<Span>; 24],
}

/// The instants of `date` in `zone`.
pub fn day(zone: &TimeZone, date: Date) -> Day {
    let mut hours: [Option<Span>; 24] = [None; 24];
    for segment in segments(zone, date) {
        for (hour, span) in (0_i64..).zip(hours.iter_mut()) {
            let begun = segment.midnight + 3600 * hour;
            let (start, end) = (begun.max(segment.from), (begun + 3600).min(segment.until));
            if start < end {
                let (start, end) = (instant(start), instant(end));
                *span = Some(match *span {
                    None => Span { start, end },
                    Some(earlier) => Span { start: earlier.start.min(start), end: earlier.end.max(end) },
                });
            }
        }
    }
    let start = hours.iter().flatten().map(|hour| hour.start).min();
    let end = hours.iter().flatten().map(|hour| hour.end).max();
    Day { span: start.zip(end).map(|(start, end)| Span { start, end }), hours }
}

/// Before this day there was no such program: a clock that says so is wrong.
pub const EARLIEST_TODAY: Date = jiff::civil::date(2026, 1, 1);

/// The local date in `zone` at `now`.
pub fn today(zone: &TimeZone, now: Timestamp) -> Date {
    zone.to_datetime(now).date()
}

/// The instant of these Unix seconds; of what no calendar holds, the last one.
pub fn instant(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).unwrap_or(Timestamp::MAX)
}

/// The first instant of a day, in Unix seconds.
pub fn start_of(zone: &TimeZone, day: Date) -> i64 {
    zone.to_ambiguous_timestamp(day.at(0, 0, 0, 0)).compatible().map_or(i64::MAX, Timestamp::as_second)
}

/// A stretch of time without a clock change, seen from one date, in Unix seconds: `midnight` is when that date's 00:00
/// would be on the clock that rules from `from` until `until`.
struct Segment {
    midnight: i64,
    from: i64,
    until: i64,
}

/// The stretches that may hold instants of `date`: offsets never exceed 26 hours, so two days around it hold them all.
fn segments(zone: &TimeZone, date: Date) -> impl Iterator<Item = Segment> {
    let midnight = move |offset: Offset, days| offset.to_timestamp(day_after(date, days).to_datetime(Time::midnight()));
    let mut from = midnight(Offset::UTC, -2).unwrap_or(Timestamp::MIN);
    let end = midnight(Offset::UTC, 3).unwrap_or(Timestamp::MAX);
    let mut offset = zone.to_offset(from);
    let mut changes = zone.following(from);
    std::iter::from_fn(move || {
        if from >= end {
            return None;
        }
        let change = changes.next();
        let until = change.as_ref().map_or(end, |change| change.timestamp().min(end));
        // Where time itself ends before the date begins, no instant is on it.
        let midnight = midnight(offset, 0).map_or(Timestamp::MAX.as_second() + 1, Timestamp::as_second);
        // Time ends within a second.
        let end_of_time = i64::from(until == Timestamp::MAX);
        let segment = Segment { midnight, from: from.as_second(), until: until.as_second() + end_of_time };
        from = until;
        if let Some(change) = change {
            offset = change.offset();
        }
        Some(segment)
    })
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;
    use jiff::civil::date;

    use super::*;

    fn zone(name: &str) -> TimeZone {
        TimeZone::get(name).unwrap()
    }

    fn check(name: &str, date: Date, hour: usize, expected: Option<&str>) {
        let start = day(&zone(name), date).hours[hour].map(|span| span.start.to_string());
        assert_eq!(start.as_deref(), expected, "{name} {date} hour {hour}");
    }

    #[test]
    fn an_ordinary_hour_is_where_the_clock_says() {
        check("UTC", date(2026, 8, 6), 3, Some("2026-08-06T03:00:00Z"));
        check("Asia/Kolkata", date(2026, 8, 6), 0, Some("2026-08-05T18:30:00Z"));
        check("Pacific/Kiritimati", date(2026, 8, 6), 23, Some("2026-08-06T09:00:00Z"));
    }

    #[test]
    fn a_skipped_hour_has_no_place() {
        check("Europe/Berlin", date(2026, 3, 29), 1, Some("2026-03-29T00:00:00Z"));
        check("Europe/Berlin", date(2026, 3, 29), 2, None);
        check("Europe/Berlin", date(2026, 3, 29), 3, Some("2026-03-29T01:00:00Z"));
    }

    #[test]
    fn a_repeated_hour_is_its_first_pass_and_ends_with_its_second() {
        check("Europe/Berlin", date(2026, 10, 25), 2, Some("2026-10-25T00:00:00Z"));
        check("Europe/Berlin", date(2026, 10, 25), 3, Some("2026-10-25T02:00:00Z"));
        let repeated = day(&zone("Europe/Berlin"), date(2026, 10, 25)).hours[2].unwrap();
        assert_eq!(repeated.end.to_string(), "2026-10-25T02:00:00Z");
    }

    #[test]
    fn a_half_skipped_hour_starts_after_the_gap() {
        check("Australia/Lord_Howe", date(2026, 10, 4), 2, Some("2026-10-03T15:30:00Z"));
    }

    #[test]
    fn a_day_without_midnight_starts_at_one() {
        let day = day(&zone("America/Santiago"), date(2026, 9, 6));
        assert_eq!(day.hours[0], None);
        assert_eq!(day.span.unwrap().start.to_string(), "2026-09-06T04:00:00Z");
    }

    #[test]
    fn a_skipped_day_has_no_instants() {
        let day = day(&zone("Pacific/Apia"), date(2011, 12, 30));
        assert_eq!(day, Day { span: None, hours: [None; 24] });
    }

    #[test]
    fn the_ends_of_the_calendar_have_the_hours_that_instants_bear() {
        check("Asia/Tokyo", Date::MAX, 0, Some("9999-12-30T15:00:00Z"));
        check("Asia/Tokyo", Date::MAX, 7, Some("9999-12-30T22:00:00Z"));
        check("Asia/Tokyo", Date::MAX, 8, None);
        assert_eq!(day(&TimeZone::UTC, Date::MAX).span, None);
        assert_eq!(day(&TimeZone::UTC, Date::MIN).span, None);
    }

    /// Every zone, and every day on or beside a clock change from 1970 to 2100.
    #[test]
    fn every_hour_of_every_clock_change_is_right() {
        let (from, until): (Timestamp, Timestamp) =
            ("1970-01-01T00:00:00Z".parse().unwrap(), "2101-01-01T00:00:00Z".parse().unwrap());
        let mut days_checked = 0;
        for name in jiff::tz::db().available() {
            let zone = zone(name.as_str());
            let changes: Vec<Timestamp> =
                zone.following(from).map(|change| change.timestamp()).take_while(|at| *at < until).collect();
            let mut checked = None;
            for change in changes {
                let local = today(&zone, change);
                for date in (-1..=1).map(|days| day_after(local, days)).filter(|date| checked < Some(*date)) {
                    check_against_walking(&zone, date);
                    days_checked += 1;
                }
                checked = checked.max(Some(day_after(local, 1)));
            }
        }
        assert!(days_checked > 50_000, "only {days_checked} days");
    }

    /// Holds the day against a walk through its instants that reads the clock every quarter of an hour: slow, and right
    /// by construction.
    fn check_against_walking(zone: &TimeZone, date: Date) {
        let found = day(zone, date);
        let mut first_seen: [Option<Timestamp>; 24] = [None; 24];
        for (hour, span) in found.hours.iter().enumerate() {
            if let Some(span) = span {
                let local = zone.to_datetime(span.start);
                assert_eq!((local.date(), local.hour() as usize), (date, hour), "{zone:?} {date} {hour}");
                let last = zone.to_datetime(span.end.saturating_sub(SignedDuration::from_nanos(1)).unwrap());
                assert_eq!((last.date(), last.hour() as usize), (date, hour), "{zone:?} {date} {hour}");
                first_seen[hour] = Some(span.start);
            }
        }
        let mut starts: Vec<Timestamp> = first_seen.iter().flatten().copied().collect();
        starts.sort();
        starts.dedup();
        assert_eq!(starts.len(), first_seen.iter().flatten().count(), "two hours share an instant: {zone:?} {date}");

        let noon = Offset::UTC.to_timestamp(date.at(12, 0, 0, 0)).unwrap();
        let mut walked: [Option<Timestamp>; 24] = [None; 24];
        for quarters in -27 * 4..=27 * 4 {
            let at = noon.checked_add(SignedDuration::from_mins(15 * quarters)).unwrap();
            let local = zone.to_datetime(at);
            if local.date() == date {
                walked[local.hour() as usize].get_or_insert(at);
            }
        }
        for hour in 0..24 {
            match (first_seen[hour], walked[hour]) {
                (None, Some(at)) => panic!("{zone:?} {date} hour {hour} exists at {at}"),
                (Some(first), Some(at)) => assert!(first <= at, "{zone:?} {date} hour {hour} begins at {at}"),
                (_, None) => {}
            }
        }
        assert_eq!(found.span.map(|span| span.start), starts.first().copied(), "{zone:?} {date}");
    }
}
