//! A service manager that listens: every message of the notification protocol, in the order of arrival.

use std::os::unix::net::UnixDatagram;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::wait_for;
use super::workspace::Workspace;

/// A socket in a test's folder; listens until the folder is gone.
pub struct Manager {
    path: String,
    heard: Arc<Mutex<Vec<(Instant, String)>>>,
}

impl Manager {
    /// Listens.
    pub fn start(workspace: &Workspace) -> Manager {
        let path = workspace.path("notify").display().to_string();
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        let heard: Arc<Mutex<Vec<(Instant, String)>>> = Arc::default();
        let kept = Arc::downgrade(&heard);
        std::thread::spawn(move || {
            let mut message = [0; 4096];
            while let Some(kept) = kept.upgrade() {
                if let Ok(length) = socket.recv(&mut message) {
                    let message = String::from_utf8_lossy(&message[..length]).into_owned();
                    kept.lock().unwrap().push((Instant::now(), message));
                }
            }
        });
        Manager { path, heard }
    }

    /// What the service's environment holds, with a watchdog that waits this long.
    pub fn variables(&self, watchdog: Duration) -> [(String, String); 2] {
        let microseconds = watchdog.as_micros().to_string();
        [("NOTIFY_SOCKET".to_owned(), self.path.clone()), ("WATCHDOG_USEC".to_owned(), microseconds)]
    }

    /// Every message so far.
    pub fn heard(&self) -> Vec<String> {
        self.heard.lock().unwrap().iter().map(|(_, message)| message.clone()).collect()
    }

    /// How long ago the last message came.
    pub fn silence(&self) -> Duration {
        self.heard.lock().unwrap().last().map_or(Duration::ZERO, |(at, _)| at.elapsed())
    }

    /// Every message so far but those to the watchdog.
    pub fn said(&self) -> Vec<String> {
        self.heard().into_iter().filter(|message| message != WATCHDOG).collect()
    }

    /// Waits until the watchdog was fed so many times more.
    #[track_caller]
    pub fn wait_for_watchdog(&self, more: usize) {
        let fed = || self.heard().iter().filter(|message| *message == WATCHDOG).count();
        let until = fed() + more;
        wait_for("the watchdog to be fed", || (fed() >= until).then_some(()));
    }

    /// Waits until so many messages hold this text, and returns the last of them.
    #[track_caller]
    pub fn wait_for(&self, text: &str, times: usize) -> String {
        wait_for(&format!("{times} times {text:?} among {:?}", self.said()), || {
            let with_text: Vec<String> = self.said().into_iter().filter(|message| message.contains(text)).collect();
            (with_text.len() >= times).then(|| with_text.last().cloned())?
        })
    }
}

const WATCHDOG: &str = "WATCHDOG=1\n";
