//! The TOML document as figment's values, with the line of each key.

use std::collections::BTreeMap;

use figment::value::{Dict, Value};
use toml_edit::{ImDocument, Item, Key, TableLike, Value as Toml};

/// A document that is TOML.
#[derive(Default)]
pub(super) struct Document {
    pub(super) dict: Dict,
    /// By the path of the key, from 1. A key with a dot in it is in quotes.
    pub(super) lines: BTreeMap<String, usize>,
}

/// Reads a document. The error shows no part of it.
pub(super) fn parse(text: &str) -> Result<Document, String> {
    let starts = std::iter::once(0).chain(text.match_indices('\n').map(|(place, _)| place + 1)).collect();
    let mut reading = Reading { starts, lines: BTreeMap::new() };
    let document = ImDocument::parse(text).map_err(|error| {
        let place = error.span().map_or_else(String::new, |span| {
            let line = reading.line(span.start);
            let before = text.get(reading.starts[line - 1]..span.start).unwrap_or_default();
            format!(" in line {line} column {}", before.chars().count() + 1)
        });
        format!("is not valid TOML{place}: {}", error.message().trim().replace('\n', ", "))
    })?;
    let dict = reading.table(document.as_table(), "");
    Ok(Document { dict, lines: reading.lines })
}

/// Reads one value as a document would have it, where it is one.
pub(super) fn parse_value(text: &str) -> Option<Value> {
    Some(Reading::default().value(&text.trim().parse().ok()?, ""))
}

/// Turns TOML into figment's values and notes the lines of the keys.
#[derive(Default)]
struct Reading {
    /// Where each line begins.
    starts: Vec<usize>,
    lines: BTreeMap<String, usize>,
}

impl Reading {
    fn line(&self, offset: usize) -> usize {
        self.starts.partition_point(|start| *start <= offset)
    }

    fn table(&mut self, table: &dyn TableLike, above: &str) -> Dict {
        let mut dict = Dict::new();
        for (name, item) in table.iter() {
            let path = join(above, name);
            if let Some(span) = table.key(name).and_then(Key::span).or_else(|| item.span()) {
                let line = self.line(span.start);
                self.lines.insert(path.clone(), line);
                if name.contains('.') {
                    self.lines.insert(join(above, &format!("{name:?}")), line);
                }
            }
            let value = match item {
                Item::None => continue,
                Item::Value(value) => self.value(value, &path),
                Item::Table(inner) => Value::from(self.table(inner, &path)),
                Item::ArrayOfTables(tables) => {
                    Value::from(tables.iter().map(|inner| self.table(inner, &path)).collect::<Vec<_>>())
                }
            };
            dict.insert(name.to_owned(), value);
        }
        dict
    }

    fn value(&mut self, value: &Toml, path: &str) -> Value {
        match value {
            Toml::String(text) => Value::from(text.value().as_str()),
            Toml::Integer(number) => Value::from(*number.value()),
            Toml::Float(number) => Value::from(*number.value()),
            Toml::Boolean(flag) => Value::from(*flag.value()),
            Toml::Datetime(time) => Value::from(time.value().to_string()),
            Toml::Array(items) => Value::from(items.iter().map(|item| self.value(item, path)).collect::<Vec<_>>()),
            Toml::InlineTable(inner) => Value::from(self.table(inner, path)),
        }
    }
}

/// The path of a key below another.
pub(super) fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}
