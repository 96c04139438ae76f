//! The ledger between processes, when the clock is set, and on a disk that fails.

use std::cell::Cell;

use jiff::Timestamp;

use super::*;

thread_local! {
    /// Unix seconds by the clock.
    static NOW: Cell<i64> = const { Cell::new(1_800_000_000) };
}

fn clock() -> Timestamp {
    Timestamp::from_second(NOW.get()).unwrap()
}

fn pass(seconds: i64) {
    NOW.set(NOW.get() + seconds);
}

fn folder() -> tempfile::TempDir {
    NOW.set(1_800_000_000);
    tempfile::tempdir().unwrap()
}

fn open(folder: &tempfile::TempDir) -> Ledger {
    Ledger::open(folder.path(), clock).unwrap()
}

/// What others did: the bot, and how many seconds ago or how many more the pause lasts.
fn others(ledger: &mut Ledger) -> Vec<(u64, u64)> {
    let mut seen = Vec::new();
    let count = |(bot, event)| {
        let (Event::Asked(_, seconds) | Event::Denied(seconds)) = event;
        seen.push((bot, seconds.as_secs()));
    };
    ledger.exchange(count, || ((), None)).unwrap();
    seen
}

fn make(ledger: &mut Ledger, bot: u64) {
    ledger.exchange(|_| {}, || ((), Some((bot, Event::Asked(Purpose::Live, Duration::ZERO))))).unwrap();
}

/// The hours of the files, counted from the present one.
fn hours(folder: &tempfile::TempDir) -> Vec<i64> {
    let names = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let hours = names.filter_map(|name| name.strip_prefix(NAME)?.parse::<i64>().ok());
    let mut hours: Vec<i64> = hours.map(|hour| hour - NOW.get() / 3600).collect();
    hours.sort_unstable();
    hours
}

#[test]
fn each_process_sees_what_the_others_did_and_once() {
    let folder = folder();
    let (mut one, mut two) = (open(&folder), open(&folder));
    make(&mut one, 1);
    pass(10);
    let backfill = Event::Asked(Purpose::Backfill, Duration::ZERO);
    one.exchange(|_| {}, || ((), Some((2, backfill)))).unwrap();
    one.exchange(|_| {}, || ((), Some((3, Event::Denied(Duration::from_secs(90)))))).unwrap();
    assert_eq!(others(&mut one), []);
    assert_eq!(others(&mut two), [(1, 10), (2, 0), (3, 90)]);
    assert_eq!(others(&mut two), []);
    make(&mut two, 4);
    pass(3);
    assert_eq!(others(&mut one), [(4, 3)]);
    let mut later = Vec::new();
    open(&folder).exchange(|entry| later.push(entry), || ((), None)).unwrap();
    assert_eq!(later[1], (2, Event::Asked(Purpose::Backfill, Duration::from_secs(3))));
    assert_eq!(later[2], (3, Event::Denied(Duration::from_secs(87))));
    assert_eq!(later.len(), 4);
}

#[test]
fn what_another_process_does_in_a_new_hour_is_seen() {
    let folder = folder();
    let (mut one, mut two) = (open(&folder), open(&folder));
    pass(3600);
    assert_eq!(others(&mut one), []);
    make(&mut two, 2);
    make(&mut one, 1);
    assert_eq!(others(&mut two), [(1, 0)]);
    pass(1);
    make(&mut two, 2);
    assert_eq!(others(&mut one), [(2, 0)], "and the first of them was seen when the own one was made");
}

#[test]
fn a_file_goes_when_nothing_in_it_counts_any_more() {
    let folder = folder();
    let mut ledger = open(&folder);
    for _ in 0..5 {
        make(&mut ledger, 1);
        pass(3600);
    }
    make(&mut ledger, 1);
    assert_eq!(hours(&folder), [-2, -1, 0]);
    assert_eq!(others(&mut open(&folder)), [(1, 3600), (1, 0)]);
}

#[test]
fn what_is_dated_in_the_future_counts_as_made_now_and_ages() {
    let folder = folder();
    pass(400 * 86_400);
    for bot in 1..4 {
        make(&mut open(&folder), bot);
        pass(2000);
    }
    NOW.set(1_800_000_000);
    assert_eq!(
        others(&mut open(&folder)),
        [(2, 2000), (3, 0)],
        "the last is as young, the others as much older, as can be"
    );
    pass(100);
    assert_eq!(others(&mut open(&folder)), [(2, 2100), (3, 100)]);
    pass(3700);
    assert_eq!(others(&mut open(&folder)), []);
}

