//! The requests of the last hour in a file of the state folder, so that restarts, and a backfill next to the daemon,
//! share one budget.
//!
//! The file is a header and fixed records that are only ever appended; a process reads what others appended since it
//! last looked. Every exchange is a handful of system calls under the file's lock. A file that has grown is written
//! anew under the next generation number, which tells the other processes to read it from the start.
//!
//! How old a request is, the machine's uptime tells, for clocks are set while programs end and start. Only what was
//! asked before the machine started is dated by its clock.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::time::Duration;

use super::flush::Flush;
use super::limiter::Purpose;
use crate::domain::clock::Clock;
use crate::platform::limits::uptime::{ReadUptime, Uptime};
use crate::state::atomic;

const MAGIC: &[u8; 8] = b"request2";
const HEADER: u64 = 16;
const RECORD: usize = 32;
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

/// How a ledger tells when something was.
#[derive(Clone, Copy, Debug)]
pub struct Clocks {
    /// The time of day, which may be wrong, and set.
    pub clock: Clock,
    /// How long the machine has been up, which nobody sets.
    pub uptime: ReadUptime,
}

/// The open file.
#[derive(Debug)]
pub struct Ledger {
    file: File,
    clocks: Clocks,
    /// Tells own records from others'.
    owner: u64,
    generation: u64,
    read_to: u64,
    /// How far it was read, by [`Moment::place`] of the last record: where the file is read anew, what comes before that
    /// was counted.
    seen_until: u64,
    /// Records beyond which it is worth looking for old ones to drop.
    compact_beyond: u64,
    may_write: bool,
    /// Own requests that are not in the file yet, oldest first: none, unless the disk fails.
    unwritten: VecDeque<[u8; RECORD]>,
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
    pub fn open(path: &Path, clocks: Clocks) -> io::Result<Ledger> {
        let mut options = File::options();
        let file = options.create(true).truncate(false).read(true).write(true).mode(0o600).open(path)?;
        let mut ledger = Ledger::of(file, clocks, true);
        ledger.file.lock()?;
        let prepared = ledger.prepare().and_then(|()| atomic::sync_name(path));
        ledger.file.unlock()?;
        prepared.map(|()| ledger)
    }

    /// Opens the file to know what others use, and to leave no trace.
    ///
    /// # Errors
    ///
    /// What the system said; there may be no file.
    pub fn open_to_read(path: &Path, clocks: Clocks) -> io::Result<Ledger> {
        Ok(Ledger::of(File::open(path)?, clocks, false))
    }

    /// Brings to the disk what is appended, if anything is.
    pub fn flush(&self) -> Option<Flush> {
        self.file.try_clone().ok().filter(|_| self.may_write).map(Flush::new)
    }

    fn of(file: File, clocks: Clocks, may_write: bool) -> Ledger {
        let owner = u64_at(uuid::Uuid::new_v4().as_bytes(), 0);
        let (generation, read_to, seen_until, missed) = (0, HEADER, 0, 0);
        let (compact_beyond, unwritten, failed) = (COMPACT_BEYOND, VecDeque::new(), false);
        Ledger {
            file,
            clocks,
            owner,
            generation,
            read_to,
            seen_until,
            compact_beyond,
            may_write,
            unwritten,
            missed,
            failed,
        }
    }

