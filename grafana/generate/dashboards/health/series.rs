//! Whether figures arrive, at a glance and series by series.

use serde_json::{Value, json};

use super::super::engagement::fixed;
use super::super::layout::{Line, Row};
use super::super::links;
use super::super::panel::Panel;
use super::super::query::{Query, merge};
use super::looks::{
    BOT, GREEN_RED, HOURLY, INSTANCE, NO_EXPORTER, age, by_bot, curves, figure, limit, mapped, stat, stat_with_past,
    thresholds,
};

/// The row with all that must be well.
pub(super) fn glance() -> Row {
    let up = stat_with_past(
        "Exporters up",
        "Exporters that answer Prometheus. Fewer than you run? The query up == 0 names the missing one; look \
         at its service or pod.",
        &format!("count(kore_trend_build_info{INSTANCE})"),
        thresholds(&[("red", None), ("green", Some(1.0))]),
    );
    let failing = stat_with_past(
        "Series failing",
        "Series whose last tick failed. The status page and /readyz say why and what to do.",
        &format!("sum(kore_trend_series_failing{BOT})"),
        thresholds(&GREEN_RED),
    );
    let oldest = stat_with_past(
        "Oldest figure",
        "How long ago the newest hour of the most delayed hourly series began. With hourly ticks, up to 130 \
         minutes is fine. From three hours on, find the series below and see whether it fails.",
        &format!("(time() - min(kore_trend_last_point_timestamp_seconds{HOURLY}))"),
        thresholds(&[("green", None), ("orange", Some(9000.0)), ("red", Some(10_800.0))]),
    );
    let tick = stat(
        "Since the last tick",
        "How long ago the last tick ended, on the exporter where that is longest. An exporter that has just \
         started has no tick yet. Red? See on its status page whether a tick is running or waiting for the \
         platform.",
        format!("time() - min(kore_trend_last_tick_timestamp_seconds{INSTANCE} > 0)"),
        thresholds(&[("green", None), ("red", Some(7200.0))]),
    );
    let configuration = stat(
        "Configuration",
        "Whether the last reload accepted the configuration. If it was refused, the old one stays in force \
         and the log lists every problem. Fix them and reload: a restart would end with exit code 78.",
        format!("min(kore_trend_config_last_reload_successful{INSTANCE})"),
        both(thresholds(&[("red", None), ("green", Some(1.0))]), mapped("refused", "accepted")),
    );
    let state = stat(
        "State folder",
        "Whether the state folder can be written. If not, the export goes on, but a restart repeats it. Free \
         some disk space or fix the permissions.",
        format!("max(kore_trend_state_failing{INSTANCE})"),
        both(thresholds(&GREEN_RED), mapped("written", "failing")),
    );
    Row::new(
        "At a glance",
        vec![Line::new(
            4,
            vec![
                (3, up),
                (3, failing),
                (4, oldest.defaults(age())),
                (4, tick.defaults(age())),
                (4, configuration),
                (3, state),
                (3, release()),
            ],
        )],
    )
}

fn both(mut look: Value, more: Value) -> Value {
    merge(&mut look, more);
    look
}

/// A text, which only a column of a table can be: no number of a curve is called by its label without losing the mapping.
fn release() -> Panel {
    figure(
        "Release",
        "The release that runs on each instance.",
        json!({ "color": fixed("text") }),
        "lastNotNull",
        "none",
    )
    .query(Query::Now { expr: format!("kore_trend_build_info{INSTANCE}"), legend: "__auto", table: true })
    .options(json!({ "reduceOptions": { "fields": "/^version$/" } }))
}

/// The row of series.
pub(super) fn freshness() -> Row {
    let ages = curves(
        "Age of the newest hourly figure",
        "By bot, of its most delayed channel. It falls with every tick; with hourly ticks it stays below 130 \
         minutes. An alert fires above the red line: look for the bot in Series.",
        "suffix: h",
        vec![(format!("(time() - min by (bot) (kore_trend_last_point_timestamp_seconds{HOURLY})) / 3600"), "{{bot}}")],
    );
    let failing = curves(
        "Failing series",
        "Series of each bot whose last tick failed. The status page and /readyz say why and what to do.",
        "short",
        vec![(format!("sum by (bot) (kore_trend_series_failing{BOT})"), "{{bot}}")],
    );
    let to_bot = json!({ "links": links::from_health("__field.labels.bot") });
    let (ages, failing) = (by_bot(limit(ages, 3.0)).defaults(to_bot.clone()), by_bot(failing).defaults(to_bot));
    Row::new("Freshness", vec![Line::new(10, vec![(24, table())]), Line::new(8, vec![(12, ages), (12, failing)])])
}

/// The columns of figures, as Grafana calls them before they have names.
const COLUMNS: [(&str, &str); 3] =
    [("Value #A", "Failing"), ("Value #B", "Newest point, age"), ("Value #C", "Complete through, age")];

fn table() -> Panel {
    let now = |expr: String| Query::Now { expr, legend: "__auto", table: true };
    let by = "by (bot, channel, interval)";
    let keys = ["bot", "channel", "interval"];
    let mut fields = json!({});
    let mut names = json!({ "bot": "Bot", "channel": "Channel", "interval": "Interval" });
    let mut places = json!({ "bot": 1, "channel": 2, "interval": 3 });
    for key in keys {
        fields[key] = json!({ "operation": "groupby", "aggregations": [] });
    }
    for (place, (column, name)) in (4..).zip(COLUMNS) {
        fields[column] = json!({ "operation": "aggregate", "aggregations": ["max"] });
        names[format!("{column} (max)")] = json!(name);
        places[format!("{column} (max)")] = json!(place);
    }
    let sort = |name: &str| json!({ "displayName": name, "desc": true });
    Panel::new(
        "table",
        "Series",
        "Every series, failing ones first. Newest point is when its newest hour or day began. Complete \
         through is when the last day began that is complete and confirmed: a little over two days is fine. \
         Click Failing for what to do, or a bot to open it.",
    )
    .query(now(format!("max {by} (kore_trend_series_failing{BOT})")))
    .query(now(format!("time() - max {by} (kore_trend_last_point_timestamp_seconds{BOT})")))
    .query(now(format!("time() - max {by} (kore_trend_watermark_timestamp_seconds{BOT})")))
    // Lines are merged where everything but the figures is the same.
    .then("organize", json!({ "excludeByName": { "Time": true }, "renameByName": {}, "indexByName": {} }))
    .then("merge", json!({}))
    // One line for each series as it is; but of no series at all it leaves nothing, instead of a header without lines.
    .then("groupBy", json!({ "fields": fields }))
    .then("organize", json!({ "excludeByName": {}, "renameByName": names, "indexByName": places }))
    .options(json!({
        "showHeader": true, "cellHeight": "sm",
        "sortBy": [sort("Failing"), sort("Interval"), sort("Newest point, age")],
    }))
    .defaults(age())
    .defaults(json!({ "custom": { "filterable": true, "minWidth": 70 } }))
    .defaults(json!({ "mappings": [{ "type": "special", "options": { "match": "null", "result": { "text": "–" } } }] }))
    .field("Bot", &[("links", links::from_health("__value.text"))])
    .field(
        "Failing",
        &[
            ("unit", json!("locale")),
            (
                "mappings",
                json!([{ "type": "value", "options": {
            "0": { "text": "well", "color": "green" }, "1": { "text": "failing", "color": "red" },
        } }]),
            ),
            ("custom.cellOptions", json!({ "type": "color-text" })),
            ("links", links::to_text("What to do when a series fails", "still-failing")),
        ],
    )
    .no_value(NO_EXPORTER)
}
