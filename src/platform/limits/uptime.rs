//! How long the machine has been up: a clock that nobody sets, that goes on while the machine sleeps, and that all
//! processes share until it starts again.

use std::sync::OnceLock;
use std::time::Duration;

use crate::domain::series::stable_hash;

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
        let told = std::env::var("KORE_TREND_BOOT_ID").ok().filter(|id| !id.is_empty());
        Some(number_of(&told.or_else(|| std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok())?))
    }))?;
    Some(Uptime { time: since_start()?, run })
}

/// A number for a run of the machine, whose name systemd writes without hyphens and the kernel with them.
fn number_of(boot_id: &str) -> u16 {
    let digits: String = boot_id.chars().filter(char::is_ascii_alphanumeric).collect();
    u16::try_from(stable_hash(&digits) % u64::from(u16::MAX)).unwrap_or(0) + 1
}

fn since_start() -> Option<Duration> {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    Some(Duration::new(u64::try_from(time.tv_sec).ok()?, u32::try_from(time.tv_nsec).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machine_grows_older_within_one_run() {
        let (one, other) = (read().unwrap(), read().unwrap());
        assert!(one.run == other.run && one.run != 0);
        assert!(one.time <= other.time && one.time > Duration::ZERO);
    }

    #[test]
    fn a_run_has_one_number_however_its_name_is_written() {
        let by_the_kernel = number_of("0d0a2f43-2f0a-4c6b-9f0b-6c1f6d1f2a3b\n");
        assert_eq!(number_of("0d0a2f432f0a4c6b9f0b6c1f6d1f2a3b"), by_the_kernel);
        assert!(by_the_kernel != number_of("1d0a2f432f0a4c6b9f0b6c1f6d1f2a3b") && by_the_kernel != 0);
    }
}
