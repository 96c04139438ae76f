//! A platform answer: what is accepted holds what its JSON says and becomes points at instants found by another way,
//! inside the days asked for, each once, none of them open.
//!
//! An input is five characters that say how it was asked, then the body: interval and open buckets (`0` hourly, `1`
//! hourly with open ones, `2` daily, `3` daily with open ones), place (`0` to `7`), the instant (`@` is the place's
//! midnight in UTC, each character on is two hours later), days before and after the place's day (`0` to `7`).

use std::collections::BTreeMap;
use std::sync::LazyLock;

use jiff::civil::{Date, date};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use kore_trend_exporter::domain::flatten::{Asked, complete_through, flatten};
use kore_trend_exporter::domain::point::Figures;
use kore_trend_exporter::domain::series::{Interval, Window, day_after};
use kore_trend_exporter::platform::answer::{Answer, parse_v1, parse_v2};
use serde_json::Value;

/// Days with a clock change of each kind, and an ordinary one.
const PLACES: [(&str, Date); 8] = [
    ("UTC", date(2026, 8, 6)),
    ("Europe/Berlin", date(2026, 3, 29)),
    ("Europe/Berlin", date(2026, 10, 25)),
    ("America/Santiago", date(2026, 9, 6)),
    ("Australia/Lord_Howe", date(2026, 10, 4)),
    ("Pacific/Apia", date(2011, 12, 30)),
    ("America/St_Johns", date(2006, 10, 29)),
    ("Australia/Lord_Howe", date(2026, 4, 5)),
];

/// A day, or one of its hours.
type Bucket = (Date, Option<usize>);

struct Place {
    zone: TimeZone,
    day: Date,
    midnight: Timestamp,
    /// The first second of each bucket and the one after its last, from reading the clock every minute: slow, and
    /// right by construction.
    spans: BTreeMap<Bucket, (i64, i64)>,
}

static WALKED: LazyLock<Vec<Place>> = LazyLock::new(|| PLACES.iter().map(|(name, day)| walk(name, *day)).collect());

fn walk(name: &str, day: Date) -> Place {
    let zone = TimeZone::get(name).unwrap();
    let midnight = day.to_zoned(TimeZone::UTC).unwrap().timestamp();
    let mut spans = BTreeMap::new();
    for minute in -10 * 1440..10 * 1440 {
        let at = midnight + SignedDuration::from_mins(minute);
        let local = zone.to_datetime(at);
        let (start, hour) = (at.as_second(), usize::try_from(local.hour()).unwrap());
        for bucket in [(local.date(), None), (local.date(), Some(hour))] {
            spans.entry(bucket).or_insert((start, 0)).1 = start + 60;
        }
    }
    Place { zone, day, midnight, spans }
}

/// An answer of the v1 API.
pub fn check_v1(input: &[u8]) {
    check(input, parse_v1, &[("/results", 0)]);
}

/// An answer of the v2 API.
pub fn check_v2(input: &[u8]) {
    let trends =
        [("/uniqueUsersTrend/dataPoints", 0), ("/newUsersTrend/dataPoints", 1), ("/returningUsersTrend/dataPoints", 2)];
    check(input, parse_v2, &trends);
}

type Parse = fn(&[u8], Interval) -> Result<Answer, String>;

fn check(input: &[u8], parse: Parse, trends: &[(&str, usize)]) {
    let Some((&[kind, place, at, before, after], body)) = input.split_first_chunk() else { return };
    let interval = if kind & 2 == 0 { Interval::Hourly } else { Interval::Daily };
    let place = &WALKED[usize::from(place % 8)];
    let days = |byte: u8| i64::from(byte % 8);
    let window = Window { first: day_after(place.day, -days(before)), last: day_after(place.day, days(after)) };
    let at = place.midnight + SignedDuration::from_hours(2 * (i64::from(at) - 64));
    let recent_from = Some(place.day);
    let asked = Asked { window, zone: &place.zone, at, include_open: kind & 1 == 1, recent_from };
    check_complete(&asked, place);

    let parsed = parse(body, interval);
    assert_eq!(parsed, parse(body, interval), "the same body is read in the same way");
    let answer = match parsed {
        Ok(answer) => answer,
        Err(problem) => return assert!(!problem.is_empty()),
    };
    // What the program leaves aside may be beyond what the other reader takes, such as a number of a thousand digits.
    if let Ok(value) = serde_json::from_slice::<Value>(body) {
        let written = read(&value, trends, interval);
        assert_eq!(figures_of(&answer), written, "the figures are those of the answer");
        if let (Some(total), [(pointer, _)]) = (value.get("totalResults").filter(|total| !total.is_null()), trends) {
            let found = value.pointer(pointer).and_then(Value::as_array).unwrap().len();
            // What is no number is not judged.
            let found = i64::try_from(found).unwrap();
            assert_eq!(answer.oddity.is_none(), count(total).is_none_or(|total| total == found));
        }
    }
    check_points(&answer, &asked, place);
}

