//! What each panel must show, by its title, worked out from the figures that the platform held.

use std::collections::BTreeMap;

use jiff::civil::Date;
use jiff::{Timestamp, ToSpan};

use super::held::{Point, within};
use super::shown::{Shown, curves, freshness, lines, matrix, millionths, only, pairs, single, sums};
use crate::support::grafana::expand::Chosen;
use crate::support::grafana::frame::Frame;
use crate::support::grafana::moment;

/// Panics unless the panel shows what it must; whether that was anything. The curves' step is so many minutes.
#[track_caller]
pub(super) fn check(title: &str, shown: &[Frame], points: &[Point], chosen: &Chosen, step: i64) -> bool {
    let figures = Figures { points, chosen, from: chosen.from.as_second(), to: chosen.to.as_second() };
    let (shown, expected) = match title {
        "Users by hour, today so far" => (sums(shown), figures.today()),
        "Today against a week earlier" => (pairs(shown), figures.compared()),
        "Last hour" => (single(shown), figures.last_hour()),
        "Peak hour today" => (single(shown), figures.peak(shown)),
        "Freshness" => (freshness(shown), figures.freshness(shown)),
        "Users per hour by bot" => (curves(shown, step), figures.curves(step, |point| point.bot, i64::max)),
        "Users per hour by channel" => (curves(shown, step), figures.curves(step, |point| point.channel, |a, b| a + b)),
        "Daily unique users" => (matrix(shown), figures.days_of_bots()),
        "Hours of the day, day by day" => (matrix(shown), figures.hours_of_days()),
        "Weekdays" => (lines(shown, "Time", &["users (mean) (sum)"]), figures.weekdays()),
        "Share of each channel" => (lines(shown, "channel", &["users"]), figures.shares()),
        "Users per day by channel" => (lines(shown, "channel", &["on average", "busiest day"]), figures.channels()),
        "Bots" => (lines(shown, "bot", &["today", "a week earlier", "compared", "newest hour"]), figures.bots()),
        "Today against last week" => (lines(shown, "bot", &["compared"]), only(figures.bots(), "compared")),
        "Hours since the newest figure" => (lines(shown, "bot", &["age"]), figures.ages()),
        other => panic!("nobody checks the panel {other:?}"),
    };
    let missing: Vec<_> = expected.iter().filter(|(key, value)| shown.get(*key) != Some(value)).take(4).collect();
    let surplus: Vec<_> = shown.iter().filter(|(key, value)| expected.get(*key) != Some(value)).take(4).collect();
    assert!(missing.is_empty() && surplus.is_empty(), "{title}: {chosen:?}\nmissing {missing:#?}\nshown {surplus:#?}");
    !expected.is_empty()
}

fn mean(users: &[i64]) -> f64 {
    users.iter().sum::<i64>() as f64 / users.len() as f64
}

/// What the platform held of what the reader has chosen.
struct Figures<'a> {
    points: &'a [Point],
    chosen: &'a Chosen,
    from: i64,
    to: i64,
}

