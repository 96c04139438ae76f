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
        "Requests to the platform within an hour, by HTTP status or by what came instead of one. 429 is the platform asking \
         to wait; 401 and 403 are credentials to check; 5xx and words are the platform or the way there.",
        "short",
        vec![(format!("sum by (status) (increase(kore_trend_requests_total{BOT}[1h]))"), "{{status}}")],
    );
    let statuses = [("2\\d\\d", "green"), ("429", "orange"), ("4(?!29)\\d\\d", "dark-red"), ("5\\d\\d", "red")];
    let duration = curves(
        "Duration of requests",
        "The time within which so many of the requests to the platform were answered, of those in the two hours before. Near \
         platform.timeout, raise that or lower platform.concurrency.",
        "s",
        quantiles("kore_trend_request_duration_seconds"),
    );
    let throttled = curves(
        "Throttled",
        "Answers by which the platform said that a bot is asked too often, within an hour. If it lasts, something else uses \
         this bot's limits, or per_minute and per_hour are too high.",
        "short",
        vec![(format!("sum by (bot) (increase(kore_trend_throttled_total{BOT}[1h]))"), "{{bot}}")],
    );
    let budget = curves(
        "Limits used",
        "The part of the limits per_minute and per_hour that a bot has used. At 100 % its requests wait: fewer channels, a \
         rarer schedule or a higher limit help.",
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
        "Writes to the database within an hour: success, refused by it, or no answer. The log has the database's words.",
        "short",
        vec![(format!("sum by (result) (increase(kore_trend_writes_total{INSTANCE}[1h]))"), "{{result}}")],
    );
    let results = [("success", "green"), ("refused", "orange"), ("failure", "red")];
    let points = curves(
        "Points written",
        "Points that the database confirmed within an hour.",
        "short",
        vec![(format!("sum by (bot) (increase(kore_trend_points_written_total{BOT}[1h]))"), "{{bot}}")],
    );
    let dropped = curves(
        "Points dropped",
        "Points that the database does not have, within an hour. refused: the database did not take them, and their days stay \
         owed; the log says why. retention: they are older than what the bucket keeps. forgotten_day: a day of nothing but \
         zeros from more than 28 days ago, which the platform may have forgotten. nonexistent_hour: the clock skipped it.",
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
        "The time within which so many of the ticks ended, from when they were due, of those in the two hours before. Longer \
         than from one tick to the next, the next one is skipped.",
        "s",
        quantiles("kore_trend_tick_duration_seconds"),
    );
    let count = curves(
        "Ticks",
        "Ticks within an hour, and those that were skipped because the bot's last one was still running. If ticks are skipped \
         again and again, make the schedule rarer or see what makes them long.",
        "short",
        vec![
            (format!("sum(increase(kore_trend_tick_duration_seconds_count{INSTANCE}[1h]))"), "ended"),
            (format!("sum(increase(kore_trend_ticks_skipped_total{INSTANCE}[1h]))"), "skipped"),
        ],
    );
    let since = curves(
        "Age of the last tick",
        "How long ago a tick ended. Above the red line an alert tells of it: see on the status page whether a tick is running.",
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
