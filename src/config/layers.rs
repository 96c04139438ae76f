//! The two layers of a configuration, a TOML document under environment variables, as figment sees them. Values of
//! the environment stay the strings they are until a key says what type it wants: a secret of digits is no number.

use std::collections::BTreeMap;
use std::path::PathBuf;

use figment::value::{Dict, Map, Value};
use figment::{Figment, Metadata, Profile, Provider};

use super::problem::Problem;

/// Where the TOML document comes from.
#[derive(Clone, Debug)]
pub enum Source {
    /// A file that must exist.
    File(PathBuf),
    /// A document of the program itself, and what to call it.
    BuiltIn(&'static str, &'static str),
    /// No file was found at these places: the environment must bring everything.
    Nowhere(Vec<PathBuf>),
}

impl Source {
    /// The first of the default places that holds a file.
    pub fn default_place() -> Source {
        let places = ["config.toml", "/etc/kore-trend-exporter/config.toml"].map(PathBuf::from);
        match places.iter().find(|place| place.is_file()) {
            Some(found) => Source::File(found.clone()),
            None => Source::Nowhere(places.into()),
        }
    }

    /// What a message calls it.
    pub fn name(&self) -> String {
        match self {
            Source::File(path) => path.display().to_string(),
            Source::BuiltIn(name, _) => (*name).to_owned(),
            Source::Nowhere(_) => "configuration".to_owned(),
        }
    }
}

/// The environment variables of the process, taken once at start-up.
#[derive(Clone, Default)]
pub struct Environment(BTreeMap<String, String>);

/// What every variable that overlays a key begins with.
const PREFIX: &str = "KORE_TREND__";
const SEPARATOR: &str = "__";

impl Environment {
    /// The variables of this process that are valid Unicode.
    pub fn of_process() -> Environment {
        let unicode =
            std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
        Environment(unicode.collect())
    }

    /// The value of a variable that is set and not empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// Whether any variable overlays a key.
    pub fn overlays_anything(&self) -> bool {
        self.0.keys().any(|name| name.starts_with(PREFIX))
    }
}

impl<const N: usize> From<[(&str, &str); N]> for Environment {
    fn from(variables: [(&str, &str); N]) -> Self {
        Environment(variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }
}

/// The variable that overlays the key at `path`.
pub(super) fn variable_of(path: &str) -> String {
    format!("{PREFIX}{}", path.to_uppercase().replace('.', SEPARATOR))
}

/// Puts the environment over the document. Fails where the document cannot be read or is not TOML; the message shows
/// no line of it, for the line may hold a secret.
pub(super) fn merge(source: &Source, environment: &Environment) -> Result<Figment, Problem> {
    let problem = |message: String| Problem { origin: source.name(), key: None, message };
    let text = match source {
        Source::File(path) => {
            std::fs::read_to_string(path).map_err(|error| problem(format!("cannot be read: {error}")))?
        }
        Source::BuiltIn(_, text) => (*text).to_owned(),
        Source::Nowhere(places) if !environment.overlays_anything() => {
            let places: Vec<String> = places.iter().map(|place| place.display().to_string()).collect();
            return Err(problem(format!(
                "no file at {}; name one with --config, or try --demo, which needs none",
                places.join(" or ")
            )));
        }
        Source::Nowhere(_) => String::new(),
    };
    let table: toml::Table = toml::from_str(&text).map_err(|error| {
        let place = error.span().map_or_else(String::new, |span| format!(" in {}", line_and_column(&text, span.start)));
        problem(format!("is not valid TOML{place}: {}", error.message().trim()))
    })?;
    let document = match Value::serialize(&table) {
        Ok(Value::Dict(_, dict)) => dict,
        _ => return Err(problem("is not a TOML table".to_owned())),
    };
    Ok(Figment::from(Layer { metadata: Metadata::named(source.name()), dict: document })
        .merge(Layer { metadata: Metadata::named(ENVIRONMENT), dict: overlay(environment, source) }))
}

/// The name of the environment's layer in figment's metadata.
pub(super) const ENVIRONMENT: &str = "environment";

/// The variables as nested tables of strings.
fn overlay(environment: &Environment, source: &Source) -> Dict {
    let mut root = Dict::new();
    for (name, value) in &environment.0 {
        let Some(path) = name.strip_prefix(PREFIX) else { continue };
        // What leads to the real services has no place in a demonstration that brings its own.
        let real = ["INFLUXDB__", "BOTS__", "PLATFORM__URL"].iter().any(|section| path.starts_with(section));
        if real && matches!(source, Source::BuiltIn(..)) {
            continue;
        }
        let path = path.to_lowercase();
        // Compose files set what they have no value for to nothing.
        if value.is_empty() && !["influxdb__org", "admin__listen"].contains(&path.as_str()) {
            continue;
        }
        insert(&mut root, &path.split(SEPARATOR).collect::<Vec<_>>(), value);
    }
    root
}

fn insert(table: &mut Dict, keys: &[&str], value: &str) {
    let [key, below @ ..] = keys else { return };
    let entry = table.entry((*key).to_owned()).or_insert_with(|| Value::from(Dict::new()));
    match entry {
        Value::Dict(_, inner) if !below.is_empty() => insert(inner, below, value),
        // A value in the place of a table is reported as such, not replaced by what belongs into the table.
        _ if !below.is_empty() => {}
        _ => *entry = Value::from(value),
    }
}

fn line_and_column(text: &str, offset: usize) -> String {
    let before = text.get(..offset).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    format!("line {} column {}", before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
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
