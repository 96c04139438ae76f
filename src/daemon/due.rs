//! Which schedules are due, and when the next ones are. Pure; takes `now`.
//!
//! Each schedule keeps the one slot that comes next. Whatever wakes the daemon up, a slot is due once it is not in the
//! future, and due once: slots that were missed together, by a suspended machine or a clock that was set forward, are
//! one tick, for a tick asks for everything that is owed. A clock that is set back moves the next slot with it.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use crate::config::Schedule;
use crate::domain::bot::Bot;
use crate::domain::series::stable_hash;
use crate::domain::slots::Cron;
use crate::observe::status::view::NextTick;

/// A clock that goes back by less than this, as a correction does, repeats no slot.
const CORRECTION: SignedDuration = SignedDuration::from_mins(1);

/// All schedules of a configuration.
#[derive(Debug, Default)]
pub struct Timetable {
    slots: BTreeMap<String, Slot>,
}

#[derive(Debug)]
struct Slot {
    cron: Cron,
    bots: Vec<String>,
    last: Option<Timestamp>,
    next: Option<Timestamp>,
}

/// A schedule whose slot has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
    /// The slot.
    pub at: Timestamp,
    /// The bots that follow the schedule.
    pub bots: Vec<String>,
}

impl Timetable {
    /// Takes over the schedules of these bots. One that was there before keeps its place: what is due now stays due.
    pub fn set<'a>(&mut self, bots: impl IntoIterator<Item = &'a Bot>, schedule: &Schedule, now: Timestamp) {
        let mut before = std::mem::take(&mut self.slots);
        for bot in bots {
            let cron = bot.cron.as_ref().unwrap_or(&schedule.cron);
            let slot = self.slots.entry(cron.line().to_owned()).or_insert_with(|| match before.remove(cron.line()) {
                Some(slot) => Slot { bots: Vec::new(), ..slot },
                None => Slot { cron: cron.clone(), bots: Vec::new(), last: None, next: cron.next_after(now) },
            });
            slot.bots.push(bot.name.to_string());
        }
    }

    /// The schedules whose slot has come. Each is told once.
    pub fn due(&mut self, now: Timestamp) -> Vec<Due> {
        let mut due = Vec::new();
        for slot in self.slots.values_mut() {
            if let Some(at) = slot.next.filter(|next| *next <= now) {
                due.push(Due { at, bots: slot.bots.clone() });
                slot.last = Some(at);
            }
            let next = slot.cron.next_after(now);
            // Only the slot that was due last is not repeated: of those that a correction brings again before it, none
            // is left out, or a schedule of seconds would be silent for the whole of the correction.
            let repeated = slot.last.filter(|last| next == Some(*last) && last.duration_since(now) < CORRECTION);
            slot.next = repeated.map_or(next, |last| slot.cron.next_after(last));
        }
        due
    }

    /// The next slot of each schedule, soonest first.
    pub fn next(&self) -> Vec<NextTick> {
        let slots = self.slots.values();
        let mut next: Vec<NextTick> =
            slots.filter_map(|slot| Some(NextTick { at: slot.next?, bots: slot.bots.len() })).collect();
        next.sort_by_key(|next| next.at);
        next
    }

    /// The cron lines, six fields each.
    pub fn lines(&self) -> impl Iterator<Item = &str> {
        self.slots.keys().map(String::as_str)
    }
}

