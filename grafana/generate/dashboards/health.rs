//! How the exporter is: everything that it tells Prometheus.

use serde_json::{Value, json};

use super::frame::Frame;
use super::layout::{self, Line, Row};
use super::panel::Panel;
use super::query::{Language, Query};
use super::variables::{data_source, values};

/// The dashboard.
pub(crate) fn dashboard() -> Value {
    let language = Language::PromQl;
    let rows = vec![glance(), freshness(), platform(), ticks(), writes(), resources()];
    Frame {
        uid: "kore-trend-exporter-health",
        title: "Kore trend exporter",
        description: "Health of kore-trend-exporter: freshness, failures, limits, ticks, writes and resources",
        from: "now-24h",
        refresh: "1m",
        variables: vec![
            data_source(language, "kore-trend-prometheus"),
            values(
                language,
                "instance",
                "Instance",
                "The exporters that Prometheus knows",
                "label_values(kore_trend_build_info, instance)",
            ),
            values(
                language,
                "bot",
                "Bot",
                "The bots of the chosen exporters",
                "label_values(kore_trend_series_failing{instance=~\"$instance\"}, bot)",
            ),
        ],
        panels: layout::panels(language, rows),
    }
    .json()
}

/// What a metric without bots is asked for.
const INSTANCE: &str = "{instance=~\"$instance\"}";
/// What a metric of bots is asked for.
const BOT: &str = "{instance=~\"$instance\", bot=~\"$bot\"}";
/// The hourly series of bots.
const HOURLY: &str = "{instance=~\"$instance\", bot=~\"$bot\", interval=\"hourly\"}";

const GREEN_RED: [(&str, Option<f64>); 2] = [("green", None), ("red", Some(1.0))];

fn thresholds(steps: &[(&str, Option<f64>)]) -> Value {
    let steps: Vec<Value> = steps.iter().map(|(color, value)| json!({ "color": color, "value": value })).collect();
    json!({ "color": { "mode": "thresholds" }, "thresholds": { "mode": "absolute", "steps": steps } })
}

fn stat(title: &'static str, description: &str, expr: String, unit: &str, look: Value) -> Panel {
    Panel::new("stat", title, description)
        .query(Query::Now { expr, legend: "__auto", table: false })
        .options(json!({
            "reduceOptions": { "calcs": ["lastNotNull"], "fields": "", "values": false }, "orientation": "auto",
            "textMode": "value", "colorMode": "value", "graphMode": "none", "justifyMode": "auto", "wideLayout": true,
        }))
        .defaults(json!({ "unit": unit }))
        .defaults(look)
        .no_value("no exporter")
}

fn mapped(zero: &str, one: &str) -> Value {
    json!({ "mappings": [{ "type": "value", "options": { "0": { "text": zero }, "1": { "text": one } } }] })
}

fn curves(title: &'static str, description: &str, unit: &str, queries: Vec<(String, &'static str)>) -> Panel {
    let panel = Panel::new("timeseries", title, description)
        .defaults(json!({
            "unit": unit, "decimals": null, "min": 0, "color": { "mode": "palette-classic-by-name" },
            "custom": {
                "drawStyle": "line", "lineWidth": 1, "fillOpacity": 5, "showPoints": "never", "spanNulls": false,
                "stacking": { "mode": "none", "group": "A" },
            },
        }))
        .options(json!({
            "legend": { "showLegend": true, "displayMode": "list", "placement": "bottom", "calcs": [] },
            "tooltip": { "mode": "multi", "sort": "desc", "maxHeight": 400 },
        }))
        .no_value("no exporter");
    queries.into_iter().fold(panel, |panel, (expr, legend)| panel.query(Query::Range { expr, legend }))
}

fn glance() -> Row {
    let failing = stat(
        "Series failing",
        "Series whose last tick failed. The status page and /readyz say why.",
        format!("sum(kore_trend_series_failing{BOT})"),
        "short",
        thresholds(&GREEN_RED),
    );
    let oldest = stat(
        "Oldest hourly figure",
        "How long ago the newest hour of the most delayed hourly series began. With a tick every hour up to 130 minutes.",
        format!("time() - min(kore_trend_last_point_timestamp_seconds{HOURLY})"),
        "s",
        thresholds(&[("green", None), ("orange", Some(9000.0)), ("red", Some(10_800.0))]),
    );
    let tick = stat(
        "Since the last tick",
        "How long ago a tick ended, of the exporter for which that is longest.",
        format!("time() - min(kore_trend_last_tick_timestamp_seconds{INSTANCE})"),
        "s",
        thresholds(&[("green", None), ("red", Some(7200.0))]),
    );
    let configuration = stat(
        "Configuration",
        "Whether the configuration was accepted when it was read last. A refused one leaves the old one in force.",
        format!("min(kore_trend_config_last_reload_successful{INSTANCE})"),
        "short",
        thresholds(&[("red", None), ("green", Some(1.0))]),
    );
    let state = stat(
        "State folder",
        "Whether the state can be written. If not, the export goes on, but a restart repeats it.",
        format!("max(kore_trend_state_failing{INSTANCE})"),
        "short",
        thresholds(&GREEN_RED),
    );
    let release = stat(
        "Release",
        "The release that runs on each instance.",
        format!("kore_trend_build_info{INSTANCE}"),
        "short",
        json!({}),
    )
    .options(json!({ "textMode": "name", "colorMode": "none" }))
    .defaults(json!({ "displayName": "${__field.labels.version}" }));
    Row::new(
        "At a glance",
        vec![Line::new(
            4,
            vec![
                (4, failing),
                (4, oldest),
                (4, tick),
                (4, configuration.defaults(mapped("refused", "accepted"))),
                (4, state.defaults(mapped("written", "failing"))),
                (4, release),
            ],
        )],
    )
}

