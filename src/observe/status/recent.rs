//! The figures of a series' last days, for a small picture of them.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::domain::series::{day_after, days_between};

/// Days that are kept: today and the seven before it.
pub const DAYS: usize = 8;

/// A figure for each hour of the last days, in the bot's own zone. A daily series has its figure at hour 0.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recent {
    /// The first of the [`DAYS`] days.
    pub first: Date,
    /// Users by day and hour; `None` where nothing is known.
    pub users: [[Option<u32>; 24]; DAYS],
}

impl Recent {
    /// Nothing known of the days that end with this one.
    pub fn until(last: Date) -> Recent {
        Recent { first: day_after(last, 1 - DAYS as i64), users: [[None; 24]; DAYS] }
    }

    /// Moves on, so that the days end with this one or a later one. What is older is forgotten.
    pub fn move_to(&mut self, last: Date) {
        let first = day_after(last, 1 - DAYS as i64);
        let days = days_between(self.first, first);
        // A clock that is set back a little loses nothing; one that was years ahead must not hold the place for them.
        if days <= -(DAYS as i64) {
            *self = Recent::until(last);
        }
        let Ok(days @ 1..) = usize::try_from(days) else { return };
        self.first = first;
        for day in 0..DAYS {
            self.users[day] = self.users.get(day + days).copied().unwrap_or([None; 24]);
        }
    }

    /// Remembers a figure, unless its day is too old or yet to come.
    pub fn set(&mut self, day: Date, hour: usize, users: i64) {
        let place = usize::try_from(days_between(self.first, day)).ok();
        let row = place.and_then(|place| self.users.get_mut(place));
        if let Some(figure) = row.and_then(|row| row.get_mut(hour)) {
            *figure = u32::try_from(users).ok();
        }
    }

    /// The days with their figures, oldest first.
    pub fn days(&self) -> impl Iterator<Item = (Date, &[Option<u32>; 24])> {
        (0_i64..).zip(&self.users).map(|(day, users)| (day_after(self.first, day), users))
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn figures_move_with_the_days_and_old_ones_are_forgotten() {
        let mut recent = Recent::until(date(2026, 8, 10));
        recent.set(date(2026, 8, 3), 5, 7);
        recent.set(date(2026, 8, 10), 23, 9);
        recent.set(date(2026, 8, 2), 0, 1);
        recent.set(date(2026, 8, 11), 0, 1);
        recent.set(date(2026, 8, 9), 24, 1);
        let known = |recent: &Recent| -> Vec<(Date, usize, u32)> {
            let days = recent.days();
            days.flat_map(|(day, users)| (0..24).filter_map(|hour| Some((day, hour, users[hour]?))).collect::<Vec<_>>())
                .collect()
        };
        assert_eq!(known(&recent), [(date(2026, 8, 3), 5, 7), (date(2026, 8, 10), 23, 9)]);
        recent.move_to(date(2026, 8, 11));
        assert_eq!(known(&recent), [(date(2026, 8, 10), 23, 9)]);
        recent.move_to(date(2026, 8, 5));
        assert_eq!(known(&recent), [(date(2026, 8, 10), 23, 9)], "a clock that is set back loses nothing");
        recent.move_to(date(2026, 9, 11));
        assert_eq!(known(&recent), []);
        recent.move_to(date(2026, 8, 11));
        recent.set(date(2026, 8, 11), 3, 4);
        assert_eq!(known(&recent), [(date(2026, 8, 11), 3, 4)], "the clock was a month ahead");
    }
}
