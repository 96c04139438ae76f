//! Every dashboard, as the JSON that Grafana provisions.

mod engagement;
mod fleet;
mod frame;
mod health;
mod layout;
mod links;
mod panel;
mod query;
mod variables;

use serde_json::Value;

pub(crate) use self::query::Language;

/// File name and content of each dashboard.
pub(crate) fn all() -> Vec<(&'static str, Value)> {
    vec![
        ("user-engagement-influxql.json", engagement::dashboard(Language::InfluxQl)),
        ("user-engagement-flux.json", engagement::dashboard(Language::Flux)),
        ("bot-fleet-influxql.json", fleet::dashboard(Language::InfluxQl)),
        ("bot-fleet-flux.json", fleet::dashboard(Language::Flux)),
        ("exporter-health.json", health::dashboard()),
    ]
}

/// A dashboard as its file holds it.
pub(crate) fn text(dashboard: &Value) -> String {
    format!("{dashboard:#}\n")
}