fn freshness() -> Row {
    let now = |expr: String| Query::Now { expr, legend: "__auto", table: true };
    let by = "by (bot, channel, interval)";
    let series = Panel::new(
        "table",
        "Series",
        "Each series: whether its last tick failed, how long ago its newest point began, and how long ago the last day began \
         that is complete and confirmed.",
    )
    .query(now(format!("max {by} (kore_trend_series_failing{BOT})")))
    .query(now(format!("time() - max {by} (kore_trend_last_point_timestamp_seconds{BOT})")))
    .query(now(format!("time() - max {by} (kore_trend_watermark_timestamp_seconds{BOT})")))
    // Lines are merged where everything but the figures is the same.
    .then("organize", json!({ "excludeByName": { "Time": true }, "renameByName": {}, "indexByName": {} }))
    .then("merge", json!({}))
    .then(
        "organize",
        json!({
            "excludeByName": {},
            "renameByName": {
                "bot": "Bot", "channel": "Channel", "interval": "Interval", "Value #A": "Failing",
                "Value #B": "Newest point", "Value #C": "Complete through",
            },
            "indexByName": { "bot": 1, "channel": 2, "interval": 3, "Value #A": 4, "Value #B": 5, "Value #C": 6 },
        }),
    )
    .options(json!({ "showHeader": true, "cellHeight": "sm", "sortBy": [{ "displayName": "Newest point", "desc": true }] }))
    .defaults(json!({ "unit": "s", "custom": { "filterable": true } }))
    .field("Failing", &[
        ("unit", json!("short")),
        ("mappings", json!([{ "type": "value", "options": { "0": { "text": "well" }, "1": { "text": "failing", "color": "red" } } }])),
        ("custom.cellOptions", json!({ "type": "color-text" })),
    ])
    .no_value("–");
    let age = curves(
        "Age of the newest hourly figure",
        "By bot, of its most delayed channel. It falls with every tick and stays below 130 minutes with one every hour.",
        "s",
        vec![(format!("time() - min by (bot) (kore_trend_last_point_timestamp_seconds{HOURLY})"), "{{bot}}")],
    );
    let failing = curves(
        "Failing series",
        "By bot.",
        "short",
        vec![(format!("sum by (bot) (kore_trend_series_failing{BOT})"), "{{bot}}")],
    );
    Row::new("Freshness", vec![Line::new(10, vec![(24, series)]), Line::new(8, vec![(12, age), (12, failing)])])
}

fn quantiles(metric: &str) -> Vec<(String, &'static str)> {
    [("0.5", "half"), ("0.9", "9 of 10"), ("0.99", "99 of 100")]
        .map(|(quantile, legend)| {
            let rate = format!("sum by (le) (rate({metric}_bucket{INSTANCE}[$__rate_interval]))");
            (format!("histogram_quantile({quantile}, {rate})"), legend)
        })
        .into()
}

fn platform() -> Row {
    let requests = curves(
        "Requests by status",
        "Requests to the platform a second, by HTTP status or by what came instead of one.",
        "reqps",
        vec![(format!("sum by (status) (rate(kore_trend_requests_total{BOT}[$__rate_interval]))"), "{{status}}")],
    );
    let duration = curves(
        "Duration of requests",
        "The time within which so many of the requests to the platform were answered.",
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

fn ticks() -> Row {
    let duration = curves(
        "Duration of ticks",
        "The time within which so many of the ticks ended, from when they were due.",
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
        vec![(format!("time() - kore_trend_last_tick_timestamp_seconds{INSTANCE}"), "{{instance}}")],
    );
    Row::new("Ticks", vec![Line::new(8, vec![(8, duration), (8, count), (8, since)])])
}

fn writes() -> Row {
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

fn resources() -> Row {
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
