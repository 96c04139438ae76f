//! What the reader chooses at the top of a dashboard.

use serde_json::{Value, json};

use super::query::{Language, chosen_source};

/// The data source; first the one that the provisioning in this repository makes.
pub(crate) fn data_source(language: Language, uid: &str) -> Value {
    source(language, "datasource", "Data source", uid)
}

/// The Prometheus, on a dashboard whose data source is a database.
pub(crate) fn prometheus() -> Value {
    source(Language::PromQl, "prometheus", "Prometheus", "kore-trend-prometheus")
}

fn source(language: Language, name: &str, label: &str, uid: &str) -> Value {
    json!({
        "type": "datasource", "name": name, "label": label, "query": language.data_source(),
        "current": { "text": uid, "value": uid }, "regex": "", "multi": false, "includeAll": false, "hide": 0,
        "refresh": 1, "options": [],
        "description": match language {
            Language::InfluxQl => {
                "An InfluxDB data source whose query language is InfluxQL. Grafana also offers those of other languages: \
                 with these every panel shows an error."
            }
            Language::Flux => {
                "An InfluxDB data source whose query language is Flux, with a default bucket. Grafana also offers those of \
                 other languages: with these every panel shows an error."
            }
            Language::PromQl => "A Prometheus that scrapes the exporter",
        },
    })
}

/// Any number of the values that this query finds, at first all of them.
pub(crate) fn values(language: Language, name: &str, label: &str, description: &str, query: &str) -> Value {
    let asked = match language {
        Language::PromQl => {
            json!({ "qryType": 1, "query": query, "refId": "PrometheusVariableQueryEditor-VariableQuery" })
        }
        _ => json!({ "query": query, "refId": "InfluxVariableQueryEditor-VariableQuery" }),
    };
    json!({
        "type": "query", "name": name, "label": label, "description": description,
        "datasource": chosen_source(language), "definition": query, "query": asked,
        // Anew with each range of time: a bot that ended long ago shows up where it had users.
        "refresh": 2,
        // A pattern instead of a list of all values, which would make the queries of many bots very long.
        "includeAll": true, "allValue": ".*", "multi": true, "current": { "text": ["All"], "value": ["$__all"] },
        "regex": "", "sort": 1, "hide": 0, "options": [],
    })
}
