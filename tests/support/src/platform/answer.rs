//! An answer with figures as the platform's documentation writes it, from whatever figures a test has.

use std::fmt::Write;

use jiff::civil::Date;
use kore_trend_exporter::domain::series::{Interval, Window};

/// The days of a window.
pub fn days(window: Window) -> impl Iterator<Item = Date> {
    window.first.series(jiff::Span::new().days(1)).take_while(move |day| *day <= window.last)
}

/// The hours of a day that have a bucket each, or the whole of it.
pub fn buckets(interval: Interval) -> impl Iterator<Item = Option<i8>> {
    let hours = match interval {
        Interval::Hourly => 0..24,
        Interval::Daily => 0..0,
    };
    let whole = (interval == Interval::Daily).then_some(None);
    hours.map(Some).chain(whole)
}

/// The name of a bucket in an answer.
pub fn bucket_name(hour: Option<i8>) -> String {
    match hour {
        Some(hour) => format!("{hour} - {}", (hour + 1) % 24),
        None => "users".to_owned(),
    }
}

/// The name of a day in an answer, as in `Aug 06 2020`.
pub fn day_name(day: Date) -> String {
    day.strftime("%b %d %Y").to_string()
}

/// The days of `N` trends that have the same buckets: a list each, without the days that have no bucket.
pub fn trends<const N: usize>(
    window: Window,
    interval: Interval,
    mut figures: impl FnMut(Date, Option<i8>) -> Option<[i64; N]>,
) -> [String; N] {
    let mut trends = [const { String::new() }; N];
    for day in days(window) {
        let mut is_empty = true;
        for hour in buckets(interval) {
            let Some(users) = figures(day, hour) else { continue };
            for (trend, users) in trends.iter_mut().zip(users) {
                if is_empty {
                    let separator = if trend.is_empty() { "" } else { "," };
                    write!(trend, "{separator}{{\"date\":\"{}\"", day_name(day)).unwrap();
                }
                write!(trend, ",\"{}\":{users}", bucket_name(hour)).unwrap();
            }
            is_empty = false;
        }
        if !is_empty {
            trends.iter_mut().for_each(|trend| trend.push('}'));
        }
    }
    trends.map(|trend| format!("[{trend}]"))
}

/// The body of v1.
pub fn v1(window: Window, interval: Interval, mut figure: impl FnMut(Date, Option<i8>) -> Option<i64>) -> String {
    let [results] = trends(window, interval, |day, hour| figure(day, hour).map(|users| [users]));
    let total = results.matches("\"date\"").count();
    format!("{{\"results\":{results},\"totalResults\":{total}}}")
}

/// The body of v2, as far as the exporter reads it: all, new and returning users.
pub fn v2(window: Window, interval: Interval, figures: impl FnMut(Date, Option<i8>) -> Option<[i64; 3]>) -> String {
    let [all, new, returning] = trends(window, interval, figures);
    format!(
        "{{\"uniqueUsersTrend\":{{\"dataPoints\":{all}}},\"newUsersTrend\":{{\"dataPoints\":{new}}},\
         \"returningUsersTrend\":{{\"dataPoints\":{returning}}}}}"
    )
}
