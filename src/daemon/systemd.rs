//! What the service manager is told, where there is one: systemd's notification protocol.

use std::time::Duration;

use sd_notify::NotifyState;

/// Remembers what was said, so that the status is not repeated.
#[derive(Debug, Default)]
pub(super) struct Manager {
    status: String,
}

impl Manager {
    /// Ready to work, in this condition.
    pub(super) fn ready(&mut self, status: String) {
        tell(&[NotifyState::Ready, NotifyState::Status(&status)]);
        self.status = status;
    }

    /// The configuration is being read again; to be followed by [`ready`](Manager::ready).
    pub(super) fn reloading(&self) {
        match NotifyState::monotonic_usec_now() {
            Ok(now) => tell(&[NotifyState::Reloading, now]),
            Err(error) => tracing::debug!("the monotonic clock cannot be read: {error}"),
        }
    }

    /// On the way out.
    pub(super) fn stopping(&self) {
        tell(&[NotifyState::Stopping, NotifyState::Status("finishing the requests in hand")]);
    }

    /// How things are, if that is news.
    pub(super) fn status(&mut self, status: String) {
        if status != self.status {
            tell(&[NotifyState::Status(&status)]);
            self.status = status;
        }
    }

    /// The loop goes on.
    pub(super) fn alive(&self) {
        tell(&[NotifyState::Watchdog]);
    }
}

/// How often the manager must hear that the loop goes on; `None` if it does not listen.
pub(super) fn watchdog() -> Option<Duration> {
    sd_notify::watchdog_enabled()
}

fn tell(state: &[NotifyState]) {
    // Without a manager this does nothing; one that cannot be told now is told again with the next beat.
    if let Err(error) = sd_notify::notify(state) {
        tracing::debug!("the service manager cannot be told: {error}");
    }
}