    /// Tells `count` what others did since the last call, then lets `decide` make a request of its own or not, with no
    /// other process in between. `None` where another process has the lock: try again a little later. A disk that
    /// fails is reported once; the limits then hold within this process only, until what was asked meanwhile is written.
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
            self.report(Err(io::Error::other("another process does not give it free")));
            let (result, request) = decide();
            self.remember(request);
            return Some(result);
        }
        self.missed = 0;
        let read = self.read_others(count);
        let (result, request) = decide();
        self.remember(request);
        let written = read.and_then(|end| self.append(end));
        self.report(written.and(self.file.unlock()));
        Some(result)
    }

    /// Whether own requests are not in the file, so that the next process would not know of them.
    pub fn has_unwritten(&self) -> bool {
        !self.unwritten.is_empty()
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

    fn report(&mut self, result: io::Result<()>) {
        match (std::mem::replace(&mut self.failed, result.is_err()), result) {
            (false, Err(error)) => {
                tracing::warn!("the request ledger fails ({error}): limits hold within this process only");
            }
            (true, Ok(())) => tracing::info!("the request ledger works again"),
            _ => {}
        }
    }

    /// A request that is to be written; after too long a time the oldest are given up, which are old by then.
    fn remember(&mut self, request: Option<(u64, Purpose)>) {
        let Some((bot, purpose)) = request.filter(|_| self.may_write) else { return };
        self.unwritten.push_back(encode(bot, self.now(), purpose, self.owner));
        if self.unwritten.len() as u64 > COMPACT_BEYOND {
            self.unwritten.pop_front();
        }
    }

    /// Gives an empty or foreign file its header. Where the clock says that requests of before the start are yet to come,
    /// it is behind now or was ahead then: the last of them is taken to be as old as can be excluded, which is not at
    /// all, and the others as much older as they were before it.
    fn prepare(&mut self) -> io::Result<()> {
        let mut header = [0; HEADER as usize];
        let valid = self.file.read_exact_at(&mut header, 0).is_ok() && header.starts_with(MAGIC);
        if !valid {
            self.file.set_len(0)?;
            self.file.write_all_at(&self.header(1), 0)?;
            return self.file.sync_all();
        }
        let (end, now) = (self.end()?, self.now());
        let mut records = self.records(HEADER, end)?;
        let mut to_come: Vec<(&mut [u8], Moment)> = Vec::new();
        for record in records.chunks_exact_mut(RECORD) {
            let at = Moment::of(record);
            if !at.is_of_this_run(&now) && at.clock > now.clock {
                to_come.push((record, at));
            }
        }
        let Some(latest) = to_come.iter().map(|(_, at)| at.clock).max() else { return Ok(()) };
        for (record, at) in to_come {
            let before = latest - at.clock;
            let (clock, is_recent) = (now.clock.saturating_sub(before), before < milliseconds(KEPT));
            let time = clock * 2 + u64_at(record, 8) % 2;
            record[8..16].copy_from_slice(&time.to_le_bytes());
            if is_recent {
                // From now on it counts by the uptime, whatever becomes of the clock.
                let uptime = now.uptime.saturating_sub(before);
                record[24..32].copy_from_slice(&Moment { uptime, ..now }.packed().to_le_bytes());
            }
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
        if !header.starts_with(MAGIC) {
            return Err(io::Error::other("it is something else"));
        }
        let generation = u64_at(&header, 8);
        // What was appended always counts.
        let mut counted_until = 0;
        if generation != self.generation {
            (self.generation, self.read_to, counted_until) = (generation, HEADER, self.seen_until);
        }
        let end = self.end()?;
        let now = self.now();
        for record in self.records(self.read_to, end)?.chunks_exact(RECORD) {
            let place = Moment::of(record).place(&now);
            self.seen_until = self.seen_until.max(place);
            if place >= counted_until && u64_at(record, 16) != self.owner {
                count(Record::decode(record, &now));
            }
        }
        self.read_to = end;
        let records = (end - HEADER) / RECORD as u64;
        if self.may_write && records > self.compact_beyond { self.compact(end) } else { Ok(end) }
    }

    fn now(&self) -> Moment {
        let clock = u64::try_from((self.clocks.clock)().as_millisecond()).unwrap_or(0).min(u64::MAX / 4);
        match (self.clocks.uptime)() {
            Some(Uptime { time, run }) => Moment { clock, uptime: milliseconds(time + KEPT) & UPTIME, run },
            None => Moment { clock, uptime: 0, run: 0 },
        }
    }

    /// Writes one by one, so that a disk which fails in between leaves nothing to be written twice.
    fn append(&mut self, mut end: u64) -> io::Result<()> {
        while let Some(record) = self.unwritten.front() {
            self.file.write_all_at(record, end)?;
            end += RECORD as u64;
            self.read_to = end;
            self.unwritten.pop_front();
        }
        Ok(())
    }

    /// Writes the records of the last hour anew, if that drops at least half of them.
    fn compact(&mut self, end: u64) -> io::Result<u64> {
        let records = self.records(HEADER, end)?;
        let now = self.now();
        let recent = records.chunks_exact(RECORD).filter(|record| Record::decode(record, &now).age < KEPT);
        let recent: Vec<u8> = recent.flatten().copied().collect();
        if recent.len() > records.len() / 2 {
            self.compact_beyond = 2 * (end - HEADER) / RECORD as u64;
            return Ok(end);
        }
        self.compact_beyond = COMPACT_BEYOND;
        let generation = self.generation.wrapping_add(1);
        self.file.write_all_at(&recent, HEADER)?;
        // Cut off only when it is on the disk further up: a power cut may count requests twice, and forgets none.
        self.file.sync_data()?;
        self.file.set_len(HEADER + recent.len() as u64)?;
        self.file.write_all_at(&self.header(generation), 0)?;
        self.generation = generation;
        self.read_to = HEADER + recent.len() as u64;
        Ok(self.read_to)
    }
}

/// When something was: Unix milliseconds by the clock, and as far as that is known the machine's uptime with the run that
/// it is of. The uptime is in milliseconds and counted from a while before the start, so that what was asked just before
/// it has one as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Moment {
    clock: u64,
    uptime: u64,
    run: u16,
}

