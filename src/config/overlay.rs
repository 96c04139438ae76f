//! How the variables that overlay a key are read: as one of the configured bots' names and one of the keys there are.

use std::collections::{BTreeMap, HashSet};

use figment::value::{Dict, Value};

use super::document::parse_value;
use super::environment::{Environment, SEPARATOR};
use super::schema::{BOT, keys_of};
use super::source::Source;

/// The variables whose value may be empty.
const MAY_BE_EMPTY: [&str; 2] = ["influxdb__org", "admin__listen"];

/// The variables as nested tables of strings. `bots` are the names that the document has.
pub(super) fn overlay(environment: &Environment, source: &Source, bots: &[&str]) -> Dict {
    // A name that the document writes in another way than it must is told once, under that name.
    let bots: BTreeMap<String, &str> = bots.iter().map(|name| (name.to_lowercase(), *name)).collect();
    let mut root = Dict::new();
    for (path, value) in environment.overlays() {
        let path = path.to_lowercase();
        // What leads to the real services has no place in a demonstration that brings its own.
        let real = ["influxdb__", "bots__", "platform__url"].iter().any(|section| path.starts_with(section));
        if real && matches!(source, Source::BuiltIn(..)) {
            continue;
        }
        // Compose files set what they have no value for to nothing.
        if value.is_empty() && !MAY_BE_EMPTY.contains(&path.as_str()) {
            continue;
        }
        match path.strip_prefix("bots__") {
            Some(rest) => {
                let (bot, key) = bot_and_key(rest, &bots);
                match key.strip_prefix("tags__") {
                    Some(tag) => insert(&mut root, &["bots", bot, "tags", tag], value.into()),
                    None if key == "tags" => insert(&mut root, &["bots", bot, key], as_table(value)),
                    None if key.is_empty() => insert(&mut root, &["bots", bot], value.into()),
                    None => insert(&mut root, &["bots", bot, key], value.into()),
                }
            }
            None => insert(&mut root, &path.split(SEPARATOR).collect::<Vec<_>>(), value.into()),
        }
    }
    root
}

/// Reads `NAME__KEY`, where a name may hold the separator itself: as a configured bot with a key that there is, else as a
/// configured bot, else as a new one with a key that there is.
fn bot_and_key<'a>(text: &'a str, bots: &BTreeMap<String, &'a str>) -> (&'a str, &'a str) {
    let places = (1..text.len()).filter(|place| text.is_char_boundary(*place) && text[*place..].starts_with(SEPARATOR));
    let readings: Vec<(&str, &str)> = places.map(|place| (&text[..place], &text[place + SEPARATOR.len()..])).collect();
    let configured = |(name, key): &(&str, &'a str)| Some((*bots.get(*name)?, *key));
    if let Some(name) = bots.get(text) {
        return (name, "");
    }
    let with_key = readings.iter().filter(|(_, key)| is_key(key));
    with_key
        .clone()
        .find_map(configured)
        .or_else(|| readings.iter().rev().find_map(configured))
        .or_else(|| with_key.clone().copied().next())
        .or_else(|| readings.first().copied())
        .unwrap_or((text, ""))
}

fn is_key(text: &str) -> bool {
    keys_of(BOT).any(|key| key == text) || text.strip_prefix("tags__").is_some_and(|tag| !tag.is_empty())
}

/// Of two names the one whose variables may be the other one's, and that other: a bot's tag reads like a longer name.
pub(super) fn ambiguous<'a>(names: &[&'a str]) -> Vec<(&'a str, &'a str)> {
    let all: HashSet<&str> = names.iter().copied().collect();
    let other = |name: &&'a str| {
        let places = name.match_indices("__tags").map(|(place, _)| place);
        let shorter = places.filter(|place| format!("{}__", &name[place + 2..]).starts_with("tags__"));
        shorter.map(|place| &name[..place]).find_map(|other| all.get(other).map(|other| (*name, *other)))
    };
    names.iter().filter_map(other).collect()
}

/// A table as a document would have it; whatever else it is, is reported where a table is wanted.
fn as_table(text: &str) -> Value {
    parse_value(text).filter(|value| value.as_dict().is_some()).unwrap_or_else(|| Value::from(text))
}

fn insert(table: &mut Dict, keys: &[&str], value: Value) {
    let [key, below @ ..] = keys else { return };
    let entry = table.entry((*key).to_owned()).or_insert_with(|| Value::from(Dict::new()));
    match entry {
        Value::Dict(_, inner) if !below.is_empty() => insert(inner, below, value),
        // A value in the place of a table is reported as such, not replaced by what belongs into the table.
        _ if !below.is_empty() => {}
        _ => *entry = value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_is_read_as_a_configured_name_and_a_key() {
        let bots = ["a__b", "a", "a-b", "Loud", "x_"].map(|name| (name.to_lowercase(), name)).into();
        for (text, expected) in [
            ("a__b__client_secret", ("a__b", "client_secret")),
            ("a__client_secret", ("a", "client_secret")),
            ("a__tags__client_secret", ("a", "tags__client_secret")),
            ("a-b__id", ("a-b", "id")),
            ("a__timezone", ("a", "timezone")),
            ("a__b__timezone", ("a__b", "timezone")),
            ("loud__id", ("Loud", "id")),
            ("x___id", ("x_", "id")),
            ("new__one__tags__x", ("new__one", "tags__x")),
            ("new__id", ("new", "id")),
            ("new__unknown__key", ("new", "unknown__key")),
            ("a__b", ("a__b", "")),
            ("alone", ("alone", "")),
            ("größe__id", ("größe", "id")),
            ("__id", ("__id", "")),
            ("", ("", "")),
        ] {
            assert_eq!(bot_and_key(text, &bots), expected, "{text}");
        }
    }

    #[test]
    fn only_a_name_that_reads_like_another_ones_tag_is_ambiguous() {
        let names = ["a", "a__b", "a_b", "a-b", "a__tags", "a__tags__x", "a__tags_", "a__tagsx", "b__tags"];
        let found: Vec<&str> = ambiguous(&names).into_iter().map(|(name, _)| name).collect();
        assert_eq!(found, ["a__tags", "a__tags__x", "a__tags_"]);
    }
}
