//! The ledger between processes, between clocks that are set, and on a disk that fails.

use std::cell::Cell;

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use super::*;

/// Those of this machine.
const TRUE: Clocks = Clocks { clock: Timestamp::now, uptime: crate::platform::limits::uptime::read };

fn open(path: &Path) -> Ledger {
    Ledger::open(path, TRUE).unwrap()
}

fn moment(ledger: &Ledger, before: Duration) -> Moment {
    let (now, before) = (ledger.now(), before.as_millis() as u64);
    Moment { clock: now.clock - before, uptime: now.uptime.saturating_sub(before), run: 0 }
}

fn others(ledger: &mut Ledger) -> Vec<(u64, Purpose)> {
    let mut seen = Vec::new();
    ledger.exchange(|record| seen.push((record.bot, record.purpose)), || ((), None)).unwrap();
    seen
}

fn make(ledger: &mut Ledger, bot: u64, purpose: Purpose) {
    ledger.exchange(|_| {}, || ((), Some((bot, purpose)))).unwrap();
}

#[test]
fn each_process_sees_what_the_others_did_and_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger");
    let (mut one, mut two) = (open(&path), open(&path));
    make(&mut one, 1, Purpose::Live);
    make(&mut one, 2, Purpose::Backfill);
    assert_eq!(others(&mut two), [(1, Purpose::Live), (2, Purpose::Backfill)]);
    assert_eq!(others(&mut two), []);
    make(&mut two, 3, Purpose::Live);
    assert_eq!(others(&mut one), [(3, Purpose::Live)]);
    let mut later = open(&path);
    assert_eq!(others(&mut later).len(), 3);
}

#[test]
fn a_grown_file_loses_what_is_old_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger");
    let mut ledger = open(&path);
    make(&mut ledger, 1, Purpose::Live);
    let old = encode(9, moment(&ledger, 2 * KEPT), Purpose::Live, 7);
    let stale: Vec<u8> = std::iter::repeat_n(old, COMPACT_BEYOND as usize).flatten().collect();
    ledger.file.write_all_at(&stale, HEADER + RECORD as u64).unwrap();
    make(&mut ledger, 2, Purpose::Live);
    let mut later = open(&path);
    assert_eq!(others(&mut later), [(1, Purpose::Live), (2, Purpose::Live)]);
}

#[test]
fn a_file_of_recent_requests_is_not_rewritten_and_nothing_counts_twice() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger");
    let mut one = open(&path);
    let recent = encode(9, one.now(), Purpose::Live, 7);
    let many: Vec<u8> = std::iter::repeat_n(recent, COMPACT_BEYOND as usize).flatten().collect();
    one.file.write_all_at(&many, HEADER).unwrap();
    assert_eq!(others(&mut one).len(), COMPACT_BEYOND as usize);
    make(&mut one, 1, Purpose::Live);
    assert_eq!(others(&mut one), []);
    assert_eq!(one.generation, 1);
    let mut two = open(&path);
    assert_eq!(others(&mut two).len(), COMPACT_BEYOND as usize + 1);
}

#[test]
fn side_by_side_no_request_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger");
    let work = |bot: u64| {
        let path = path.clone();
        std::thread::spawn(move || {
            let mut ledger = open(&path);
            for _ in 0..2_000 {
                while ledger.exchange(|_| {}, || ((), Some((bot, Purpose::Live)))).is_none() {}
            }
        })
    };
    for worker in [work(1), work(2)] {
        worker.join().unwrap();
    }
    assert_eq!(others(&mut open(&path)).len(), 4_000);
}

thread_local! {
    /// The true time, what the clock is ahead of it, and when the machine started; all in seconds.
    static WORLD: Cell<(i64, i64, i64)> = const { Cell::new((0, 0, 0)) };
}

/// Those of a machine that a test makes up.
const MADE_UP: Clocks = Clocks {
    clock: || {
        let (now, ahead, _) = WORLD.get();
        Timestamp::from_second(1_800_000_000 + now + ahead).unwrap()
    },
    uptime: || {
        let (now, _, start) = WORLD.get();
        let run = u16::try_from(start.rem_euclid(60_000)).unwrap() + 1;
        Some(Uptime { time: SignedDuration::from_secs(now - start).try_into().unwrap(), run })
    },
};

/// The ages, in seconds, that a process which starts now finds.
fn ages(path: &Path) -> Vec<u64> {
    let mut found = Vec::new();
    let mut ledger = Ledger::open(path, MADE_UP).unwrap();
    ledger.exchange(|record| found.push(record.age.as_secs()), || ((), None)).unwrap();
    found
}

#[test]
fn a_clock_that_is_set_makes_no_request_older_or_younger() {
    for step in [3 * 3600, -3 * 3600, 26 * 3600, -26 * 3600, 400 * 86_400, -400 * 86_400, -1_800_000_000] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger");
        WORLD.set((0, 0, -1000));
        let (mut one, mut two) = (Ledger::open(&path, MADE_UP).unwrap(), Ledger::open(&path, MADE_UP).unwrap());
        make(&mut one, 1, Purpose::Live);
        WORLD.set((30, step, -1000));
        make(&mut one, 1, Purpose::Live);
        assert_eq!(others(&mut two).len(), 2);
        WORLD.set((50, 0, -1000));
        make(&mut one, 1, Purpose::Live);
        assert_eq!(others(&mut two).len(), 1);
        for ahead in [0, step] {
            WORLD.set((60, ahead, -1000));
            assert_eq!(ages(&path), [60, 30, 10], "{step} {ahead}");
        }
    }
}

