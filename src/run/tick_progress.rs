//! How far a series comes in the course of a tick. Pure.
//!
//! A plan is made by this machine's clock, which may be wrong: a machine that starts in 1970 would find every watermark
//! in the future and go back behind all of them. So what a plan would change in the watermark waits until the platform
//! has told its own day, which then decides.

use jiff::civil::Date;

use crate::domain::calendar::EARLIEST_TODAY;
use crate::domain::plan::{self, Plan, Progress, Reach};
use crate::domain::series::Window;

/// How far a series has come in the course of a tick.
#[derive(Debug)]
pub(super) struct TickProgress {
    known: Option<Progress>,
    /// By this machine's clock, where that can be right.
    today: Option<Date>,
    reach: Reach,
    /// Where the plan begins.
    first: Date,
    /// What the tick starts from, once that is decided.
    start: Option<Progress>,
    confirmed: Vec<Window>,
}

impl TickProgress {
    /// Before a tick that was planned on `today`, by this machine's clock, from what is known.
    pub(super) fn new(known: Option<Progress>, today: Date, reach: Reach, plan: &Plan) -> TickProgress {
        let start = known.filter(|known| *known == plan.progress);
        let today = Some(today).filter(|today| *today >= EARLIEST_TODAY);
        TickProgress { known, today, reach, first: plan.first, start, confirmed: Vec::new() }
    }

    /// The database confirmed a window, which is over up to the end of `complete`.
    pub(super) fn confirmed(&mut self, complete: Option<Window>, platform_today: Option<Date>) {
        // Where the platform tells no time, there is none but this machine's.
        self.settle(platform_today.or(self.today));
        self.confirmed.extend(complete);
    }

    /// The series ended early.
    pub(super) fn failed(&mut self, platform_today: Option<Date>) {
        // The first owed day must be known even if nothing of this tick succeeds.
        self.settle(platform_today.or(self.today.filter(|_| self.known.is_none())));
    }

    /// What is to be remembered.
    pub(super) fn progress(&self) -> Option<Progress> {
        let Some(mut progress) = self.start else { return self.known };
        progress.advance(self.first, &self.confirmed);
        Some(progress)
    }

    /// Whether the series went back to its initial days.
    pub(super) fn went_back(&self) -> bool {
        self.start.is_some()
            && self.known.is_some_and(|known| known.through > self.progress().and_then(|now| now.through))
    }

