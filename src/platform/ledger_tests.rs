//! The ledger under other processes, old and broken files, and a disk that fails.

use super::*;

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
    let (mut one, mut two) = (Ledger::open(&path).unwrap(), Ledger::open(&path).unwrap());
    make(&mut one, 1, Purpose::Live);
    make(&mut one, 2, Purpose::Backfill);
    assert_eq!(others(&mut two), [(1, Purpose::Live), (2, Purpose::Backfill)]);
    assert_eq!(others(&mut two), []);
    make(&mut two, 3, Purpose::Live);
    assert_eq!(others(&mut one), [(3, Purpose::Live)]);
    let mut later = Ledger::open(&path).unwrap();
    assert_eq!(others(&mut later).len(), 3);
}

#[test]
fn a_grown_file_loses_what_is_old_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger");
    let mut ledger = Ledger::open(&path).unwrap();
    make(&mut ledger, 1, Purpose::Live);
    let old = encode(9, unix_time() - 2 * KEPT, Purpose::Live, 7);
    let stale: Vec<u8> = std::iter::repeat_n(old, COMPACT_BEYOND as usize).flatten().collect();
    ledger.file.write_all_at(&stale, HEADER + RECORD as u64).unwrap();
    make(&mut ledger, 2, Purpose::Live);
    let mut later = Ledger::open(&path).unwrap();
    assert_eq!(others(&mut later), [(1, Purpose::Live), (2, Purpose::Live)]);
}

#[test]
fn a_file_of_recent_requests_is_not_rewritten_and_nothing_counts_twice() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger");
    let mut one = Ledger::open(&path).unwrap();
    let recent = encode(9, unix_time(), Purpose::Live, 7);
    let many: Vec<u8> = std::iter::repeat_n(recent, COMPACT_BEYOND as usize).flatten().collect();
    one.file.write_all_at(&many, HEADER).unwrap();
    assert_eq!(others(&mut one).len(), COMPACT_BEYOND as usize);
    make(&mut one, 1, Purpose::Live);
    assert_eq!(others(&mut one), []);
    assert_eq!(one.generation, 1);
    let mut two = Ledger::open(&path).unwrap();
    assert_eq!(others(&mut two).len(), COMPACT_BEYOND as usize + 1);
}

#[test]
fn side_by_side_no_request_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger");
    let work = |bot: u64| {
        let path = path.clone();
        std::thread::spawn(move || {
            let mut ledger = Ledger::open(&path).unwrap();
            for _ in 0..2_000 {
                while ledger.exchange(|_| {}, || ((), Some((bot, Purpose::Live)))).is_none() {}
            }
        })
    };
    for worker in [work(1), work(2)] {
        worker.join().unwrap();
    }
    assert_eq!(others(&mut Ledger::open(&path).unwrap()).len(), 4_000);
}

#[test]
fn a_wrong_clock_of_the_past_does_not_block_for_ever() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger");
    let ledger = Ledger::open(&path).unwrap();
    let ahead = encode(9, unix_time() + 1000 * KEPT, Purpose::Backfill, 7);
    ledger.file.write_all_at(&ahead, HEADER).unwrap();
    let again = Ledger::open(&path).unwrap();
    let mut record = [0; RECORD];
    again.file.read_exact_at(&mut record, HEADER).unwrap();
    assert!(u64_at(&record, 8) / 2 <= milliseconds(unix_time()));
    assert_eq!(Record::decode(&record, unix_time()).purpose, Purpose::Backfill);
}

#[test]
fn what_others_do_after_the_clock_was_set_back_counts() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger");
    let (mut one, mut two) = (Ledger::open(&path).unwrap(), Ledger::open(&path).unwrap());
    make(&mut two, 1, Purpose::Live);
    assert_eq!(others(&mut one).len(), 1);
    let earlier = encode(1, unix_time() - KEPT / 2, Purpose::Live, two.owner);
    two.file.write_all_at(&earlier, HEADER + RECORD as u64).unwrap();
    assert_eq!(others(&mut one).len(), 1);
}

#[test]
fn a_reader_leaves_no_trace() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger");
    assert!(Ledger::open_to_read(&path).is_err() && !path.exists());
    make(&mut Ledger::open(&path).unwrap(), 1, Purpose::Live);
    let before = std::fs::read(&path).unwrap();
    let mut reader = Ledger::open_to_read(&path).unwrap();
    make(&mut reader, 2, Purpose::Live);
    assert_eq!(std::fs::read(&path).unwrap(), before);
}

#[test]
fn what_a_failing_disk_does_not_take_is_written_later_and_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger");
    let mut one = Ledger::open(&path).unwrap();
    let writable = std::mem::replace(&mut one.file, File::open(&path).unwrap());
    make(&mut one, 1, Purpose::Live);
    make(&mut one, 2, Purpose::Backfill);
    let mut two = Ledger::open(&path).unwrap();
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
    let mut ledger = Ledger::open(&path).unwrap();
    make(&mut ledger, 1, Purpose::Live);
    ledger.file.write_all_at(b"torn", HEADER + RECORD as u64).unwrap();
    make(&mut ledger, 2, Purpose::Live);
    assert_eq!(others(&mut Ledger::open(&path).unwrap()), [(1, Purpose::Live), (2, Purpose::Live)]);
}
