//! Whether figures arrive, at a glance and series by series.

use serde_json::json;

use super::super::layout::{Line, Row};
use super::super::panel::Panel;
use super::super::query::Query;
use super::looks::{BOT, GREEN_RED, HOURLY, INSTANCE, age, curves, mapped, stat, thresholds};

/// The row with all that must be well.
pub(super) fn glance() -> Row {
    let failing = stat(
        "Series failing",
        "Series whose last tick failed. The status page and /readyz say why.",
        format!("sum(kore_trend_series_failing{BOT})"),
        thresholds(&GREEN_RED),
    );
    let oldest = stat(
        "Oldest hourly figure",
        "How long ago the newest hour of the most delayed hourly series began. With a tick every hour up to 130 minutes.",
        format!("time() - min(kore_trend_last_point_timestamp_seconds{HOURLY})"),
        thresholds(&[("green", None), ("orange", Some(9000.0)), ("red", Some(10_800.0))]),
    );
    let tick = stat(
        "Since the last tick",
        "How long ago a tick ended, of the exporter for which that is longest; one that has just started has no tick yet.",
        format!("time() - min(kore_trend_last_tick_timestamp_seconds{INSTANCE} > 0)"),
        thresholds(&[("green", None), ("red", Some(7200.0))]),
    );
    let configuration = stat(
        "Configuration",
        "Whether the configuration was accepted when it was read last. A refused one leaves the old one in force.",
        format!("min(kore_trend_config_last_reload_successful{INSTANCE})"),
        thresholds(&[("red", None), ("green", Some(1.0))]),
    );
    let state = stat(
        "State folder",
        "Whether the state can be written. If not, the export goes on, but a restart repeats it.",
        format!("max(kore_trend_state_failing{INSTANCE})"),
        thresholds(&GREEN_RED),
    );
    let release = stat(
        "Release",
        "The release that runs on each instance.",
        format!("kore_trend_build_info{INSTANCE}"),
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
                (4, oldest.defaults(age())),
                (4, tick.defaults(age())),
                (4, configuration.defaults(mapped("refused", "accepted"))),
                (4, state.defaults(mapped("written", "failing"))),
                (4, release),
            ],
        )],
    )
}

/// The row of series.
pub(super) fn freshness() -> Row {
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
    .defaults(age())
    .defaults(json!({ "custom": { "filterable": true } }))
    .field("Failing", &[
        ("unit", json!("locale")),
        ("mappings", json!([{ "type": "value", "options": { "0": { "text": "well" }, "1": { "text": "failing", "color": "red" } } }])),
        ("custom.cellOptions", json!({ "type": "color-text" })),
    ])
    .no_value("–");
    let ages = curves(
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
    Row::new("Freshness", vec![Line::new(10, vec![(24, series)]), Line::new(8, vec![(12, ages), (12, failing)])])
}
