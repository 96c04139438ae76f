//! The progress of `--backfill` in `backfill.json`: an interrupted run continues where it stopped.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::anyhow;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::domain::plan::chunks;
use crate::domain::series::{Series, SeriesKey, Window, day_after};
use crate::state::StateError;
use crate::state::atomic::{self, Loaded};

const VERSION: u64 = 1;

/// The days that a backfill was asked for, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Range {
    /// The first day.
    pub from: Date,
    /// The last day; `None` is yesterday, whenever that is.
    pub to: Option<Date>,
}

impl Range {
    /// The days of the range where `today` is today; `None` if there are none.
    pub fn window(&self, today: Date) -> Option<Window> {
        let last = self.to.unwrap_or_else(|| day_after(today, -1)).min(today);
        (self.from <= last).then_some(Window { first: self.from, last })
    }
}

impl std::fmt::Display for Range {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.to {
            Some(to) => write!(f, "{}..{to}", self.from),
            None => write!(f, "{}..", self.from),
        }
    }
}

/// How far each series of a backfill has come.
#[derive(Debug)]
pub struct BackfillProgress {
    range: Range,
    /// The last day done of each series that takes part; `None` before the first.
    entries: BTreeMap<SeriesKey, Option<Date>>,
    changed: bool,
}

#[derive(Serialize, Deserialize)]
struct Content {
    #[serde(flatten)]
    range: Range,
    series: Vec<Entry>,
}

#[derive(Serialize, Deserialize)]
struct Entry {
    #[serde(flatten)]
    key: SeriesKey,
    through: Option<Date>,
}

/// The file in this state folder.
pub fn path_in(state_dir: &Path) -> PathBuf {
    state_dir.join("backfill.json")
}

impl BackfillProgress {
    /// A run from the beginning.
    pub fn new(range: Range) -> BackfillProgress {
        BackfillProgress { range, entries: BTreeMap::new(), changed: true }
    }

    /// Continues an interrupted run over the same range, or begins one.
    ///
    /// # Errors
    ///
    /// If a run over another range was interrupted, or its file cannot be read.
    pub fn load(state_dir: &Path, range: Range) -> Result<BackfillProgress, StateError> {
        let path = path_in(state_dir);
        match atomic::load::<Content>(&path, VERSION) {
            Ok(Loaded::Absent) => Ok(BackfillProgress::new(range)),
            Ok(Loaded::Found(content)) if content.range == range => {
                let entries = content.series.into_iter().map(|entry| (entry.key, entry.through)).collect();
                Ok(BackfillProgress { range, entries, changed: false })
            }
            Ok(Loaded::Found(Content { range: unfinished, .. })) => Err(StateError::AnotherRange(format!(
                "a backfill of {unfinished} was interrupted: finish it with --backfill {unfinished}, or forget it with \
                 --restart"
            ))),
            Ok(Loaded::Unreadable(problem)) => {
                Err(anyhow!("{} cannot be read: {problem}; start over with --restart", path.display()).into())
            }
            Ok(Loaded::Newer(found)) => Err(StateError::Newer(format!(
                "{} was written by a newer release (format version {found}): use that release, or start over with \
                 --restart",
                path.display()
            ))),
            Err(error) => Err(anyhow!("{} cannot be read: {error}", path.display()).into()),
        }
    }

    /// Lets the series take part, and returns the windows it still has to do, oldest first.
    pub fn enlist(&mut self, series: &Series, today: Date, max_days: u32) -> Vec<Window> {
        self.changed |= !self.entries.contains_key(&series.key());
        let done = *self.entries.entry(series.key()).or_default();
        let Some(window) = self.range.window(today) else { return Vec::new() };
        let first = done.map_or(window.first, |done| day_after(done, 1));
        if first > window.last { Vec::new() } else { chunks(Window { first, ..window }, max_days) }
    }

    /// Remembers that a window of a series is done, as far as its days were over; windows come in order.
    pub fn done(&mut self, key: SeriesKey, window: Window) {
        self.entries.insert(key, Some(window.last));
        self.changed = true;
    }

    /// Whether every series that takes part has done the whole range, by each one's today.
    pub fn is_complete(&self, today: impl Fn(&SeriesKey) -> Option<Date>) -> bool {
        // A series that is no longer configured is not waited for.
        self.entries.keys().all(|key| today(key).is_none_or(|today| self.is_done(key, today)))
    }

