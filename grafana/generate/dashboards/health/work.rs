//! What the exporter does with the platform and the database, and when.

use serde_json::json;

use super::super::layout::{Line, Row};
use super::super::links;
use super::super::panel::Panel;
use super::looks::{BOT, INSTANCE, by_bot, by_instance, curves, limit, meaning, quantiles};

/// Leads from a bot's curve to that bot.
fn to_bot(panel: Panel) -> Panel {
    by_bot(panel).defaults(json!({ "links": links::from_health("__field.labels.bot") }))
}

/// Requests.
pub(super) fn platform() -> Row {
    let requests = curves(
        "Requests by status",
        "Requests to the platform in the last hour, by HTTP status or by what came instead. 429: the platform \
         rate limits. 401 and 403: check the credentials. 5xx and words: the platform, or the network on the \
         way, has trouble.",
        "short",
        vec![(format!("sum by (status) (increase(kore_trend_requests_total{BOT}[1h]))"), "{{status}}")],
    );
    let statuses = [("2\\d\\d", "green"), ("429", "orange"), ("4(?!29)\\d\\d", "dark-red"), ("5\\d\\d", "red")];
    let duration = curves(
        "Duration of requests",
        "How long requests to the platform take: half, 9 of 10 and 99 of 100 of those in the last two hours \
         were faster. If this comes near platform.timeout, raise it or lower platform.concurrency.",
        "s",
        quantiles("kore_trend_request_duration_seconds"),
    );
    let throttled = curves(
        "Throttled",
        "How often the platform rate limited a bot in the last hour. If this lasts, something else uses the \
         bot's limit, or per_minute and per_hour are too high.",
        "short",
        vec![(format!("sum by (bot) (increase(kore_trend_throttled_total{BOT}[1h]))"), "{{bot}}")],
    );
    let budget = curves(
        "Limits used",
        "How much of per_minute and per_hour each bot has used. At 100 % its requests wait: use fewer \
         channels, a less frequent schedule or a higher limit.",
        "percentunit",
        vec![(format!("max by (bot, window) (kore_trend_budget_used_ratio{BOT})"), "{{bot}}, {{window}}")],
    )
    .defaults(json!({ "max": 1 }));
    Row::new(
        "Platform",
        vec![
            Line::new(8, vec![(12, meaning(requests, &statuses)), (12, duration)]),
            Line::new(8, vec![(12, to_bot(throttled)), (12, to_bot(budget))]),
        ],
    )
}

/// Writes and points.
pub(super) fn writes() -> Row {
    let writes = curves(
        "Writes by result",
        "Writes to the database in the last hour: success, refused, or no answer. The log has the database's \
         message.",
        "short",
        vec![(format!("sum by (result) (increase(kore_trend_writes_total{INSTANCE}[1h]))"), "{{result}}")],
    );
    let results = [("success", "green"), ("refused", "orange"), ("failure", "red")];
    let points = curves(
        "Points written",
        "Points that the database confirmed in the last hour. The daemon writes a point again only if it \
         changed.",
        "short",
        vec![(format!("sum by (bot) (increase(kore_trend_points_written_total{BOT}[1h]))"), "{{bot}}")],
    );
    let dropped = curves(
        "Points dropped",
        "Points of the platform that did not reach the database in the last hour. refused: the database \
         refused them; their days are retried, and the log says why. retention: older than the bucket keeps. \
         forgotten_day: a day older than 28 days with only zeros, which the platform may have forgotten. \
         nonexistent_hour: daylight saving skipped the hour; check time_zone.",
        "short",
        vec![(format!("sum by (reason) (increase(kore_trend_points_dropped_total{BOT}[1h]))"), "{{reason}}")],
    );
    let reasons =
        [("refused", "red"), ("retention", "orange"), ("forgotten_day", "purple"), ("nonexistent_hour", "blue")];
    let results = vec![(12, meaning(writes, &results)), (12, meaning(dropped, &reasons))];
    Row::new("Writes", vec![Line::new(8, results), Line::new(8, vec![(24, to_bot(points))])])
}

/// Ticks.
pub(super) fn ticks() -> Row {
    let duration = curves(
        "Duration of ticks",
        "How long ticks take from when they were due: half, 9 of 10 and 99 of 100 of those in the last two \
         hours were faster. If a tick takes longer than the time to the next one, that one is skipped.",
        "s",
        quantiles("kore_trend_tick_duration_seconds"),
    );
    let count = curves(
        "Ticks",
        "Ticks in the last hour, and those skipped because the bot's previous tick was still running. If \
         ticks are skipped again and again, use a less frequent schedule or find out what makes them slow.",
        "short",
        vec![
            (format!("sum(increase(kore_trend_tick_duration_seconds_count{INSTANCE}[1h]))"), "ended"),
            (format!("sum(increase(kore_trend_ticks_skipped_total{INSTANCE}[1h]))"), "skipped"),
        ],
    );
    let since = curves(
        "Age of the last tick",
        "How long ago the last tick ended. An alert fires above the red line: see on the status page whether \
         a tick is running.",
        "suffix: min",
        vec![(format!("(time() - (kore_trend_last_tick_timestamp_seconds{INSTANCE} > 0)) / 60"), "{{instance}}")],
    );
    let panels = vec![
        (8, duration),
        (8, meaning(count, &[("ended", "green"), ("skipped", "orange")])),
        (8, by_instance(limit(since, 120.0))),
    ];
    Row::collapsed("Ticks", vec![Line::new(8, panels)])
}
