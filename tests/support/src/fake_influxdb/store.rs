//! The points of a database: what lines say, and what of them is kept.

use std::collections::{BTreeMap, BTreeSet};

use influxdb_line_protocol::{FieldValue, ParsedLine, parse_lines};
use serde_json::{Value, json};

/// Measurement and tags.
pub type Series = (String, BTreeMap<String, String>);

/// The fields of one point.
pub type Fields = BTreeMap<String, Value>;

/// What is stored.
#[derive(Clone, Debug, Default)]
pub struct Store {
    pub series: BTreeMap<Series, BTreeMap<i64, Fields>>,
    /// What kind of value each field of a measurement has.
    kinds: BTreeMap<(String, String), &'static str>,
}

/// What became of the lines of a write.
#[derive(Debug, Default)]
pub struct Taken {
    /// A line that is none; then nothing is stored.
    pub malformed: Option<String>,
    /// Measurement and field of a line whose field is stored with another type, and how many such lines there are; they
    /// are not.
    pub conflict: Option<(String, String, usize)>,
    /// Points older than the retention, which are not stored.
    pub beyond: usize,
    /// Whether there was no line at all.
    pub is_empty: bool,
    /// The lines that are stored.
    pub kept: Vec<String>,
}

impl Store {
    /// Whether a write with these lines can be stored, and what of it cannot. Points before `oldest` are too old.
    pub fn judge(&self, text: &str, oldest: Option<i64>) -> Taken {
        self.clone().take(text, oldest)
    }

    /// Stores what can be stored of these lines.
    pub fn take(&mut self, text: &str, oldest: Option<i64>) -> Taken {
        let mut taken = Taken::default();
        let mut lines = Vec::new();
        for text in text.lines() {
            match parse_lines(text).next() {
                Some(Ok(line)) => lines.push((text, line)),
                Some(Err(_)) => return Taken { malformed: Some(text.to_owned()), ..taken },
                None => {}
            }
        }
        taken.is_empty = lines.is_empty();
        for (text, line) in lines {
            let measurement = line.series.measurement.to_string();
            let time = line.timestamp.unwrap_or(0);
            let conflict = line.field_set.iter().find_map(|(name, value)| {
                let known = self.kinds.get(&(measurement.clone(), name.to_string()))?;
                (*known != kind(value)).then(|| name.to_string())
            });
            if let Some(field) = conflict {
                let before = taken.conflict.map_or(0, |(.., lines)| lines);
                taken.conflict = Some((measurement, field, before + 1));
            } else if oldest.is_some_and(|oldest| time < oldest) {
                taken.beyond += 1;
            } else {
                self.store(measurement, time, &line);
                taken.kept.push(text.to_owned());
            }
        }
        taken
    }

    fn store(&mut self, measurement: String, time: i64, line: &ParsedLine<'_>) {
        let tags = line.series.tag_set.iter().flatten();
        let tags = tags.map(|(key, value)| (key.to_string(), value.to_string())).collect();
        for (name, value) in &line.field_set {
            self.kinds.insert((measurement.clone(), name.to_string()), kind(value));
        }
        let fields = line.field_set.iter().map(|(name, value)| (name.to_string(), plain(value)));
        self.series.entry((measurement, tags)).or_default().entry(time).or_default().extend(fields);
    }

    /// The names of the tags of a measurement.
    pub fn tags_of(&self, measurement: &str) -> BTreeSet<String> {
        let series = self.series.keys().filter(|(name, _)| name == measurement);
        series.flat_map(|(_, tags)| tags.keys().cloned()).collect()
    }

    /// The names of the fields of a measurement.
    pub fn fields_of(&self, measurement: &str) -> BTreeSet<String> {
        self.kinds.keys().filter(|(name, _)| name == measurement).map(|(_, field)| field.clone()).collect()
    }
}

fn kind(value: &FieldValue<'_>) -> &'static str {
    match value {
        FieldValue::I64(_) => "integer",
        FieldValue::U64(_) => "unsigned",
        FieldValue::F64(_) => "float",
        FieldValue::String(_) => "string",
        FieldValue::Boolean(_) => "boolean",
    }
}

fn plain(value: &FieldValue<'_>) -> Value {
    match value {
        FieldValue::I64(value) => json!(value),
        FieldValue::U64(value) => json!(value),
        FieldValue::F64(value) => json!(value),
        FieldValue::String(value) => json!(value.as_str()),
        FieldValue::Boolean(value) => json!(value),
    }
}
