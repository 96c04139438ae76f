//! The figures of the last days across a restart, so that the status page is not empty after one: `recent.json` in the
//! state folder. Nothing depends on it: where it is lost or cannot be read, the pictures fill up again.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::recent::Recent;
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
    #[serde(flatten)]
    recent: Recent,
}

/// What was saved last; nothing where that cannot be read.
pub fn load(state_dir: &Path) -> BTreeMap<SeriesKey, Recent> {
    match atomic::load::<Content>(&state_dir.join("recent.json"), VERSION) {
        Ok(Loaded::Found(content)) => content.series.into_iter().map(|Entry { key, recent }| (key, recent)).collect(),
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
    let series = recent.into_iter().map(|(key, recent)| Entry { key, recent }).collect();
    let write = move || atomic::replace(&path, VERSION, &Content { series });
    tokio::task::spawn_blocking(write).await.map_err(io::Error::other).flatten()
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
