//! What the simulated platform answers to a valid question: the two documented shapes, and which buckets are in them.

use jiff::Timestamp;
use jiff::civil::Date;
use serde_json::{Map, Value, json};

use super::question::Question;
use super::{Behaviour, figures};
use crate::domain::calendar::{self, Span};
use crate::domain::series::{ALL_CHANNELS, Interval};

/// The answer of v1: only what began, without holes, and a numeric string for a number now and then.
pub(super) fn v1(question: &Question, behaviour: Behaviour, now: Timestamp) -> Value {
    let mut results = Vec::new();
    for date in question.days() {
        let Some(known) = known(question, behaviour, now, date) else { continue };
        match (question.interval, known.users) {
            (Interval::Hourly, _) => results.push(hourly(date, &known.hours)),
            (Interval::Daily, Some(users)) if date.day() % 5 == 0 => results.push(daily(date, users.to_string())),
            (Interval::Daily, Some(users)) => results.push(daily(date, users)),
            (Interval::Daily, None) => {}
        }
    }
    json!({"totalResults": results.len(), "results": results})
}

/// The answer of v2: every hour and day that was asked for, zero where there is nothing.
pub(super) fn v2(question: &Question, behaviour: Behaviour, now: Timestamp) -> Value {
    let mut trends = [const { Vec::new() }; 3];
    let (mut busiest, mut sum, mut new) = (0, 0, 0);
    for date in question.days() {
        let known = known(question, behaviour, now, date).unwrap_or(NOTHING);
        let users = known.users.unwrap_or(0);
        let parts = |users| {
            let new = figures::new_of(&question.bot_id, date, users);
            [users, new, users - new]
        };
        let hours = known.hours.map(|users| parts(users.unwrap_or(0)));
        for (part, trend) in trends.iter_mut().enumerate() {
            trend.push(match question.interval {
                Interval::Hourly => hourly(date, &hours.map(|parts| Some(parts[part]))),
                Interval::Daily => daily(date, parts(users)[part]),
            });
        }
        busiest = busiest.max(users);
        sum += users;
        new += parts(users)[1];
    }
    // People come back on another day: they are fewer than the days together, and no fewer than on the busiest one.
    let unique = (sum - sum / 3).max(busiest).max(new);
    let [all_trend, new_trend, returning_trend] = trends;
    json!({
        "summary": summary(unique, new, all_trend.len()),
        "filters": filters(question, all_trend.len()),
        "uniqueUsersTrend": {"dataPoints": all_trend},
        "newUsersTrend": {"dataPoints": new_trend},
        "returningUsersTrend": {"dataPoints": returning_trend},
    })
}

/// What the platform knows of one day; nothing where a bucket is a hole, does not exist or has not begun.
struct Known {
    hours: [Option<i64>; 24],
    users: Option<i64>,
}

const NOTHING: Known = Known { hours: [None; 24], users: None };
/// The platform has long forgotten, and says zero.
const FORGOTTEN: Known = Known { hours: [Some(0); 24], users: Some(0) };

/// What the platform knows at `now`; `None` for a day that has not begun, or that the zone skipped.
fn known(question: &Question, behaviour: Behaviour, now: Timestamp, date: Date) -> Option<Known> {
    if date < figures::FIRST_DAY {
        return Some(FORGOTTEN);
    }
    let Question { bot_id, channel, .. } = question;
    let day = calendar::day(&question.zone, date);
    let whole = day.span.filter(|span| span.start <= now)?;

    let mut arrived = figures::hours(bot_id, channel, date);
    if behaviour.revisions {
        // The clock skipped an hour, but not its users: the day counts them when it ends.
        let at_the_end = Span { start: whole.end, end: whole.end };
        for (users, span) in arrived.iter_mut().zip(day.hours) {
            *users = figures::so_far(*users, span.unwrap_or(at_the_end), now);
        }
    }
    let mut hours = [None; 24];
    for (hour, known) in (0_i8..).zip(hours.iter_mut()) {
        let place = usize::from(hour.unsigned_abs());
        let begun = day.hours[place].is_some_and(|span| span.start <= now);
        let hole = behaviour.holes && figures::hour_is_hole(bot_id, channel, date, hour);
        *known = (begun && !hole).then_some(arrived[place]);
    }
    let hole = behaviour.holes && figures::day_is_hole(bot_id, channel, date);
    Some(Known { hours, users: (!hole).then(|| figures::of_day(bot_id, date, &arrived)) })
}

fn daily(date: Date, users: impl Into<Value>) -> Value {
    json!({"date": in_words(date), "users": users.into()})
}

