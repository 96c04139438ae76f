//! From an answer to points: which buckets are written, and when they happened.

use std::ops::Range;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::domain::answer::Answer;
use crate::domain::calendar::{self, Span};
use crate::domain::plan::SURELY_KEPT;
use crate::domain::point::{Figures, Point};
use crate::domain::series::{Interval, Window, day_after};

/// What is known when an answer is flattened.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// The days that were asked for; others are dropped.
    pub window: Window,
    /// The zone of the days and hours.
    pub zone: &'a TimeZone,
    /// When it was asked, see [`asked_at`]: a bucket that had not ended by then is open.
    pub at: Timestamp,
    /// Whether open buckets are wanted. Those that had not begun never are.
    pub include_open: bool,
    /// From which day on the figures are wanted one by one; `None` is never.
    pub recent_from: Option<Date>,
}

/// Days before those that the platform surely keeps whose every bucket is zero: it may have deleted them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Forgotten {
    /// How many days.
    pub days: usize,
    /// How many buckets they have in all.
    pub buckets: usize,
}

/// The points of one answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Flattened {
    /// In the order of time.
    pub points: Vec<Point>,
    /// Buckets with users whose local hour (or whole day: `None`) never was: day and hour.
    pub nonexistent: Vec<(Date, Option<usize>)>,
    /// What was withheld because the platform may have deleted it.
    pub forgotten: Forgotten,
    /// Where those days lie, in Unix seconds.
    pub withheld: Vec<Range<i64>>,
    /// A figure for each day that has a point: its users, or those of its busiest hour.
    pub days: Vec<(Date, i64)>,
    /// The users of recent buckets, by day and hour; those of a day are at hour 0.
    pub recent: Vec<(Date, usize, i64)>,
}

/// Places the buckets of an answer in time.
pub fn flatten(answer: &Answer, asked: &Asked<'_>) -> Flattened {
    let buckets = answer.days.values().map(Vec::len).sum();
    let mut flattened = Flattened { points: Vec::with_capacity(buckets), ..Flattened::default() };
    let surely_kept_from = day_after(calendar::today(asked.zone, asked.at), -SURELY_KEPT);
    for (&date, buckets) in answer.days.iter().filter(|(date, _)| asked.window.contains(**date)) {
        let day = calendar::day(asked.zone, date);
        if date < surely_kept_from && !buckets.is_empty() && buckets.iter().all(|(_, figures)| figures.are_zero()) {
            flattened.forgotten.days += 1;
            flattened.forgotten.buckets += buckets.len();
            flattened.withheld.extend(day.span.map(|span| span.start.as_second()..span.end.as_second()));
            continue;
        }
        let before = flattened.points.len();
        for &(hour, ref figures) in buckets {
            let span = hour.map_or(day.span, |hour| day.hours.get(hour).copied().flatten());
            flattened.place(figures, span, asked, (date, hour));
        }
        let most = flattened.points[before..].iter().filter_map(|point| point.figures.users).max();
        flattened.days.extend(most.map(|users| (date, users)));
    }
    flattened
}

impl Flattened {
    fn place(&mut self, figures: &Figures, span: Option<Span>, asked: &Asked<'_>, bucket: (Date, Option<usize>)) {
        match span {
            None if figures.are_zero() => {}
            None => self.nonexistent.push(bucket),
            Some(span) => {
                let due = if asked.include_open { span.start } else { span.end };
                if due <= asked.at {
                    self.points.push(Point { timestamp: span.start.as_second(), figures: *figures });
                    let (day, hour) = bucket;
                    let is_recent = asked.recent_from.is_some_and(|from| from <= day);
                    self.recent
                        .extend(figures.users.filter(|_| is_recent).map(|users| (day, hour.unwrap_or(0), users)));
                }
            }
        }
    }
}

/// From when on, in Unix seconds, no bucket counts: it was open, or had not begun where open ones are wanted.
pub fn open_from(asked: &Asked<'_>, interval: Interval) -> i64 {
    if asked.include_open {
        return asked.at.as_second().saturating_add(1);
    }
    let local = asked.zone.to_datetime(asked.at);
    let day = calendar::day(asked.zone, local.date());
    let open = match interval {
        Interval::Daily => day.span,
        Interval::Hourly => usize::try_from(local.hour()).ok().and_then(|hour| *day.hours.get(hour)?),
    };
    open.map_or(asked.at, |open| open.start).as_second()
}

