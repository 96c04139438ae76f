//! A series, a window of days, a shard of the bots.

use std::fmt;
use std::sync::Arc;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::bot::Bot;
pub use super::interval::Interval;

/// The channel name that stands for "no channel filter": every user once, whichever channels they used.
pub const ALL_CHANNELS: &str = "all";

/// One bot, one channel, one interval: what has a watermark of its own and is fetched in order.
#[derive(Clone, Debug)]
pub struct Series {
    /// The configured bot.
    pub bot: Arc<Bot>,
    /// A channel name as the platform spells it, or [`ALL_CHANNELS`].
    pub channel: Arc<str>,
    /// How long its buckets are.
    pub interval: Interval,
}

impl Bot {
    /// The series of a bot: every channel with every interval.
    pub fn series(self: &Arc<Self>) -> impl Iterator<Item = Series> + '_ {
        self.channels.iter().flat_map(move |channel| {
            self.intervals.iter().map(move |&interval| Series {
                bot: Arc::clone(self),
                channel: Arc::clone(channel),
                interval,
            })
        })
    }

    /// Whether this is a series of the bot.
    pub fn exports(&self, key: &SeriesKey) -> bool {
        (&self.name, &self.id) == (&key.bot, &key.bot_id)
            && self.channels.contains(&key.channel)
            && self.intervals.contains(&key.interval)
    }
}

impl Series {
    /// What identifies this series in the state files.
    pub fn key(&self) -> SeriesKey {
        SeriesKey {
            bot: Arc::clone(&self.bot.name),
            bot_id: Arc::clone(&self.bot.id),
            channel: Arc::clone(&self.channel),
            interval: self.interval,
        }
    }
}

/// The identity of a series across restarts. The platform's bot id is part of it: a name that is given to another bot
/// starts anew.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SeriesKey {
    /// The bot's configured name.
    pub bot: Arc<str>,
    /// The platform's id of the bot.
    pub bot_id: Arc<str>,
    /// The channel, or [`ALL_CHANNELS`].
    pub channel: Arc<str>,
    /// Hourly or daily.
    pub interval: Interval,
}

/// A run of whole days in a bot's own zone, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// The first day asked for.
    pub first: Date,
    /// The last day asked for; never before `first`.
    pub last: Date,
}

impl Window {
    /// The number of days, at least 1.
    pub fn days(self) -> u32 {
        u32::try_from(days_between(self.first, self.last)).unwrap_or(0) + 1
    }

    /// Whether the day lies in the window.
    pub fn contains(self, day: Date) -> bool {
        self.first <= day && day <= self.last
    }

    /// Its days from this one on, if there are any.
    pub fn from(self, day: Date) -> Option<Window> {
        (day <= self.last).then(|| Window { first: self.first.max(day), ..self })
    }

    /// The older and the newer half, or `None` for a single day.
    pub fn halves(self) -> Option<(Window, Window)> {
        self.split_before(day_after(self.first, i64::from(self.days() / 2)))
    }

    /// The days before `day` and the days from it on, or `None` where one of them would be empty.
    pub fn split_before(self, day: Date) -> Option<(Window, Window)> {
        (self.first < day && day <= self.last)
            .then(|| (Window { first: self.first, last: day_after(day, -1) }, Window { first: day, last: self.last }))
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.first == self.last { write!(f, "{}", self.first) } else { write!(f, "{}..{}", self.first, self.last) }
    }
}

/// The day `days` days after `day` (before it, if negative); the end of the calendar where that lies beyond it.
pub fn day_after(day: Date, days: i64) -> Date {
    // Not a duration, which the library lets reach no further than 8,000 years.
    match jiff::Span::new().try_days(days) {
        Ok(span) => day.saturating_add(span),
        Err(_) if days.is_negative() => Date::MIN,
        Err(_) => Date::MAX,
    }
}

/// How many days `to` lies after `from`; negative if it lies before.
pub fn days_between(from: Date, to: Date) -> i64 {
    from.duration_until(to).as_hours() / 24
}

