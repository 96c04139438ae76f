//! The figures of the last days across a restart, so that the status page is not empty after one: `recent.json` in the
//! state folder. Nothing depends on it: where it is lost or cannot be read, the pictures fill up again.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::recent::{DAYS, Recent};
use crate::domain::series::SeriesKey;
use crate::state::atomic::{self, Loaded};

const VERSION: u64 = 1;

#[derive(Serialize, Deserialize)]
struct Content {
    series: Vec<Entry>,
}

#[derive(Serialize, Deserialize)]
struct Entry {
    #[serde(flatten)]
    key: SeriesKey,
    first: Date,
    /// The hours of each day.
    users: Vec<Vec<Option<u32>>>,
}

/// What was saved last; nothing where that cannot be read.
pub fn load(state_dir: &Path) -> BTreeMap<SeriesKey, Recent> {
    match atomic::load::<Content>(&state_dir.join("recent.json"), VERSION) {
        Ok(Loaded::Found(content)) => content.series.into_iter().map(Entry::split).collect(),
        Ok(Loaded::Absent) => BTreeMap::new(),
        _ => {
            tracing::debug!("cannot read the status page's saved figures; starting without");
            BTreeMap::new()
        }
    }
}

/// Replaces the file.
///
/// # Errors
///
/// What the disk said.
pub async fn save(state_dir: &Path, recent: Vec<(SeriesKey, Recent)>) -> io::Result<()> {
    let path = state_dir.join("recent.json");
    let series = recent.into_iter().map(Entry::join).collect();
    let write = move || atomic::replace(&path, VERSION, &Content { series });
    tokio::task::spawn_blocking(write).await.map_err(io::Error::other).flatten()
}

impl Entry {
    fn split(self) -> (SeriesKey, Recent) {
        let mut users = [[None; 24]; DAYS];
        for (day, hours) in users.iter_mut().zip(self.users) {
            for (hour, figure) in day.iter_mut().zip(hours) {
                *hour = figure;
            }
        }
        (self.key, Recent { first: self.first, users })
    }

    fn join((key, recent): (SeriesKey, Recent)) -> Entry {
        Entry { key, first: recent.first, users: recent.users.iter().map(|hours| hours.to_vec()).collect() }
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;
    use crate::domain::series::Interval;

    #[tokio::test]
    async fn figures_survive_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        assert!(load(folder.path()).is_empty());
        let key =
            SeriesKey { bot: "a".into(), bot_id: "st-a".into(), channel: "all".into(), interval: Interval::Hourly };
        let mut recent = Recent::until(date(2026, 8, 10));
        recent.set(date(2026, 8, 9), 13, 21);
        save(folder.path(), vec![(key.clone(), recent.clone())]).await.unwrap();
        assert_eq!(load(folder.path()), BTreeMap::from([(key, recent)]));
        std::fs::write(folder.path().join("recent.json"), "{").unwrap();
        assert!(load(folder.path()).is_empty(), "what cannot be read is left aside");
    }
}
