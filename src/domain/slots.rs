//! Cron lines, with five fields as in crontab(5), or six with seconds first.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use croner::parser::{CronParser, Seconds};
use jiff::Timestamp;

/// A schedule in UTC that is known to be valid and to have a next tick.
#[derive(Clone, Debug, PartialEq)]
pub struct Cron {
    line: String,
    schedule: Arc<croner::Cron>,
}

const FIELDS: [&str; 6] = ["seconds", "minutes", "hours", "day of month", "month", "day of week"];

/// Where the two days stand among them.
const DAYS: [usize; 2] = [3, 5];

impl Cron {
    /// Reads six fields (seconds first) or the five of a crontab (at second 0). The error shows which field is wrong.
    pub fn parse(text: &str) -> Result<Cron, String> {
        let fields: Vec<&str> = text.split_whitespace().collect();
        let line = match fields.len() {
            6 => fields.join(" "),
            5 => format!("0 {}", fields.join(" ")),
            count => return Err(format!("expected 6 fields (seconds first) or 5 (crontab), found {count}")),
        };
        let schedule = parser_accepts(&line).map_err(|error| match wrong_field(&line) {
            Some((name, field)) => format!("invalid {name} \"{field}\": {error}"),
            None => error,
        })?;
        schedule
            .find_next_occurrence(&DateTime::<Utc>::UNIX_EPOCH, true)
            .map_err(|_| "no date ever matches".to_owned())?;
        Ok(Cron { line, schedule: Arc::new(schedule) })
    }

    /// The six fields.
    pub fn line(&self) -> &str {
        &self.line
    }

    /// The first slot after `now`.
    pub fn next_after(&self, now: Timestamp) -> Option<Timestamp> {
        let from = DateTime::<Utc>::from_timestamp(now.as_second(), 0)?;
        let next = self.schedule.find_next_occurrence(&from, false).ok()?;
        Timestamp::from_second(next.timestamp()).ok()
    }

    /// The most ticks that any hour of the four weeks after `now` (Unix seconds) holds.
    pub fn most_ticks_an_hour(&self, now: i64) -> usize {
        let Some(from) = DateTime::<Utc>::from_timestamp(now, 0) else { return 0 };
        // The crate's own iterator leaves out a tick that follows another by one second.
        let next = |tick: &DateTime<Utc>| self.schedule.find_next_occurrence(tick, false).ok();
        let ticks = std::iter::successors(next(&from), next).map(|tick| tick.timestamp());
        let ticks: Vec<i64> = ticks.take_while(|tick| *tick < now + 28 * 24 * 3600).take(100_000).collect();
        let within_hour = |first: usize| ticks[first..].partition_point(|tick| *tick < ticks[first] + 3600);
        (0..ticks.len()).map(within_hour).max().unwrap_or(0)
    }
}

fn parser_accepts(line: &str) -> Result<croner::Cron, String> {
    // A blank within a list would make two fields of it.
    if line.split([' ', ',']).any(str::is_empty) {
        return Err("an entry of the list is empty".to_owned());
    }
    CronParser::builder()
        .seconds(Seconds::Required)
        .dom_and_dow(!either_day_is_enough(line))
        .build()
        .parse(line)
        .map_err(|error| error.to_string())
}

/// crontab(5): where both days are given, either of them is enough; a field that begins with a star gives none.
fn either_day_is_enough(line: &str) -> bool {
    DAYS.iter().all(|place| line.split(' ').nth(*place).is_some_and(|day| !day.starts_with('*')))
}

/// The lines whose slots together are those of this one, for a scheduler that wants both days where both are given.
pub fn with_one_day(line: &str) -> Vec<String> {
    if !either_day_is_enough(line) {
        return vec![line.to_owned()];
    }
    let without = |place| {
        let fields = line.split(' ').enumerate().map(|(number, field)| if number == place { "*" } else { field });
        fields.collect::<Vec<_>>().join(" ")
    };
    DAYS.map(without).into()
}

/// The first field that is refused even where all others are `*`.
fn wrong_field(line: &str) -> Option<(&'static str, &str)> {
    FIELDS.into_iter().zip(line.split(' ')).enumerate().find_map(|(place, (name, field))| {
        let mut alone = ["*"; 6];
        alone[place] = field;
        parser_accepts(&alone.join(" ")).is_err().then_some((name, field))
    })
}

#[cfg(test)]
mod tests {
    use jiff::civil::Date;
    use jiff::tz::TimeZone;
    use proptest::prelude::*;

    use super::*;
    use crate::domain::series::day_after;

    #[test]
    fn five_fields_start_at_second_zero() {
        assert_eq!(Cron::parse("*/15 * * * *").unwrap().line(), "0 */15 * * * *");
    }

    #[test]
    fn either_day_is_two_lines_of_one() {
        assert_eq!(with_one_day("0 6 1 * * *"), ["0 6 1 * * *"]);
        assert_eq!(with_one_day("0 0 6 1 * 1"), ["0 0 6 * * 1", "0 0 6 1 * *"]);
        assert_eq!(with_one_day("0 0 6 */2 * 1"), ["0 0 6 */2 * 1"]);
    }

    #[test]
    fn the_wrong_field_is_named() {
        for (line, field) in [
            ("61 * * * * *", "invalid seconds \"61\""),
            ("0 10 25 * * *", "invalid hours \"25\""),
            ("0 10 * * 13 *", "invalid month \"13\""),
            ("0 x * * * *", "invalid minutes \"x\""),
            // A list with a blank in it is two fields.
            ("0, 30 * * * *", "invalid seconds \"0,\": an entry of the list is empty"),
            ("* * *", "found 3"),
            ("", "found 0"),
            ("0 0 0 30 2 *", "no date ever matches"),
        ] {
            let error = Cron::parse(line).unwrap_err();
            assert!(error.contains(field), "{line}: {error}");
        }
    }

