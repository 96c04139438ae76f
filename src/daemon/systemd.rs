//! What the service manager is told, where there is one: systemd's notification protocol.

use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
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
        tell(&[NotifyState::Stopping, NotifyState::Status("shutting down, finishing requests in flight")]);
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
    sd_notify::watchdog_enabled().filter(|time| !time.is_zero())
}

/// How long the loop waits for a manager that does not listen.
const PATIENCE: Duration = Duration::from_secs(1);

fn tell(state: &[NotifyState]) {
    // Without a manager this does nothing; one that cannot be told now is told again with the next beat.
    let Some(socket) = std::env::var_os("NOTIFY_SOCKET").filter(|socket| !socket.is_empty()) else { return };
    if let Err(error) = send(&socket, state) {
        tracing::debug!("failed to notify systemd: {error}");
    }
}

/// To a socket by its path, or by its name after an `@`, which has no path.
fn send(socket: &OsStr, state: &[NotifyState]) -> io::Result<()> {
    let address = match socket.as_bytes() {
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
        _ => SocketAddr::from_pathname(socket)?,
    };
    let message: String = state.iter().map(|line| format!("{line}\n")).collect();
    let from = UnixDatagram::unbound()?;
    from.set_write_timeout(Some(PATIENCE))?;
    from.send_to_addr(message.as_bytes(), &address).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_with_a_path_and_one_without_are_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let name = format!("kore-trend-test-{}", std::process::id());
        let named = SocketAddr::from_abstract_name(&name).unwrap();
        for (socket, listener) in [
            (path.clone().into_os_string(), UnixDatagram::bind(&path).unwrap()),
            (format!("@{name}").into(), UnixDatagram::bind_addr(&named).unwrap()),
        ] {
            send(&socket, &[NotifyState::Ready, NotifyState::Status("well")]).unwrap();
            let mut heard = [0; 100];
            let length = listener.recv(&mut heard).unwrap();
            assert_eq!(&heard[..length], b"READY=1\nSTATUS=well\n");
        }
    }
}