#[test]
fn what_is_yet_to_come_by_the_clock_of_a_machine_that_started_anew_soon_is_past() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger");
    let mut ledger = Ledger::open(&path, MADE_UP).unwrap();
    for second in [0, 5000, 8590] {
        WORLD.set((second, 0, -1000));
        make(&mut ledger, 1, Purpose::Backfill);
    }
    WORLD.set((8600, -1_800_000_000, 8600));
    assert_eq!(ages(&path), [8590, 3590, 0], "the last is at least so old, and the others as much older as they were");
    WORLD.set((8700, 0, 8600));
    assert_eq!(ages(&path)[1..], [3690, 100], "also when the clock is right again");
    let mut record = [0; RECORD];
    ledger.file.read_exact_at(&mut record, HEADER + 2 * RECORD as u64).unwrap();
    assert_eq!(Record::decode(&record, &ledger.now()).purpose, Purpose::Backfill);
}

#[test]
fn a_machine_that_went_back_to_a_snapshot_dates_by_the_clock() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger");
    WORLD.set((1000, 0, -1000));
    make(&mut Ledger::open(&path, MADE_UP).unwrap(), 1, Purpose::Live);
    WORLD.set((500, 600, -1000));
    assert_eq!(ages(&path), [100]);
}

#[test]
fn a_machine_that_started_anew_dates_by_the_clock() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger");
    WORLD.set((0, 0, -1000));
    make(&mut Ledger::open(&path, MADE_UP).unwrap(), 1, Purpose::Live);
    WORLD.set((100, 0, 90));
    assert_eq!(ages(&path), [100]);
}

proptest! {
    /// However the clock is set, in front of a process or while it runs, a request is as old as it is.
    #[test]
    fn no_request_is_forgotten_or_counted_twice(
        steps in prop::collection::vec((1..2000_i64, prop_oneof![Just(0), -100_000_000..100_000_000_i64], 0..4_u8), 1..40),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger");
        WORLD.set((0, 0, -5));
        let (mut one, mut two) = (Ledger::open(&path, MADE_UP).unwrap(), Ledger::open(&path, MADE_UP).unwrap());
        let (mut made, mut unseen) = (Vec::new(), 0);
        for (later, ahead, what) in steps {
            let now = WORLD.get().0 + later;
            WORLD.set((now, ahead, -5));
            match what {
                0 => two = Ledger::open(&path, MADE_UP).unwrap(),
                1 => {
                    let compact_at = one.compact_beyond;
                    one.compact_beyond = 0;
                    prop_assert_eq!(others(&mut one).len(), 0);
                    one.compact_beyond = compact_at;
                    continue;
                }
                _ => {
                    make(&mut one, 1, Purpose::Live);
                    made.push(now);
                    unseen += 1;
                    if what == 3 {
                        continue;
                    }
                }
            }
            let recent = made.iter().filter(|at| now - **at < 3600).count();
            let old = made.len() - recent;
            let mut seen = 0;
            two.exchange(|record| seen += usize::from(record.age < Duration::from_secs(3600)), || ((), None)).unwrap();
            if what == 0 {
                prop_assert_eq!(seen, recent);
            } else {
                prop_assert!(seen >= unseen.min(recent) && seen <= unseen + 1, "{} of {} and {} old", seen, unseen, old);
            }
            unseen = 0;
        }
    }
}

#[test]
fn no_generation_is_like_none() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger");
    let mut one = open(&path);
    make(&mut one, 1, Purpose::Live);
    one.file.write_all_at(&one.header(0), 0).unwrap();
    assert_eq!(others(&mut open(&path)), [(1, Purpose::Live)]);
}

#[test]
fn a_reader_leaves_no_trace() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger");
    assert!(Ledger::open_to_read(&path, TRUE).is_err() && !path.exists());
    make(&mut open(&path), 1, Purpose::Live);
    let before = std::fs::read(&path).unwrap();
    let mut reader = Ledger::open_to_read(&path, TRUE).unwrap();
    make(&mut reader, 2, Purpose::Live);
    assert_eq!(std::fs::read(&path).unwrap(), before);
}

#[test]
fn what_a_failing_disk_does_not_take_is_written_later_and_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger");
    let mut one = open(&path);
    let writable = std::mem::replace(&mut one.file, File::open(&path).unwrap());
    make(&mut one, 1, Purpose::Live);
    make(&mut one, 2, Purpose::Backfill);
    let mut two = open(&path);
    assert!(one.failed && others(&mut two).is_empty());
    one.file = writable;
    make(&mut one, 3, Purpose::Live);
    make(&mut one, 4, Purpose::Live);
    let all = [(1, Purpose::Live), (2, Purpose::Backfill), (3, Purpose::Live), (4, Purpose::Live)];
    assert!(!one.failed && others(&mut one).is_empty());
    assert_eq!(others(&mut two), all);
}

#[test]
fn a_torn_record_or_a_foreign_file_does_no_harm() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger");
    std::fs::write(&path, "something else entirely").unwrap();
    let mut reader = Ledger::open_to_read(&path, TRUE).unwrap();
    assert_eq!(others(&mut reader), [], "its bytes are no requests");
    let mut ledger = open(&path);
    make(&mut ledger, 1, Purpose::Live);
    ledger.file.write_all_at(b"torn", HEADER + RECORD as u64).unwrap();
    make(&mut ledger, 2, Purpose::Live);
    assert_eq!(others(&mut open(&path)), [(1, Purpose::Live), (2, Purpose::Live)]);
}
