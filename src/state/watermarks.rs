//! The durable memory of how far each series has come: `watermarks.json` in the state folder.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::anyhow;
use jiff::Timestamp;
use jiff::civil::Date;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tokio::sync::{Notify, oneshot};

use crate::domain::plan::Progress;
use crate::domain::series::SeriesKey;
use crate::domain::target::Target;
use crate::state::atomic::{self, Loaded};
use crate::state::{StateError, rest_after_save};

const VERSION: u64 = 1;

/// The progress of every series that was ever exported from this state folder. Ticks share it; whoever runs them
/// does so [while they are saved](Watermarks::saved_while), and saves once more at the end.
#[derive(Debug)]
pub struct Watermarks {
    path: PathBuf,
    may_write: bool,
    entries: Mutex<Entries>,
    /// Held while the file is written, so that an older state never replaces a newer one.
    saving: tokio::sync::Mutex<()>,
    changed: Notify,
}

#[derive(Debug)]
struct Entries {
    by_key: BTreeMap<SeriesKey, Kept>,
    /// Whether something changed since the file was written.
    changed: bool,
}

/// How far a series has come, and where its points went; older releases did not say where.
type Kept = (Progress, Option<Target>);

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
    #[serde(default, skip_serializing_if = "Option::is_none")]
    confirmed_by: Option<Target>,
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
    pub fn load(state_dir: &Path, now: Timestamp, may_write: bool) -> Result<Watermarks, StateError> {
        let path = path_in(state_dir);
        let failed = |error: io::Error| anyhow!("{} cannot be read: {error}", path.display());
        let entries = match atomic::load::<Content>(&path, VERSION).map_err(failed)? {
            Loaded::Absent => BTreeMap::new(),
            Loaded::Found(content) => content.series.into_iter().map(Entry::split).collect(),
            Loaded::Newer(found) => {
                return Err(StateError::Newer(format!(
                    "{} has format version {found}, but this release supports up to {VERSION}: install the newer release, \
                     or move the file away to start from initial_days",
                    path.display()
                )));
            }
            Loaded::Unreadable(problem) => {
                let (kept, moved) = match may_write {
                    true => (atomic::set_aside(&path, now).map_err(failed)?, "moved the file aside"),
                    false => (path.clone(), "the next run moves the file aside"),
                };
                tracing::warn!(
                    file = %path.display(), kept_as = %kept.display(),
                    "cannot read the watermarks ({problem}): {moved}; starting from initial_days; use --backfill for \
                     older days that were still owed"
                );
                BTreeMap::new()
            }
        };
        let entries = Mutex::new(Entries { by_key: entries, changed: false });
        Ok(Watermarks { path, may_write, entries, saving: tokio::sync::Mutex::default(), changed: Notify::new() })
    }

    /// How far this series has come at this target's destination; a watermark without one is taken over.
    pub fn get(&self, key: &SeriesKey, target: &Target) -> Option<Progress> {
        let (progress, before) = self.kept(key)?;
        before.is_none_or(|before| before.destination == target.destination).then_some(progress)
    }

    /// How far this series has come wherever its points went, and where that was.
    pub fn kept(&self, key: &SeriesKey) -> Option<(Progress, Option<Target>)> {
        self.entries.lock().by_key.get(key).cloned()
    }

    /// Remembers how far this series has come at this target.
    pub fn set(&self, key: SeriesKey, progress: Progress, target: Target) {
        let mut entries = self.entries.lock();
        let kept = (progress, Some(target));
        if entries.by_key.insert(key, kept.clone()) != Some(kept) {
            entries.changed = true;
            self.changed.notify_one();
        }
    }

    /// Writes the file if something changed since it was written, unless nothing may be remembered.
    ///
    /// # Errors
    ///
    /// What the disk said; the old file then stands, and the next call tries again.
    pub async fn save(&self) -> io::Result<()> {
        let _one_at_a_time = self.saving.lock().await;
        let series = {
            let mut entries = self.entries.lock();
            if !self.may_write || !std::mem::take(&mut entries.changed) {
                return Ok(());
            }
            entries.by_key.iter().map(|(key, kept)| Entry::join(key, kept)).collect()
        };
        let path = self.path.clone();
        let write = move || atomic::replace(&path, VERSION, &Content { series });
        let written = tokio::task::spawn_blocking(write).await.map_err(io::Error::other).flatten();
        self.entries.lock().changed |= written.is_err();
        written
    }

    /// Does `work`, and meanwhile writes the file soon after every change, and again while that fails. What came of it
    /// goes to `report` each time.
    pub async fn saved_while<T>(&self, work: impl Future<Output = T>, report: impl Fn(io::Result<()>)) -> T {
        let (done, until) = oneshot::channel::<()>();
        let working = async {
            let result = work.await;
            drop(done);
            result
        };
        tokio::join!(working, self.keep_saving(until, report)).0
    }

    async fn keep_saving(&self, mut done: oneshot::Receiver<()>, report: impl Fn(io::Result<()>)) {
        loop {
            let something_to_save = async {
                while !self.entries.lock().changed {
                    self.changed.notified().await;
                }
            };
            tokio::select! {
                _ = &mut done => return,
                () = something_to_save => {}
            }
            // Not to be cut off: whoever saves next must know what came of it.
            report(self.save().await);
            let rest = rest_after_save(self.entries.lock().by_key.len());
            tokio::select! {
                _ = &mut done => return,
                () = tokio::time::sleep(rest) => {}
            }
        }
    }
}

