//! The TOML document as figment's values, with the line of each key.

use std::collections::BTreeMap;

use figment::value::{Dict, Value};
use toml_edit::{ImDocument, Item, TableLike};

/// A document that is TOML.
#[derive(Default)]
pub(super) struct Document {
    pub(super) dict: Dict,
    /// By the path of the key, from 1. A key with a dot in it is in quotes.
    pub(super) lines: BTreeMap<String, usize>,
}

/// Reads a document. The error shows no part of it.
pub(super) fn parse(text: &str) -> Result<Document, String> {
    let document = ImDocument::parse(text).map_err(|error| {
        let place = error.span().map_or_else(String::new, |span| format!(" in {}", line_and_column(text, span.start)));
        format!("is not valid TOML{place}: {}", error.message().trim())
    })?;
    let starts: Vec<usize> = std::iter::once(0).chain(text.match_indices('\n').map(|(place, _)| place + 1)).collect();
    let mut lines = BTreeMap::new();
    let line_of = |offset: usize| starts.partition_point(|start| *start <= offset);
    let dict = table(document.as_table(), "", &line_of, &mut lines);
    Ok(Document { dict, lines })
}

/// A table's values; notes the lines of its keys.
fn table(
    table: &dyn TableLike,
    above: &str,
    line_of: &dyn Fn(usize) -> usize,
    lines: &mut BTreeMap<String, usize>,
) -> Dict {
    let mut dict = Dict::new();
    for (name, item) in table.iter() {
        let path = join(above, name);
        let span = table.key(name).and_then(toml_edit::Key::span).or_else(|| item.span());
        if let Some(span) = span {
            lines.insert(path.clone(), line_of(span.start));
            if name.contains('.') {
                lines.insert(join(above, &format!("{name:?}")), line_of(span.start));
            }
        }
        if let Some(value) = value(item, &path, line_of, lines) {
            dict.insert(name.to_owned(), value);
        }
    }
    dict
}

fn value(
    item: &Item,
    path: &str,
    line_of: &dyn Fn(usize) -> usize,
    lines: &mut BTreeMap<String, usize>,
) -> Option<Value> {
    if let Some(inner) = item.as_table_like() {
        return Some(Value::from(table(inner, path, line_of, lines)));
    }
    if let Some(tables) = item.as_array_of_tables() {
        let tables: Vec<Value> = tables.iter().map(|inner| Value::from(table(inner, path, line_of, lines))).collect();
        return Some(Value::from(tables));
    }
    scalar(item.as_value()?, path, line_of, lines)
}

fn scalar(
    value: &toml_edit::Value,
    path: &str,
    line_of: &dyn Fn(usize) -> usize,
    lines: &mut BTreeMap<String, usize>,
) -> Option<Value> {
    use toml_edit::Value as Toml;
    Some(match value {
        Toml::String(text) => Value::from(text.value().as_str()),
        Toml::Integer(number) => Value::from(*number.value()),
        Toml::Float(number) => Value::from(*number.value()),
        Toml::Boolean(flag) => Value::from(*flag.value()),
        Toml::Datetime(time) => Value::from(time.value().to_string()),
        Toml::Array(items) => {
            Value::from(items.iter().filter_map(|item| scalar(item, path, line_of, lines)).collect::<Vec<_>>())
        }
        Toml::InlineTable(inner) => Value::from(table(inner, path, line_of, lines)),
    })
}

/// The path of a key below another.
pub(super) fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

fn line_and_column(text: &str, offset: usize) -> String {
    let before = text.get(..offset).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    format!("line {} column {}", before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}
