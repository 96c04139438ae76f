//! What the exporter costs the machine.

use super::super::layout::{Line, Row};
use super::looks::{INSTANCE, by_instance, curves};

/// Processor, memory and so on. These names are every exporter's: only the instances that also have one of ours.
pub(super) fn row() -> Row {
    let own = |metric: &str| format!("{metric}{INSTANCE} and on (instance) kore_trend_build_info");
    let processor = curves(
        "Processor",
        "Processor time per second.",
        "percentunit",
        vec![(
            format!(
                "rate(process_cpu_seconds_total{INSTANCE}[$__rate_interval]) and on (instance) kore_trend_build_info"
            ),
            "{{instance}}",
        )],
    );
    let memory = curves(
        "Memory",
        "Resident memory. It does not depend on the length of a backfill; steady growth is a bug.",
        "bytes",
        vec![(own("process_resident_memory_bytes"), "{{instance}}")],
    );
    let handles = curves(
        "Files, threads and tasks",
        "Open file descriptors, threads, and running tasks of the program.",
        "short",
        vec![
            (own("process_open_fds"), "files of {{instance}}"),
            (own("process_threads"), "threads of {{instance}}"),
            (format!("kore_trend_tasks{INSTANCE}"), "tasks of {{instance}}"),
        ],
    );
    let up = curves(
        "Running for",
        "Time since the process started. If it restarts by itself, see the journal.",
        "suffix: d",
        vec![(format!("(time() - ({})) / 86400", own("process_start_time_seconds")), "{{instance}}")],
    );
    // Half a screen each: a legend of many instances needs its place.
    let line = |left, right| Line::new(8, vec![(12, by_instance(left)), (12, by_instance(right))]);
    Row::collapsed("Resources", vec![line(processor, memory), line(handles, up)])
}
