//! What a panel shows, read out of its frames.

use std::collections::BTreeMap;

use crate::support::grafana::frame::{Cell, Frame};

/// What is shown: a name for each figure; figures that are no integers are rounded to millionths.
pub(super) type Shown = BTreeMap<(String, String), i64>;

#[track_caller]
pub(super) fn millionths(number: f64) -> i64 {
    assert!(number.is_finite());
    (number * 1e6).round() as i64
}

#[track_caller]
fn figure(cell: &Cell) -> Option<i64> {
    match cell {
        Cell::Nothing => None,
        Cell::Text(text) if text == "–" => None,
        Cell::Time(time) => Some(time.as_second()),
        cell => Some(millionths(cell.number())),
    }
}

pub(super) fn sums(shown: &[Frame]) -> Shown {
    let Some(frame) = shown.first().filter(|frame| frame.len() > 0) else { return Shown::new() };
    assert_eq!((frame.len(), frame.fields.len()), (1, 3), "{frame:?}");
    let one = |name: &str| Some(((name.to_owned(), String::new()), figure(&frame.column(name)[0])?));
    ["today", "a week earlier", "compared"].into_iter().filter_map(one).collect()
}

pub(super) fn pairs(shown: &[Frame]) -> Shown {
    lines(shown, "Time", &["today", "a week earlier"])
}

pub(super) fn lines(shown: &[Frame], key: &str, columns: &[&str]) -> Shown {
    let mut all = Shown::new();
    for frame in shown {
        // A column is missing where its query has found nothing.
        let columns: Vec<&&str> =
            columns.iter().filter(|column| frame.fields.iter().any(|field| field.name == **column)).collect();
        assert_eq!(frame.fields.len(), 1 + columns.len(), "columns that nobody asked for: {frame:?}");
        for (line, name) in frame.column(key).iter().enumerate() {
            for column in &columns {
                if let Some(value) = figure(&frame.column(column)[line]) {
                    all.insert((name.words().to_owned(), (**column).to_owned()), value);
                }
            }
        }
    }
    all
}

pub(super) fn single(shown: &[Frame]) -> Shown {
    let Some(frame) = shown.first().filter(|frame| frame.len() > 0) else { return Shown::new() };
    assert_eq!((frame.len(), frame.fields.len()), (1, 2), "{frame:?}");
    let hour = frame.column("Time")[0].words().to_owned();
    [((hour, String::new()), millionths(frame.column("users (sum)")[0].number()))].into()
}

pub(super) fn only(mut shown: Shown, column: &str) -> Shown {
    shown.retain(|(_, name), _| name == column);
    shown
}

pub(super) fn freshness(shown: &[Frame]) -> Shown {
    let Some(frame) = shown.first() else { return Shown::new() };
    assert_eq!((frame.len(), frame.fields.len()), (1, 2), "an age and a bot: {frame:?}");
    lines(shown, "bot", &["age"])
}

pub(super) fn curves(shown: &[Frame], step: i64) -> Shown {
    let mut all = Shown::new();
    for curve in shown {
        for (time, value) in curve.column("Time").iter().zip(curve.column("Value")) {
            // In Flux the first step begins with the range.
            let time = time.second().div_euclid(60 * step) * 60 * step;
            let before = all.insert((curve.name.clone(), time.to_string()), millionths(value.number()));
            assert_eq!(before, None, "a step twice");
        }
    }
    all
}

pub(super) fn matrix(shown: &[Frame]) -> Shown {
    let mut all = Shown::new();
    for frame in shown {
        let days: Vec<String> = frame.fields[0].cells.iter().map(day).collect();
        // Of the others the order is that of what stands in front of them.
        assert!(days.is_sorted() || days[0].starts_with(char::is_alphabetic), "{days:?}");
        for field in &frame.fields[1..] {
            for (day, cell) in days.iter().zip(&field.cells) {
                if let Some(value) = figure(cell) {
                    let before = all.insert((day.clone(), field.shown().to_owned()), value);
                    assert_eq!(before, None, "a day twice");
                }
            }
        }
    }
    all
}

/// A column of a day is at its noon.
fn day(cell: &Cell) -> String {
    match cell {
        Cell::Time(noon) => {
            let noon = noon.to_zoned(jiff::tz::TimeZone::UTC);
            assert_eq!(noon.hour(), 12);
            noon.date().to_string()
        }
        cell => cell.words().to_owned(),
    }
}