fn hourly(date: Date, hours: &[Option<i64>; 24]) -> Value {
    let mut entry = Map::new();
    entry.insert("date".to_owned(), in_words(date).into());
    for (hour, users) in hours.iter().enumerate() {
        if let Some(users) = users {
            entry.insert(format!("{hour} - {}", (hour + 1) % 24), (*users).into());
        }
    }
    Value::Object(entry)
}

/// As in `Aug 06 2020`.
fn in_words(date: Date) -> String {
    date.strftime("%b %d %Y").to_string()
}

fn summary(unique: i64, new: i64, days: usize) -> Value {
    let returning = unique - new;
    let a_day = |users: i64| (users as f64 * 10.0 / days.max(1) as f64).round() / 10.0;
    json!({
        "uniqueUsers": unique,
        "newUsers": new,
        "returningUsers": returning,
        "avgUniqueUsersPerDay": a_day(unique),
        "avgNewUsersPerDay": a_day(new),
        "avgReturningUsersPerDay": a_day(returning),
    })
}

fn filters(question: &Question, days: usize) -> Value {
    let mut filters = json!({
        "start": in_words(question.first),
        "end": in_words(question.last),
        "conversationType": question.conversation_type,
        "conversationStatus": question.conversation_status,
        "aggregationType": question.interval.name(),
        "dataPointsCount": days,
    });
    if question.channel != ALL_CHANNELS {
        filters["channels"] = json!(question.channel);
    }
    filters
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use jiff::tz::TimeZone;

    use super::*;

    fn question(zone: &str, interval: Interval, first: Date, last: Date) -> Question {
        Question {
            bot_id: "st-1".into(),
            channel: "rtm".into(),
            zone: TimeZone::get(zone).unwrap(),
            interval,
            first,
            last,
            conversation_type: "all".into(),
            conversation_status: "all".into(),
        }
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn labels(entry: &Value) -> usize {
        entry.as_object().unwrap().keys().filter(|key| key.contains(" - ")).count()
    }

    #[test]
    fn v1_hourly_has_the_documented_shape() {
        let day = date(2026, 8, 6);
        let question = question("UTC", Interval::Hourly, day, date(2026, 8, 7));
        let answer = v1(&question, Behaviour::STEADY, at("2026-09-01T00:00:00Z"));
        assert_eq!(answer["totalResults"], 2);
        let entry = &answer["results"][0];
        assert_eq!(entry["date"], "Aug 06 2026");
        assert_eq!(labels(entry), 24);
        for (key, hour) in [("0 - 1", 0), ("9 - 10", 9), ("22 - 23", 22), ("23 - 0", 23)] {
            assert_eq!(entry[key], json!(figures::hourly("st-1", "rtm", day, hour, false)), "{key}");
        }
    }

    #[test]
    fn v1_daily_users_are_a_string_every_fifth_day() {
        let question = question("UTC", Interval::Daily, date(2026, 8, 5), date(2026, 8, 6));
        let answer = v1(&question, Behaviour::STEADY, at("2026-09-01T00:00:00Z"));
        let users = |day| figures::daily("st-1", "rtm", date(2026, 8, day), false).unwrap();
        let expected = json!({"totalResults": 2, "results": [
            {"date": "Aug 05 2026", "users": users(5).to_string()},
            {"date": "Aug 06 2026", "users": users(6)},
        ]});
        assert_eq!(answer, expected);
    }

    #[test]
    fn v1_sends_nothing_that_has_not_begun() {
        let question = question("Asia/Kolkata", Interval::Hourly, date(2026, 8, 6), date(2026, 8, 8));
        let answer = v1(&question, Behaviour::STEADY, at("2026-08-06T18:30:00Z"));
        assert_eq!(answer["totalResults"], 2);
        assert_eq!((labels(&answer["results"][0]), labels(&answer["results"][1])), (24, 1));
    }

    #[test]
    fn v1_sends_no_skipped_hour_and_a_repeated_one_once() {
        for (day, expected, hour_two) in [(date(2026, 3, 29), 23, false), (date(2026, 10, 25), 24, true)] {
            let question = question("Europe/Berlin", Interval::Hourly, day, day);
            let answer = v1(&question, Behaviour::STEADY, at("2027-01-01T00:00:00Z"));
            let entry = &answer["results"][0];
            assert_eq!((labels(entry), entry.get("2 - 3").is_some()), (expected, hour_two), "{day}");
        }
    }

    #[test]
    fn forgotten_days_are_zeros() {
        let (first, last) = (date(2014, 12, 31), date(2015, 1, 1));
        let hourly = v1(&question("UTC", Interval::Hourly, first, last), Behaviour::LIVELY, at("2026-08-06T00:00:00Z"));
        assert_eq!(labels(&hourly["results"][0]), 24);
        assert_eq!((&hourly["results"][0]["11 - 12"], hourly["results"][1]["11 - 12"] == json!(0)), (&json!(0), false));
        let daily = v1(&question("UTC", Interval::Daily, first, first), Behaviour::LIVELY, at("2026-08-06T00:00:00Z"));
        assert_eq!(daily["results"], json!([{"date": "Dec 31 2014", "users": 0}]));
    }

    #[test]
    fn v2_fills_every_hour_of_every_day_with_zeros() {
        let question = question("Europe/Berlin", Interval::Hourly, date(2026, 3, 29), date(2026, 3, 31));
        let answer = v2(&question, Behaviour::STEADY, at("2026-03-30T10:00:00Z"));
        assert_eq!(answer["filters"]["dataPointsCount"], 3);
        for trend in ["uniqueUsersTrend", "newUsersTrend", "returningUsersTrend"] {
            let points = answer[trend]["dataPoints"].as_array().unwrap();
            assert_eq!(points.iter().map(labels).collect::<Vec<_>>(), [24, 24, 24], "{trend}");
            assert_eq!(
                (&points[0]["2 - 3"], &points[1]["13 - 14"], &points[2]["0 - 1"]),
                (&json!(0), &json!(0), &json!(0))
            );
            assert_ne!(points[1]["12 - 13"], 0, "the open hour of {trend}");
        }
    }

    #[test]
    fn v2_daily_has_the_documented_shape() {
        let day = date(2026, 8, 5);
        let question = question("UTC", Interval::Daily, day, day);
        let answer = v2(&question, Behaviour::STEADY, at("2026-09-01T00:00:00Z"));
        let users = figures::daily("st-1", "rtm", day, false).unwrap();
        let new = figures::new_of("st-1", day, users);
        assert_eq!(answer["uniqueUsersTrend"]["dataPoints"], json!([{"date": "Aug 05 2026", "users": users}]));
        assert_eq!(answer["newUsersTrend"]["dataPoints"], json!([{"date": "Aug 05 2026", "users": new}]));
        assert_eq!(answer["returningUsersTrend"]["dataPoints"][0]["users"], json!(users - new));
        assert_eq!(answer["summary"]["uniqueUsers"], json!(users));
        assert_eq!(
            answer["filters"],
            json!({"start": "Aug 05 2026", "end": "Aug 05 2026", "conversationType": "all", "channels": "rtm",
                   "conversationStatus": "all", "aggregationType": "daily", "dataPointsCount": 1})
        );
    }

    #[test]
    fn revisions_of_a_day_stay_between_its_busiest_hour_and_their_sum() {
        let day = date(2026, 3, 29);
        let mut before = 0;
        for quarters in 0..=4 * 50 {
            let now = at("2026-03-28T23:00:00Z").checked_add(jiff::SignedDuration::from_mins(15 * quarters)).unwrap();
            let behaviour = Behaviour { revisions: true, ..Behaviour::STEADY };
            let known = known(&question("Europe/Berlin", Interval::Daily, day, day), behaviour, now, day).unwrap();
            let (users, hours) = (known.users.unwrap(), known.hours.iter().flatten());
            assert!(users >= *hours.clone().max().unwrap() && users <= hours.sum(), "{now}: {users}");
            assert!(users >= before && Some(users) <= figures::daily("st-1", "rtm", day, false), "{now}: {users}");
            before = users;
        }
        assert_eq!(Some(before), figures::daily("st-1", "rtm", day, false));
    }

    #[test]
    fn holes_are_missing_in_v1_and_zero_in_v2() {
        let question = question("UTC", Interval::Hourly, date(2026, 3, 1), date(2026, 3, 31));
        let now = at("2026-08-06T00:00:00Z");
        let (v1, v2) = (v1(&question, Behaviour::LIVELY, now), v2(&question, Behaviour::LIVELY, now));
        let mut holes = 0;
        for (day, entry) in question.days().zip(v1["results"].as_array().unwrap()) {
            for hour in 0..24 {
                let label = format!("{hour} - {}", (hour + 1) % 24);
                if figures::hourly("st-1", "rtm", day, hour, true).is_none() {
                    holes += 1;
                    assert_eq!(entry.get(&label), None);
                    assert_eq!(v2["uniqueUsersTrend"]["dataPoints"][day.day() as usize - 1][&label], 0);
                }
            }
        }
        assert!(holes > 0);
    }
}
