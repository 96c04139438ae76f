//! What a database must hold after an export from the simulated platform, worked out without the exporter's calendar.

use std::collections::BTreeMap;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use kore_trend_exporter::demo::figures;

use super::influxdb::StoredPoint;

/// Two bots whose names, zones and tags ask for trouble: one lives by UTC, the other where the clock is changed.
pub const BOTS: &str = r##"
[bots.plain]
id = "st-plain"
client_id = "cs-plain"
client_secret = "0123456789"
channels = ["all", "rtm"]
intervals = ["hourly", "daily"]
tags = { team = "care" }

[bots.odd-1_2]
id = "st-odd one"
client_id = "cs-odd"
client_secret = "0123456789"
time_zone = "Europe/Berlin"
channels = ["all"]
intervals = ["hourly", "daily"]
tags = { "team, name" = "a b,c=d", "quo\"te" = "say \"hi\"", "back" = 'one\backslash', "emoji" = "😀 é", "a=b" = "#1" }
"##;

/// Everything that the platform holds for [`BOTS`] over these days, sorted.
pub fn expected(v2: bool, first: &str, last: &str) -> Vec<StoredPoint> {
    let (first, last): (Date, Date) = (first.parse().unwrap(), last.parse().unwrap());
    let odd = [
        ("team, name", "a b,c=d"),
        ("quo\"te", "say \"hi\""),
        ("back", "one\\backslash"),
        ("emoji", "😀 é"),
        ("a=b", "#1"),
    ];
    let mut points = Vec::new();
    for (name, id, channel, zone, own) in [
        ("plain", "st-plain", "all", "UTC", &[("team", "care")][..]),
        ("plain", "st-plain", "rtm", "UTC", &[("team", "care")]),
        ("odd-1_2", "st-odd one", "all", "Europe/Berlin", &odd),
    ] {
        let tags = [("bot", name), ("bot_id", id), ("channel", channel)].into_iter().chain(own.iter().copied());
        let tags: BTreeMap<String, String> = tags.map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
        let zone = TimeZone::get(zone).unwrap();
        for day in first.series(jiff::Span::new().days(1)).take_while(|day| *day <= last) {
            for (measurement, time, users) in buckets(id, channel, &zone, day) {
                let new = figures::new_of(id, day, users);
                let mut fields = vec![("users", users)];
                if v2 {
                    fields.extend([("new_users", new), ("returning_users", users - new)]);
                }
                let point = |(field, value): (&str, i64)| {
                    (format!("user_engagement_{measurement}"), tags.clone(), field.to_owned(), time, value)
                };
                points.extend(fields.into_iter().map(point));
            }
        }
    }
    points.sort();
    points
}

/// The lines of a bot that [`bots`](super::workspace::bots) wrote, in this zone over these days.
pub fn lines(bot: &str, zone: &str, first: Date, last: Date) -> Vec<String> {
    let (id, zone) = (format!("st-{bot}"), TimeZone::get(zone).unwrap());
    let days = first.series(jiff::Span::new().days(1)).take_while(|day| *day <= last);
    let line = |(measurement, time, users)| {
        format!("user_engagement_{measurement},bot={bot},bot_id={id},channel=all users={users}i {time}")
    };
    days.flat_map(|day| buckets(&id, "all", &zone, day)).map(line).collect()
}

/// Interval, first instant and users of a day's buckets. An hour that the clock skips is later when asked for, one that
/// it repeats is its first pass: so jiff reads a local time.
fn buckets(id: &str, channel: &str, zone: &TimeZone, day: Date) -> Vec<(&'static str, i64, i64)> {
    let midnight = zone.to_timestamp(day.at(0, 0, 0, 0)).unwrap().as_second();
    let mut buckets = vec![("daily", midnight, figures::daily(id, channel, day, false).unwrap())];
    for hour in 0..24_i8 {
        let start = zone.to_timestamp(day.at(hour, 0, 0, 0)).unwrap();
        if zone.to_datetime(start).hour() == hour {
            let users = figures::hourly(id, channel, day, hour, false).unwrap();
            buckets.push(("hourly", start.as_second(), users));
        }
    }
    buckets
}
