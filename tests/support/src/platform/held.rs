//! What the simulated platform holds where a test gives it no other figures.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use kore_trend_exporter::demo::figures;
use kore_trend_exporter::domain::series::{Interval, Window, day_after};

/// Today in UTC, and the days around it.
pub fn day(from_today: i64) -> Date {
    day_after(Timestamp::now().to_zoned(TimeZone::UTC).date(), from_today)
}

/// The lines of a series of a bot that [`bots`](crate::workspace::bots) wrote, from this day through yesterday.
pub fn held_lines(bot: &str, channel: &str, interval: Interval, first: i64) -> Vec<String> {
    let window = Window { first: day(first), last: day(-1) };
    let line = |(timestamp, users)| {
        format!("user_engagement_{interval},bot={bot},bot_id=st-{bot},channel={channel} users={users}i {timestamp}")
    };
    held(&format!("st-{bot}"), channel, interval, window).into_iter().map(line).collect()
}

/// What the simulated platform holds for a series in UTC over these days, as `(timestamp, users)`, both final.
pub fn held(bot_id: &str, channel: &str, interval: Interval, window: Window) -> Vec<(i64, i64)> {
    let days = window.first.series(jiff::Span::new().days(1)).take_while(|day| *day <= window.last);
    let midnight = |day: Date| day.to_zoned(jiff::tz::TimeZone::UTC).unwrap().timestamp().as_second();
    days.flat_map(|day| -> Vec<(i64, i64)> {
        match interval {
            Interval::Daily => {
                figures::daily(bot_id, channel, day, false).map(|users| (midnight(day), users)).into_iter().collect()
            }
            Interval::Hourly => (0..24_i8)
                .filter_map(|hour| {
                    let users = figures::hourly(bot_id, channel, day, hour, false)?;
                    Some((midnight(day) + 3600 * i64::from(hour), users))
                })
                .collect(),
        }
    })
    .collect()
}
