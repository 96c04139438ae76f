//! How much may be going on at once, which bounds the memory: requests in flight, and answers on their way into the
//! database.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How much may be going on at once, over all bots.
#[derive(Clone, Debug)]
pub struct InFlight {
    requests: Arc<Semaphore>,
    /// From the request until the points are written: bounds the memory when the database is slow.
    answers: Arc<Semaphore>,
    most_answers: usize,
    /// Series that wait for room, one for each bot that may be asked: more of them would only take memory.
    places: Arc<Semaphore>,
}

/// Held by a series that is about to ask for the first time, until it may or its bot's limits hold it up.
pub type Place = OwnedSemaphorePermit;

/// Held from before a request until the points of its answer are written.
pub type AnswerPermit = OwnedSemaphorePermit;

impl InFlight {
    /// `concurrency` requests in flight, and some times as many answers on their way into the database.
    pub fn new(concurrency: usize) -> InFlight {
        let most_answers = 8 * concurrency;
        InFlight {
            requests: Arc::new(Semaphore::new(concurrency)),
            answers: Arc::new(Semaphore::new(most_answers)),
            most_answers,
            places: Arc::new(Semaphore::new(4 * concurrency)),
        }
    }

    /// A place among those who wait for room, as soon as there is one.
    pub async fn place(&self) -> Option<Place> {
        Arc::clone(&self.places).acquire_owned().await.ok()
    }

    /// Answers that are asked for or not yet written.
    pub fn answers(&self) -> usize {
        self.most_answers.saturating_sub(self.answers.available_permits())
    }

    /// The right to an answer and to a request, as soon as there is one of both.
    pub(super) async fn take(&self) -> (Option<AnswerPermit>, Option<OwnedSemaphorePermit>) {
        // Acquiring fails only on a closed semaphore, and these are never closed.
        let answer = Arc::clone(&self.answers).acquire_owned().await.ok();
        let request = Arc::clone(&self.requests).acquire_owned().await.ok();
        (answer, request)
    }
}
