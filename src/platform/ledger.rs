//! The requests of the last hour in a file of the state folder, so that restarts, and a backfill next to the daemon,
//! share one budget.
//!
//! The file is a header and fixed records that are only ever appended; a process reads what others appended since it
//! last looked. Every exchange is a handful of system calls under the file's lock. A file that has grown is written
//! anew under the next generation number, which tells the other processes to read it from the start.

use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::time::Duration;

use super::client::Clock;
use super::limiter::Purpose;

const MAGIC: &[u8; 8] = b"requests";
const HEADER: u64 = 16;
const RECORD: usize = 24;
const KEPT: Duration = Duration::from_secs(3700);

/// Records beyond which it is worth looking for old ones to drop.
const COMPACT_BEYOND: u64 = 40_000;

/// Exchanges in a row, a tenth of a second apart, for which a process waits for another to give the lock free.
const MOST_MISSED: u32 = 100;

/// One request that some process made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    /// The stable hash of the bot's id.
    pub bot: u64,
    /// How long ago it began.
    pub age: Duration,
    /// What it was for.
    pub purpose: Purpose,
}

/// The open file.
#[derive(Debug)]
pub struct Ledger {
    file: File,
    /// Wall time is the only one that processes share.
    clock: Clock,
    /// Tells own records from others'.
    owner: u64,
    generation: u64,
    read_to: u64,
    /// The newest time that was read, in Unix milliseconds: where the file is read anew, what is older was counted.
    seen_until: u64,
    /// Records beyond which it is worth looking for old ones to drop.
    compact_beyond: u64,
    may_write: bool,
    /// How often in a row another process held the lock for too long.
    missed: u32,
    failed: bool,
}

impl Ledger {
    /// Opens the file, making it if need be.
    ///
    /// # Errors
    ///
    /// What the system said.
    pub fn open(path: &Path, clock: Clock) -> io::Result<Ledger> {
        let mut options = File::options();
        let file = options.create(true).truncate(false).read(true).write(true).mode(0o600).open(path)?;
        let mut ledger = Ledger::of(file, clock, true);
        ledger.file.lock()?;
        let prepared = ledger.prepare();
        ledger.file.unlock()?;
        prepared.map(|()| ledger)
    }

    /// Opens the file to know what others use, and to leave no trace.
    ///
    /// # Errors
    ///
    /// What the system said; there may be no file.
    pub fn open_to_read(path: &Path, clock: Clock) -> io::Result<Ledger> {
        Ok(Ledger::of(File::open(path)?, clock, false))
    }

    fn of(file: File, clock: Clock, may_write: bool) -> Ledger {
        let owner = u64_at(uuid::Uuid::new_v4().as_bytes(), 0);
        let (generation, read_to, seen_until, missed) = (0, 0, 0, 0);
        let compact_beyond = COMPACT_BEYOND;
        Ledger { file, clock, owner, generation, read_to, seen_until, compact_beyond, may_write, missed, failed: false }
    }

    /// Tells `count` what others did since the last call, then lets `decide` make a request of its own or not, with no
    /// other process in between. `None` where another process has the lock: try again a little later. A disk that
    /// fails is reported once; the limits then hold within this process only.
    pub fn exchange<T>(
        &mut self,
        count: impl FnMut(Record),
        decide: impl FnOnce() -> (T, Option<(u64, Purpose)>),
    ) -> Option<T> {
        if !self.take_lock() {
            self.missed += 1;
            if self.missed < MOST_MISSED {
                return None;
            }
            // A process that was stopped with the lock in its hands must not stop this one for good.
            self.report(&io::Error::other("another process does not give it free"));
            return Some(decide().0);
        }
        self.missed = 0;
        let read = self.read_others(count);
        let (result, request) = decide();
        let written = read.and_then(|end| match request.filter(|_| self.may_write) {
            Some((bot, purpose)) => self.append(end, bot, purpose),
            None => Ok(()),
        });
        match written.and(self.file.unlock()) {
            Err(error) => self.report(&error),
            Ok(()) => self.failed = false,
        }
        Some(result)
    }

