//! One wait for the disk that serves everybody who waits: of many requests side by side each pays a part of it.

use std::fs::File;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::Mutex;

/// A disk that takes longer is not waited for. Less than other processes give a request to arrive, so that a request is
/// never sent long after the time that its record tells.
const PATIENCE: Duration = Duration::from_secs(1);

/// Brings to the disk what was written to a file.
#[derive(Debug)]
pub struct Flush {
    file: Arc<File>,
    /// How often something was written.
    written: AtomicU64,
    /// How much of it was brought to the disk. Held while the disk works, by it alone: however long that takes.
    flushed: Arc<Mutex<u64>>,
    is_failing: Arc<AtomicBool>,
}

impl Flush {
    /// Of this file.
    pub fn new(file: File) -> Flush {
        let (written, flushed, is_failing) = (AtomicU64::new(0), Arc::default(), Arc::default());
        Flush { file: Arc::new(file), written, flushed, is_failing }
    }

    /// Whether the disk fails or is too slow.
    pub fn is_failing(&self) -> bool {
        self.is_failing.load(Ordering::Relaxed)
    }

    /// Waits until what was written before this call is on the disk. A disk that fails or hangs is reported once, and
    /// waited for no longer until it works again.
    pub async fn wait(&self) {
        let own = self.written.fetch_add(1, Ordering::Relaxed) + 1;
        if self.is_failing() {
            drop(self.begin(own, Arc::clone(&self.flushed).try_lock_owned().ok()));
            return;
        }
        let flush = async {
            let flushed = Arc::clone(&self.flushed).lock_owned().await;
            match self.begin(own, Some(flushed)) {
                Some(work) => work.await.map_err(io::Error::other).flatten(),
                None => Ok(()),
            }
        };
        let problem = match tokio::time::timeout(PATIENCE, flush).await {
            Ok(Ok(())) => return,
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("not within {} s", PATIENCE.as_secs()),
        };
        if !self.is_failing.swap(true, Ordering::Relaxed) {
            tracing::warn!("the request ledger does not reach the disk ({problem}): a power cut may forget requests");
        }
    }

    /// Sets the disk to work, unless another has brought along what is the caller's own, or it still works.
    fn begin(&self, own: u64, flushed: Option<Flushed>) -> Option<tokio::task::JoinHandle<io::Result<()>>> {
        let mut flushed = flushed.filter(|flushed| **flushed < own)?;
        let all = self.written.load(Ordering::Relaxed);
        let (file, is_failing) = (Arc::clone(&self.file), Arc::clone(&self.is_failing));
        Some(tokio::task::spawn_blocking(move || {
            let result = file.sync_data();
            // Also where it failed: those who waited along need not each try in vain.
            *flushed = all;
            if result.is_ok() {
                is_failing.store(false, Ordering::Relaxed);
            }
            result
        }))
    }
}

type Flushed = tokio::sync::OwnedMutexGuard<u64>;

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn those_who_wait_together_wait_once() {
        let flush = Flush::new(tempfile::tempfile().unwrap());
        // Held back until all of them have written.
        let first = flush.flushed.lock().await;
        let waiting = async { tokio::join!(flush.wait(), flush.wait(), flush.wait()) };
        let release = async {
            while flush.written.load(Ordering::Relaxed) < 3 {
                tokio::task::yield_now().await;
            }
            drop(first);
        };
        tokio::join!(waiting, release);
        assert_eq!(*flush.flushed.lock().await, 3);
        flush.wait().await;
        assert_eq!(*flush.flushed.lock().await, 4);
        assert!(!flush.is_failing());
    }

    #[tokio::test]
    async fn a_disk_that_fails_stops_nobody() {
        // A pipe has no disk to reach.
        let (_, end) = io::pipe().unwrap();
        let flush = Flush::new(File::from(std::os::fd::OwnedFd::from(end)));
        flush.wait().await;
        assert!(flush.is_failing());
        assert_eq!(*flush.flushed.lock().await, 1, "nobody tries the same again");
    }

    #[tokio::test(start_paused = true)]
    async fn a_disk_that_hangs_is_waited_for_once_until_it_works_again() {
        let flush = Flush::new(tempfile::tempfile().unwrap());
        let hanging = Arc::clone(&flush.flushed).lock_owned().await;
        let began = tokio::time::Instant::now();
        tokio::join!(flush.wait(), flush.wait());
        assert_eq!(began.elapsed(), PATIENCE);
        assert!(flush.is_failing());
        flush.wait().await;
        assert_eq!(began.elapsed(), PATIENCE, "the next one does not wait at all");
        drop(hanging);
        flush.wait().await;
        assert_eq!(*flush.flushed.lock().await, 4);
        assert!(!flush.is_failing());
    }
}
