//! The requests of the last hour in the state folder, so that restarts, and a backfill next to the daemon, share one
//! budget.
//!
//! A file for each hour of the clock, named after it, holds short records that are only ever appended, under the lock of
//! a file beside them; a process reads what others appended since it last looked. Three hours are kept. Nothing is
//! synced, and requests are dated by the clock: after a power cut, or when the clock is set, the limits may be
//! exceeded within an hour. What is dated in the future counts as made now.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::time::Instant;

use super::denial::LONGEST_PAUSE;
use super::usage::Purpose;
use crate::domain::clock::Clock;

/// The name of a file before the number of its hour.
const NAME: &str = "requests.";
const LOCK: &str = "requests.lock";
const RECORD: usize = 16;
const MOST_READ_AT_ONCE: u64 = 4096 * RECORD as u64;
const HOUR: u64 = 3_600_000;

/// Records may be forgotten that are older than this, in milliseconds.
const KEPT: u64 = 3_700_000;

/// How long a process waits in all for another to release the lock. Others hold it for microseconds; one that was
/// stopped while it did must not stop this one for good.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a process did with a bot, and others must know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// Made a request, so long ago.
    Asked(Purpose, Duration),
    /// Was denied: the bot is left alone for so much longer.
    Denied(Duration),
}

/// An event of the bot whose id has this stable hash.
pub type Entry = (u64, Event);

/// The open files.
#[derive(Debug)]
pub struct Ledger {
    folder: PathBuf,
    lock: File,
    clock: Clock,
    may_write: bool,
    /// By hour, each with how far it was read.
    files: BTreeMap<u64, (File, u64)>,
    /// The hour in which the folder was looked through.
    looked: Option<u64>,
    busy_since: Option<Instant>,
    is_failing: bool,
}

impl Ledger {
    /// Opens the files of this folder, making them if need be.
    ///
    /// # Errors
    ///
    /// What the system said.
    pub fn open(folder: &Path, clock: Clock) -> io::Result<Ledger> {
        let mut options = OpenOptions::new();
        let lock = options.create(true).truncate(false).read(true).write(true).mode(0o600).open(folder.join(LOCK))?;
        let mut ledger = Ledger::of(folder, lock, clock, true);
        // To know now whether the folder can be written.
        ledger.file(ledger.now() / HOUR)?;
        Ok(ledger)
    }

    /// Opens the files to know what others use, and to leave no trace.
    ///
    /// # Errors
    ///
    /// What the system said; there may be no file.
    pub fn open_to_read(folder: &Path, clock: Clock) -> io::Result<Ledger> {
        Ok(Ledger::of(folder, File::open(folder.join(LOCK))?, clock, false))
    }

    fn of(folder: &Path, lock: File, clock: Clock, may_write: bool) -> Ledger {
        let files = BTreeMap::new();
        let folder = folder.to_owned();
        Ledger { folder, lock, clock, may_write, files, looked: None, busy_since: None, is_failing: false }
    }

    /// Tells `count` what others did since the last call, then lets `decide` do something or not, with no other process
    /// in between. `None` where another process has the lock: try again a little later. A disk that fails is reported
    /// once; the limits then hold within this process only.
    pub fn exchange<T>(&mut self, count: impl FnMut(Entry), decide: impl FnOnce() -> (T, Option<Entry>)) -> Option<T> {
        let locked = if self.may_write { self.lock.try_lock() } else { self.lock.try_lock_shared() };
        if locked.is_err() {
            let since = *self.busy_since.get_or_insert_with(Instant::now);
            if since.elapsed() < PATIENCE {
                return None;
            }
            self.report(Err(io::Error::other("another process keeps them locked")));
            return Some(decide().0);
        }
        self.busy_since = None;
        let now = self.now();
        let read = self.look_through(now).and_then(|()| self.read(now, count));
        let (result, entry) = decide();
        let recorded = read.and_then(|()| match entry.filter(|_| self.may_write) {
            Some(entry) => {
                self.append(now, &[encode(entry, now)])?;
                self.file(now / HOUR)?.1 += RECORD as u64;
                Ok(true)
            }
            None => Ok(false),
        });
        self.report(self.lock.unlock().and(recorded));
        Some(result)
    }

    /// Whether requests cannot be recorded, so that other processes do not know of them.
    pub fn is_failing(&self) -> bool {
        self.is_failing
    }

    /// Whether something was recorded, or why not. Merely to look succeeds on a full disk, too, and tells nothing.
    fn report(&mut self, recorded: io::Result<bool>) {
        match recorded {
            Err(error) if !std::mem::replace(&mut self.is_failing, true) => {
                tracing::warn!(
                    "cannot record requests in the state folder ({error}): the limits hold within this process only"
                );
            }
            Ok(true) if std::mem::take(&mut self.is_failing) => tracing::info!("requests are recorded again"),
            _ => {}
        }
    }

    /// In Unix milliseconds.
    fn now(&self) -> u64 {
        u64::try_from((self.clock)().as_millisecond()).unwrap_or(0)
    }

    /// The file of an hour, open.
    fn file(&mut self, hour: u64) -> io::Result<&mut (File, u64)> {
        use std::collections::btree_map::Entry;
        match self.files.entry(hour) {
            Entry::Occupied(known) => Ok(known.into_mut()),
            Entry::Vacant(new) => {
                let path = self.folder.join(format!("{NAME}{hour}"));
                let mut options = OpenOptions::new();
                options.read(true).write(self.may_write).create(self.may_write).mode(0o600);
                Ok(new.insert((options.open(path)?, 0)))
            }
        }
    }