impl Entry {
    fn split(self) -> (SeriesKey, Kept) {
        (self.key, (Progress { since: self.since, through: self.through }, self.confirmed_by))
    }

    fn join(key: &SeriesKey, (progress, target): &Kept) -> Entry {
        let Progress { since, through } = *progress;
        Entry { key: key.clone(), since, through, confirmed_by: target.clone() }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jiff::civil::date;

    use super::*;
    use crate::domain::series::Interval;

    fn key(bot: &str) -> SeriesKey {
        SeriesKey {
            bot: bot.into(),
            bot_id: format!("st-{bot}").into(),
            channel: "all".into(),
            interval: Interval::Daily,
        }
    }

    const PROGRESS: Progress = Progress { since: date(2026, 8, 1), through: Some(date(2026, 8, 5)) };

    fn target(destination: &str) -> Target {
        Target { destination: destination.to_owned(), tags: "tags".to_owned() }
    }

    #[tokio::test]
    async fn a_watermark_belongs_to_the_destination_that_confirmed_it() {
        let folder = tempfile::tempdir().unwrap();
        let old = r#"{"version":1,"series":[{"bot":"a","bot_id":"st-a","channel":"all","interval":"daily",
            "since":"2026-08-01","through":"2026-08-05","apart":true}]}"#;
        std::fs::write(path_in(folder.path()), old).unwrap();
        let watermarks = Watermarks::load(folder.path(), Timestamp::UNIX_EPOCH, true).unwrap();
        assert_eq!(watermarks.kept(&key("a")), Some((PROGRESS, None)));
        assert_eq!(watermarks.get(&key("a"), &target("one")), Some(PROGRESS), "an older file is taken over");
        watermarks.set(key("a"), PROGRESS, target("one"));
        watermarks.save().await.unwrap();
        let again = Watermarks::load(folder.path(), Timestamp::UNIX_EPOCH, true).unwrap();
        assert_eq!(again.get(&key("a"), &target("one")), Some(PROGRESS));
        let other_tags = Target { tags: "others".to_owned(), ..target("one") };
        assert_eq!(again.get(&key("a"), &other_tags), Some(PROGRESS));
        assert_eq!(again.get(&key("a"), &target("two")), None);
        assert_eq!(again.kept(&key("a")), Some((PROGRESS, Some(target("one")))));
    }

    #[tokio::test]
    async fn watermarks_survive_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let watermarks = Watermarks::load(folder.path(), Timestamp::UNIX_EPOCH, true).unwrap();
        watermarks.set(key("a"), PROGRESS, target("one"));
        watermarks.set(key("b"), Progress { through: None, ..PROGRESS }, target("one"));
        watermarks.save().await.unwrap();
        let again = Watermarks::load(folder.path(), Timestamp::UNIX_EPOCH, true).unwrap();
        assert_eq!(again.entries.lock().by_key, watermarks.entries.lock().by_key);
        assert_eq!(again.kept(&SeriesKey { bot_id: "st-other".into(), ..key("a") }), None, "another bot of that name");
    }

    #[tokio::test(start_paused = true)]
    async fn changes_are_saved_without_being_asked_for_and_again_after_a_failure() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("state");
        let watermarks = Watermarks::load(&state, Timestamp::UNIX_EPOCH, true).unwrap();
        watermarks.set(key("a"), PROGRESS, target("one"));
        let reports = Mutex::new(Vec::new());
        let report = |result: io::Result<()>| {
            reports.lock().push(result.is_ok());
            // The folder is not there when it is first needed.
            std::fs::create_dir_all(&state).unwrap();
        };
        watermarks.saved_while(tokio::time::sleep(Duration::from_secs(60)), report).await;
        assert_eq!(*reports.lock(), [false, true]);
        let again = Watermarks::load(&state, Timestamp::UNIX_EPOCH, true).unwrap();
        assert_eq!(again.get(&key("a"), &target("one")), Some(PROGRESS));
    }

    #[test]
    fn an_unreadable_file_is_set_aside_and_a_newer_one_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = path_in(folder.path());
        std::fs::write(&path, "{}").unwrap();
        assert!(
            Watermarks::load(folder.path(), Timestamp::UNIX_EPOCH, false).unwrap().entries.lock().by_key.is_empty()
        );
        assert!(path.exists(), "a dry run moves nothing");
        assert!(Watermarks::load(folder.path(), Timestamp::UNIX_EPOCH, true).unwrap().entries.lock().by_key.is_empty());
        assert!(!path.exists());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        std::fs::write(&path, "{\"version\": 2}").unwrap();
        let error = Watermarks::load(folder.path(), Timestamp::UNIX_EPOCH, true).unwrap_err();
        assert!(matches!(&error, StateError::Newer(words) if words.contains("has format version 2, but")), "{error}");
    }
}
