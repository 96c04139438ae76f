use std::collections::BTreeSet;

use jiff::civil::date;
use proptest::prelude::*;

use super::*;

const REACH: Reach = Reach { refresh_days: 2, initial_days: 7, max_days: 31 };
const TODAY: Date = date(2026, 8, 20);

fn through(day: Date) -> Option<Progress> {
    Some(Progress { since: date(2026, 1, 1), through: Some(day) })
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
fn owed_days_come_after_the_live_ones_in_requests_of_their_own() {
    check(through(date(2026, 8, 1)), REACH, &["2026-08-18..2026-08-20", "2026-07-31..2026-08-17"]);
    let failed_at_first = Progress { since: date(2026, 8, 13), through: None };
    check(Some(failed_at_first), REACH, &["2026-08-18..2026-08-20", "2026-08-13..2026-08-17"]);
}

#[test]
fn a_first_tick_that_does_not_fit_into_one_request_is_divided() {
    let reach = Reach { max_days: 5, ..REACH };
    check(None, reach, &["2026-08-18..2026-08-20", "2026-08-13..2026-08-17"]);
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
fn a_series_that_began_today_owes_no_earlier_day() {
    let progress = Progress { since: TODAY, through: None };
    check(Some(progress), REACH, &["2026-08-20"]);
    let to_come = Progress { since: date(2026, 8, 21), ..progress };
    check(Some(to_come), REACH, &["2026-08-18..2026-08-20", "2026-08-13..2026-08-17"]);
}

#[test]
fn late_revisions_that_came_during_an_outage_are_asked_for() {
    check(through(date(2026, 8, 18)), REACH, &["2026-08-18..2026-08-20"]);
    check(through(date(2026, 8, 17)), REACH, &["2026-08-17..2026-08-20"]);
    check(through(date(2026, 8, 16)), REACH, &["2026-08-18..2026-08-20", "2026-08-15..2026-08-17"]);
    let young = Progress { since: date(2026, 8, 15), through: Some(date(2026, 8, 15)) };
    check(Some(young), REACH, &["2026-08-18..2026-08-20", "2026-08-15..2026-08-17"]);
}

#[test]
fn confirmed_days_that_the_platform_may_have_deleted_are_not_asked_for_again() {
    let owed = |known: Date| tick(through(known), TODAY, REACH).first;
    assert_eq!(owed(date(2026, 7, 25)), date(2026, 7, 24));
    assert_eq!(owed(date(2026, 7, 24)), date(2026, 7, 23));
    assert_eq!(owed(date(2026, 7, 23)), date(2026, 7, 23));
    assert_eq!(owed(date(2026, 7, 22)), date(2026, 7, 23));
    assert_eq!(owed(date(2026, 7, 21)), date(2026, 7, 22));
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
    let back = ["2026-08-18..2026-08-20", "2026-08-11..2026-08-17"];
    check(through(TODAY), REACH, &back);
    check(through(date(2030, 1, 1)), REACH, &back);
    let young = Progress { since: date(2026, 8, 19), through: Some(TODAY) };
    check(Some(young), REACH, &["2026-08-19..2026-08-20"]);
    let pinned_ahead = Progress { since: date(2030, 1, 1), through: None };
    check(Some(pinned_ahead), REACH, &["2026-08-18..2026-08-20", "2026-08-13..2026-08-17"]);
}

#[test]
fn a_watermark_moves_only_over_days_that_follow_each_other() {
    let window = |first, last| Window { first: date(2026, 8, first), last: date(2026, 8, last) };
    let mut progress = Progress { since: date(2026, 8, 5), through: None };
    progress.advance(progress.since, &[window(10, 12)]);
    assert_eq!(progress.through, None);
    progress.advance(progress.since, &[window(10, 12), window(5, 7)]);
    assert_eq!(progress.through, Some(date(2026, 8, 7)));
    progress.advance(date(2026, 8, 6), &[window(10, 12), window(7, 9)]);
    assert_eq!(progress.through, Some(date(2026, 8, 7)), "the sixth is to be refreshed first");
    progress.advance(date(2026, 8, 6), &[window(10, 12), window(1, 9)]);
    assert_eq!(progress.through, Some(date(2026, 8, 12)));
}

#[test]
fn only_a_length_that_is_refused_divides_what_follows() {
    let window = |first, last| Window { first: date(2026, 8, first), last: date(2026, 8, last) };
    let narrowed = |newest_first, refuses_length| {
        let mut windows = VecDeque::from([window(11, 20)]);
        assert!(narrow(&mut windows, window(1, 10), newest_first, refuses_length));
        windows.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(narrowed(false, false), "2026-08-01..2026-08-05 2026-08-06..2026-08-10 2026-08-11..2026-08-20");
    assert_eq!(narrowed(true, false), "2026-08-06..2026-08-10 2026-08-01..2026-08-05 2026-08-11..2026-08-20");
    assert_eq!(
        narrowed(false, true),
        "2026-08-01..2026-08-05 2026-08-06..2026-08-10 2026-08-11..2026-08-15 2026-08-16..2026-08-20"
    );
    assert!(!narrow(&mut VecDeque::new(), window(1, 1), false, true));
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
                progress.advance(plan.first, &confirmed);
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
        if refresh_days < max_days {
            prop_assert_eq!(tick(Some(progress), now, reach).windows.len(), 1);
        }
    }

    /// Every plan holds the live days, first of all; what is owed is one run of days before them, oldest first; no
    /// day is asked for twice, and none of the days between the first and today is left out.
    #[test]
    fn every_plan_is_whole_and_in_order(
        since in 0..90_i64,
        through in prop::option::of(0..95_i64),
        is_new in prop::bool::weighted(0.1),
        refresh_days in 0..40_u32,
        initial_days in 0..40_u32,
        max_days in 1..40_u32,
    ) {
        let reach = Reach { refresh_days, initial_days, max_days };
        let since = day_after(TODAY, 1 - since);
        let through = through.map(|days| day_after(TODAY, 2 - days)).filter(|through| *through >= since);
        let known = Some(Progress { since, through }).filter(|_| !is_new);
        let plan = tick(known, TODAY, reach);
        let next = plan.progress.next();
        // Where nothing before the live days is owed, the days that come with them are asked for newest first as well.
        let is_apart = next < plan.live_from;
        let live = plan.windows.iter().take_while(|window| !is_apart || window.last >= plan.live_from);
        let live: Vec<&Window> = live.collect();
        let owed = &plan.windows[live.len()..];
        prop_assert!(live[0].last == TODAY && live.windows(2).all(|pair| pair[1].last == day_after(pair[0].first, -1)));
        prop_assert!(owed.windows(2).all(|pair| pair[1].first == day_after(pair[0].last, 1)));
        let live_first = live[live.len() - 1].first;
        match (owed.first(), owed.last()) {
            (Some(first), Some(last)) => {
                prop_assert!(first.first == plan.first && day_after(last.last, 1) == live_first);
                prop_assert!(next < plan.live_from && live_first == plan.live_from);
            }
            _ => prop_assert_eq!(live_first, plan.first),
        }
        prop_assert!(plan.windows.iter().all(|window| window.days() <= max_days));
        prop_assert!(plan.first <= next.min(plan.live_from) && plan.first >= plan.progress.since);
        let kept = day_after(TODAY, -SURELY_KEPT).min(next).min(plan.live_from);
        prop_assert!(plan.first >= kept, "what may be deleted is asked for only if it was never confirmed");
    }

    /// Killed after any of its windows, a tick loses nothing: what the next one asks for holds every day that was
    /// not asked for since its last revision could have come.
    #[test]
    fn a_tick_that_is_killed_leaves_every_day_owed(
        behind in 1..60_i64,
        refresh_days in 0..5_u32,
        max_days in 1..20_u32,
        done in 0..30_usize,
        later in 0..3_i64,
    ) {
        let reach = Reach { refresh_days, initial_days: 7, max_days };
        let known = through(day_after(TODAY, -behind));
        let plan = tick(known, TODAY, reach);
        let mut progress = plan.progress;
        let yesterday = day_after(TODAY, -1);
        let fetched: Vec<Window> = plan.windows.iter().copied().take(done).collect();
        let over = |window: &Window| Window { last: window.last.min(yesterday), ..*window };
        let confirmed: Vec<Window> =
            fetched.iter().filter(|window| window.first <= yesterday).map(over).collect();
        progress.advance(plan.first, &confirmed);
        let next = tick(Some(progress), day_after(TODAY, later), reach);
        let mut day = plan.first;
        while day <= yesterday {
            // Fetched on the last day on which it could be revised, or to be fetched again.
            let last_revision = day_after(day, i64::from(refresh_days));
            let is_settled = last_revision <= TODAY;
            // The tick that confirmed the last day before them was on the next one, or later.
            let was_settled = last_revision <= plan.progress.next();
            let was_fetched = fetched.iter().any(|window| window.contains(day));
            let is_kept = day >= day_after(TODAY, later - SURELY_KEPT) || day >= progress.next();
            prop_assert!(
                was_settled || (was_fetched && is_settled) || next.windows.iter().any(|window| window.contains(day)) || !is_kept,
                "{} is lost", day
            );
            day = day_after(day, 1);
        }
    }
}
