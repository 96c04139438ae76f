//! What is owed: from what was confirmed to the days to ask for. Pure; takes `today`.

use jiff::civil::Date;

use crate::domain::series::{Window, day_after, days_between};

/// How far one series has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// The first day that was ever owed. Set once, so that days of a first run that failed are not forgotten.
    pub since: Date,
    /// The watermark: the last day that is complete and confirmed, all days from `since` on included.
    pub through: Option<Date>,
    /// Whether a request for live and owed days together failed in a way that may lie with a single day: from then on
    /// the live days are asked for apart, until all is well again.
    pub apart: bool,
}

/// What a tick asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reach {
    /// Days before today that every tick asks for again.
    pub refresh_days: u32,
    /// Days before today that the first tick asks for.
    pub initial_days: u32,
    /// The longest window, in days, at least 1.
    pub max_days: u32,
}

/// The windows of one tick, in the order in which they are fetched, and the progress they start from.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// The live days first, then what is owed, oldest first.
    pub windows: Vec<Window>,
    /// The first of the live days.
    pub live_from: Date,
    /// What the series starts this tick with.
    pub progress: Progress,
}

/// For so many days the platform keeps its figures, however it is set up: its retention is a month or more.
const SURELY_KEPT: i64 = 28;

/// Plans one tick of one series on the day `today` of its bot's zone.
///
/// A watermark that is not in the past was written under another clock or in another time zone: the series goes back to
/// the initial days, and asks for those before them that are refreshed anyway. It goes no further, for days beyond the
/// platform's retention may come back as zeros.
pub fn tick(known: Option<Progress>, today: Date, reach: Reach) -> Plan {
    let initial = day_after(today, -i64::from(reach.initial_days));
    let mut progress = known.unwrap_or(Progress { since: initial, through: None, apart: false });
    if progress.since > today {
        progress.since = initial;
    }
    if progress.through >= Some(today) {
        progress.through = Some(day_after(initial, -1)).filter(|through| *through >= progress.since);
    }

    let refreshed_from = |day: Date| day_after(day, -i64::from(reach.refresh_days)).max(progress.since);
    let live_from = refreshed_from(today);
    // After an outage the days before the watermark as well, which the ticks that were missed would have asked for again;
    // but none that may be forgotten by now, whose good figures zeros would replace.
    let missed = refreshed_from(progress.next()).max(day_after(today, -SURELY_KEPT));
    let owed = progress.next().min(live_from);
    let first = missed.min(owed);
    let all = Window { first, last: today };
    let windows = if all.days() <= reach.max_days && !progress.apart {
        vec![all]
    } else {
        let mut live = chunks(Window { first: live_from, last: today }, reach.max_days);
        live.reverse();
        // The missed days last: where one of them fails, nothing is owed any more.
        let behind = all.split_before(live_from).map(|(behind, _)| match behind.split_before(owed) {
            Some((missed, owed)) => vec![owed, missed],
            None => vec![behind],
        });
        live.into_iter().chain(behind.into_iter().flatten().flat_map(|part| chunks(part, reach.max_days))).collect()
    };
    Plan { windows, live_from, progress }
}

/// Divides a window into pieces of at most `max_days` days, oldest first.
pub fn chunks(window: Window, max_days: u32) -> Vec<Window> {
    let step = i64::from(max_days.max(1));
    let count = (days_between(window.first, window.last) + step) / step;
    let piece = |number: i64| {
        let first = day_after(window.first, number * step);
        Window { first, last: day_after(first, step - 1).min(window.last) }
    };
    (0..count).map(piece).collect()
}

impl Progress {
    /// The first day that is not confirmed.
    pub fn next(&self) -> Date {
        self.through.map_or(self.since, |through| day_after(through, 1))
    }

