//! What the database confirmed of the live days of a series, so that a tick writes only what is new or different. Pure.

use std::hash::{DefaultHasher, Hash, Hasher};

use jiff::Timestamp;

use crate::domain::point::Point;

/// The stored buckets of the live days of one series: 16 bytes each.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct LiveBuckets {
    /// The UTC day since which they are remembered.
    day: i64,
    /// Start and fingerprint of the figures of each bucket, by start.
    buckets: Vec<(i64, u64)>,
}

impl LiveBuckets {
    /// The points that are not known to be stored as they are. In the first tick of a UTC day nothing is known, so that
    /// a database that lost something has it again a day later at the latest.
    pub fn news(&mut self, mut points: Vec<Point>, now: Timestamp) -> Vec<Point> {
        let today = now.as_second().div_euclid(86_400);
        if std::mem::replace(&mut self.day, today) != today {
            self.forget();
        }
        points.retain(|point| {
            self.place(point.timestamp).ok().map(|place| self.buckets[place].1) != Some(figures_of(point))
        });
        points
    }

    /// The database confirmed these points; live are those from `live_from` on, in seconds since 1970 UTC.
    pub fn remember(&mut self, points: &[Point], live_from: i64) {
        for point in points {
            match self.place(point.timestamp) {
                Ok(place) => self.buckets[place].1 = figures_of(point),
                Err(place) => self.buckets.insert(place, (point.timestamp, figures_of(point))),
            }
        }
        self.buckets.retain(|(start, _)| *start >= live_from);
        self.buckets.shrink_to_fit();
    }

    /// A write failed or may have failed: nothing is known any more.
    pub fn forget(&mut self) {
        self.buckets = Vec::new();
    }

    fn place(&self, timestamp: i64) -> Result<usize, usize> {
        self.buckets.binary_search_by_key(&timestamp, |(start, _)| *start)
    }
}

fn figures_of(point: &Point) -> u64 {
    let mut hasher = DefaultHasher::new();
    point.figures.fields().for_each(|field| field.hash(&mut hasher));
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::point::Figures;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    fn points(users: &[(i64, i64)]) -> Vec<Point> {
        let point = |(hour, users): &(i64, i64)| Point {
            timestamp: 3600 * hour,
            figures: Figures { users: Some(*users), ..Figures::default() },
        };
        users.iter().map(point).collect()
    }

    #[test]
    fn what_is_stored_is_not_written_again_and_what_differs_is() {
        let mut known = LiveBuckets::default();
        let first = known.news(points(&[(1, 5), (2, 6)]), at(0));
        assert_eq!(first, points(&[(1, 5), (2, 6)]));
        known.remember(&first, 0);
        assert_eq!(known.news(points(&[(1, 5), (2, 7), (3, 8)]), at(60)), points(&[(2, 7), (3, 8)]));
        known.remember(&points(&[(2, 7), (3, 8)]), 0);
        assert_eq!(known.news(points(&[(1, 5), (2, 7), (3, 8)]), at(120)), []);
        assert_eq!(
            known.news(points(&[(1, 5), (2, 6)]), at(120)),
            points(&[(2, 6)]),
            "an earlier figure is another one"
        );
        let figures = Figures { new_users: Some(5), ..Figures::default() };
        let other_field = vec![Point { timestamp: 3600, figures }];
        assert_eq!(known.news(other_field.clone(), at(120)), other_field);
        known.forget();
        assert_eq!(known.news(points(&[(1, 5)]), at(180)), points(&[(1, 5)]));
    }

    #[test]
    fn the_first_tick_of_a_utc_day_writes_everything() {
        let mut known = LiveBuckets::default();
        let midnight = 86_400 - at(0).as_second().rem_euclid(86_400);
        let mut written = |second| {
            let news = known.news(points(&[(1, 5), (2, 6)]), at(second));
            known.remember(&news, 0);
            news.len()
        };
        assert_eq!([midnight - 60, midnight - 30, midnight, midnight + 30, 0].map(&mut written), [2, 0, 2, 0, 2]);
    }

    #[test]
    fn what_is_not_live_takes_no_memory() {
        let mut known = LiveBuckets::default();
        let _same_day = known.news(Vec::new(), at(0));
        let many: Vec<(i64, i64)> = (0..2000).map(|hour| (hour, hour)).collect();
        known.remember(&points(&many), 3600 * 1925);
        assert!(std::mem::size_of::<LiveBuckets>() + known.buckets.capacity() * 16 <= 2048, "three days by the hour");
        assert_eq!(known.news(points(&many[1925..]), at(1)), []);
        assert_eq!(known.news(points(&many[..1925]), at(2)).len(), 1925);
        known.remember(&points(&many), 0);
        assert_eq!(known.news(points(&many), at(3)), [], "all of what is live, however much that is");
    }

    proptest! {
        /// Whatever fails and whenever: a database that is written what is news holds what was fetched last.
        #[test]
        fn what_is_news_is_enough(
            ticks in prop::collection::vec((prop::collection::vec((0..8_i64, 0..4_i64), 0..8), 0..3_u8, 0..90_000_i64), 1..20),
        ) {
            let mut known = LiveBuckets::default();
            let mut database = std::collections::BTreeMap::new();
            let mut now = 0;
            for (figures, fails, later) in ticks {
                now += later;
                let fetched: std::collections::BTreeMap<i64, i64> = figures.into_iter().collect();
                let fetched: Vec<(i64, i64)> = fetched.into_iter().collect();
                let news = known.news(points(&fetched), at(now));
                // Some of a write that fails may be stored, or all of it.
                let arrive = if fails == 1 { news.len() / 2 } else { news.len() };
                database.extend(news[..arrive].iter().map(|point| (point.timestamp, *point)));
                if fails == 0 {
                    known.remember(&news, 0);
                    for point in points(&fetched) {
                        prop_assert_eq!(database.get(&point.timestamp), Some(&point));
                    }
                } else {
                    known.forget();
                }
            }
        }
    }
}
