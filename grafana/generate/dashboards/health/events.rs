//! What happened, drawn over every curve: restarts, reloads that were refused, and series that failed.

use serde_json::{Value, json};

use super::super::query::{Language, chosen_source};
use super::looks::{BOT, INSTANCE};

/// The annotations.
pub(super) fn annotations() -> Vec<Value> {
    vec![
        // The value says when, so that a restart stands once, at its own time, however long the range.
        annotation(
            "Restarts",
            "blue",
            format!("(process_start_time_seconds{INSTANCE} and on (instance) kore_trend_build_info) * 1000"),
            "{{instance}} started",
            true,
        ),
        // Grafana draws a region over what is above zero.
        annotation(
            "Refused reloads",
            "orange",
            format!("kore_trend_config_last_reload_successful{INSTANCE} == bool 0"),
            "{{instance}} runs on an old configuration: the one on disk was refused",
            false,
        ),
        annotation(
            "Failing series",
            "red",
            format!("sum by (bot) (kore_trend_series_failing{BOT})"),
            "series of {{bot}} fail",
            false,
        ),
    ]
}

fn annotation(name: &str, color: &str, expr: String, text: &str, value_is_time: bool) -> Value {
    json!({
        "name": name, "datasource": chosen_source(Language::PromQl), "enable": true, "hide": false, "iconColor": color,
        "expr": expr, "step": "60s", "titleFormat": name, "textFormat": text, "tagKeys": "instance,bot",
        "useValueForTime": value_is_time,
    })
}
