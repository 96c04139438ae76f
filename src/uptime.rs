//! How long the machine has been up: a clock that nobody sets, that goes on while the machine sleeps, and that all
//! processes share until it starts again.

use std::sync::OnceLock;
use std::time::Duration;

use crate::series::stable_hash;

/// Tells the uptime, where it is known.
pub type ReadUptime = fn() -> Option<Uptime>;

/// How long the machine has been up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Uptime {
    /// Since its start, also while it slept.
    pub time: Duration,
    /// Tells this run of it from others; not zero.
    pub run: u16,
}

/// The uptime of this machine; `None` where the system does not tell its runs apart.
pub fn read() -> Option<Uptime> {
    static RUN: OnceLock<Option<u16>> = OnceLock::new();
    let run = (*RUN.get_or_init(|| {
        let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
        Some(u16::try_from(stable_hash(id.trim()) % u64::from(u16::MAX)).unwrap_or(0) + 1)
    }))?;
    Some(Uptime { time: since_start()?, run })
}

#[cfg(target_os = "linux")]
fn since_start() -> Option<Duration> {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    Some(Duration::new(u64::try_from(time.tv_sec).ok()?, u32::try_from(time.tv_nsec).ok()?))
}

#[cfg(not(target_os = "linux"))]
fn since_start() -> Option<Duration> {
    None
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn the_machine_grows_older_within_one_run() {
        let (one, other) = (read().unwrap(), read().unwrap());
        assert!(one.run == other.run && one.run != 0);
        assert!(one.time <= other.time && one.time > Duration::ZERO);
    }
}
