//! How much may be going on at once, which bounds the memory: requests in flight, and answers on their way.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How much may be going on at once, over all bots.
#[derive(Clone, Debug)]
pub struct Places {
    /// Requests in flight.
    requests: Arc<Semaphore>,
    /// Answers in hand, from the request until their points are written: bounds the memory when the database is slow.
    hands: Arc<Semaphore>,
    most_hands: usize,
}

/// Held from before a request until its points are written.
pub type Hand = OwnedSemaphorePermit;

impl Places {
    /// `concurrency` requests in flight, and some times as many answers on their way into the database.
    pub fn new(concurrency: usize) -> Places {
        let most_hands = 8 * concurrency;
        Places {
            requests: Arc::new(Semaphore::new(concurrency)),
            hands: Arc::new(Semaphore::new(most_hands)),
            most_hands,
        }
    }

    /// Answers that are asked for or not yet written.
    pub fn in_hand(&self) -> usize {
        self.most_hands.saturating_sub(self.hands.available_permits())
    }

    /// One of both, when there is one.
    pub(super) async fn take(&self) -> (Option<Hand>, Option<OwnedSemaphorePermit>) {
        // Acquiring fails only on a closed semaphore, and these are never closed.
        let hand = Arc::clone(&self.hands).acquire_owned().await.ok();
        let place = Arc::clone(&self.requests).acquire_owned().await.ok();
        (hand, place)
    }
}
