//! A panel: a question, how its answer is prepared, and how it is drawn.

use serde_json::{Value, json};

use super::links;
use super::query::{Language, Query, merge};

/// One panel of a dashboard, whose place and number the layout gives it.
pub(crate) struct Panel {
    kind: &'static str,
    title: &'static str,
    description: String,
    queries: Vec<Query>,
    transformations: Vec<Value>,
    options: Value,
    defaults: Value,
    overrides: Vec<Value>,
    /// Fields, or all of them, that lead to the bot that an expression names.
    to_bots: Vec<(Option<&'static str>, &'static str)>,
    more: Value,
}

impl Panel {
    /// A panel of one of Grafana's own kinds.
    pub(crate) fn new(kind: &'static str, title: &'static str, description: impl Into<String>) -> Panel {
        Panel {
            kind,
            title,
            description: description.into(),
            queries: Vec::new(),
            transformations: Vec::new(),
            options: json!({}),
            // Never "short", which makes "1 K" of 1,250.
            defaults: json!({ "unit": "locale", "decimals": 0 }),
            overrides: Vec::new(),
            to_bots: Vec::new(),
            more: json!({}),
        }
    }

    /// One more query; they are called A, B and so on.
    pub(crate) fn query(mut self, query: Query) -> Panel {
        self.queries.push(query);
        self
    }

    /// One more step between answer and picture.
    pub(crate) fn then(mut self, id: &str, options: Value) -> Panel {
        self.transformations.push(json!({ "id": id, "options": options }));
        self
    }

    /// One more step, for the answers to these queries only.
    pub(crate) fn then_for(mut self, ref_ids: &str, id: &str, options: Value) -> Panel {
        let filter = json!({ "id": "byRefId", "options": format!("/^({ref_ids})$/") });
        self.transformations.push(json!({ "id": id, "options": options, "filter": filter }));
        self
    }

    /// Options of this kind of panel.
    pub(crate) fn options(mut self, options: Value) -> Panel {
        merge(&mut self.options, options);
        self
    }

    /// How every field is shown.
    pub(crate) fn defaults(mut self, defaults: Value) -> Panel {
        merge(&mut self.defaults, defaults);
        self
    }

    /// How the field of this name is shown.
    pub(crate) fn field(self, name: &str, properties: &[(&str, Value)]) -> Panel {
        self.fields("byName", name, properties)
    }

    /// How the fields are shown whose names match this pattern.
    pub(crate) fn fields_like(self, pattern: &str, properties: &[(&str, Value)]) -> Panel {
        self.fields("byRegexp", pattern, properties)
    }

    fn fields(mut self, matcher: &str, which: &str, properties: &[(&str, Value)]) -> Panel {
        let properties: Vec<Value> = properties.iter().map(|(id, value)| json!({ "id": id, "value": value })).collect();
        self.overrides.push(json!({ "matcher": { "id": matcher, "options": which }, "properties": properties }));
        self
    }

    /// A click on a figure leads to the user engagement of the bot that this expression names.
    #[expect(clippy::wrong_self_convention, reason = "where a click leads to")]
    pub(crate) fn to_bot(mut self, bot: &'static str) -> Panel {
        self.to_bots.push((None, bot));
        self
    }

    /// A click on a figure of this field does.
    pub(crate) fn field_to_bot(mut self, field: &'static str, bot: &'static str) -> Panel {
        self.to_bots.push((Some(field), bot));
        self
    }

    /// How the quotient of this name is shown: as a percentage, unless there is nothing to compare or to compare with.
    /// Grafana divides as JavaScript does, and what is no number it would show as "NaN" and "∞%".
    pub(crate) fn quotient(self, name: &str, shown: &str) -> Panel {
        let none = json!({ "text": "–" });
        let mappings = json!([
            { "type": "special", "options": { "match": "null+nan", "result": none } },
            { "type": "value", "options": { "Infinity": none } },
        ]);
        self.field(name, &[("unit", json!("percentunit")), ("displayName", json!(shown)), ("mappings", mappings)])
    }

    /// What stands in the place of an empty answer.
    pub(crate) fn no_value(self, text: &str) -> Panel {
        self.defaults(json!({ "noValue": text }))
    }

    /// The same for one large figure. Without a mapping Grafana paints the text in the colour of the lowest threshold, so
    /// that nothing at all would look well.
    pub(crate) fn nothing(mut self, text: &str, color: &str) -> Panel {
        let result = json!({ "text": text, "color": color });
        let mut mappings = self.defaults["mappings"].as_array().cloned().unwrap_or_default();
        for kind in ["null", "nan"] {
            mappings.push(json!({ "type": "special", "options": { "match": kind, "result": result } }));
        }
        merge(&mut self.defaults, json!({ "mappings": mappings }));
        self.no_value(text)
    }

    /// A range of time of its own, however the dashboard's is set as long as that ends now.
    pub(crate) fn since(mut self, time_from: &str) -> Panel {
        merge(&mut self.more, json!({ "timeFrom": time_from, "hideTimeOverride": true }));
        self
    }

    /// The shortest step of curves.
    pub(crate) fn step(mut self, interval: &str) -> Panel {
        merge(&mut self.more, json!({ "interval": interval }));
        self
    }

    /// At most this many steps.
    pub(crate) fn steps(mut self, count: u32) -> Panel {
        merge(&mut self.more, json!({ "maxDataPoints": count }));
        self
    }

    /// As Grafana reads it.
    pub(crate) fn json(mut self, language: Language, id: usize, place: Value) -> Value {
        for (field, bot) in std::mem::take(&mut self.to_bots) {
            let links = links::to_bot(language, bot);
            self = match field {
                None => self.defaults(json!({ "links": links })),
                Some(field) => self.field(field, &[("links", links)]),
            };
        }
        let targets: Vec<Value> =
            ('A'..).zip(&self.queries).map(|(ref_id, query)| query.target(language, ref_id)).collect();
        let mut panel = json!({
            "id": id, "type": self.kind, "title": self.title, "description": self.description, "gridPos": place,
            "options": self.options, "fieldConfig": { "defaults": self.defaults, "overrides": self.overrides },
        });
        if !targets.is_empty() {
            // More than a curve has: Grafana cuts off a table of Flux that has ten times as many lines.
            let lines = self.queries.iter().any(|query| matches!(query, Query::Table { .. }));
            let source = self.queries[0].source(language);
            merge(
                &mut panel,
                json!({ "datasource": source, "targets": targets, "transformations": self.transformations }),
            );
            if lines {
                merge(&mut panel, json!({ "maxDataPoints": 10_000 }));
            }
        }
        merge(&mut panel, self.more);
        panel
    }
}
