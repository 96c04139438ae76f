//! What the exporter costs the machine.

use super::super::layout::{Line, Row};
use super::looks::{INSTANCE, by_instance, curves};

/// Processor, memory and so on. These names are every exporter's: only the instances that also have one of ours.
pub(super) fn row() -> Row {
    let own = |metric: &str| format!("{metric}{INSTANCE} and on (instance) kore_trend_build_info");
    let processor = curves(
        "Processor",
        "Processor time in a second.",
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
        "Resident memory. It does not grow with the length of a range; if it grows with time, tell us.",
        "bytes",
        vec![(own("process_resident_memory_bytes"), "{{instance}}")],
    );
    let handles = curves(
        "Files, threads and tasks",
        "Open file descriptors, threads, and tasks that are alive in the program.",
        "short",
        vec![
            (own("process_open_fds"), "files of {{instance}}"),
            (own("process_threads"), "threads of {{instance}}"),
            (format!("kore_trend_tasks{INSTANCE}"), "tasks of {{instance}}"),
        ],
    );
    let up = curves(
        "Running for",
        "The time since the process started. Where it falls without you, look for the end in the journal.",
        "suffix: d",
        vec![(format!("(time() - ({})) / 86400", own("process_start_time_seconds")), "{{instance}}")],
    );
    // Half a screen each: a legend of many instances needs its place.
    let line = |left, right| Line::new(8, vec![(12, by_instance(left)), (12, by_instance(right))]);
    Row::collapsed("Resources", vec![line(processor, memory), line(handles, up)])
}