/// The bits of a record's last number that hold the uptime; those above tell the run.
const UPTIME: u64 = (1 << UPTIME_BITS) - 1;
const UPTIME_BITS: u32 = 48;

impl Moment {
    fn of(record: &[u8]) -> Moment {
        let packed = u64_at(record, 24);
        let run = u16::try_from(packed >> UPTIME_BITS).unwrap_or(0);
        Moment { clock: u64_at(record, 8) / 2, uptime: packed & UPTIME, run }
    }

    fn packed(&self) -> u64 {
        (u64::from(self.run) << UPTIME_BITS) | self.uptime
    }

    /// Whether it was since the machine started, which it did before `now`.
    fn is_of_this_run(&self, now: &Moment) -> bool {
        now.run != 0 && self.run == now.run
    }

    /// How long before `now` it was. What the clock says is yet to come is now. A machine that went back to a snapshot
    /// of itself is younger than it was, and only its clock knows.
    fn age(&self, now: &Moment) -> Duration {
        let milliseconds = match self.is_of_this_run(now) && self.uptime <= now.uptime {
            true => now.uptime.saturating_sub(self.uptime),
            false => now.clock.saturating_sub(self.clock),
        };
        Duration::from_millis(milliseconds)
    }

    /// A number that is no lower than that of any earlier record, so that what was read is known.
    fn place(&self, now: &Moment) -> u64 {
        match self.is_of_this_run(now) {
            true => self.uptime + 1,
            false if now.run != 0 => 0,
            false => self.clock,
        }
    }
}

/// Bot, Unix milliseconds doubled with the purpose as its last bit, owner, uptime with the run.
fn encode(bot: u64, at: Moment, purpose: Purpose, owner: u64) -> [u8; RECORD] {
    let time = at.clock * 2 + u64::from(purpose == Purpose::Backfill);
    let mut record = [0; RECORD];
    for (place, value) in [bot, time, owner, at.packed()].into_iter().enumerate() {
        record[8 * place..8 * place + 8].copy_from_slice(&value.to_le_bytes());
    }
    record
}

impl Record {
    fn decode(record: &[u8], now: &Moment) -> Record {
        let purpose = if u64_at(record, 8) % 2 == 1 { Purpose::Backfill } else { Purpose::Live };
        Record { bot: u64_at(record, 0), age: Moment::of(record).age(now), purpose }
    }
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX / 4)
}

fn u64_at(bytes: &[u8], place: usize) -> u64 {
    bytes.get(place..place + 8).and_then(|bytes| bytes.try_into().ok()).map_or(0, u64::from_le_bytes)
}

#[cfg(test)]
#[path = "ledger_tests.rs"]
mod tests;
