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
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::limiter::Purpose;

const MAGIC: &[u8; 8] = b"requests";
const HEADER: u64 = 16;
const RECORD: usize = 24;
const KEPT: Duration = Duration::from_secs(3700);

/// Records beyond which the old ones are dropped.
const COMPACT_BEYOND: u64 = 40_000;

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
    /// Tells own records from others'.
    owner: u64,
    generation: u64,
    read_to: u64,
    failed: bool,
}

impl Ledger {
    /// Opens the file, making it if need be.
    ///
    /// # Errors
    ///
    /// What the system said.
    pub fn open(path: &Path) -> io::Result<Ledger> {
        let mut options = File::options();
        let file = options.create(true).truncate(false).read(true).write(true).mode(0o600).open(path)?;
        let owner = u64::from_le_bytes(*uuid::Uuid::new_v4().as_bytes().first_chunk().unwrap_or(&[0; 8]));
        let mut ledger = Ledger { file, owner, generation: 0, read_to: 0, failed: false };
        ledger.file.lock()?;
        let prepared = ledger.prepare();
        ledger.file.unlock()?;
        prepared.map(|()| ledger)
    }

    /// Tells `count` what others did since the last call, then lets `decide` make a request of its own or not, with no
    /// other process in between. A disk that fails is reported once; the limits then hold within this process only.
    pub fn exchange<T>(
        &mut self,
        count: impl FnMut(Record),
        decide: impl FnOnce() -> (T, Option<(u64, Purpose)>),
    ) -> T {
        // A process that is stopped with the lock in its hands must not stop this one.
        let locked = (0..20).any(|_| {
            let locked = self.file.try_lock().is_ok();
            if !locked {
                std::thread::yield_now();
            }
            locked
        });
        let read = self.read_others(count);
        let (result, request) = decide();
        let written = read.and_then(|end| match request {
            Some((bot, purpose)) => self.append(end, bot, purpose),
            None => Ok(()),
        });
        if locked && let Err(error) = self.file.unlock() {
            tracing::debug!("the request ledger cannot be unlocked: {error}");
        }
        match written {
            Err(error) if !self.failed => {
                self.failed = true;
                tracing::warn!("the request ledger fails ({error}): after a restart the hourly limit may be exceeded");
            }
            Err(_) => {}
            Ok(()) => self.failed = false,
        }
        result
    }

    /// Gives an empty or foreign file its header.
    fn prepare(&mut self) -> io::Result<()> {
        let mut header = [0; HEADER as usize];
        let valid = self.file.read_exact_at(&mut header, 0).is_ok() && header.starts_with(MAGIC);
        if !valid {
            self.file.set_len(0)?;
            header = self.header(1);
            self.file.write_all_at(&header, 0)?;
        }
        Ok(())
    }

    fn header(&self, generation: u64) -> [u8; HEADER as usize] {
        let mut header = [0; HEADER as usize];
        header[..8].copy_from_slice(MAGIC);
        header[8..].copy_from_slice(&generation.to_le_bytes());
        header
    }

    /// Reads what was appended since the last time and returns where the records end.
    fn read_others(&mut self, mut count: impl FnMut(Record)) -> io::Result<u64> {
        let mut header = [0; HEADER as usize];
        self.file.read_exact_at(&mut header, 0)?;
        let generation = u64_at(&header, 8);
        if generation != self.generation {
            // Read from the start; what was read before counts again, which errs on the safe side.
            self.generation = generation;
            self.read_to = HEADER;
        }
        let length = self.file.metadata()?.len();
        let end = length - length.saturating_sub(HEADER) % RECORD as u64;
        if end > self.read_to {
            let mut records = vec![0; usize::try_from(end - self.read_to).map_err(io::Error::other)?];
            self.file.read_exact_at(&mut records, self.read_to)?;
            let now = unix_time();
            for record in records.chunks_exact(RECORD).filter(|record| u64_at(record, 16) != self.owner) {
                count(Record::decode(record, now));
            }
        }
        self.read_to = end;
        if (end - HEADER) / RECORD as u64 > COMPACT_BEYOND { self.compact(end) } else { Ok(end) }
    }

    fn append(&mut self, end: u64, bot: u64, purpose: Purpose) -> io::Result<()> {
        let record = encode(bot, unix_time(), purpose, self.owner);
        self.file.write_all_at(&record, end)?;
        self.read_to = end + RECORD as u64;
        Ok(())
    }

    /// Writes the records of the last hour anew. One's own are in memory, and are told apart by their owner.
    fn compact(&mut self, end: u64) -> io::Result<u64> {
        let mut records = vec![0; usize::try_from(end - HEADER).map_err(io::Error::other)?];
        self.file.read_exact_at(&mut records, HEADER)?;
        let now = unix_time();
        let recent = records.chunks_exact(RECORD).filter(|record| Record::decode(record, now).age < KEPT);
        let recent: Vec<u8> = recent.flatten().copied().collect();
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
    let milliseconds = u64::try_from(at.as_millis()).unwrap_or(u64::MAX / 2);
    let time = milliseconds * 2 + u64::from(purpose == Purpose::Backfill);
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

fn u64_at(bytes: &[u8], place: usize) -> u64 {
    bytes.get(place..place + 8).and_then(|bytes| bytes.try_into().ok()).map_or(0, u64::from_le_bytes)
}

/// The only clock that processes share.
fn unix_time() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn others(ledger: &mut Ledger) -> Vec<(u64, Purpose)> {
        let mut seen = Vec::new();
        ledger.exchange(|record| seen.push((record.bot, record.purpose)), || ((), None));
        seen
    }

    fn make(ledger: &mut Ledger, bot: u64, purpose: Purpose) {
        ledger.exchange(|_| {}, || ((), Some((bot, purpose))));
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
}