/// How much later than its slot a bot's tick starts: always by the same part of `spread`, so that many bots, and many
/// exporters on one schedule, do not ask the platform at once.
pub fn delay(bot: &Bot, spread: std::time::Duration) -> std::time::Duration {
    const PARTS: u32 = 1 << 16;
    let part = u32::try_from(stable_hash(&bot.id) % u64::from(PARTS)).unwrap_or(0);
    spread / PARTS * part
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::domain::bot::test_bot;

    fn at(text: &str) -> Timestamp {
        format!("2026-08-06T{text}Z").parse().unwrap()
    }

    fn schedule(line: &str) -> Schedule {
        Schedule {
            cron: Cron::parse(line).unwrap(),
            run_on_start: true,
            spread: Duration::from_secs(30),
            refresh_days: 2,
            initial_days: 7,
            include_open: false,
        }
    }

    fn timetable(line: &str, now: &str) -> Timetable {
        let mut timetable = Timetable::default();
        let bot = test_bot("support");
        timetable.set([&bot], &schedule(line), at(now));
        timetable
    }

    fn due(timetable: &mut Timetable, now: &str) -> Vec<Timestamp> {
        timetable.due(at(now)).into_iter().map(|due| due.at).collect()
    }

    #[test]
    fn a_slot_is_due_once() {
        let mut timetable = timetable("0 10 * * * *", "12:00:00");
        assert_eq!(due(&mut timetable, "12:09:59"), []);
        assert_eq!(due(&mut timetable, "12:10:00"), [at("12:10:00")]);
        assert_eq!(due(&mut timetable, "12:10:00"), []);
        assert_eq!(due(&mut timetable, "12:40:00"), []);
        assert_eq!(timetable.next()[0].at, at("13:10:00"));
    }

    #[test]
    fn slots_that_were_missed_together_are_one_tick() {
        let mut timetable = timetable("0 */10 * * * *", "12:00:00");
        assert_eq!(due(&mut timetable, "15:12:00"), [at("12:10:00")]);
        assert_eq!(due(&mut timetable, "15:13:00"), []);
        assert_eq!(due(&mut timetable, "15:20:00"), [at("15:20:00")]);
    }

    #[test]
    fn a_clock_that_is_set_back_loses_no_tick_and_a_correction_repeats_none() {
        let mut timetable = timetable("0 10 * * * *", "12:00:00");
        assert_eq!(due(&mut timetable, "12:10:00").len(), 1);
        assert_eq!(due(&mut timetable, "12:09:58"), []);
        assert_eq!(due(&mut timetable, "12:10:01"), [], "a correction of two seconds");
        assert_eq!(due(&mut timetable, "06:00:00"), []);
        assert_eq!(due(&mut timetable, "06:10:00"), [at("06:10:00")]);
    }

    #[test]
    fn a_clock_that_goes_back_by_a_minute_is_set_and_not_corrected() {
        let again = |back: &str| {
            let mut timetable = timetable("0 10 * * * *", "12:00:00");
            assert_eq!(due(&mut timetable, "12:10:00").len(), 1);
            assert_eq!(due(&mut timetable, back), []);
            due(&mut timetable, "12:10:00").len()
        };
        assert_eq!((again("12:09:00"), again("12:09:01")), (1, 0));
    }

    #[test]
    fn a_bot_may_have_a_schedule_of_its_own() {
        let own = Bot { cron: Some(Cron::parse("0 0 * * * *").unwrap()), ..test_bot("sales") };
        let mut timetable = Timetable::default();
        timetable.set([&own, &test_bot("support"), &test_bot("care")], &schedule("0 10 * * * *"), at("12:30:00"));
        let next: Vec<(Timestamp, usize)> = timetable.next().iter().map(|next| (next.at, next.bots)).collect();
        assert_eq!(next, [(at("13:00:00"), 1), (at("13:10:00"), 2)]);
        assert!(timetable.lines().eq(["0 0 * * * *", "0 10 * * * *"]));
        assert_eq!(timetable.due(at("13:00:00"))[0].bots, ["sales"]);
    }

    #[test]
    fn a_reload_neither_loses_nor_doubles_a_slot() {
        let mut timetable = timetable("0 10 * * * *", "12:00:00");
        let bots = [test_bot("support"), test_bot("sales")];
        timetable.set(&bots, &schedule("0 10 * * * *"), at("12:10:00"));
        assert_eq!(timetable.due(at("12:10:00"))[0].bots.len(), 2);
        timetable.set(&bots, &schedule("0 10 * * * *"), at("12:10:00"));
        assert_eq!(timetable.due(at("12:10:00")), []);
        timetable.set(&bots, &schedule("0 */10 * * * *"), at("12:10:00"));
        assert_eq!(timetable.due(at("12:10:00")), []);
        assert_eq!(timetable.next()[0].at, at("12:20:00"));
    }

    #[test]
    fn a_bots_delay_is_stable_and_below_the_spread() {
        let spread = Duration::from_secs(30);
        let delays: Vec<Duration> = (0..100).map(|number| delay(&test_bot(&format!("bot-{number}")), spread)).collect();
        assert!(delays.iter().all(|delay| *delay < spread));
        assert_eq!(delays[7], delay(&test_bot("bot-7"), spread));
        let in_first_half = delays.iter().filter(|delay| **delay < spread / 2).count();
        assert!((25..75).contains(&in_first_half), "{in_first_half}");
        assert_eq!(delay(&test_bot("a"), Duration::ZERO), Duration::ZERO);
    }

    proptest! {
        /// However the clock goes and whenever somebody looks: while it goes forward, every slot is followed by a tick
        /// before the next look is over, and no slot has two.
        #[test]
        fn every_slot_has_its_tick(steps in prop::collection::vec(1..5000_i64, 1..60)) {
            let mut timetable = timetable("0 */15 * * * *", "00:00:00");
            let mut now = at("00:00:00");
            for step in steps {
                let before = now;
                now = now.saturating_add(SignedDuration::from_secs(step)).unwrap();
                let slots = now.as_second() / 900 - before.as_second() / 900;
                prop_assert_eq!(timetable.due(now).len(), usize::from(slots > 0));
            }
        }

        /// However the clock is set, and however often: no slot is due twice while it goes on or is corrected a little,
        /// and once it goes on there is a tick within two periods.
        #[test]
        fn a_clock_that_is_set_neither_silences_nor_doubles(
            period in prop::sample::select(vec![1_i64, 5, 60, 900]),
            steps in prop::collection::vec((1..2000_i64, prop_oneof![3 => -50..50_i64, 1 => -1_000_000..1_000_000_i64]), 1..20),
        ) {
            let line = match period {
                1 => "* * * * * *",
                5 => "*/5 * * * * *",
                60 => "0 * * * * *",
                _ => "0 */15 * * * *",
            };
            let mut timetable = timetable(line, "00:00:00");
            let mut now = at("00:00:00");
            for (seconds, step) in steps {
                now = now.saturating_add(SignedDuration::from_secs(step)).unwrap();
                let (mut ticks, mut silence) = (0, 0);
                for _ in 0..seconds {
                    now = now.saturating_add(SignedDuration::from_secs(1)).unwrap();
                    let due = timetable.due(now).len() as i64;
                    prop_assert!(due <= 1);
                    ticks += due;
                    silence = if due > 0 { 0 } else { silence + 1 };
                    prop_assert!(silence <= 2 * period, "{} s without a tick", silence);
                }
                prop_assert!(ticks <= seconds / period + 2, "{} ticks in {} s", ticks, seconds);
                if step.abs() < period.min(60) {
                    prop_assert!(ticks >= (seconds - step.abs()) / period - 1, "{} ticks in {} s", ticks, seconds);
                }
            }
        }
    }
}
