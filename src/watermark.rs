//! The durable memory of how far each series has come: `watermarks.json` in the state folder.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::plan::Progress;
use crate::series::SeriesKey;
use crate::state_file::{self, Loaded};

const VERSION: u64 = 1;

/// The progress of every series that was ever exported from this state folder.
#[derive(Debug)]
pub struct Watermarks {
    entries: BTreeMap<SeriesKey, Progress>,
    /// Whether something changed since the last save.
    changed: bool,
}

/// Why the watermarks cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum WatermarkError {
    /// The system does not let the file be read or moved.
    #[error("{} cannot be read: {error}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// A later release wrote the file.
    #[error(
        "{} has format version {found}, this release knows {VERSION}: install the newer release again, or move the file \
         away to start from initial_days", path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u64,
    },
}

#[derive(Serialize, Deserialize)]
struct Content {
    series: Vec<Entry>,
}

#[derive(Serialize, Deserialize)]
struct Entry {
    #[serde(flatten)]
    key: SeriesKey,
    since: Date,
    through: Option<Date>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    apart: bool,
}

/// The file in this state folder.
pub fn path_in(state_dir: &Path) -> PathBuf {
    state_dir.join("watermarks.json")
}

impl Watermarks {
    /// Reads the file of this state folder, if there is one. One that cannot be read as what it should be is set aside
    /// with a loud warning, or merely ignored if `may_write` is false.
    ///
    /// # Errors
    ///
    /// A file of a newer release, or one that the system withholds.
    pub fn load(state_dir: &Path, now: Timestamp, may_write: bool) -> Result<Watermarks, WatermarkError> {
        let path = path_in(state_dir);
        let failed = |error| WatermarkError::Io { path: path.clone(), error };
        let entries = match state_file::load::<Content>(&path, VERSION).map_err(failed)? {
            Loaded::Absent => BTreeMap::new(),
            Loaded::Found(content) => content.series.into_iter().map(Entry::split).collect(),
            Loaded::Newer(found) => return Err(WatermarkError::Newer { path, found }),
            Loaded::Unreadable(problem) => {
                let kept = if may_write { state_file::set_aside(&path, now).map_err(failed)? } else { path.clone() };
                tracing::warn!(
                    file = %path.display(), kept_as = %kept.display(),
                    "the watermarks cannot be read ({problem}): starting as on the first day, from initial_days; for \
                     older days that were still owed use --backfill"
                );
                BTreeMap::new()
            }
        };
        Ok(Watermarks { entries, changed: false })
    }

    /// How far this series has come.
    pub fn get(&self, key: &SeriesKey) -> Option<Progress> {
        self.entries.get(key).copied()
    }

    /// Remembers how far this series has come.
    pub fn set(&mut self, key: SeriesKey, progress: Progress) {
        self.changed |= self.entries.insert(key, progress) != Some(progress);
    }

    /// Writes the file if something changed since it was written.
    ///
    /// # Errors
    ///
    /// What the disk said; the old file then stands, and the next call tries again.
    pub async fn save(&mut self, state_dir: &Path) -> io::Result<()> {
        if !self.changed {
            return Ok(());
        }
        let series = self.entries.iter().map(|(key, progress)| Entry::join(key, progress)).collect();
        let path = path_in(state_dir);
        let write = move || state_file::replace(&path, VERSION, &Content { series });
        tokio::task::spawn_blocking(write).await.map_err(io::Error::other)??;
        self.changed = false;
        Ok(())
    }
}

impl Entry {
    fn split(self) -> (SeriesKey, Progress) {
        (self.key, Progress { since: self.since, through: self.through, apart: self.apart })
    }

    fn join(key: &SeriesKey, progress: &Progress) -> Entry {
        Entry { key: key.clone(), since: progress.since, through: progress.through, apart: progress.apart }
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;
    use crate::series::Interval;

    fn key(bot: &str) -> SeriesKey {
        SeriesKey { bot: bot.into(), bot_id: format!("st-{bot}"), channel: "all".into(), interval: Interval::Daily }
    }

    const PROGRESS: Progress = Progress { since: date(2026, 8, 1), through: Some(date(2026, 8, 5)), apart: true };

    #[tokio::test]
    async fn watermarks_survive_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let mut watermarks = Watermarks::load(folder.path(), Timestamp::UNIX_EPOCH, true).unwrap();
        watermarks.set(key("a"), PROGRESS);
        watermarks.set(key("b"), Progress { through: None, apart: false, ..PROGRESS });
        watermarks.save(folder.path()).await.unwrap();
        let again = Watermarks::load(folder.path(), Timestamp::UNIX_EPOCH, true).unwrap();
        assert_eq!(again.entries, watermarks.entries);
        assert_eq!(again.get(&SeriesKey { bot_id: "st-other".into(), ..key("a") }), None, "another bot of that name");
    }

    #[test]
    fn an_unreadable_file_is_set_aside_and_a_newer_one_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = path_in(folder.path());
        std::fs::write(&path, "{}").unwrap();
        assert!(Watermarks::load(folder.path(), Timestamp::UNIX_EPOCH, false).unwrap().entries.is_empty());
        assert!(path.exists(), "a dry run moves nothing");
        assert!(Watermarks::load(folder.path(), Timestamp::UNIX_EPOCH, true).unwrap().entries.is_empty());
        assert!(!path.exists());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        std::fs::write(&path, "{\"version\": 2}").unwrap();
        let error = Watermarks::load(folder.path(), Timestamp::UNIX_EPOCH, true).unwrap_err();
        assert!(matches!(error, WatermarkError::Newer { found: 2, .. }));
    }
}
