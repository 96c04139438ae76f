//! A query of a panel, in every language that a dashboard may be written in.

use serde_json::{Value, json};

/// What a dashboard asks its database in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Language {
    /// InfluxDB 1, 2 and 3.
    InfluxQl,
    /// InfluxDB 2.
    Flux,
    /// Prometheus.
    PromQl,
}

impl Language {
    /// The type of the data source.
    pub(crate) fn data_source(self) -> &'static str {
        match self {
            Language::InfluxQl | Language::Flux => "influxdb",
            Language::PromQl => "prometheus",
        }
    }
}

/// The same question in the languages of InfluxDB, or one to Prometheus.
pub(crate) enum Query {
    /// One line for each point, in columns of the same names in both languages: what transformations work on.
    Table {
        /// Groups by no more than one tag: Grafana's InfluxQL tables mix up the columns of several.
        influxql: String,
        /// Ends without groups.
        flux: String,
    },
    /// One curve for each value of a tag, which is its name.
    Curves {
        /// The tag.
        tag: &'static str,
        /// Grouped by time and the tag.
        influxql: String,
        /// Ends grouped by the tag.
        flux: String,
    },
    /// The past of a figure in Prometheus.
    Range {
        /// The expression.
        expr: String,
        /// The name of each curve.
        legend: &'static str,
    },
    /// A figure in Prometheus as it is now.
    Now {
        /// The expression.
        expr: String,
        /// The name of each figure.
        legend: &'static str,
        /// As the lines of a table.
        table: bool,
    },
}

/// The data source that the reader chose.
pub(crate) fn chosen_source(language: Language) -> Value {
    json!({ "type": language.data_source(), "uid": "${datasource}" })
}

/// The Prometheus that the reader chose on a dashboard of a database.
fn chosen_prometheus() -> Value {
    json!({ "type": Language::PromQl.data_source(), "uid": "${prometheus}" })
}

impl Query {
    /// Who is asked on a dashboard of this language.
    pub(crate) fn source(&self, language: Language) -> Value {
        let prometheus = matches!(self, Query::Range { .. } | Query::Now { .. });
        if prometheus && language != Language::PromQl { chosen_prometheus() } else { chosen_source(language) }
    }

    /// As a target of a panel.
    pub(crate) fn target(&self, language: Language, ref_id: char) -> Value {
        let mut target = json!({ "datasource": self.source(language), "refId": ref_id.to_string() });
        let more = match (self, language) {
            (Query::Table { flux, .. } | Query::Curves { flux, .. }, Language::Flux) => json!({ "query": flux }),
            (Query::Table { influxql, .. }, _) => {
                json!({ "query": influxql, "rawQuery": true, "resultFormat": "table" })
            }
            (Query::Curves { tag, influxql, .. }, _) => json!({
                "query": influxql, "rawQuery": true, "resultFormat": "time_series", "alias": format!("$tag_{tag}"),
            }),
            (Query::Range { expr, legend }, _) => {
                json!({ "editorMode": "code", "expr": expr, "legendFormat": legend, "range": true, "instant": false })
            }
            (Query::Now { expr, legend, table }, _) => json!({
                "editorMode": "code", "expr": expr, "legendFormat": legend, "range": false, "instant": true,
                "format": if *table { "table" } else { "time_series" },
            }),
        };
        merge(&mut target, more);
        target
    }
}

/// Puts the members of `more` into `value`, deep down.
pub(crate) fn merge(value: &mut Value, more: Value) {
    match (value, more) {
        (Value::Object(object), Value::Object(more)) => {
            for (key, more) in more {
                merge(object.entry(key).or_insert(Value::Null), more);
            }
        }
        (value, more) => *value = more,
    }
}