    /// Once an hour: opens the last files, has future ones count from now on, and removes what is old.
    fn look_through(&mut self, now: u64) -> io::Result<()> {
        let hour = now / HOUR;
        if self.looked == Some(hour) {
            // Who only reads makes no file: that of this hour is there once somebody else has made it.
            return match self.file(hour).map(|_| ()) {
                Err(error) if error.kind() == io::ErrorKind::NotFound && !self.may_write => Ok(()),
                opened => opened,
            };
        }
        // The clock was set back: others remove these files.
        self.files.retain(|known, _| *known <= hour);
        let mut hours = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let name = entry?.file_name();
            hours.extend(name.to_str().and_then(|name| name.strip_prefix(NAME)?.parse::<u64>().ok()));
        }
        hours.sort_unstable();
        if self.may_write {
            let future = hours.split_off(hours.partition_point(|found| *found <= hour));
            self.bring_back(&future, now)?;
        }
        for found in hours {
            // Nothing in an older file counts any more, nor lasts.
            if found + 2 >= hour {
                self.file(found)?;
            } else if self.may_write {
                self.remove(found)?;
            }
        }
        if self.may_write {
            // Whoever makes the file, all others know of it.
            self.file(hour)?;
        }
        self.looked = Some(hour);
        Ok(())
    }

    /// The clock was ahead, or is behind: the newest request of these future hours is taken to be made now, and the others
    /// as much earlier as they were before it. The processes that made them count them twice for a while.
    fn bring_back(&mut self, hours: &[u64], now: u64) -> io::Result<()> {
        let mut asked = Vec::new();
        for hour in hours {
            let (file, _) = self.file(*hour)?;
            let length = file.metadata()?.len();
            for_each_record(file, 0, length, |record| {
                asked.extend(
                    matches!(decode(record, now).1, Event::Asked(..)).then(|| <[u8; RECORD]>::try_from(record)),
                );
            })?;
        }
        let mut asked: Vec<[u8; RECORD]> = asked.into_iter().flatten().collect();
        let newest = asked.iter().map(|record| time_of(record)).max().unwrap_or(now);
        asked.retain(|record| newest - time_of(record) < KEPT);
        for record in &mut asked {
            let moved = u64_at(record, 8).saturating_sub(newest.saturating_sub(now) * 4);
            record[8..].copy_from_slice(&moved.to_le_bytes());
        }
        self.append(now, &asked)?;
        hours.iter().try_for_each(|hour| self.remove(*hour))
    }

    fn remove(&mut self, hour: u64) -> io::Result<()> {
        self.files.remove(&hour);
        fs::remove_file(self.folder.join(format!("{NAME}{hour}")))
    }

    /// Reads what was appended since the last time.
    fn read(&mut self, now: u64, mut count: impl FnMut(Entry)) -> io::Result<()> {
        for (file, read_to) in self.files.values_mut() {
            let length = file.metadata()?.len();
            *read_to = for_each_record(file, *read_to, length, |record| {
                // So old that it counts against no limit, and no pause reaches until now.
                if now.saturating_sub(time_of(record)) < KEPT {
                    count(decode(record, now));
                }
            })?;
        }
        Ok(())
    }

    fn append(&mut self, now: u64, records: &[[u8; RECORD]]) -> io::Result<()> {
        let (file, _) = self.file(now / HOUR)?;
        // What a process that was killed, or a full disk, left of a record is written over.
        let length = file.metadata()?.len();
        file.write_all_at(&records.concat(), length - length % RECORD as u64)
    }
}

/// Hands over each whole record of a part of the file, and returns where they end.
fn for_each_record(file: &File, from: u64, to: u64, mut each: impl FnMut(&[u8])) -> io::Result<u64> {
    let to = to - to % RECORD as u64;
    let mut at = from;
    while at < to {
        let mut records = vec![0; usize::try_from((to - at).min(MOST_READ_AT_ONCE)).map_err(io::Error::other)?];
        file.read_exact_at(&mut records, at)?;
        for record in records.chunks_exact(RECORD) {
            each(record);
            at += RECORD as u64;
        }
    }
    Ok(at)
}

const LIVE: u64 = 0;
const BACKFILL: u64 = 1;
const DENIED: u64 = 2;

/// The bot; then Unix milliseconds times four, with the kind in the last two bits. A denial is dated by the end of its
/// pause.
fn encode((bot, event): Entry, now: u64) -> [u8; RECORD] {
    let milliseconds = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    let (time, kind) = match event {
        Event::Asked(Purpose::Live, age) => (now.saturating_sub(milliseconds(age)), LIVE),
        Event::Asked(Purpose::Backfill, age) => (now.saturating_sub(milliseconds(age)), BACKFILL),
        Event::Denied(left) => (now + milliseconds(left.min(LONGEST_PAUSE)), DENIED),
    };
    let mut record = [0; RECORD];
    record[..8].copy_from_slice(&bot.to_le_bytes());
    record[8..].copy_from_slice(&(time * 4 + kind).to_le_bytes());
    record
}

fn decode(record: &[u8], now: u64) -> Entry {
    let time = time_of(record);
    let age = Duration::from_millis(now.saturating_sub(time));
    let event = match u64_at(record, 8) % 4 {
        DENIED => Event::Denied(Duration::from_millis(time.saturating_sub(now)).min(LONGEST_PAUSE)),
        BACKFILL => Event::Asked(Purpose::Backfill, age),
        _ => Event::Asked(Purpose::Live, age),
    };
    (u64_at(record, 0), event)
}

fn time_of(record: &[u8]) -> u64 {
    u64_at(record, 8) / 4
}

fn u64_at(bytes: &[u8], place: usize) -> u64 {
    bytes.get(place..place + 8).and_then(|bytes| bytes.try_into().ok()).map_or(0, u64::from_le_bytes)
}

#[cfg(test)]
#[path = "ledger_tests.rs"]
mod tests;
