//! The program killed at any instant, in every mode, and the power cut: nothing is lost, nothing is falsified.
//!
//! A lane is a machine's life in a short time. Turn by turn it starts the program in a mode, kills it at an instant that
//! the seed decides, sometimes cuts the power at that instant, and has the [`judge`] look at what is left: the state
//! folder first, the database after it. Lanes run side by side, each with a platform, a bucket and a disk of its own.
//!
//! `tests/kill COUNT [SEED]` is the long form; what happened is printed.

mod dice;
mod disk;
mod episode;
mod judge;
mod late;
mod platform;
mod promises;
mod settle;
mod tally;

use std::time::Instant;

use self::dice::Dice;
use self::disk::Disk;
use self::tally::Tally;

/// Lives that run side by side.
const LANES: u64 = 3;

/// So many kills in all, on disks that keep what a process wrote, or that forget what was not synced when the power is
/// cut. Says what happened.
fn kill(power_cuts: bool) -> String {
    let variable = |name: &str| std::env::var(name).ok()?.parse::<u64>().ok();
    let count = variable("KORE_TREND_KILL_COUNT").unwrap_or(15).div_ceil(LANES);
    let seed = variable("KORE_TREND_KILL_SEED").unwrap_or(1);
    let started = Instant::now();
    let live = |lane: u64| {
        move || {
            let mut disk = power_cuts.then(Disk::new);
            let mut tally = Tally::default();
            let mut dice = Dice::new(format!("{seed} {power_cuts} {lane}"));
            while tally.kills() < count {
                tally.episodes += 1;
                episode::play(&mut dice, disk.as_mut(), &mut tally, count);
                if count >= 100 {
                    eprintln!("lane {lane}, power cuts: {power_cuts}: {} kills", tally.kills());
                }
            }
            tally
        }
    };
    // Each in a thread of its own, for a disk is mounted for one thread only.
    let lanes: Vec<_> = (0..LANES).map(|lane| std::thread::spawn(live(lane))).collect();
    let lanes: Vec<_> = lanes.into_iter().map(std::thread::JoinHandle::join).collect();
    let mut all = Tally::default();
    for lane in lanes {
        all.add(&lane.unwrap_or_else(|_| panic!("a lane failed, see above; the seed is {seed}")));
    }
    all.is_worth_something(power_cuts);
    format!("seed {seed}, {LANES} lanes, {:.0?}: {all:#?}", started.elapsed())
}

mod needs_influxdb2 {
    #[test]
    #[ignore = "needs the servers that tests/run brings"]
    fn killed_at_any_instant_it_loses_and_falsifies_nothing() {
        println!("{}", super::kill(false));
    }

    #[test]
    #[ignore = "needs the servers that tests/run brings"]
    fn a_write_that_outlives_its_killed_process_is_replaced_by_the_next_tick() {
        super::late::a_late_write_is_replaced_by_the_next_tick();
    }

    mod needs_power_cut {
        #[test]
        #[ignore = "needs the servers that tests/run brings"]
        fn killed_with_the_power_cut_it_loses_and_falsifies_nothing() {
            println!("{}", super::super::kill(true));
        }
    }
}
