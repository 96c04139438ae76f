//! The model behind the simulated figures: pure, cheap, and the same in every run.
//!
//! A bot has an hourly figure for everyone, made of a rhythm of the day, a rhythm of the week, slow growth and a little
//! noise. A channel has a share of it. A day has fewer users than its hours together, for people come back. So "all" is
//! never below a channel, and a day never below its busiest hour.

use jiff::Timestamp;
use jiff::civil::{Date, Weekday, date};

use crate::domain::calendar::Span;
use crate::domain::series::{ALL_CHANNELS, days_between, stable_hash};

/// The first day the platform remembers, which is also the day from which use grows.
pub const FIRST_DAY: Date = date(2015, 1, 1);

/// The final unique users of one local hour (0 to 23); `None` is a hole, a bucket that is never sent. The model knows
/// no retention: the platform says zero for what lies before [`FIRST_DAY`].
pub fn hourly(bot_id: &str, channel: &str, date: Date, hour: i8, holes: bool) -> Option<i64> {
    let hole = holes && hour_is_hole(bot_id, channel, date, hour);
    (!hole).then(|| in_channel(bot_id, channel, date, hour, share(bot_id, channel)))
}

/// The final unique users of one local day; `None` is a hole, a bucket that is never sent.
pub fn daily(bot_id: &str, channel: &str, date: Date, holes: bool) -> Option<i64> {
    let hole = holes && day_is_hole(bot_id, channel, date);
    (!hole).then(|| of_day(bot_id, date, &hours(bot_id, channel, date)))
}

/// Whether the figure of an hour is never sent: about one in 60.
pub fn hour_is_hole(bot_id: &str, channel: &str, date: Date, hour: i8) -> bool {
    draw("hourly hole", bot_id, channel, date, hour) < 1.0 / 60.0
}

/// Whether the figure of a day is never sent: about one in 120.
pub fn day_is_hole(bot_id: &str, channel: &str, date: Date) -> bool {
    draw("daily hole", bot_id, channel, date, 0) < 1.0 / 120.0
}

/// How many of a bucket's users the bot never saw before.
pub fn new_of(bot_id: &str, date: Date, users: i64) -> i64 {
    scale(users, between(0.18, 0.34, draw("new", bot_id, "", date, 0)))
}

/// What has arrived at `now` of a bucket that covers `span` and ends up with `users`: 94 % when it ends, so that the last
/// hours do not look like an incident, and all of it 24 hours later. Changes once a minute and never shrinks.
pub fn so_far(users: i64, span: Span, now: Timestamp) -> i64 {
    let minute = |at: Timestamp| at.as_second().div_euclid(60);
    let (start, end, now) = (minute(span.start), minute(span.end), minute(now));
    if now < end {
        users * 94 * (now - start).max(0) / (100 * (end - start).max(1))
    } else {
        // Rounded: of one user there is one, and not none for a day.
        let whole = 100 * MINUTES_TO_SETTLE;
        (users * (94 * MINUTES_TO_SETTLE + 6 * (now - end).min(MINUTES_TO_SETTLE)) + whole / 2) / whole
    }
}

/// The users of a day whose hours have these: never below the busiest hour, never above the sum.
pub fn of_day(bot_id: &str, date: Date, hours: &[i64; 24]) -> i64 {
    let once = between(0.52, 0.62, draw("once", bot_id, "", date, 0));
    let busiest = hours.iter().copied().max().unwrap_or(0);
    scale(hours.iter().sum(), once).max(busiest)
}

/// The final users of all hours of one day, without holes.
pub fn hours(bot_id: &str, channel: &str, date: Date) -> [i64; 24] {
    let share = share(bot_id, channel);
    let mut hours = [0; 24];
    for (hour, users) in (0_i8..).zip(hours.iter_mut()) {
        *users = in_channel(bot_id, channel, date, hour, share);
    }
    hours
}

const MINUTES_TO_SETTLE: i64 = 24 * 60;

/// How busy each hour is, against the busiest: a quiet night, a peak before noon and one in the early evening.
const RHYTHM: [f64; 24] = [
    0.06, 0.04, 0.03, 0.03, 0.04, 0.07, 0.16, 0.34, 0.58, 0.80, 0.95, 1.00, // before noon
    0.86, 0.76, 0.74, 0.78, 0.84, 0.92, 0.97, 0.88, 0.62, 0.40, 0.22, 0.11,
];

