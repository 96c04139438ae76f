//! A model of the world around the exporter: plan, limiter, client, writer, watermarks, backfill and schedule live whole
//! lives together in virtual time, with faults of both sides, kills, restarts, reloads, revisions and wrong clocks. The
//! promises are checked at every step, and in the end nothing may be missing.
//!
//! Lives are drawn by lot and shrunk where they break a promise. `tests/lives COUNT [SEED]` is the long form;
//! `KORE_TREND_MODEL_LONG_STORY=1` tells at once what happened in a life that did.

#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs, reason = "a test fails by panicking, and tells")]

mod database;
mod freshness;
mod history;
mod known;
mod life;
mod platform;
mod process;
mod promises;
mod time;
mod trouble;
mod truth;
mod world;

use std::cell::RefCell;
use std::path::PathBuf;
use std::time::Instant;

use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};

use crate::history::{History, history};
use crate::world::Counts;

/// Lives of the regular run.
const LIVES: u32 = 20;

#[test]
fn whatever_happens_the_promises_are_kept() {
    let lives = variable("KORE_TREND_MODEL_LIVES").unwrap_or(LIVES);
    let seed = variable("KORE_TREND_MODEL_SEED").unwrap_or(1);
    let started = Instant::now();
    for (what, history) in known::lives() {
        play(&history).unwrap_or_else(|reason| panic!("{what}, once more: {reason}"));
    }
    let sum = RefCell::new((0_u64, Counts::default()));
    let config = Config {
        cases: lives,
        max_shrink_iters: 4000,
        max_shrink_time: 60_000,
        failure_persistence: None,
        ..Config::default()
    };
    let mut bytes = [0; 32];
    bytes[..4].copy_from_slice(&seed.to_le_bytes());
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes));
    let lived = runner.run(&history(), |history| {
        let played = play(&history);
        let (lives, sum) = &mut *sum.borrow_mut();
        let counts = played.map_err(|reason| {
            // What comes now takes a while.
            let first = reason.lines().next().unwrap_or_default().to_owned();
            println!("after {lives} lives: {first}; looking for a shorter one");
            if variable("KORE_TREND_MODEL_LONG_STORY").is_some() {
                println!("{reason}\n{history:?}");
            }
            TestCaseError::fail(reason)
        })?;
        *lives += 1;
        sum.add(counts);
        Ok(())
    });
    let (lives, counts) = *sum.borrow();
    println!("{lives} lives in {:.1?}: {counts:?}", started.elapsed());
    match lived {
        Ok(()) => {}
        Err(TestError::Fail(reason, history)) => {
            panic!("after {lives} lives of the seed {seed}: {reason}\n{history:#?}")
        }
        Err(error) => panic!("{error}"),
    }
}

/// One life, in a folder of its own, in memory where that can be had.
fn play(history: &History) -> Result<Counts, String> {
    let memory = PathBuf::from("/dev/shm");
    let place = if memory.is_dir() { memory } else { std::env::temp_dir() };
    let folder = tempfile::tempdir_in(place).unwrap();
    life::live(history, folder.path())
}

fn variable(name: &str) -> Option<u32> {
    std::env::var(name).ok()?.parse().ok()
}

impl Counts {
    fn add(&mut self, other: Counts) {
        self.steps += other.steps;
        self.starts += other.starts;
        self.kills += other.kills;
        self.ticks += other.ticks;
        self.requests += other.requests;
        self.writes += other.writes;
        self.points += other.points;
        self.backfills += other.backfills;
        self.freshness_checks += other.freshness_checks;
        self.fresh_ticks += other.fresh_ticks;
        self.virtual_hours += other.virtual_hours;
    }
}
