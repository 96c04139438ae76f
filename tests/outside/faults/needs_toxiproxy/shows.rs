//! What a daemon shows of itself while a fault lasts and afterwards: its log, its endpoint, its size.

use std::collections::BTreeMap;

use serde_json::Value;

use super::scene::{BOT, INTERVALS};
use crate::support::daemon::{Daemon, lines_with};

/// What a daemon shows of itself.
pub(super) trait Shows {
    /// Whether each series is failing, by the metric.
    fn failing(&self) -> [Option<f64>; 2];
    /// The sum of the samples of a metric whose labels hold this text.
    fn sum(&self, metric: &str, label: &str) -> f64;
    /// The lines of errors of each series after so many bytes of the log.
    fn errors_after(&self, bytes: usize) -> BTreeMap<&'static str, Vec<String>>;
    /// The log and everything that it answers.
    fn everything(&self) -> String;
    /// What `/readyz` lists.
    fn not_ready(&self) -> Vec<Value>;
    /// What must not grow.
    fn size(&self) -> Size;
}

impl Shows for Daemon {
    fn failing(&self) -> [Option<f64>; 2] {
        INTERVALS.map(|interval| {
            let labels = format!("bot=\"{BOT}\",channel=\"all\",interval=\"{interval}\"");
            self.value(&format!("kore_trend_series_failing{{{labels}}}"))
        })
    }

    fn sum(&self, metric: &str, label: &str) -> f64 {
        let text = self.get("/metrics").body;
        let samples = text.lines().filter(|line| line.starts_with(&format!("{metric}{{")) && line.contains(label));
        samples.map(|line| line.rsplit_once(' ').unwrap().1.parse::<f64>().unwrap()).sum()
    }

    fn errors_after(&self, bytes: usize) -> BTreeMap<&'static str, Vec<String>> {
        let errors = lines_with(&self.log()[bytes..], "ERROR");
        let of = |interval: &str| {
            let interval = format!("interval={interval}");
            let is_said = |line: &&String| line.contains(&interval) || line.contains(": 2 series failed");
            errors.iter().filter(is_said).cloned().collect()
        };
        INTERVALS.into_iter().map(|interval| (interval, of(interval))).collect()
    }

    fn everything(&self) -> String {
        let answers = ["/", "/readyz", "/healthz", "/metrics"].map(|path| self.get(path).body);
        self.log() + &answers.concat()
    }

    fn not_ready(&self) -> Vec<Value> {
        let answer = self.get("/readyz");
        assert_eq!(answer.status, 503, "{answer:?}");
        serde_json::from_str(&answer.body).unwrap()
    }

    fn size(&self) -> Size {
        let sample = |name| self.value(name).unwrap() as u64;
        Size {
            memory_kib: sample("process_resident_memory_bytes") / 1024,
            files: sample("process_open_fds"),
            tasks: sample("kore_trend_tasks"),
        }
    }
}

/// What must not grow.
#[derive(Clone, Copy, Debug)]
pub(super) struct Size {
    memory_kib: u64,
    files: u64,
    tasks: u64,
}

impl Size {
    /// Panics if it is more than this and what one tick with its requests takes.
    #[track_caller]
    pub(super) fn is_about(self, before: Size, when: &str) {
        assert!(self.memory_kib <= before.memory_kib + 8192, "{when}: {before:?} {self:?}");
        assert!(self.files <= before.files + 12, "{when}: {before:?} {self:?}");
        assert!(self.tasks <= before.tasks + 12, "{when}: {before:?} {self:?}");
    }
}

/// Where a test fails, shows the end of the log of the daemon that it was about.
pub(super) struct ShownOnPanic<'a>(pub(super) &'a Daemon);

impl Drop for ShownOnPanic<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = self.0.log();
            let lines: Vec<&str> = log.lines().collect();
            eprintln!("--- the end of the log\n{}", lines[lines.len().saturating_sub(25)..].join("\n"));
        }
    }
}