/// The points are the buckets of the days asked for that had ended, or begun where open ones are wanted.
fn check_points(answer: &Answer, asked: &Asked<'_>, place: &Place) {
    let flattened = flatten(answer, asked);
    let (mut expected, mut nonexistent) = (BTreeMap::new(), Vec::new());
    for (bucket, figures) in figures_of(answer).into_iter().filter(|(bucket, _)| asked.window.contains(bucket.0)) {
        match place.spans.get(&bucket) {
            None if figures.are_zero() => {}
            None => nonexistent.push(bucket),
            Some((start, end)) => {
                let due = if asked.include_open { start } else { end };
                if *due <= asked.at.as_second() {
                    assert!(expected.insert(*start, figures).is_none(), "one bucket at {start}");
                }
            }
        }
    }
    assert!(flattened.points.is_sorted_by(|one, next| one.timestamp < next.timestamp), "each instant once, in order");
    let points: BTreeMap<i64, Figures> =
        flattened.points.iter().map(|point| (point.timestamp, point.figures)).collect();
    assert_eq!(points, expected);
    assert_eq!(flattened.nonexistent, nonexistent);
    let users: i128 = flattened.points.iter().filter_map(|point| point.figures.users).map(i128::from).sum();
    let recent: i128 = flattened.recent.iter().map(|(_, _, users)| i128::from(*users)).sum();
    assert!(recent <= users && flattened.days.iter().all(|(day, _)| asked.window.contains(*day)));
}

/// The watermark moves to the last day of the window that was over, and to no other.
fn check_complete(asked: &Asked<'_>, place: &Place) {
    let through = complete_through(asked);
    let is_over = |day: Date| place.spans.get(&(day, None)).is_none_or(|(_, end)| *end <= asked.at.as_second());
    let next = through.map_or(asked.window.first, |through| day_after(through, 1));
    assert!(through.is_none_or(|through| asked.window.contains(through) && is_over(through)));
    // A day that never was is over with the one before it, or with the one after.
    let exists = place.spans.contains_key(&(next, None));
    assert!(!asked.window.contains(next) || !exists || !is_over(next), "{next} was over, found {through:?}");
}

/// The figures that the program took from the answer.
fn figures_of(answer: &Answer) -> BTreeMap<Bucket, Figures> {
    let mut found = BTreeMap::new();
    for (date, buckets) in &answer.days {
        found.extend(buckets.iter().map(|(hour, figures)| ((*date, *hour), *figures)));
    }
    found
}

/// The same by walking through the JSON of an answer that was accepted.
fn read(value: &Value, trends: &[(&str, usize)], interval: Interval) -> BTreeMap<Bucket, Figures> {
    let mut found: BTreeMap<Bucket, Figures> = BTreeMap::new();
    for (pointer, field) in trends {
        for day in value.pointer(pointer).and_then(Value::as_array).unwrap() {
            let written = day["date"].as_str().unwrap().split_whitespace().collect::<Vec<_>>().join(" ");
            let date = Date::strptime("%b %d %Y", written).unwrap();
            for (key, value) in day.as_object().unwrap() {
                let hour = match interval {
                    Interval::Daily if key == "users" => None,
                    Interval::Hourly if key.trim_start().starts_with(|first: char| first.is_ascii_digit()) => {
                        let (from, _) = key.split_once('-').unwrap();
                        Some(from.trim().parse().unwrap())
                    }
                    _ => continue,
                };
                let figures = found.entry((date, hour)).or_default();
                let fields = [&mut figures.users, &mut figures.new_users, &mut figures.returning_users];
                let before = fields.into_iter().nth(*field).unwrap().replace(count(value).unwrap());
                assert_eq!(before, None, "{date} {hour:?} stands in it twice");
            }
        }
    }
    found
}

/// A whole number that can be counted to; up to 2^53 it may be written with a fraction or an exponent.
fn count(value: &Value) -> Option<i64> {
    let text = value.as_str().map_or_else(|| value.to_string(), |text| text.trim().to_owned());
    if let Ok(whole) = text.parse() {
        return Some(whole).filter(|whole| *whole >= 0);
    }
    let number: f64 = text.parse().ok()?;
    #[expect(clippy::cast_possible_truncation, reason = "whole and in range")]
    (number.fract() == 0.0 && (0.0..9_007_199_254_740_992.0).contains(&number)).then_some(number as i64)
}
