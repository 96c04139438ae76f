//! One wait for the disk that serves everybody who waits: of many requests side by side each pays a part of it.

use std::fs::File;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Brings to the disk what was written to a file.
#[derive(Debug)]
pub struct Flush {
    file: Arc<File>,
    /// How often something was written.
    written: AtomicU64,
    /// How much of it is on the disk.
    flushed: tokio::sync::Mutex<u64>,
    failed: AtomicBool,
}

impl Flush {
    /// Of this file.
    pub fn new(file: File) -> Flush {
        let (written, flushed) = (AtomicU64::new(0), tokio::sync::Mutex::new(0));
        Flush { file: Arc::new(file), written, flushed, failed: AtomicBool::new(false) }
    }

    /// Waits until what was written before this call is on the disk. A disk that fails is reported once, and waited for
    /// no longer.
    pub async fn wait(&self) {
        match self.flush().await {
            Ok(()) => self.failed.store(false, Ordering::Relaxed),
            Err(error) => {
                if !self.failed.swap(true, Ordering::Relaxed) {
                    tracing::warn!(
                        "the request ledger does not reach the disk ({error}): a power cut may forget requests"
                    );
                }
            }
        }
    }

    async fn flush(&self) -> io::Result<()> {
        let own = self.written.fetch_add(1, Ordering::Relaxed) + 1;
        let mut flushed = self.flushed.lock().await;
        // While this one waited, another may have waited for all.
        if *flushed >= own {
            return Ok(());
        }
        let all = self.written.load(Ordering::Relaxed);
        let file = Arc::clone(&self.file);
        tokio::task::spawn_blocking(move || file.sync_data()).await.map_err(io::Error::other).flatten()?;
        *flushed = all;
        Ok(())
    }
}

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
    }

    #[tokio::test]
    async fn a_disk_that_fails_stops_nobody() {
        // A pipe has no disk to reach.
        let (_, end) = io::pipe().unwrap();
        let flush = Flush::new(File::from(std::os::fd::OwnedFd::from(end)));
        flush.wait().await;
        assert!(flush.failed.load(Ordering::Relaxed));
        assert_eq!(*flush.flushed.lock().await, 0);
    }
}