#[test]
fn a_clock_that_is_set_back_for_a_moment_parts_no_two_processes() {
    let folder = folder();
    let mut one = open(&folder);
    make(&mut one, 1);
    pass(-2);
    let mut two = open(&folder);
    assert_eq!(others(&mut two), [(1, 0)]);
    others(&mut one);
    pass(2);
    others(&mut two);
    others(&mut one);
    make(&mut one, 3);
    assert_eq!(others(&mut two), [(3, 0)]);
}

#[test]
fn a_clock_that_is_set_back_within_the_hour_makes_nothing_younger_than_now() {
    let folder = folder();
    make(&mut open(&folder), 1);
    pass(-60);
    assert_eq!(others(&mut open(&folder)), [(1, 0)]);
}

#[test]
fn side_by_side_no_request_is_lost() {
    let folder = folder();
    let work = |bot: u64| {
        let folder = folder.path().to_owned();
        std::thread::spawn(move || {
            let mut ledger = Ledger::open(&folder, clock).unwrap();
            let event = (bot, Event::Asked(Purpose::Live, Duration::ZERO));
            for _ in 0..500 {
                while ledger.exchange(|_| {}, || ((), Some(event))).is_none() {
                    std::thread::yield_now();
                }
            }
        })
    };
    for worker in [work(1), work(2)] {
        worker.join().unwrap();
    }
    assert_eq!(others(&mut open(&folder)).len(), 1_000);
}

#[tokio::test(start_paused = true)]
async fn a_busy_lock_is_tried_again_later_and_not_for_good() {
    let folder = folder();
    let mut ledger = open(&folder);
    let holder = File::open(folder.path().join(LOCK)).unwrap();
    holder.lock().unwrap();
    assert_eq!(ledger.exchange(|_| {}, || ((), None)), None);
    tokio::time::advance(PATIENCE).await;
    assert_eq!(ledger.exchange(|_| {}, || ((), None)), Some(()));
    assert!(ledger.is_failing());
    holder.unlock().unwrap();
    make(&mut ledger, 1);
    assert!(!ledger.is_failing());
}

#[test]
fn a_reader_leaves_no_trace() {
    let folder = folder();
    assert!(Ledger::open_to_read(folder.path(), clock).is_err() && hours(&folder).is_empty());
    make(&mut open(&folder), 1);
    let file = folder.path().join(format!("{NAME}{}", NOW.get() / 3600));
    let before = fs::read(&file).unwrap();
    let mut reader = Ledger::open_to_read(folder.path(), clock).unwrap();
    make(&mut reader, 2);
    assert_eq!((fs::read(&file).unwrap(), hours(&folder)), (before, vec![0]));
}

#[test]
fn a_reader_sees_what_is_recorded_in_an_hour_that_had_no_file_when_it_looked() {
    let folder = folder();
    let mut daemon = open(&folder);
    let mut reader = Ledger::open_to_read(folder.path(), clock).unwrap();
    pass(3600);
    assert_eq!((others(&mut reader), hours(&folder)), (Vec::new(), vec![-1]));
    make(&mut daemon, 1);
    assert_eq!(others(&mut reader), [(1, 0)]);
    assert_eq!(others(&mut reader), []);
}

#[test]
fn a_disk_that_fails_is_said_and_seen_until_it_works_again() {
    let folder = folder();
    let mut ledger = open(&folder);
    let file = folder.path().join(format!("{NAME}{}", NOW.get() / 3600));
    others(&mut ledger);
    let read_only = File::open(&file).unwrap();
    let writable = std::mem::replace(&mut ledger.file(NOW.get() as u64 / 3600).unwrap().0, read_only);
    make(&mut ledger, 1);
    assert!(ledger.is_failing());
    others(&mut ledger);
    assert!(ledger.is_failing(), "it can still be read, which is no news");
    ledger.file(NOW.get() as u64 / 3600).unwrap().0 = writable;
    make(&mut ledger, 2);
    assert!(!ledger.is_failing());
    assert_eq!(others(&mut open(&folder)), [(2, 0)]);
}

#[test]
fn a_torn_record_or_a_foreign_file_does_no_harm() {
    let folder = folder();
    let mut ledger = open(&folder);
    make(&mut ledger, 1);
    let hour = NOW.get() / 3600;
    let mut content = fs::read(folder.path().join(format!("{NAME}{hour}"))).unwrap();
    content.extend(b"torn");
    fs::write(folder.path().join(format!("{NAME}{hour}")), content).unwrap();
    for name in ["requests.old", "requests.", "requests.ledger"] {
        fs::write(folder.path().join(name), "something else entirely").unwrap();
    }
    make(&mut ledger, 2);
    assert_eq!(others(&mut open(&folder)), [(1, 0), (2, 0)]);
    assert!(folder.path().join("requests.old").exists());
}