fn in_channel(bot_id: &str, channel: &str, date: Date, hour: i8, share: f64) -> i64 {
    let everyone = everyone(bot_id, date, hour);
    if channel == ALL_CHANNELS {
        return everyone;
    }
    let noise = between(0.92, 1.08, draw("channel", bot_id, channel, date, hour));
    scale(everyone, share * noise)
}

fn everyone(bot_id: &str, date: Date, hour: i8) -> i64 {
    let size = between(14.0, 45.0, fraction(stable_hash(bot_id)));
    let noise = between(0.88, 1.12, draw("everyone", bot_id, "", date, hour));
    let rhythm = usize::try_from(hour).ok().and_then(|hour| RHYTHM.get(hour)).copied().unwrap_or(0.0);
    (size * growth(date) * week(date.weekday()) * rhythm * noise).round() as i64
}

/// Every 500 days bring as many users as there were at first.
fn growth(date: Date) -> f64 {
    let days = i32::try_from(days_between(FIRST_DAY, date)).unwrap_or(0);
    (1.0 + f64::from(days) / 500.0).max(0.1)
}

fn week(weekday: Weekday) -> f64 {
    match weekday {
        Weekday::Monday => 1.0,
        Weekday::Tuesday => 1.05,
        Weekday::Wednesday => 1.02,
        Weekday::Thursday => 0.98,
        Weekday::Friday => 0.88,
        Weekday::Saturday => 0.46,
        Weekday::Sunday => 0.36,
    }
}

/// A channel's part of everyone. The parts of three channels add up to more than one: some people use two.
fn share(bot_id: &str, channel: &str) -> f64 {
    between(0.40, 0.68, fraction(stable_hash(&format!("share {bot_id} {channel}"))))
}

/// A part of `users`, rounded up, never more than all of them.
fn scale(users: i64, part: f64) -> i64 {
    ((users as f64 * part).ceil() as i64).min(users)
}

/// A number from 0 to 1 that depends on nothing but what is named.
fn draw(purpose: &str, bot_id: &str, channel: &str, date: Date, hour: i8) -> f64 {
    let day = days_between(FIRST_DAY, date);
    fraction(stable_hash(&format!("{purpose} {bot_id} {channel} {day} {hour}")))
}

fn fraction(hash: u64) -> f64 {
    f64::from(u32::try_from(hash >> 32).unwrap_or(0)) / f64::from(u32::MAX)
}