    /// Others hold the lock for microseconds.
    fn take_lock(&self) -> bool {
        (0..20).any(|attempt| {
            if attempt > 0 {
                std::thread::sleep(Duration::from_micros(50 * attempt));
            }
            if self.may_write { self.file.try_lock().is_ok() } else { self.file.try_lock_shared().is_ok() }
        })
    }

    fn report(&mut self, error: &io::Error) {
        if !self.failed {
            tracing::warn!("the request ledger fails ({error}): limits hold within this process only");
        }
        self.failed = true;
    }

    /// Gives an empty or foreign file its header, and records from the future, which a wrong clock left, a time that
    /// will pass.
    fn prepare(&mut self) -> io::Result<()> {
        let mut header = [0; HEADER as usize];
        let valid = self.file.read_exact_at(&mut header, 0).is_ok() && header.starts_with(MAGIC);
        if !valid {
            self.file.set_len(0)?;
            return self.file.write_all_at(&self.header(1), 0);
        }
        let end = self.end()?;
        let mut records = self.records(HEADER, end)?;
        let latest = milliseconds(self.unix_time()) * 2 + 1;
        for record in records.chunks_exact_mut(RECORD).filter(|record| u64_at(record, 8) > latest) {
            let time = latest - 1 + u64_at(record, 8) % 2;
            record[8..16].copy_from_slice(&time.to_le_bytes());
        }
        self.file.write_all_at(&records, HEADER)
    }

    fn header(&self, generation: u64) -> [u8; HEADER as usize] {
        let mut header = [0; HEADER as usize];
        header[..8].copy_from_slice(MAGIC);
        header[8..].copy_from_slice(&generation.to_le_bytes());
        header
    }

    /// Where the last whole record ends.
    fn end(&self) -> io::Result<u64> {
        let length = self.file.metadata()?.len();
        Ok(length - length.saturating_sub(HEADER) % RECORD as u64)
    }

    fn records(&self, from: u64, to: u64) -> io::Result<Vec<u8>> {
        let mut records = vec![0; usize::try_from(to.saturating_sub(from)).map_err(io::Error::other)?];
        self.file.read_exact_at(&mut records, from)?;
        Ok(records)
    }

    /// Reads what was appended since the last time and returns where the records end.
    fn read_others(&mut self, mut count: impl FnMut(Record)) -> io::Result<u64> {
        let mut header = [0; HEADER as usize];
        self.file.read_exact_at(&mut header, 0)?;
        let generation = u64_at(&header, 8);
        // What was appended always counts, whatever its time: the clock may have been set back since.
        let mut counted_until = 0;
        if generation != self.generation {
            (self.generation, self.read_to, counted_until) = (generation, HEADER, self.seen_until);
        }
        let end = self.end()?;
        let now = self.unix_time();
        for record in self.records(self.read_to, end)?.chunks_exact(RECORD) {
            let time = u64_at(record, 8) / 2;
            self.seen_until = self.seen_until.max(time);
            if time >= counted_until && u64_at(record, 16) != self.owner {
                count(Record::decode(record, now));
            }
        }
        self.read_to = end;
        let records = (end - HEADER) / RECORD as u64;
        if self.may_write && records > self.compact_beyond { self.compact(end) } else { Ok(end) }
    }

    fn unix_time(&self) -> Duration {
        Duration::try_from((self.clock)().as_duration()).unwrap_or_default()
    }

    fn append(&mut self, end: u64, bot: u64, purpose: Purpose) -> io::Result<()> {
        let record = encode(bot, self.unix_time(), purpose, self.owner);
        self.file.write_all_at(&record, end)?;
        self.read_to = end + RECORD as u64;
        Ok(())
    }

