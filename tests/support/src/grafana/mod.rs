//! What Grafana does between a dashboard's file and a picture: it expands a query, reads the answer into frames, and
//! transforms them. No Grafana runs here, so this follows its source (of release 12), as far as the dashboards in
//! `grafana/` go; whatever they use beyond that makes these functions panic.

pub mod display;
pub mod expand;
pub mod frame;
pub mod moment;
pub mod transform;

use serde_json::Value;

use crate::repository;

/// A dashboard as it is committed.
pub fn dashboard(file: &str) -> Value {
    serde_json::from_str(&text(file)).unwrap()
}

/// The text of a dashboard's file.
pub fn text(file: &str) -> String {
    let path = repository().join("grafana/dashboards").join(file);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Its panels, those of collapsed rows among them, without the headings of rows.
pub fn panels(dashboard: &Value) -> Vec<&Value> {
    with_rows(dashboard).into_iter().filter(|panel| panel["type"] != "row").collect()
}

/// Its panels and the headings of rows, in reading order.
pub fn with_rows(dashboard: &Value) -> Vec<&Value> {
    let all = dashboard["panels"].as_array().unwrap().iter();
    all.flat_map(|panel| [panel].into_iter().chain(panel["panels"].as_array().into_iter().flatten())).collect()
}

/// The queries of a panel.
pub fn targets(panel: &Value) -> &[Value] {
    panel["targets"].as_array().map_or(&[], Vec::as_slice)
}

/// The text of a member that must be one.
#[track_caller]
pub fn words(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}"))
}
