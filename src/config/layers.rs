//! The two layers of a configuration, a TOML document under environment variables, merged by figment. Values of the
//! environment stay the strings they are until a key says what type it wants: a secret of digits is no number.

use std::collections::BTreeMap;

use figment::providers::Serialized;
use figment::value::{Dict, Value};
use figment::{Figment, Profile};

use super::document;
use super::environment::Environment;
use super::overlay::overlay;
use super::problem::{Problem, Problems};
use super::source::Source;

/// The merged layers, and in which line of the document each key stands.
pub(super) struct Layers {
    pub(super) root: Value,
    /// What messages call the document.
    pub(super) document: String,
    /// By the path of the key, from 1.
    pub(super) lines: BTreeMap<String, usize>,
    /// What is wrong: at first, variables that cannot be read.
    pub(super) problems: Vec<Problem>,
}

/// Puts the environment over the document. Fails where the document cannot be read or is not TOML; the message shows
/// no line of it, for the line may hold a secret.
pub(super) fn merge(source: &Source, environment: &Environment) -> Result<Layers, Problems> {
    let problems = environment.problems();
    let is_overlaid = !problems.is_empty() || environment.overlays().any(|(_, value)| !value.is_empty());
    let read = source.read(is_overlaid);
    let read = read.and_then(|text| document::parse(&text).map_err(|message| source.problem(message)));
    let document = match read {
        Ok(document) => document,
        Err(problem) => return Err(Problems(problems.into_iter().chain([problem]).collect())),
    };
    let bots: Vec<&str> = match document.dict.get("bots") {
        Some(Value::Dict(_, bots)) => bots.keys().map(String::as_str).collect(),
        _ => Vec::new(),
    };
    let variables = Serialized::globals(overlay(environment, source, &bots));
    let figment = Figment::from(Serialized::defaults(document.dict)).merge(variables);
    let root = figment.find_value("").unwrap_or_else(|_| Value::from(Dict::new()));
    Ok(Layers { root, document: source.name(), lines: document.lines, problems })
}

/// Whether a value of the merged layers comes from the environment: what is global goes over what is default.
pub(super) fn is_of_environment(value: &Value) -> bool {
    value.tag().profile() == Some(Profile::Global)
}