    /// Writes the records of the last hour anew, if that drops at least half of them.
    fn compact(&mut self, end: u64) -> io::Result<u64> {
        let records = self.records(HEADER, end)?;
        let now = self.unix_time();
        let recent = records.chunks_exact(RECORD).filter(|record| Record::decode(record, now).age < KEPT);
        let recent: Vec<u8> = recent.flatten().copied().collect();
        if recent.len() > records.len() / 2 {
            self.compact_beyond = 2 * (end - HEADER) / RECORD as u64;
            return Ok(end);
        }
        self.compact_beyond = COMPACT_BEYOND;
        self.generation += 1;
        self.file.write_all_at(&recent, HEADER)?;
        self.file.set_len(HEADER + recent.len() as u64)?;
        self.file.write_all_at(&self.header(self.generation), 0)?;
        self.read_to = HEADER + recent.len() as u64;
        Ok(self.read_to)
    }
}

/// Bot, time in Unix milliseconds doubled with the purpose as its last bit, owner.
fn encode(bot: u64, at: Duration, purpose: Purpose, owner: u64) -> [u8; RECORD] {
    let time = milliseconds(at) * 2 + u64::from(purpose == Purpose::Backfill);
    let mut record = [0; RECORD];
    for (place, value) in [bot, time, owner].into_iter().enumerate() {
        record[8 * place..8 * place + 8].copy_from_slice(&value.to_le_bytes());
    }
    record
}

impl Record {
    /// A time in the future, after the clock was set back, is taken as now.
    fn decode(record: &[u8], now: Duration) -> Record {
        let time = u64_at(record, 8);
        let purpose = if time % 2 == 1 { Purpose::Backfill } else { Purpose::Live };
        Record { bot: u64_at(record, 0), age: now.saturating_sub(Duration::from_millis(time / 2)), purpose }
    }
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX / 4)
}

fn u64_at(bytes: &[u8], place: usize) -> u64 {
    bytes.get(place..place + 8).and_then(|bytes| bytes.try_into().ok()).map_or(0, u64::from_le_bytes)
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    fn open(path: &Path) -> Ledger {
        Ledger::open(path, Timestamp::now).unwrap()
    }

    fn unix_time() -> Duration {
        Timestamp::now().as_duration().try_into().unwrap()
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
        let old = encode(9, unix_time() - 2 * KEPT, Purpose::Live, 7);
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
        let recent = encode(9, unix_time(), Purpose::Live, 7);
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

    #[test]
    fn a_wrong_clock_of_the_past_does_not_block_for_ever() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger");
        let ledger = open(&path);
        let ahead = encode(9, unix_time() + 1000 * KEPT, Purpose::Backfill, 7);
        ledger.file.write_all_at(&ahead, HEADER).unwrap();
        let again = open(&path);
        let mut record = [0; RECORD];
        again.file.read_exact_at(&mut record, HEADER).unwrap();
        assert!(u64_at(&record, 8) / 2 <= milliseconds(unix_time()));
        assert_eq!(Record::decode(&record, unix_time()).purpose, Purpose::Backfill);
    }

    #[test]
    fn what_others_do_after_the_clock_was_set_back_counts() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger");
        let (mut one, mut two) = (open(&path), open(&path));
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
        assert!(Ledger::open_to_read(&path, Timestamp::now).is_err() && !path.exists());
        make(&mut open(&path), 1, Purpose::Live);
        let before = std::fs::read(&path).unwrap();
        let mut reader = Ledger::open_to_read(&path, Timestamp::now).unwrap();
        make(&mut reader, 2, Purpose::Live);
        assert_eq!(std::fs::read(&path).unwrap(), before);
    }

    #[test]
    fn a_torn_record_or_a_foreign_file_does_no_harm() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger");
        std::fs::write(&path, "something else entirely").unwrap();
        let mut ledger = open(&path);
        make(&mut ledger, 1, Purpose::Live);
        ledger.file.write_all_at(b"torn", HEADER + RECORD as u64).unwrap();
        make(&mut ledger, 2, Purpose::Live);
        assert_eq!(others(&mut open(&path)), [(1, Purpose::Live), (2, Purpose::Live)]);
    }
}