/// One of several processes that divide the configured bots among them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    /// This process's number, from 0 to `count - 1`.
    pub index: u32,
    /// How many processes there are, at least 1.
    pub count: u32,
}

impl Shard {
    /// Whether a bot of this name belongs to this shard.
    pub fn holds(self, bot_name: &str) -> bool {
        shard_of(bot_name, self.count) == self.index
    }
}

/// The number of the shard, out of so many, to which a bot of this name belongs. Each number is hashed with the name, and
/// the highest hash wins (rendezvous hashing): one shard more takes bots from all others, and moves none between those.
fn shard_of(bot_name: &str, count: u32) -> u32 {
    (0..count).max_by_key(|number| stable_hash(&format!("{number}/{bot_name}"))).unwrap_or(0)
}

/// A hash that stays the same across releases, machines and Rust versions: FNV-1a with a final mix, so that names
/// which differ in their last letter spread over few shards as well as over many.
pub fn stable_hash(text: &str) -> u64 {
    let mut hash = text
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    for multiplier in [0xff51_afd7_ed55_8ccd_u64, 0xc4ce_b9fe_1a85_ec53] {
        hash = (hash ^ (hash >> 33)).wrapping_mul(multiplier);
    }
    hash ^ (hash >> 33)
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use proptest::{prop_assert, proptest};

    use super::*;

    #[test]
    fn halves_cover_the_window_without_overlap() {
        for days in 2..40 {
            let window = Window { first: date(2024, 2, 20), last: day_after(date(2024, 2, 20), days - 1) };
            let (older, newer) = window.halves().unwrap();
            assert_eq!(older.first, window.first);
            assert_eq!(day_after(older.last, 1), newer.first);
            assert_eq!(newer.last, window.last);
            assert!(older.days().abs_diff(newer.days()) <= 1, "{older} {newer}");
        }
    }

    #[test]
    fn every_day_of_the_calendar_is_reached_from_every_other() {
        let all = days_between(Date::MIN, Date::MAX);
        assert_eq!((day_after(Date::MIN, all), day_after(Date::MAX, -all)), (Date::MAX, Date::MIN));
        assert_eq!(
            (day_after(date(2026, 8, 6), i64::MAX), day_after(date(2026, 8, 6), i64::MIN)),
            (Date::MAX, Date::MIN)
        );
    }

    #[test]
    fn a_single_day_has_no_halves() {
        let day = date(2024, 2, 29);
        assert_eq!(Window { first: day, last: day }.halves(), None);
    }

    #[test]
    fn shards_are_even_and_complete() {
        for count in [2, 3, 4, 7, 10] {
            let mut sizes = vec![0_u32; count as usize];
            for bot in 0..1000 {
                let name = format!("bot-{bot:04}");
                let owners: Vec<u32> = (0..count).filter(|&index| Shard { index, count }.holds(&name)).collect();
                assert_eq!(owners.len(), 1, "{name}");
                sizes[owners[0] as usize] += 1;
            }
            let fair = 1000 / count;
            assert!(sizes.iter().all(|&size| size.abs_diff(fair) < fair / 3), "{sizes:?}");
        }
    }

    proptest! {
        #[test]
        fn one_shard_more_takes_its_share_and_moves_no_other_bot(first in 0..1_000_000_u32, count in 1..12_u32) {
            let mut moved = 0_u32;
            for name in (first..first + 500).map(|number| format!("bot-{number}")) {
                let (before, after) = (shard_of(&name, count), shard_of(&name, count + 1));
                prop_assert!(after == before || after == count, "{name} moved from {before} to {after} of {count} + 1");
                moved += u32::from(after == count);
            }
            let fair = 500 / (count + 1);
            // Further off than chance gets in a lifetime of tests.
            prop_assert!(moved.abs_diff(fair) < fair / 2 + 30, "{moved} of 500 bots moved to the last of {count} + 1");
        }
    }

    #[test]
    fn the_hash_never_changes() {
        assert_eq!(stable_hash(""), 0xefd0_1f60_ba99_2926);
        assert_eq!(stable_hash("support"), stable_hash("support"));
    }
}
