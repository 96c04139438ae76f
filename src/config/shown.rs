//! Values as a message shows them: as the user wrote them, unless they may be a secret in the wrong place.

use figment::value::{Num, Value};

/// A value as the user wrote it.
pub(super) fn show(value: &Value) -> String {
    let json = match value {
        Value::String(_, text) => return quoted(text),
        Value::Dict(..) => return "a table".to_owned(),
        // JSON has no word for what is no number.
        Value::Num(_, Num::F64(number)) => format!("{number:?}"),
        Value::Array(_, values) if values.iter().any(|value| value.as_str().is_none_or(may_be_a_secret)) => {
            return HIDDEN.to_owned();
        }
        value => serde_json::to_string(value).unwrap_or_else(|_| "a value".to_owned()),
    };
    cut(json)
}

/// A text as the user wrote it.
pub(super) fn quoted(text: &str) -> String {
    if may_be_a_secret(text) { HIDDEN.to_owned() } else { cut(format!("{text:?}")) }
}

/// What stands in the place of a value that may be a secret.
pub(super) const HIDDEN: &str = "(value hidden)";

fn cut(text: String) -> String {
    match text.char_indices().nth(80) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// Whether a text looks like what is generated to be a secret: one long word with digits in it. Durations, zones, cron
/// lines, addresses and names of algorithms look otherwise.
fn may_be_a_secret(text: &str) -> bool {
    let is_word = !text.contains("://") && !text.contains(char::is_whitespace);
    is_word && text.chars().count() >= 20 && text.contains(|letter: char| letter.is_ascii_digit())
}