    #[test]
    fn the_next_slot_is_after_now() {
        let next = |line, now: &str| Cron::parse(line).unwrap().next_after(now.parse().unwrap()).unwrap().to_string();
        assert_eq!(next("0 10 * * * *", "2026-08-06T12:10:00Z"), "2026-08-06T13:10:00Z");
        assert_eq!(next("* * * * * *", "2026-08-06T12:10:00.7Z"), "2026-08-06T12:10:01Z");
        assert_eq!(next("0 0 0 29 2 *", "2026-08-06T12:10:00Z"), "2028-02-29T00:00:00Z");
    }

    #[test]
    fn of_day_of_month_and_day_of_week_either_is_enough() {
        for (line, expected) in [
            // 2026-08-01 is a Saturday.
            ("0 6 1 * 1", &["08-03", "08-10", "08-17", "08-24", "08-31", "09-01", "09-07"][..]),
            ("0 0 6 1 * MON", &["08-03", "08-10", "08-17", "08-24", "08-31", "09-01", "09-07"]),
            ("0 6 1,15 * *", &["08-15", "09-01", "09-15"]),
            ("0 6 * * 7", &["08-02", "08-09", "08-16"]),
            ("0 6 * * 0", &["08-02", "08-09", "08-16"]),
            // Every other day, if it is a Monday.
            ("0 6 */2 * 1", &["08-03", "08-17", "08-31", "09-07"]),
            ("0 6 13 * */2", &["08-13", "09-13", "10-13"]),
            ("0 6 30 2 1", &["2027-02-01", "2027-02-08"]),
        ] {
            let cron = Cron::parse(line).unwrap();
            let start: Timestamp = "2026-08-01T12:00:00Z".parse().unwrap();
            let slots: Vec<String> = std::iter::successors(cron.next_after(start), |slot| cron.next_after(*slot))
                .take(expected.len())
                .map(|slot| slot.to_string())
                .collect();
            let days: Vec<String> = expected.iter().map(|day| format!("{day}T06:00:00Z")).collect();
            for (slot, day) in slots.iter().zip(&days) {
                assert!(slot.ends_with(day.as_str()), "{line}: {slots:?}");
            }
        }
    }

    /// A field of a crontab as its manual has it: what it is written as, and which numbers it means.
    fn field(least: i8, most: i8) -> impl Strategy<Value = (String, Vec<i8>)> {
        let item = (least..=most, least..=most, 1..=most).prop_flat_map(move |(one, other, step)| {
            let (from, to) = (one.min(other), one.max(other));
            let stepped =
                move |from: i8, to: i8| (from..=to).step_by(usize::try_from(step).unwrap()).collect::<Vec<_>>();
            prop_oneof![
                Just((one.to_string(), vec![one])),
                Just((format!("{from}-{to}"), (from..=to).collect())),
                Just((format!("{from}-{to}/{step}"), stepped(from, to))),
            ]
        });
        let list = prop::collection::vec(item, 1..4).prop_map(|items| {
            let (texts, numbers): (Vec<String>, Vec<Vec<i8>>) = items.into_iter().unzip();
            (texts.join(","), numbers.concat())
        });
        let every = (1..=most).prop_map(move |step| {
            (format!("*/{step}"), (least..=most).step_by(usize::try_from(step).unwrap()).collect())
        });
        prop_oneof![Just(("*".to_owned(), (least..=most).collect())), every, list]
    }

    proptest! {
        #[test]
        fn a_line_means_what_its_manual_says(
            minute in field(0, 59), hour in field(0, 23), day in field(1, 31), month in field(1, 12), weekday in field(0, 7),
            seconds in any::<bool>(), start in 0..2_000_000_000_i64,
        ) {
            let line = [&minute, &hour, &day, &month, &weekday].map(|(text, _)| text.as_str()).join(" ");
            let line = if seconds { format!("0 {line}") } else { line };
            let is_due = |date: Date| {
                let in_month = day.1.contains(&date.day());
                let number = date.weekday().to_sunday_zero_offset();
                let in_week = weekday.1.iter().any(|other| other % 7 == number);
                let both_needed = day.0.starts_with('*') || weekday.0.starts_with('*');
                month.1.contains(&date.month()) && if both_needed { in_month && in_week } else { in_month || in_week }
            };
            let start = Timestamp::from_second(start).unwrap();
            let first = start.to_zoned(TimeZone::UTC).date();
            let times = (0..24).filter(|at| hour.1.contains(at)).flat_map(|at| {
                (0..60).filter(|at| minute.1.contains(at)).map(move |minute| (at, minute))
            });
            let times: Vec<(i8, i8)> = times.collect();
            let next = (0..800).map(|days| day_after(first, days)).filter(|date| is_due(*date)).find_map(|date| {
                let slots = times.iter().map(|(hour, minute)| date.at(*hour, *minute, 0, 0).to_zoned(TimeZone::UTC));
                slots.map(|slot| slot.unwrap().timestamp()).find(|slot| *slot > start)
            });
            if let Some(next) = next {
                prop_assert_eq!(Cron::parse(&line).unwrap().next_after(start), Some(next), "{}", line);
            }
        }
    }

    #[test]
    fn the_busiest_hour_counts() {
        let busiest = |line| Cron::parse(line).unwrap().most_ticks_an_hour(1_760_000_000);
        assert_eq!(busiest("0 10 * * * *"), 1);
        assert_eq!(busiest("0 */15 * * * *"), 4);
        assert_eq!(busiest("30 0 3 * * MON"), 1);
        assert_eq!(busiest("* * * * * *"), 3600);
    }
}
