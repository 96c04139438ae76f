//! What a tick remembers of a series. Pure.
//!
//! A plan is made by this machine's clock, which may be wrong: a machine that starts in 1970 would find every watermark
//! in the future and go back behind all of them, to days that the platform has long forgotten and calls zero. So what a
//! plan would change in what is remembered has to wait until the platform has told its own day, by which it is then
//! decided.

use jiff::civil::Date;

use crate::domain::calendar::EARLIEST_TODAY;
use crate::domain::plan::{self, Plan, Progress, Reach};
use crate::domain::series::Window;

/// How far a series has come in the course of a tick.
#[derive(Debug)]
pub(super) struct Memory {
    known: Option<Progress>,
    today: Date,
    reach: Reach,
    progress: Progress,
    /// Whether the progress may be remembered.
    is_settled: bool,
    confirmed: Vec<Window>,
}

impl Memory {
    /// Before a tick that was planned on `today`, by this machine's clock, from what is known.
    pub(super) fn new(known: Option<Progress>, today: Date, reach: Reach, plan: &Plan) -> Memory {
        let (progress, confirmed) = (plan.progress, Vec::new());
        Memory { known, today, reach, progress, is_settled: known == Some(progress), confirmed }
    }

    /// The database confirmed a window, which is over up to the end of `complete`.
    pub(super) fn confirmed(&mut self, complete: Option<Window>, platform_today: Option<Date>) {
        // Where the platform tells no time, there is none but this machine's.
        self.settle(platform_today.or(Some(self.today).filter(|today| *today >= EARLIEST_TODAY)));
        self.confirmed.extend(complete);
        self.progress.advance(&self.confirmed);
    }

    /// The series ended early. `apart` is whether its live and owed days are better asked for apart.
    pub(super) fn ended(&mut self, apart: bool, platform_today: Option<Date>) {
        // The first owed day must be known even if nothing of this tick succeeds.
        let own = Some(self.today).filter(|today| self.known.is_none() && *today >= EARLIEST_TODAY);
        self.settle(platform_today.or(own));
        self.progress.apart |= apart;
    }

    /// Everything that was asked for is confirmed.
    pub(super) fn done(&mut self) {
        self.progress.apart = false;
    }

    /// What is to be remembered, if that is decided.
    pub(super) fn progress(&self) -> Option<Progress> {
        if self.is_settled { Some(self.progress) } else { self.known }
    }

    /// Whether the series went back to its initial days.
    pub(super) fn went_back(&self) -> bool {
        self.is_settled && self.known.is_some_and(|known| known.through > self.progress.through)
    }

    fn settle(&mut self, today: Option<Date>) {
        let Some(today) = today.filter(|_| !self.is_settled) else { return };
        self.progress = plan::tick(self.known, today, self.reach).progress;
        self.is_settled = true;
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
    const KNOWN: Progress = Progress { since: date(2026, 2, 1), through: Some(date(2026, 8, 19)), apart: false };

    fn memory(known: Option<Progress>, today: Date) -> Memory {
        Memory::new(known, today, REACH, &plan::tick(known, today, REACH))
    }

    /// A clock that is off by so many days, with what the platform then says of its own day.
    fn check(days_off: i64, told: Option<Date>, expected: Progress) {
        let mut memory = memory(Some(KNOWN), day_after(TODAY, days_off));
        assert_eq!(memory.progress(), Some(KNOWN), "nothing is decided yet");
        memory.ended(false, told);
        assert_eq!(memory.progress(), Some(expected), "{days_off} {told:?}");
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
        let mut memory = memory(Some(KNOWN), day_after(TODAY, -1));
        memory.confirmed(Some(Window { first: day_after(TODAY, -8), last: day_after(TODAY, -2) }), None);
        assert_eq!(memory.progress().unwrap().through, Some(day_after(TODAY, -2)));
        assert!(memory.went_back());
    }

    #[test]
    fn a_first_tick_is_dated_by_the_platform_and_without_it_by_a_clock_that_can_be_right() {
        let since = |clock: Date, told| {
            let mut memory = memory(None, clock);
            assert_eq!(memory.progress(), None);
            memory.ended(false, told);
            memory.progress().map(|progress| progress.since)
        };
        let first = day_after(TODAY, -7);
        assert_eq!(since(TODAY, None), Some(first), "an outage on the first day");
        assert_eq!(since(date(1970, 1, 1), Some(TODAY)), Some(first));
        assert_eq!(since(day_after(TODAY, 400), Some(TODAY)), Some(first));
        assert_eq!(since(date(1970, 1, 1), None), None);
    }

    #[test]
    fn days_stay_apart_from_a_failure_on_until_all_is_well() {
        let apart = Progress { apart: true, ..KNOWN };
        let mut failed = memory(Some(KNOWN), TODAY);
        failed.ended(true, Some(TODAY));
        assert_eq!(failed.progress(), Some(apart));
        let mut failed_again = memory(Some(apart), TODAY);
        failed_again.ended(false, Some(TODAY));
        assert_eq!(failed_again.progress(), Some(apart));
        let mut well = memory(Some(apart), TODAY);
        well.done();
        assert_eq!(well.progress(), Some(KNOWN));
    }

    #[test]
    fn only_a_watermark_that_lies_further_back_than_before_went_back() {
        assert!(!memory(None, TODAY).went_back());
        assert!(!memory(Some(KNOWN), TODAY).went_back());
        assert!(!memory(Some(KNOWN), day_after(TODAY, -1)).went_back(), "nothing is decided yet");
        let behind = Progress { through: Some(day_after(TODAY, -3)), ..KNOWN };
        let mut caught_up = memory(Some(behind), TODAY);
        caught_up.confirmed(Some(Window { first: day_after(TODAY, -4), last: day_after(TODAY, -1) }), Some(TODAY));
        assert_eq!(caught_up.progress(), Some(KNOWN));
        assert!(!caught_up.went_back());
    }

    proptest! {
        /// However wrong this machine's clock is, and whatever fails: the watermark stands where all days before it were
        /// confirmed and over, it never goes back, and what is owed goes back no further than the first tick says.
        #[test]
        fn the_memory_follows_the_platforms_clock(
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
                let mut memory = Memory::new(known, today, REACH, &plan);
                for (number, window) in plan.windows.iter().enumerate() {
                    if fails >> (number % 8) & 1 == 1 {
                        memory.ended(fails % 3 == 0, Some(now));
                        break;
                    }
                    let last = window.last.min(day_after(now.min(today), -1));
                    let complete = Some(Window { last, ..*window }).filter(|window| window.first <= last);
                    covered.extend(complete.into_iter().flat_map(|window| {
                        (0..=days_between(window.first, window.last)).map(move |day| day_after(window.first, day))
                    }));
                    memory.confirmed(complete, Some(now));
                }
                let before = known.and_then(|known| known.through);
                known = memory.progress();
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