    /// Whether this series has done the whole range, by its today.
    pub fn is_done(&self, key: &SeriesKey, today: Date) -> bool {
        // Of today there is nothing to be done for good.
        let last = self.range.window(today).map(|window| window.last.min(day_after(today, -1)));
        let done = self.entries.get(key).copied().flatten();
        last.filter(|last| *last >= self.range.from).is_none_or(|last| done.is_some_and(|done| done >= last))
    }

    /// Writes the file if something changed since it was written.
    ///
    /// # Errors
    ///
    /// What the disk said.
    pub async fn save(&mut self, state_dir: &Path) -> io::Result<()> {
        if !self.changed {
            return Ok(());
        }
        let entry = |(key, through): (&SeriesKey, &Option<Date>)| Entry { key: key.clone(), through: *through };
        let content = Content { range: self.range, series: self.entries.iter().map(entry).collect() };
        let path = path_in(state_dir);
        let write = move || atomic::replace(&path, VERSION, &content);
        tokio::task::spawn_blocking(write).await.map_err(io::Error::other)??;
        self.changed = false;
        Ok(())
    }
}

/// Forgets the progress of a run, finished or not.
///
/// # Errors
///
/// What the disk said.
pub fn forget(state_dir: &Path) -> io::Result<()> {
    atomic::remove(&path_in(state_dir))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use jiff::civil::date;

    use super::*;
    use crate::domain::bot::test_bot;
    use crate::domain::series::Interval;

    const TODAY: Date = date(2026, 8, 20);

    fn series(bot: &str) -> Series {
        Series { bot: Arc::new(test_bot(bot)), channel: "all".into(), interval: Interval::Hourly }
    }

    fn window(first: i8, last: i8) -> Window {
        Window { first: date(2026, 8, first), last: date(2026, 8, last) }
    }

    #[tokio::test]
    async fn an_interrupted_run_continues_where_it_stopped() {
        let folder = tempfile::tempdir().unwrap();
        let range = Range { from: date(2026, 8, 1), to: Some(date(2026, 8, 9)) };
        let mut progress = BackfillProgress::load(folder.path(), range).unwrap();
        assert_eq!(progress.enlist(&series("a"), TODAY, 5), [window(1, 5), window(6, 9)]);
        progress.enlist(&series("b"), TODAY, 5);
        progress.done(series("a").key(), window(1, 5));
        progress.save(folder.path()).await.unwrap();

        let mut progress = BackfillProgress::load(folder.path(), range).unwrap();
        assert_eq!(progress.enlist(&series("a"), TODAY, 5), [window(6, 9)]);
        progress.done(series("a").key(), window(6, 9));
        assert!(!progress.is_complete(|_| Some(TODAY)), "b has not begun");
        assert!(progress.is_complete(|key| (*key.bot == *"a").then_some(TODAY)), "b is gone from the configuration");
        assert_eq!(progress.enlist(&series("a"), TODAY, 5), []);
    }

    #[tokio::test]
    async fn another_range_is_refused_until_the_first_is_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let range = Range { from: date(2026, 8, 1), to: None };
        let mut progress = BackfillProgress::new(range);
        progress.enlist(&series("a"), TODAY, 5);
        progress.save(folder.path()).await.unwrap();
        let other = Range { to: Some(date(2026, 8, 9)), ..range };
        let error = BackfillProgress::load(folder.path(), other).unwrap_err();
        assert!(error.to_string().contains("--backfill 2026-08-01.., or forget it with --restart"), "{error}");
        forget(folder.path()).unwrap();
        forget(folder.path()).unwrap();
        assert!(BackfillProgress::load(folder.path(), other).is_ok());
    }

    #[test]
    fn an_open_range_ends_yesterday() {
        let range = Range { from: date(2026, 8, 18), to: None };
        assert_eq!(range.window(TODAY), Some(window(18, 19)));
        assert_eq!(Range { from: TODAY, to: None }.window(TODAY), None);
        assert_eq!(Range { from: TODAY, to: Some(TODAY) }.window(TODAY), Some(window(20, 20)));
    }
}
