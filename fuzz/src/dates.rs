//! Dates and bucket keys: what is read is written back as the same, and a day's hours are where its zone's clock has
//! them, on any day of the calendar. The first character says what follows: `d` a date of an answer, `h` the key of an
//! hour, `b` the range of a backfill, `c` a day and a zone.

use clap::Parser;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use kore_trend_exporter::cli::{Arguments, Mode};
use kore_trend_exporter::config::Environment;
use kore_trend_exporter::domain::calendar;
use kore_trend_exporter::domain::series::{Window, day_after, days_between};
use kore_trend_exporter::platform::answer::{parse_date, parse_hour};
use kore_trend_exporter::state::backfill::{BackfillProgress, Range};

/// One text of these kinds.
pub fn check(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    match (text.get(..1), text.get(1..)) {
        (Some("d"), Some(text)) => check_date(text),
        (Some("h"), Some(text)) => check_hour(text),
        (Some("b"), Some(text)) => check_range(text),
        (Some("c"), Some(text)) => check_day(text),
        _ => {}
    }
}

fn check_date(text: &str) {
    let found = parse_date(text);
    // The two ways to write a day of one digit, with any white space.
    let words: Vec<&str> = text.split_ascii_whitespace().collect();
    let is = |date: Date, form: &str| date.strftime(form).to_string() == words.join(" ");
    if let Some(date) = found {
        assert!(is(date, "%b %d %Y") || is(date, "%b %-d %Y"), "{text:?} was read as {date}");
    } else if let Ok(date) = Date::strptime("%b %d %Y", words.join(" ")) {
        let as_documented = (0..=9999).contains(&date.year()) && is(date, "%b %d %Y");
        assert!(!as_documented, "{text:?} is {date}");
    }
}

fn check_hour(text: &str) {
    let ways = |hour: usize| {
        let next = (hour + 1) % 24;
        [
            format!("{hour}-{next}"),
            format!("{hour:02}-{next:02}"),
            format!("{hour:02}-{next}"),
            format!("{hour}-{next:02}"),
        ]
    };
    let bare: String = text.split('-').map(str::trim_ascii).collect::<Vec<_>>().join("-");
    let expected = (0..24).find(|hour| ways(*hour).contains(&bare));
    assert_eq!(parse_hour(text.as_bytes()), expected, "{text:?}");
}

/// A range is read as it is written, and cut into days that follow each other and end with it.
fn check_range(text: &str) {
    let now: Timestamp = "2026-11-22T12:00:00Z".parse().unwrap();
    let Ok(arguments) = Arguments::try_parse_from(["kore-trend-exporter", &format!("--backfill={text}")]) else {
        return;
    };
    let Ok(invocation) = arguments.resolve(&Environment::default(), now) else { return };
    let mode = invocation.mode;
    let Mode::Backfill { range, .. } = mode else { panic!("{mode:?}") };
    assert_eq!(range.to_string(), text);
    let today = calendar::today(&TimeZone::UTC, now);
    if mode.range_is_sensible(today).is_ok() {
        let window = range.window(day_after(today, 1)).unwrap_or_else(|| panic!("{range} has no days"));
        assert_eq!(window.first, range.from);
        for max_days in [1, 31, u32::MAX] {
            check_chunks(window, max_days);
        }
        let folder = tempfile::tempdir().unwrap();
        assert!(BackfillProgress::load(folder.path(), Range { ..range }).is_ok());
    }
}

/// Pieces of at most so many days that are the whole together.
pub(crate) fn check_chunks(window: Window, max_days: u32) {
    let chunks = kore_trend_exporter::domain::plan::chunks(window, max_days);
    assert_eq!(chunks.first().map(|chunk| chunk.first), Some(window.first));
    assert_eq!(chunks.last().map(|chunk| chunk.last), Some(window.last));
    assert!(chunks.iter().all(|chunk| chunk.first <= chunk.last && chunk.days() <= max_days));
    assert!(chunks.windows(2).all(|pair| days_between(pair[0].last, pair[1].first) == 1), "{window} by {max_days}");
}

/// `2026-03-29 Europe/Berlin`: hours do not overlap, and begin and end where the clock says.
fn check_day(text: &str) {
    let Some((date, name)) = text.split_once(' ') else { return };
    let (Ok(date), Ok(zone)) = (date.parse::<Date>(), TimeZone::get(name)) else { return };
    let day = calendar::day(&zone, date);
    // The first and the last days of the calendar begin or end where no instant is any more, and need no hours.
    if date.year().abs() == 9999 {
        return;
    }
    let mut spans: Vec<_> = day.hours.iter().flatten().copied().collect();
    for (hour, span) in day.hours.iter().enumerate() {
        let Some(span) = span else { continue };
        assert!(span.start < span.end);
        let last = span.end - SignedDuration::from_nanos(1);
        for at in [span.start, last] {
            let local = zone.to_datetime(at);
            assert_eq!((local.date(), usize::try_from(local.hour()).unwrap()), (date, hour), "{text} at {at}");
        }
        // The clock has come from elsewhere.
        let before = zone.to_datetime(span.start - SignedDuration::from_nanos(1));
        assert_ne!((before.date(), usize::try_from(before.hour()).unwrap()), (date, hour), "{text}");
    }
    spans.sort_by_key(|span| span.start);
    assert!(spans.is_sorted_by(|one, next| one.start < next.start), "{text}: two hours begin at once");
    let (first, end) = (spans.first().map(|span| span.start), spans.iter().map(|span| span.end).max());
    assert_eq!(day.span.map(|span| (span.start, span.end)), first.zip(end), "{text}");
    // An hour without a place is one that the clock never shows; noon is looked for, the rest by the unit tests.
    let noon =
        zone.to_timestamp(date.at(12, 30, 0, 0)).ok().filter(|at| zone.to_datetime(*at) == date.at(12, 30, 0, 0));
    assert!(noon.is_none_or(|noon| day.hours[12].is_some_and(|span| span.start <= noon && noon < span.end)), "{text}");
}
