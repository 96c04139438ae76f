//! The two layers of a configuration, a TOML document under environment variables, as figment sees them. Values of
//! the environment stay the strings they are until a key says what type it wants: a secret of digits is no number.

use std::collections::BTreeMap;

use figment::value::{Dict, Map, Value};
use figment::{Figment, Metadata, Profile, Provider};

use super::document;
use super::environment::Environment;
use super::overlay::overlay;
use super::problem::Problem;
use super::source::Source;

/// The merged layers, and in which line of the document each key stands.
pub(super) struct Layers {
    pub(super) figment: Figment,
    /// By the path of the key, from 1.
    pub(super) lines: BTreeMap<String, usize>,
    /// Variables that cannot be read.
    pub(super) problems: Vec<Problem>,
}

/// The name of the environment's layer in figment's metadata.
pub(super) const ENVIRONMENT: &str = "environment";

/// Puts the environment over the document. Fails where the document cannot be read or is not TOML; the message shows
/// no line of it, for the line may hold a secret.
pub(super) fn merge(source: &Source, environment: &Environment) -> Result<Layers, Problem> {
    let text = source.read(environment)?;
    let document = document::parse(&text).map_err(|message| Problem::of_document(source.name(), message))?;
    let bots: Vec<&str> = match document.dict.get("bots") {
        Some(Value::Dict(_, bots)) => bots.keys().map(String::as_str).collect(),
        _ => Vec::new(),
    };
    let variables = overlay(environment, source, &bots);
    let figment = Figment::from(Layer { metadata: Metadata::named(source.name()), dict: document.dict })
        .merge(Layer { metadata: Metadata::named(ENVIRONMENT), dict: variables });
    Ok(Layers { figment, lines: document.lines, problems: environment.problems().collect() })
}

struct Layer {
    metadata: Metadata,
    dict: Dict,
}

impl Provider for Layer {
    fn metadata(&self) -> Metadata {
        self.metadata.clone()
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        Ok(Profile::Default.collect(self.dict.clone()))
    }
}
