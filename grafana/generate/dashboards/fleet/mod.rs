//! Fifty bots and more on one screen: a cell for each, at the same place every day, so that a wrong colour is seen from
//! afar. The same panels in InfluxQL and in Flux; what fails comes from Prometheus.

use serde_json::{Value, json};

use super::engagement::bots::{self, COMPARED, compared, quiet};
use super::engagement::figures::{AGE, aged, binary, newest};
use super::engagement::now::{self, EARLIER, TODAY, figures, hours_old};
use super::engagement::variables;
use super::frame::Frame;
use super::layout::{self, Line, Row};
use super::panel::Panel;
use super::query::{Language, Query};
use super::variables::prometheus;

/// The dashboard in this language.
pub(crate) fn dashboard(language: Language) -> Value {
    let rows = vec![
        Row::new(
            "All bots",
            vec![
                Line::new(4, vec![(12, now::today()), (6, now::last_hour()), (6, now::freshness())]),
                Line::new(8, vec![(12, against_last_week()), (12, ages())]),
                Line::new(6, vec![(24, failing())]),
            ],
        ),
        Row::collapsed("Figures of every bot", vec![Line::new(16, vec![(24, bots::table())])]),
    ];
    let (uid, title) = match language {
        Language::Flux => ("kore-trend-fleet-flux", "Bot fleet (Flux)"),
        _ => ("kore-trend-fleet-influxql", "Bot fleet (InfluxQL)"),
    };
    let mut variables = variables(language);
    variables.insert(1, prometheus());
    Frame {
        uid,
        title,
        description: "Every chatbot in a cell: today against last week, freshness and failures, from kore-trend-exporter",
        from: "now-24h",
        refresh: "5m",
        variables,
        annotations: Vec::new(),
        panels: layout::panels(language, rows),
    }
    .json()
}

/// A cell for each bot, in the order of their names, with the only number of its line.
fn cells(panel: Panel, number: &str) -> Panel {
    figures(panel, "auto")
        .then("sortBy", json!({ "fields": {}, "sort": [{ "field": "bot" }] }))
        .options(json!({ "colorMode": "background", "justifyMode": "center" }))
        .field(number, &[("displayName", json!("${__data.fields.bot}"))])
        .to_bot("__data.fields.bot")
}

fn against_last_week() -> Panel {
    let panel = Panel::new(
        "stat",
        "Today against last week",
        "Today's users by the hour, in per cent of the same hours a week earlier. Red is below 50 %, orange \
         below 80 %. First see on the right whether the bot is late, then click it to open its dashboard. A \
         dash means no hour of today yet, or none a week earlier.",
    );
    let without = |columns: Value| json!({ "excludeByName": columns, "renameByName": {}, "indexByName": {} });
    let panel = compared(panel)
        .then("organize", without(json!({ "Time": true })))
        .then("joinByField", json!({ "byField": "bot", "mode": "outer" }))
        .then("calculateField", binary(COMPARED, TODAY, "/", EARLIER))
        .then("organize", without(json!({ TODAY: true, EARLIER: true })));
    cells(panel, COMPARED)
        .defaults(json!({ "unit": "percentunit", "color": { "mode": "thresholds" }, "thresholds": quiet() }))
        // Of nobody there is no part.
        .defaults(json!({ "mappings": [
            { "type": "value", "options": { "Infinity": { "text": "–", "color": "#8e8e8e" } } },
        ] }))
        .nothing("–", "#8e8e8e")
}

fn ages() -> Panel {
    let panel = Panel::new(
        "stat",
        "Hours since the newest figure",
        "How many hours ago the newest hour of each bot began. With hourly ticks, up to 2.2 hours is fine. \
         Red is 3 hours or more: see below whether the bot fails. If it does not, the platform has no newer \
         figures.",
    )
    .query(newest());
    let gone = json!({ "users": true, "Time": true, "since": true });
    let panel = aged(panel).then("organize", json!({ "excludeByName": gone, "renameByName": {}, "indexByName": {} }));
    cells(panel, AGE).since("now/d").defaults(hours_old()).nothing("no hourly figure in 30 days", "red")
}

fn failing() -> Panel {
    let panel = Panel::new(
        "stat",
        "Failing series",
        "Series of each bot whose last tick failed, from the Prometheus that scrapes the exporter. The status \
         page and /readyz say why and what to do. Without Prometheus this panel stays empty; a failing bot \
         then shows as old above.",
    )
    .query(Query::Now {
        expr: "sum by (bot) (kore_trend_series_failing{bot=~\"$bot\"})".to_owned(),
        legend: "{{bot}}",
        table: false,
    });
    figures(panel, "auto")
        .options(json!({
            "reduceOptions": { "values": false }, "colorMode": "background", "justifyMode": "center",
        }))
        .defaults(json!({
            "color": { "mode": "thresholds" },
            "thresholds": { "mode": "absolute", "steps": [{ "color": "green", "value": null }, { "color": "red", "value": 1.0 }] },
            "mappings": [{ "type": "value", "options": { "0": { "text": "well" } } }],
        }))
        .to_bot("__field.labels.bot")
        .nothing("this Prometheus knows no exporter", "red")
}
