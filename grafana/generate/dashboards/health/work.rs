//! What the exporter does, and what it costs.

use serde_json::json;

use super::super::layout::{Line, Row};
use super::looks::{BOT, INSTANCE, curves, quantiles};

/// Requests.
pub(super) fn platform() -> Row {
    let requests = curves(
        "Requests by status",
        "Requests to the platform a second, by HTTP status or by what came instead of one.",
        "reqps",
        vec![(format!("sum by (status) (rate(kore_trend_requests_total{BOT}[$__rate_interval]))"), "{{status}}")],
    );
    let duration = curves(
        "Duration of requests",
        "The time within which so many of the requests to the platform were answered, of those in the two hours before.",
        "s",
        quantiles("kore_trend_request_duration_seconds"),
    );
    let throttled = curves(
        "Throttled",
        "Answers by which the platform said that a bot is asked too often, within an hour.",
        "short",
        vec![(format!("sum by (bot) (increase(kore_trend_throttled_total{BOT}[1h]))"), "{{bot}}")],
    );
    let budget = curves(
        "Limits used",
        "The part of the platform's limits of requests in a minute and in an hour that a bot has used.",
        "percentunit",
        vec![(format!("max by (bot, window) (kore_trend_budget_used_ratio{BOT})"), "{{bot}}, {{window}}")],
    )
    .defaults(json!({ "max": 1 }));
    Row::new(
        "Platform",
        vec![Line::new(8, vec![(12, requests), (12, duration)]), Line::new(8, vec![(12, throttled), (12, budget)])],
    )
}

/// Ticks.
pub(super) fn ticks() -> Row {
    let duration = curves(
        "Duration of ticks",
        "The time within which so many of the ticks ended, from when they were due, of those in the two hours before.",
        "s",
        quantiles("kore_trend_tick_duration_seconds"),
    );
    let count = curves(
        "Ticks",
        "Ticks within an hour, and those that were skipped because the bot's last one was still running.",
        "short",
        vec![
            (format!("sum(increase(kore_trend_tick_duration_seconds_count{INSTANCE}[1h]))"), "ended"),
            (format!("sum(increase(kore_trend_ticks_skipped_total{INSTANCE}[1h]))"), "skipped"),
        ],
    );
    let since = curves(
        "Age of the last tick",
        "How long ago a tick ended.",
        "s",
        vec![(format!("time() - (kore_trend_last_tick_timestamp_seconds{INSTANCE} > 0)"), "{{instance}}")],
    );
    Row::new("Ticks", vec![Line::new(8, vec![(8, duration), (8, count), (8, since)])])
}

/// Writes and points.
pub(super) fn writes() -> Row {
    let writes = curves(
        "Writes by result",
        "Writes to the database within an hour: success, refused by it, or no answer.",
        "short",
        vec![(format!("sum by (result) (increase(kore_trend_writes_total{INSTANCE}[1h]))"), "{{result}}")],
    );
    let points = curves(
        "Points written",
        "Points that the database confirmed within an hour. Every tick writes the last days again.",
        "short",
        vec![(format!("sum by (bot) (increase(kore_trend_points_written_total{BOT}[1h]))"), "{{bot}}")],
    );
    let dropped = curves(
        "Points dropped",
        "Points that the database does not have, within an hour: their hour never was, they are older than what the bucket \
         retains, or the database refused them.",
        "short",
        vec![(
            format!("sum by (bot, reason) (increase(kore_trend_points_dropped_total{BOT}[1h]))"),
            "{{bot}}, {{reason}}",
        )],
    );
    Row::new("Writes", vec![Line::new(8, vec![(8, writes), (8, points), (8, dropped)])])
}

/// Processor, memory and so on.
pub(super) fn resources() -> Row {
    // These names are every exporter's: only the instances that also have one of ours.
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
    let memory =
        curves("Memory", "Resident memory.", "bytes", vec![(own("process_resident_memory_bytes"), "{{instance}}")]);
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
        "The time since the process started.",
        "s",
        vec![(
            format!("time() - (process_start_time_seconds{INSTANCE} and on (instance) kore_trend_build_info)"),
            "{{instance}}",
        )],
    );
    Row::new("Resources", vec![Line::new(8, vec![(6, processor), (6, memory), (6, handles), (6, up)])])
}