    /// Moves the watermark over confirmed, complete windows: only forward, and only over a window that touches it.
    pub fn advance(&mut self, confirmed: &[Window]) {
        while let Some(window) =
            confirmed.iter().find(|window| window.first <= self.next() && self.next() <= window.last)
        {
            self.through = Some(window.last);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use jiff::civil::date;
    use proptest::prelude::*;

    use super::*;

    const REACH: Reach = Reach { refresh_days: 2, initial_days: 7, max_days: 31 };
    const TODAY: Date = date(2026, 8, 20);

    fn through(day: Date) -> Option<Progress> {
        Some(Progress { since: date(2026, 1, 1), through: Some(day), apart: false })
    }

    fn check(known: Option<Progress>, reach: Reach, expected: &[&str]) {
        let windows: Vec<String> = tick(known, TODAY, reach).windows.iter().map(ToString::to_string).collect();
        assert_eq!(windows, expected, "{known:?}");
    }

    #[test]
    fn the_first_tick_asks_for_the_initial_days() {
        check(None, REACH, &["2026-08-13..2026-08-20"]);
        check(None, Reach { initial_days: 0, ..REACH }, &["2026-08-20"]);
    }

    #[test]
    fn a_steady_tick_is_one_request() {
        check(through(date(2026, 8, 19)), REACH, &["2026-08-18..2026-08-20"]);
        check(through(date(2026, 8, 19)), Reach { refresh_days: 0, ..REACH }, &["2026-08-20"]);
    }

    #[test]
    fn an_outage_is_a_longer_request_while_one_can_cover_it() {
        check(through(date(2026, 8, 1)), REACH, &["2026-07-31..2026-08-20"]);
    }

    #[test]
    fn a_long_outage_comes_after_the_live_days_and_oldest_first() {
        check(
            through(date(2026, 6, 30)),
            REACH,
            &["2026-08-18..2026-08-20", "2026-07-01..2026-07-31", "2026-08-01..2026-08-17"],
        );
    }

    #[test]
    fn live_days_are_asked_for_apart_from_a_day_that_keeps_failing() {
        let progress = Progress { apart: true, ..through(date(2026, 8, 10)).unwrap() };
        check(Some(progress), REACH, &["2026-08-18..2026-08-20", "2026-08-11..2026-08-17", "2026-08-09..2026-08-10"]);
        let caught_up = Progress { through: Some(date(2026, 8, 19)), ..progress };
        check(Some(caught_up), REACH, &["2026-08-18..2026-08-20"]);
    }

    #[test]
    fn a_series_that_began_today_owes_no_earlier_day() {
        let progress = Progress { since: TODAY, through: None, apart: false };
        check(Some(progress), REACH, &["2026-08-20"]);
        let to_come = Progress { since: date(2026, 8, 21), ..progress };
        check(Some(to_come), REACH, &["2026-08-13..2026-08-20"]);
    }

    #[test]
    fn late_revisions_that_came_during_an_outage_are_asked_for() {
        check(through(date(2026, 8, 18)), REACH, &["2026-08-17..2026-08-20"]);
        check(through(date(2026, 8, 15)), REACH, &["2026-08-14..2026-08-20"]);
        let young = Progress { since: date(2026, 8, 15), through: Some(date(2026, 8, 15)), apart: false };
        check(Some(young), REACH, &["2026-08-15..2026-08-20"]);
    }

    #[test]
    fn confirmed_days_that_the_platform_may_have_forgotten_are_not_asked_for_again() {
        check(through(date(2026, 7, 24)), REACH, &["2026-07-23..2026-08-20"]);
        check(through(date(2026, 7, 23)), REACH, &["2026-07-23..2026-08-20"]);
        check(through(date(2026, 7, 22)), REACH, &["2026-07-23..2026-08-20"]);
        check(through(date(2026, 7, 21)), REACH, &["2026-07-22..2026-08-20"]);
    }

    #[test]
    fn no_window_is_longer_than_allowed() {
        check(
            None,
            Reach { max_days: 1, initial_days: 3, refresh_days: 1 },
            &["2026-08-20", "2026-08-19", "2026-08-17", "2026-08-18"],
        );
    }

    #[test]
    fn a_watermark_from_the_future_goes_back_to_the_initial_days() {
        check(through(TODAY), REACH, &["2026-08-11..2026-08-20"]);
        check(through(date(2030, 1, 1)), REACH, &["2026-08-11..2026-08-20"]);
        let young = Progress { since: date(2026, 8, 19), through: Some(TODAY), apart: false };
        check(Some(young), REACH, &["2026-08-19..2026-08-20"]);
        let pinned_ahead = Progress { since: date(2030, 1, 1), through: None, apart: false };
        check(Some(pinned_ahead), REACH, &["2026-08-13..2026-08-20"]);
    }

    #[test]
    fn a_watermark_moves_only_over_windows_that_touch_it() {
        let window = |first, last| Window { first: date(2026, 8, first), last: date(2026, 8, last) };
        let mut progress = Progress { since: date(2026, 8, 5), through: None, apart: false };
        progress.advance(&[window(10, 12)]);
        assert_eq!(progress.through, None);
        progress.advance(&[window(10, 12), window(5, 7)]);
        assert_eq!(progress.through, Some(date(2026, 8, 7)));
        progress.advance(&[window(10, 12), window(1, 9)]);
        assert_eq!(progress.through, Some(date(2026, 8, 12)));
    }

    /// One tick in the life of a series: when it happens, and which of its windows fail.
    #[derive(Clone, Debug)]
    struct Tick {
        days_later: i64,
        clock_off: i64,
        fails: u8,
        remembered: bool,
    }

    fn life() -> impl Strategy<Value = Vec<Tick>> {
        let clock = prop_oneof![8 => Just(0_i64), 1 => -40..0_i64, 1 => 0..900_i64];
        let tick = (0..12_i64, clock, any::<u8>(), prop::bool::weighted(0.9))
            .prop_map(|(days_later, clock_off, fails, remembered)| Tick { days_later, clock_off, fails, remembered });
        prop::collection::vec(tick, 1..25)
    }

    proptest! {
        /// Whatever fails, is forgotten or goes wrong with the clock: once all is well, every day that was ever owed
        /// has been written, and the tick after that is one request.
        #[test]
        fn in_the_end_every_owed_day_is_written(
            life in life(),
            refresh_days in 0..4_u32,
            initial_days in 0..10_u32,
            max_days in 1..40_u32,
        ) {
            let reach = Reach { refresh_days, initial_days, max_days };
            let start = date(2026, 1, 1);
            let mut now = start;
            let mut known: Option<Progress> = None;
            let mut written: BTreeSet<Date> = BTreeSet::new();
            let well = Tick { days_later: 1, clock_off: 0, fails: 0, remembered: true };
            for tick_now in life.iter().chain([&well, &well]) {
                now = day_after(now, tick_now.days_later);
                let today = day_after(now, tick_now.clock_off);
                let plan = tick(known, today, reach);
                let mut progress = plan.progress;
                let mut confirmed = Vec::new();
                for (number, window) in plan.windows.iter().enumerate() {
                    prop_assert!(window.days() <= max_days && window.last <= today);
                    if tick_now.fails >> (number % 8) & 1 == 1 {
                        progress.apart |= window.first < plan.live_from && window.last == today;
                        break;
                    }
                    let mut day = window.first;
                    while day <= window.last.min(day_after(now, -1)) {
                        written.insert(day);
                        day = day_after(day, 1);
                    }
                    // A window is complete by the exporter's clock and by the platform's, which is right.
                    let over = Window { first: window.first, last: window.last.min(day_after(today.min(now), -1)) };
                    if over.first <= over.last {
                        confirmed.push(over);
                    }
                }
                if tick_now.remembered {
                    progress.advance(&confirmed);
                }
                let before = known.and_then(|known| known.through).filter(|through| *through < today);
                prop_assert!(progress.through >= before, "a watermark moved back");
                known = Some(progress);
            }
            let progress = known.unwrap();
            prop_assert_eq!(progress.through, Some(day_after(now, -1)));
            let mut day = progress.since;
            while day < now {
                prop_assert!(written.contains(&day), "{} was never written, owed since {}", day, progress.since);
                day = day_after(day, 1);
            }
            let first_owed = day_after(day_after(start, life[0].days_later), life[0].clock_off - i64::from(initial_days));
            prop_assert!(progress.since <= first_owed.max(day_after(now, -i64::from(initial_days))));
            let settled = Progress { apart: false, ..progress };
            if refresh_days < max_days {
                prop_assert_eq!(tick(Some(settled), now, reach).windows.len(), 1);
            }
        }
    }
}