impl Figures<'_> {
    /// The users of each hour: of a bot's channels the busiest, bots added up.
    fn hours(&self, from: i64, to: i64) -> BTreeMap<i64, i64> {
        let mut by_bot: BTreeMap<(i64, &str), i64> = BTreeMap::new();
        for point in within(self.points, self.chosen, false, from, to) {
            let most = by_bot.entry((point.at, point.bot)).or_default();
            *most = point.users.max(*most);
        }
        let mut hours = BTreeMap::new();
        for ((hour, _), users) in by_bot {
            *hours.entry(hour).or_default() += users;
        }
        hours
    }

    /// The same by the hours of the reader's clock.
    fn by_clock(&self, hours: &BTreeMap<i64, i64>) -> BTreeMap<(Date, String), i64> {
        let mut clock = BTreeMap::new();
        for (hour, users) in hours {
            let at = Timestamp::from_second(*hour).unwrap().to_zoned(self.chosen.rules());
            *clock.entry((at.date(), at.strftime("%H:00").to_string())).or_default() += users;
        }
        clock
    }

    fn compared(&self) -> Shown {
        let today = self.by_clock(&self.hours(self.from, self.to));
        let earlier = self.by_clock(&self.hours(self.from - 169 * 3600, self.to - 167 * 3600));
        let mut shown = Shown::new();
        for ((date, time), users) in today {
            if let Some(before) = earlier.get(&(date.checked_sub(7.days()).unwrap(), time.clone())) {
                let label = format!("{} {time}", date.strftime("%a"));
                shown.insert((label.clone(), "today".to_owned()), users * 1_000_000);
                shown.insert((label, "a week earlier".to_owned()), before * 1_000_000);
            }
        }
        shown
    }

    fn today(&self) -> Shown {
        let pairs = self.compared();
        let sum = |column: &str| {
            pairs.iter().filter(|((_, name), _)| name == column).map(|(_, users)| users / 1_000_000).sum::<i64>()
        };
        let (today, earlier) = (sum("today"), sum("a week earlier"));
        if pairs.is_empty() {
            return Shown::new();
        }
        let mut shown = vec![("today", today * 1_000_000), ("a week earlier", earlier * 1_000_000)];
        // Of nobody there is no part.
        shown.extend((earlier > 0).then(|| ("compared", millionths(today as f64 / earlier as f64))));
        shown.into_iter().map(|(name, value)| ((name.to_owned(), String::new()), value)).collect()
    }

    /// The hours of the reader's clock in their order, as they are called.
    fn clock_hours(&self) -> Vec<(String, i64)> {
        let hours = self.by_clock(&self.hours(self.from, self.to)).into_iter();
        hours
            .map(|((date, time), users)| (format!("{}, {time}", date.strftime("%a %-d %b")), users * 1_000_000))
            .collect()
    }

    fn last_hour(&self) -> Shown {
        let last = self.clock_hours().pop();
        last.map(|(hour, users)| ((hour, String::new()), users)).into_iter().collect()
    }

    /// Of hours that are equally busy any may be shown.
    fn peak(&self, shown: &[Frame]) -> Shown {
        let hours = self.clock_hours();
        let Some((_, most)) = hours.iter().max_by_key(|(_, users)| *users) else { return Shown::new() };
        let shown = shown[0].column("Time")[0].words().to_owned();
        assert!(hours.contains(&(shown.clone(), *most)), "{shown}");
        [((shown, String::new()), *most)].into()
    }

    fn newest(&self) -> BTreeMap<&str, i64> {
        within(self.points, self.chosen, false, self.to - 30 * 86_400, self.to).fold(
            BTreeMap::new(),
            |mut all, point| {
                let newest = all.entry(point.bot).or_insert(point.at);
                *newest = point.at.max(*newest);
                all
            },
        )
    }

    /// In hours, by bot.
    fn ages(&self) -> Shown {
        let age = |newest: i64| millionths((self.to - newest) as f64 / 3600.0);
        let newest = self.newest().into_iter();
        newest.map(|(bot, newest)| ((bot.to_owned(), "age".to_owned()), age(newest))).collect()
    }

    /// Of bots that are equally late any may be shown.
    fn freshness(&self, shown: &[Frame]) -> Shown {
        let mut ages = self.ages();
        let Some(oldest) = ages.values().max().copied() else { return Shown::new() };
        let bot = shown[0].column("bot")[0].words();
        ages.retain(|(name, _), age| name == bot && *age == oldest);
        assert_eq!(ages.len(), 1, "{bot} is not the oldest");
        ages
    }

    /// The busiest hour of each bot in each of its channels in each step, combined by name.
    fn curves(&self, step: i64, name: impl Fn(&Point) -> &str, combine: impl Fn(i64, i64) -> i64) -> Shown {
        let mut busiest: BTreeMap<(&str, &str, &str, i64), i64> = BTreeMap::new();
        for point in within(self.points, self.chosen, false, self.from, self.to) {
            let key = (name(point), point.bot, point.channel, point.at.div_euclid(60 * step) * 60 * step);
            let most = busiest.entry(key).or_default();
            *most = point.users.max(*most);
        }
        let mut shown = Shown::new();
        for ((name, _, _, time), users) in busiest {
            let users = users * 1_000_000;
            let key = (name.to_owned(), time.to_string());
            shown.entry(key).and_modify(|sum| *sum = combine(*sum, users)).or_insert(users);
        }
        shown
    }

    /// The busiest channel's users of each bot on each of its own days.
    fn days(&self) -> BTreeMap<(Date, &str), i64> {
        let mut days = BTreeMap::new();
        for point in within(self.points, self.chosen, true, self.from, self.to) {
            let most: &mut i64 = days.entry((point.date, point.bot)).or_default();
            *most = point.users.max(*most);
        }
        days
    }

    fn days_of_bots(&self) -> Shown {
        let label = |date: Date| date.strftime("%a %-d %b").to_string();
        let days = self.days().into_iter();
        days.map(|((date, bot), users)| ((label(date), bot.to_owned()), users * 1_000_000)).collect()
    }

    fn hours_of_days(&self) -> Shown {
        let mut shown = Shown::new();
        for (hour, users) in self.hours(self.from.max(self.to - 30 * 86_400), self.to) {
            let label = |format| moment::format(Timestamp::from_second(hour).unwrap(), self.chosen.zone, format);
            *shown.entry((label("YYYY-MM-DD"), label("HH[:00]"))).or_default() += users * 1_000_000;
        }
        shown
    }

    fn weekdays(&self) -> Shown {
        let mut weekdays: BTreeMap<(String, &str), Vec<i64>> = BTreeMap::new();
        for ((date, bot), users) in self.days() {
            weekdays.entry((date.strftime("%a").to_string(), bot)).or_default().push(users);
        }
        let mut shown: BTreeMap<String, f64> = BTreeMap::new();
        for ((day, _), users) in weekdays {
            *shown.entry(day).or_default() += mean(&users);
        }
        let named = |(day, users)| ((day, "users (mean) (sum)".to_owned()), millionths(users));
        shown.into_iter().map(named).collect()
    }

    fn shares(&self) -> Shown {
        let mut shown = Shown::new();
        for point in within(self.points, self.chosen, false, self.from, self.to).filter(|point| point.channel != "all")
        {
            *shown.entry((point.channel.to_owned(), "users".to_owned())).or_default() += point.users * 1_000_000;
        }
        shown
    }

    fn channels(&self) -> Shown {
        let mut totals: BTreeMap<&str, BTreeMap<Date, i64>> = BTreeMap::new();
        let mut of_bots: BTreeMap<&str, BTreeMap<&str, Vec<i64>>> = BTreeMap::new();
        for point in within(self.points, self.chosen, true, self.from, self.to) {
            *totals.entry(point.channel).or_default().entry(point.date).or_default() += point.users;
            of_bots.entry(point.channel).or_default().entry(point.bot).or_default().push(point.users);
        }
        let mut shown = Shown::new();
        for (channel, days) in totals {
            let average = of_bots[channel].values().map(|users| mean(users)).sum();
            shown.insert((channel.to_owned(), "on average".to_owned()), millionths(average));
            let most = days.values().max().unwrap() * 1_000_000;
            shown.insert((channel.to_owned(), "busiest day".to_owned()), most);
        }
        shown
    }

    fn bots(&self) -> Shown {
        let mut shown = Shown::new();
        let week = 7 * 86_400;
        // Today's hours are known 70 minutes after they began: of last week no others count.
        for (column, from, to) in
            [("today", self.from, self.to), ("a week earlier", self.from - week, self.to - week - 70 * 60)]
        {
            let mut hours: BTreeMap<(&str, i64), i64> = BTreeMap::new();
            for point in within(self.points, self.chosen, false, from, to) {
                let most = hours.entry((point.bot, point.at)).or_default();
                *most = point.users.max(*most);
            }
            for ((bot, _), users) in hours {
                *shown.entry((bot.to_owned(), column.to_owned())).or_default() += users * 1_000_000;
            }
        }
        for (bot, newest) in self.newest() {
            let of = |column: &str| shown.get(&(bot.to_owned(), column.to_owned())).copied();
            if let (Some(today), Some(earlier @ 1..)) = (of("today"), of("a week earlier")) {
                let compared = millionths(today as f64 / earlier as f64);
                shown.insert((bot.to_owned(), "compared".to_owned()), compared);
            }
            shown.insert((bot.to_owned(), "newest hour".to_owned()), newest);
        }
        shown
    }
}
