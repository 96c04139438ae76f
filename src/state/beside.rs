//! Who else writes points beside the daemon: a backfill, or a repair. What it was told may be older than what the daemon
//! was, and arrive later. So it leaves a trace, by which a tick sees that it runs, or has run.

use std::fs::{self, File, TryLockError};
use std::path::Path;
use std::time::SystemTime;

/// The file whose lock it holds.
pub const LOCK: &str = "backfill.lock";

/// What a tick sees of another writer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Beside {
    /// When the last one began.
    began: Option<SystemTime>,
    is_running: bool,
}

impl Beside {
    /// Looks into this state folder.
    pub fn look(state_dir: &Path) -> Beside {
        let path = state_dir.join(LOCK);
        // In this order: one that begins in between is seen to run.
        let began = fs::metadata(&path).and_then(|file| file.modified()).ok();
        let lock = File::open(&path).map(|file| file.try_lock_shared());
        Beside { began, is_running: matches!(lock, Ok(Err(TryLockError::WouldBlock))) }
    }

    /// Whether nobody can have written between this look and a later one.
    pub fn is_undisturbed(self, later: Beside) -> bool {
        !self.is_running && self == later
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::atomic;

    #[test]
    fn a_writer_is_seen_while_it_runs_and_once_it_has_run() {
        let folder = tempfile::tempdir().unwrap();
        let take = || atomic::lock(&folder.path().join(LOCK));
        let look = || Beside::look(folder.path());
        let nobody = look();
        assert!(nobody.is_undisturbed(look()));
        let writer = take().unwrap().unwrap();
        let running = look();
        assert!(!nobody.is_undisturbed(running) && !running.is_undisturbed(look()), "it may write at any time");
        assert!(take().unwrap().is_none());
        drop(writer);
        let ended = look();
        assert!(!nobody.is_undisturbed(ended) && !running.is_undisturbed(ended));
        assert!(ended.is_undisturbed(look()));
    }
}