/// When an answer was asked for. Where this machine's clock is ahead of the platform's own, the platform's decides, or
/// buckets would count as over that are still open, or have not begun.
pub fn asked_at(own_time: Timestamp, platform_time: Option<Timestamp>) -> Timestamp {
    platform_time.map_or(own_time, |time| time.min(own_time))
}

/// The last day of the window that was over when it was asked for, if any was.
pub fn complete_through(asked: &Asked<'_>) -> Option<Date> {
    let at = asked.at;
    let today = calendar::today(asked.zone, at);
    let mut days = (1..=3).map(|back| day_after(today, -back).min(asked.window.last));
    let over = |date: Date| calendar::day(asked.zone, date).span.is_none_or(|span| span.end <= at);
    days.find(|date| over(*date)).filter(|date| *date >= asked.window.first)
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;
    use crate::platform::answer::parse_v1;

    struct Case {
        zone: &'static str,
        first: Date,
        last: Date,
        at: &'static str,
        include_open: bool,
    }

    impl Case {
        fn flatten(&self, body: &str, interval: Interval) -> Flattened {
            let answer = parse_v1(body.as_bytes(), interval).unwrap();
            flatten(&answer, &self.asked(&TimeZone::get(self.zone).unwrap()))
        }

        fn asked<'a>(&self, zone: &'a TimeZone) -> Asked<'a> {
            let window = Window { first: self.first, last: self.last };
            let recent_from = Some(self.last);
            Asked { window, zone, at: self.at.parse().unwrap(), include_open: self.include_open, recent_from }
        }
    }

    fn points(flattened: &Flattened) -> Vec<(String, i64)> {
        let instant = |point: &Point| Timestamp::from_second(point.timestamp).unwrap().to_string();
        flattened.points.iter().map(|point| (instant(point), point.figures.users.unwrap())).collect()
    }

    const TODAY: Case = Case {
        zone: "UTC",
        first: date(2026, 8, 6),
        last: date(2026, 8, 6),
        at: "2026-08-06T02:30:00Z",
        include_open: false,
    };

    #[test]
    fn the_open_hour_is_withheld_and_missing_buckets_stay_missing() {
        let body = r#"{"results":[{"date":"Aug 06 2026","0 - 1":5,"2 - 3":7,"3 - 4":0}]}"#;
        let found = TODAY.flatten(body, Interval::Hourly);
        assert_eq!(points(&found), [("2026-08-06T00:00:00Z".to_owned(), 5)]);
        assert_eq!(found.days, [(date(2026, 8, 6), 5)]);
        assert_eq!(found.recent, [(date(2026, 8, 6), 0, 5)]);
    }

    #[test]
    fn the_open_hour_is_written_when_wanted_and_the_future_never() {
        let body = r#"{"results":[{"date":"Aug 06 2026","2 - 3":7,"3 - 4":9}]}"#;
        let found = Case { include_open: true, ..TODAY }.flatten(body, Interval::Hourly);
        assert_eq!(points(&found), [("2026-08-06T02:00:00Z".to_owned(), 7)]);
    }

    #[test]
    fn an_hour_is_written_from_the_instant_it_ends() {
        let body = r#"{"results":[{"date":"Aug 06 2026","2 - 3":7}]}"#;
        let at = |at| Case { at, ..TODAY }.flatten(body, Interval::Hourly).points.len();
        assert_eq!((at("2026-08-06T02:59:59Z"), at("2026-08-06T03:00:00Z")), (0, 1));
    }

    #[test]
    fn days_that_were_not_asked_for_are_dropped() {
        let body = r#"{"results":[{"date":"Aug 05 2026","0 - 1":1},{"date":"Aug 07 2026","0 - 1":1}]}"#;
        assert_eq!(TODAY.flatten(body, Interval::Hourly), Flattened::default());
    }

    #[test]
    fn a_day_is_written_at_its_first_instant_once_it_is_over() {
        let body = r#"{"results":[{"date":"Sep 06 2026","users":4}]}"#;
        let case = |at| Case {
            zone: "America/Santiago",
            first: date(2026, 9, 6),
            last: date(2026, 9, 6),
            at,
            include_open: false,
        };
        assert_eq!(case("2026-09-07T02:59:59Z").flatten(body, Interval::Daily).points, []);
        let found = case("2026-09-07T03:00:00Z").flatten(body, Interval::Daily);
        assert_eq!(points(&found), [("2026-09-06T04:00:00Z".to_owned(), 4)]);
    }

    #[test]
    fn users_of_an_hour_that_never_was_are_reported() {
        let case = Case {
            zone: "Europe/Berlin",
            first: date(2026, 3, 29),
            last: date(2026, 3, 29),
            at: "2026-03-31T00:00:00Z",
            include_open: false,
        };
        let body = |users| format!(r#"{{"results":[{{"date":"Mar 29 2026","1 - 2":1,"2 - 3":{users},"3 - 4":3}}]}}"#);
        let found = case.flatten(&body(2), Interval::Hourly);
        assert_eq!(found.nonexistent, [(date(2026, 3, 29), Some(2))]);
        assert_eq!(points(&found), [("2026-03-29T00:00:00Z".to_owned(), 1), ("2026-03-29T01:00:00Z".to_owned(), 3)]);
        assert_eq!(case.flatten(&body(0), Interval::Hourly).nonexistent, []);
    }

    #[test]
    fn zeros_of_a_day_that_the_platform_may_have_deleted_are_withheld_and_counted() {
        let body = r#"{"results":[{"date":"Jul 08 2026","0 - 1":0,"1 - 2":0},{"date":"Jul 09 2026","0 - 1":0}]}"#;
        let case = Case { first: date(2026, 7, 1), ..TODAY };
        let found = case.flatten(body, Interval::Hourly);
        assert_eq!(found.forgotten, Forgotten { days: 1, buckets: 2 });
        assert_eq!(points(&found), [("2026-07-09T00:00:00Z".to_owned(), 0)], "28 days ago it is surely kept");
        assert_eq!(complete_through(&case.asked(&TimeZone::UTC)), Some(date(2026, 8, 5)));
        let figure = body.replacen(":0,", ":3,", 1);
        let found = case.flatten(&figure, Interval::Hourly);
        assert_eq!(
            (found.points.len(), found.forgotten),
            (3, Forgotten::default()),
            "one figure tells that it is kept"
        );
        let daily = r#"{"results":[{"date":"Jul 01 2026","users":0}]}"#;
        assert_eq!(case.flatten(daily, Interval::Daily).forgotten, Forgotten { days: 1, buckets: 1 });
        let empty = r#"{"results":[{"date":"Jul 01 2026"}]}"#;
        assert_eq!(case.flatten(empty, Interval::Hourly), Flattened::default());
    }

    #[test]
    fn a_day_is_complete_once_it_is_over() {
        let check = |zone: &str, at: &'static str, expected| {
            let zone = TimeZone::get(zone).unwrap();
            let case = Case { first: date(2026, 8, 1), last: date(2026, 8, 6), at, ..TODAY };
            assert_eq!(complete_through(&case.asked(&zone)), expected, "{at}");
        };
        check("UTC", "2026-08-06T23:59:59Z", Some(date(2026, 8, 5)));
        check("UTC", "2026-08-07T00:00:00Z", Some(date(2026, 8, 6)));
        check("UTC", "2026-09-01T00:00:00Z", Some(date(2026, 8, 6)));
        check("UTC", "2026-08-01T12:00:00Z", None);
        check("Asia/Tokyo", "2026-08-06T15:00:00Z", Some(date(2026, 8, 6)));
        check("UTC", "2026-07-01T00:00:00Z", None);
    }

    #[test]
    fn a_clock_that_is_ahead_completes_no_day() {
        let case = Case { first: date(2026, 8, 1), last: date(2026, 8, 31), at: "2026-08-20T12:00:00Z", ..TODAY };
        let through = |platform_time: &str| {
            let zone = TimeZone::UTC;
            let asked = case.asked(&zone);
            complete_through(&Asked { at: asked_at(asked.at, platform_time.parse().ok()), ..asked })
        };
        assert_eq!(through("2026-08-10T12:00:00Z"), Some(date(2026, 8, 9)));
        assert_eq!(through("2026-08-25T12:00:00Z"), Some(date(2026, 8, 19)));
    }

    #[test]
    fn a_day_whose_last_hour_comes_twice_is_not_over_before_the_second() {
        let zone = TimeZone::get("America/St_Johns").unwrap();
        let window = Window { first: date(2006, 10, 20), last: date(2006, 10, 29) };
        let asked =
            |at: &str| Asked { window, zone: &zone, at: at.parse().unwrap(), include_open: false, recent_from: None };
        assert_eq!(complete_through(&asked("2006-10-29T02:30:30Z")), Some(date(2006, 10, 27)));
        assert_eq!(complete_through(&asked("2006-10-29T03:30:00Z")), Some(date(2006, 10, 28)));
    }
}
