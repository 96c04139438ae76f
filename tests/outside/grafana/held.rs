//! What the platform held for the bots of these tests, worked out without the exporter and without a database.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use kore_trend_exporter::demo::figures;

use crate::support::grafana::expand::Chosen;

/// Name, zone and channels of each bot: zones with and without clock changes, half an hour off and at both ends of the
/// date, channels with spaces and quotes, and a bot without `all`.
pub(super) const BOTS: [(&str, &str, &[&str]); 5] = [
    ("berlin", "Europe/Berlin", &["all", "rtm", ODD]),
    ("plain", "UTC", &["all", "rtm", "it's/a\\b (so|on)"]),
    ("kolkata", "Asia/Kolkata", &["all", ODD]),
    ("auckland-1", "Pacific/Auckland", &["rtm", "msteams"]),
    ("hono_lulu", "Pacific/Honolulu", &["all"]),
];

/// A channel whose name asks for trouble.
pub(super) const ODD: &str = "we\"b, chat=1";

/// The days that are in the database: around the clock changes of Europe and of America in both seasons.
pub(super) const DAYS: [(&str, &str); 2] = [("2026-03-05", "2026-04-06"), ("2026-10-05", "2026-11-04")];

/// One figure.
#[derive(Clone, Debug)]
pub(super) struct Point {
    pub(super) bot: &'static str,
    pub(super) channel: &'static str,
    pub(super) daily: bool,
    /// The bot's own calendar day.
    pub(super) date: Date,
    /// Its timestamp.
    pub(super) at: i64,
    pub(super) users: i64,
}

/// Everything: what the exporter brings, and [`special`].
pub(super) fn held() -> Vec<Point> {
    let mut points = special();
    for (bot, zone, channels) in BOTS {
        let (id, zone) = (format!("st-{bot}"), TimeZone::get(zone).unwrap());
        for channel in channels {
            for (first, last) in DAYS {
                let (first, last): (Date, Date) = (first.parse().unwrap(), last.parse().unwrap());
                for date in first.series(1.day()).take_while(|date| *date <= last) {
                    let mut add = |daily, at: Timestamp, users| {
                        points.push(Point { bot, channel, daily, date, at: at.as_second(), users });
                    };
                    let midnight = zone.to_timestamp(date.at(0, 0, 0, 0)).unwrap();
                    add(true, midnight, figures::daily(&id, channel, date, false).unwrap());
                    for hour in 0..24_i8 {
                        // An hour that the clock skips is later when asked for.
                        let at = zone.to_timestamp(date.at(hour, 0, 0, 0)).unwrap();
                        if zone.to_datetime(at).hour() == hour {
                            add(false, at, figures::hourly(&id, channel, date, hour, false).unwrap());
                        }
                    }
                }
            }
        }
    }
    points
}

/// Those of the chosen bots and channels from one second until before the other.
pub(super) fn within<'a>(
    points: &'a [Point],
    chosen: &'a Chosen,
    daily: bool,
    from: i64,
    to: i64,
) -> impl Iterator<Item = &'a Point> {
    let among =
        |values: &Option<Vec<String>>, value| values.as_ref().is_none_or(|values| values.iter().any(|v| v == value));
    points.iter().filter(move |point| {
        point.daily == daily
            && (from..to).contains(&point.at)
            && among(&chosen.bots, point.bot)
            && among(&chosen.channels, point.channel)
    })
}

/// Bots of a kind that the platform's model has none of, all in UTC.
pub(super) fn special() -> Vec<Point> {
    let mut points = Vec::new();
    let mut add = |bot, date: Date, hour: Option<i8>, users| {
        let at = TimeZone::UTC.to_timestamp(date.at(hour.unwrap_or(0), 0, 0, 0)).unwrap().as_second();
        points.push(Point { bot, channel: "all", daily: hour.is_none(), date, at, users });
    };
    let first: Date = "2026-10-20".parse().unwrap();
    for (number, date) in (0..).zip(first.series(1.day()).take(16)) {
        // Without any hours.
        add("days-only", date, None, 30 + number);
        if number >= 11 {
            add("newcomer", date, None, 40);
        }
        for hour in 0..24 {
            add("quiet", date, Some(hour), 0);
            add("woken", date, Some(hour), if number < 11 { 0 } else { 7 });
            if number >= 11 {
                add("newcomer", date, Some(hour), 5);
            }
            // No hour of a day in November is one of a day a week earlier.
            if (number < 11) == (hour < 8) {
                add("elsewhen", date, Some(hour), 9);
            }
        }
    }
    points
}

/// The same as line protocol.
pub(super) fn special_lines() -> String {
    let line = |point: &Point| {
        let Point { bot, channel, at, users, .. } = point;
        let measurement = if point.daily { "user_engagement_daily" } else { "user_engagement_hourly" };
        format!("{measurement},bot={bot},bot_id=st-{bot},channel={channel} users={users}i {at}\n")
    };
    special().iter().map(line).collect()
}
