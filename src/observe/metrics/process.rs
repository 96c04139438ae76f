//! What the kernel says of this process, under the names that every exporter uses for it.

use jiff::Timestamp;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

/// Asked for anew by each scrape.
#[derive(Debug)]
pub(super) struct Process {
    started: Timestamp,
}

/// A part of `/proc/self/stat`.
struct Stat {
    cpu_seconds: f64,
    resident_bytes: i64,
    threads: i64,
}

impl Process {
    pub(super) fn new(started: Timestamp) -> Process {
        Process { started }
    }
}

impl Collector for Process {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), std::fmt::Error> {
        let mut gauge = |name, help, value: f64| {
            let gauge = ConstGauge::new(value);
            gauge.encode(encoder.encode_descriptor(name, help, None, gauge.metric_type())?)
        };
        gauge(
            "process_start_time_seconds",
            "When the process started, in Unix time.",
            self.started.as_duration().as_secs_f64(),
        )?;
        if let Some(open) = open_files() {
            gauge("process_open_fds", "Open file descriptors.", open as f64)?;
        }
        let Some(stat) = stat() else { return Ok(()) };
        gauge("process_resident_memory_bytes", "Resident memory.", stat.resident_bytes as f64)?;
        gauge("process_threads", "Threads of the process.", stat.threads as f64)?;
        let cpu = ConstCounter::new(stat.cpu_seconds);
        let (name, help) = ("process_cpu_seconds", "Processor time that was used, by the user and the system.");
        cpu.encode(encoder.encode_descriptor(name, help, None, cpu.metric_type())?)
    }
}

fn open_files() -> Option<usize> {
    // Reading the folder opens it.
    Some(std::fs::read_dir("/proc/self/fd").ok()?.count().saturating_sub(1))
}

fn stat() -> Option<Stat> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // The name of the program may hold spaces; what follows its closing bracket is the third field and so on.
    let fields: Vec<&str> = stat.rsplit_once(") ")?.1.split(' ').collect();
    let field = |number: usize| fields.get(number - 3)?.parse::<i64>().ok();
    let ticks_a_second = rustix::param::clock_ticks_per_second() as f64;
    let page = i64::try_from(rustix::param::page_size()).ok()?;
    Some(Stat {
        cpu_seconds: (field(14)? + field(15)?) as f64 / ticks_a_second,
        resident_bytes: field(24)? * page,
        threads: field(20)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_is_understood() {
        let stat = stat().unwrap();
        assert!(stat.resident_bytes > 100_000 && stat.threads >= 1 && stat.cpu_seconds < 1e6);
        assert!(open_files().unwrap() >= 3);
    }
}