fn between(low: f64, high: f64, fraction: f64) -> f64 {
    low + (high - low) * fraction
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;
    use crate::domain::series::day_after;

    const BOT: &str = "st-1";
    const CHANNELS: [&str; 3] = ["rtm", "msteams", "ivr"];

    fn days(count: i64) -> impl Iterator<Item = Date> {
        (0..count).map(|days| day_after(date(2026, 1, 5), days))
    }

    fn sum(channel: &str, date: Date) -> i64 {
        hours(BOT, channel, date).iter().sum()
    }

    #[test]
    fn nights_are_quiet_and_the_day_has_two_peaks() {
        for day in days(28) {
            let hours = hours(BOT, ALL_CHANNELS, day);
            assert!(hours[..5].iter().all(|users| users * 5 < hours[11]), "{day} {hours:?}");
            assert!(hours[11] > hours[13] && hours[18] > hours[14] && hours[18] > hours[21], "{day} {hours:?}");
        }
    }

    #[test]
    fn weekends_are_quieter_than_every_day_of_their_week() {
        for monday in days(28).step_by(7) {
            let week: Vec<i64> = (0..7).map(|days| sum(ALL_CHANNELS, day_after(monday, days))).collect();
            let quietest = week[..5].iter().min().unwrap();
            assert!(week[5..].iter().all(|weekend| weekend < quietest), "{week:?}");
        }
    }

    #[test]
    fn use_grows_over_months() {
        let month = |from: Date| (0..28).map(|days| sum(ALL_CHANNELS, day_after(from, days))).sum::<i64>();
        assert!(month(date(2026, 7, 6)) > month(date(2026, 1, 5)));
        assert!(month(date(2026, 7, 6)) < 2 * month(date(2026, 1, 5)));
    }

    #[test]
    fn a_day_lies_between_its_busiest_hour_and_their_sum() {
        for day in days(400) {
            for channel in [ALL_CHANNELS, "rtm", "ivr"] {
                let hours = hours(BOT, channel, day);
                let users = daily(BOT, channel, day, false).unwrap();
                assert!(users >= *hours.iter().max().unwrap() && users <= hours.iter().sum(), "{day} {channel}");
            }
        }
    }

    #[test]
    fn all_lies_between_the_largest_channel_and_the_sum_of_three() {
        let check = |all: i64, channels: [i64; 3], at: String| {
            assert!(all >= *channels.iter().max().unwrap() && all <= channels.iter().sum(), "{at}: {all} {channels:?}");
        };
        for day in days(400) {
            let users = |channel| daily(BOT, channel, day, false).unwrap();
            check(users(ALL_CHANNELS), CHANNELS.map(users), day.to_string());
            for hour in 0..24 {
                let users = |channel| hourly(BOT, channel, day, hour, false).unwrap();
                check(users(ALL_CHANNELS), CHANNELS.map(users), format!("{day} {hour}"));
            }
        }
    }

    #[test]
    fn holes_are_about_one_hour_in_sixty_and_rarely_a_day() {
        let (mut hourly_holes, mut daily_holes) = (0, 0);
        for day in days(1200) {
            hourly_holes += (0..24).filter(|&hour| hourly(BOT, "rtm", day, hour, true).is_none()).count();
            daily_holes += usize::from(daily(BOT, "rtm", day, true).is_none());
        }
        assert!((380..=580).contains(&hourly_holes), "{hourly_holes} of 28,800");
        assert!((1..=25).contains(&daily_holes), "{daily_holes} of 1,200");
    }

    #[test]
    fn what_is_no_hole_is_the_same_figure_with_and_without_holes() {
        for day in days(60) {
            for hour in 0..24 {
                let sent = hourly(BOT, "rtm", day, hour, true);
                assert!(sent.is_none() || sent == hourly(BOT, "rtm", day, hour, false), "{day} {hour}");
            }
        }
    }

    #[test]
    fn every_year_has_figures() {
        for year in 1970..=2100 {
            let day = date(year, 6, 15);
            let users = daily(BOT, ALL_CHANNELS, day, false).unwrap();
            assert!((1..1_000_000).contains(&users), "{day}: {users}");
        }
    }

    #[test]
    fn new_and_returning_users_are_all_users() {
        for users in [0, 1, 2, 7, 1000] {
            let new = new_of(BOT, date(2026, 8, 6), users);
            assert!((0..=users).contains(&new), "{new} of {users}");
        }
    }

    #[test]
    fn revisions_grow_to_the_final_figure_within_a_day() {
        let start: Timestamp = "2026-08-06T11:00:00Z".parse().unwrap();
        let after = |minutes| start.checked_add(SignedDuration::from_mins(minutes)).unwrap();
        let span = Span { start, end: after(60) };
        let mut before = 0;
        for minutes in 0..60 + MINUTES_TO_SETTLE + 10 {
            let users = so_far(1000, span, after(minutes));
            assert!((before..=1000).contains(&users), "{minutes}: {users} after {before}");
            before = users;
        }
        assert_eq!(so_far(1000, span, start), 0);
        assert_eq!(so_far(1000, span, after(60)), 940);
        assert_eq!(so_far(1, span, after(60)), 1);
        assert!(so_far(1000, span, after(60 + MINUTES_TO_SETTLE - 60)) < 1000);
        assert_eq!(so_far(1000, span, after(60 + MINUTES_TO_SETTLE)), 1000);
        assert_eq!(so_far(1000, span, after(100_000)), 1000);
    }

    #[test]
    fn the_model_never_changes() {
        let day = date(2026, 8, 6);
        let figures = (hourly(BOT, "all", day, 11, false), hourly(BOT, "rtm", day, 11, false));
        assert_eq!((figures, daily(BOT, "all", day, false)), ((Some(205), Some(91)), Some(1401)));
    }
}