    fn settle(&mut self, today: Option<Date>) {
        self.start = self.start.or(today.map(|today| plan::start(self.known, today, self.reach)));
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use proptest::prelude::*;

    use super::*;
    use crate::domain::series::{day_after, days_between};

    const REACH: Reach = Reach { refresh_days: 2, initial_days: 7, max_days: 31 };
    const TODAY: Date = date(2026, 8, 20);
    const KNOWN: Progress = Progress { since: date(2026, 2, 1), through: Some(date(2026, 8, 19)) };

    fn tick_of(known: Option<Progress>, today: Date) -> TickProgress {
        TickProgress::new(known, today, REACH, &plan::tick(known, today, REACH))
    }

    /// A clock that is off by so many days, with what the platform then says of its own day.
    fn check(days_off: i64, told: Option<Date>, expected: Progress) {
        let mut tick = tick_of(Some(KNOWN), day_after(TODAY, days_off));
        assert_eq!(tick.progress(), Some(KNOWN), "nothing is decided yet");
        tick.failed(told);
        assert_eq!(tick.progress(), Some(expected), "{days_off} {told:?}");
    }

    #[test]
    fn a_clock_that_is_wrong_moves_no_watermark() {
        for days_off in [-20_000, -400, -2, -1, 0, 1, 2, 400] {
            check(days_off, Some(TODAY), KNOWN);
            check(days_off, None, KNOWN);
        }
    }

    #[test]
    fn a_watermark_that_is_in_the_future_goes_back_when_the_platform_says_so() {
        let back = Progress { through: Some(day_after(TODAY, -9)), ..KNOWN };
        check(-1, Some(day_after(TODAY, -1)), back);
        let mut tick = tick_of(Some(KNOWN), day_after(TODAY, -1));
        tick.confirmed(Some(Window { first: day_after(TODAY, -10), last: day_after(TODAY, -2) }), None);
        assert_eq!(tick.progress().unwrap().through, Some(day_after(TODAY, -2)));
        assert!(tick.went_back());
    }

    #[test]
    fn a_first_tick_is_dated_by_the_platform_and_without_it_by_a_clock_that_can_be_right() {
        let since = |clock: Date, told| {
            let mut tick = tick_of(None, clock);
            assert_eq!(tick.progress(), None);
            tick.failed(told);
            tick.progress().map(|progress| progress.since)
        };
        let first = day_after(TODAY, -7);
        assert_eq!(since(TODAY, None), Some(first), "an outage on the first day");
        assert_eq!(since(date(1970, 1, 1), Some(TODAY)), Some(first));
        assert_eq!(since(day_after(TODAY, 400), Some(TODAY)), Some(first));
        assert_eq!(since(date(1970, 1, 1), None), None);
    }

    #[test]
    fn only_a_watermark_that_lies_further_back_than_before_went_back() {
        assert!(!tick_of(None, TODAY).went_back());
        assert!(!tick_of(Some(KNOWN), TODAY).went_back());
        assert!(!tick_of(Some(KNOWN), day_after(TODAY, -1)).went_back(), "nothing is decided yet");
        let behind = Progress { through: Some(day_after(TODAY, -3)), ..KNOWN };
        let mut caught_up = tick_of(Some(behind), TODAY);
        caught_up.confirmed(Some(Window { first: day_after(TODAY, -4), last: day_after(TODAY, -1) }), Some(TODAY));
        assert_eq!(caught_up.progress(), Some(KNOWN));
        assert!(!caught_up.went_back());
    }

    proptest! {
        /// However wrong this machine's clock is, and whatever fails: the watermark stands where all days before it were
        /// confirmed and over, it never goes back, and what is owed goes back no further than the first tick says.
        #[test]
        fn what_is_remembered_follows_the_platforms_clock(
            ticks in prop::collection::vec(
                (0..4_i64, prop_oneof![3 => Just(0), 2 => -30..30_i64, 1 => -21_000..3000_i64], any::<u8>()), 1..30,
            ),
        ) {
            let (mut now, mut known, mut first) = (TODAY, None, None);
            let mut covered = std::collections::BTreeSet::new();
            for (later, days_off, fails) in ticks {
                now = day_after(now, later);
                first.get_or_insert(day_after(now, -7));
                let today = day_after(now, days_off);
                let plan = plan::tick(known, today, REACH);
                let mut tick = TickProgress::new(known, today, REACH, &plan);
                for (number, window) in plan.windows.iter().enumerate() {
                    if fails >> (number % 8) & 1 == 1 {
                        tick.failed(Some(now));
                        break;
                    }
                    let last = window.last.min(day_after(now.min(today), -1));
                    let complete = Some(Window { last, ..*window }).filter(|window| window.first <= last);
                    covered.extend(complete.into_iter().flat_map(|window| {
                        (0..=days_between(window.first, window.last)).map(move |day| day_after(window.first, day))
                    }));
                    tick.confirmed(complete, Some(now));
                }
                let before = known.and_then(|known| known.through);
                known = tick.progress();
                let progress = known.unwrap();
                prop_assert_eq!(Some(progress.since), first);
                prop_assert!(progress.through >= before && progress.next() <= now);
                let mut day = progress.since;
                while day < progress.next() {
                    prop_assert!(covered.contains(&day), "{} is not confirmed", day);
                    day = day_after(day, 1);
                }
            }
        }
    }
}
