//! The wish that the program ends: waiting gives way to it, requests in hand do not.

use std::time::Duration;

use tokio::sync::watch;

/// Told once, heard by everyone who waits.
#[derive(Clone, Debug)]
pub struct Stop(watch::Receiver<bool>);

/// The program is to end; what waited gave way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stopped;

impl Stop {
    /// Stops when `signal` completes. Must be called within a runtime.
    pub fn after(signal: impl Future<Output = ()> + Send + 'static) -> Stop {
        let (told, heard) = watch::channel(false);
        tokio::spawn(async move {
            signal.await;
            told.send_replace(true);
            // Keeps the channel open for as long as anyone listens.
            told.closed().await;
        });
        Stop(heard)
    }

    /// Whether the program is to end.
    pub fn is_told(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits until the program is to end, or nobody is left who could tell.
    pub async fn told(&self) {
        let mut heard = self.0.clone();
        let _told = heard.wait_for(|told| *told).await;
    }

    /// Does `work` unless the program is told to end and this grace is over, too.
    ///
    /// # Errors
    ///
    /// If it is.
    pub async fn or_after<T>(&self, grace: Duration, work: impl Future<Output = T>) -> Result<T, Stopped> {
        let over = async {
            self.told().await;
            tokio::time::sleep(grace).await;
        };
        tokio::select! {
            () = over => Err(Stopped),
            result = work => Ok(result),
        }
    }

    /// Does `work` unless the program is told to end first.
    ///
    /// # Errors
    ///
    /// If it is told to end.
    pub async fn or<T>(&self, work: impl Future<Output = T>) -> Result<T, Stopped> {
        tokio::select! {
            biased;
            () = self.told() => Err(Stopped),
            result = work => Ok(result),
        }
    }
}
