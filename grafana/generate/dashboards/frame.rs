//! What a dashboard has besides panels.

use serde_json::{Value, json};

/// Of Grafana 12, and the last one of this format.
const SCHEMA_VERSION: u32 = 42;

/// The tag by which the dashboards find each other.
const TAG: &str = "kore-trend";

/// What tells a dashboard from another.
pub(crate) struct Frame {
    /// Never changes: links and provisioning go by it.
    pub(crate) uid: &'static str,
    pub(crate) title: &'static str,
    pub(crate) description: &'static str,
    /// What is shown at first, back from now.
    pub(crate) from: &'static str,
    pub(crate) refresh: &'static str,
    pub(crate) variables: Vec<Value>,
    pub(crate) annotations: Vec<Value>,
    pub(crate) panels: Vec<Value>,
}

impl Frame {
    /// As Grafana reads it.
    pub(crate) fn json(self) -> Value {
        let mut links = vec![json!({
            "type": "dashboards", "title": "Kore trend", "tags": [TAG], "asDropdown": false, "includeVars": false,
            "keepTime": true, "targetBlank": false, "icon": "external link", "tooltip": "", "url": "",
        })];
        // Cargo leaves it empty where the manifest names no repository.
        let repository = env!("CARGO_PKG_REPOSITORY");
        if !repository.is_empty() {
            links.push(json!({
                "type": "link", "title": "README", "url": format!("{repository}#readme"), "icon": "doc",
                "tooltip": "What the figures mean", "targetBlank": true, "tags": [], "asDropdown": false,
                "includeVars": false, "keepTime": false,
            }));
        }
        json!({
            "id": null, "uid": self.uid, "title": self.title, "description": self.description, "tags": [TAG],
            "schemaVersion": SCHEMA_VERSION, "version": 1, "editable": true, "graphTooltip": 1,
            // Of the reader; the time picker changes it, and everything that is shown by hours follows.
            "timezone": "browser", "weekStart": "", "fiscalYearStartMonth": 0, "liveNow": false,
            "time": { "from": self.from, "to": "now" }, "timepicker": {}, "refresh": self.refresh,
            "links": links, "annotations": { "list": self.annotations },
            "templating": { "list": self.variables }, "panels": self.panels,
        })
    }
}
