//! The environment variables of the process.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;

use super::problem::Problem;

/// The environment variables of the process, taken once at start-up.
#[derive(Clone, Default)]
pub struct Environment {
    variables: BTreeMap<String, String>,
    /// The names of the program's own variables that are not valid UTF-8.
    broken: BTreeSet<String>,
}

/// What every variable that overlays a key begins with.
const PREFIX: &str = "KORE_TREND__";
/// What stands between the names of a key's path.
pub(super) const SEPARATOR: &str = "__";

impl Environment {
    /// The variables of this process.
    pub fn of_process() -> Environment {
        Environment::of(std::env::vars_os())
    }

    /// These variables.
    pub(super) fn of(variables: impl IntoIterator<Item = (OsString, OsString)>) -> Environment {
        let mut environment = Environment::default();
        for (name, value) in variables {
            match (name.into_string(), value.into_string()) {
                (Ok(name), Ok(value)) => {
                    environment.variables.insert(name, value);
                }
                (Ok(name), Err(_)) => environment.broken(name),
                (Err(name), _) => environment.broken(name.to_string_lossy().into_owned()),
            }
        }
        environment
    }

    fn broken(&mut self, name: String) {
        // A path may be anything.
        if name.starts_with("KORE_TREND_") && name != "KORE_TREND_CONFIG" {
            self.broken.insert(name);
        }
    }

    /// The value of a variable that is set and not empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// Whether any variable overlays a key.
    pub fn overlays_anything(&self) -> bool {
        !self.broken.is_empty() || self.variables.keys().any(|name| name.starts_with(PREFIX))
    }

    /// The variables that overlay a key, without what every one of them begins with.
    pub(super) fn overlays(&self) -> impl Iterator<Item = (&str, &str)> {
        self.variables.iter().filter_map(|(name, value)| Some((name.strip_prefix(PREFIX)?, value.as_str())))
    }

    /// What is wrong with the variables as such.
    pub(super) fn problems(&self) -> impl Iterator<Item = Problem> {
        self.broken.iter().map(|name| Problem {
            origin: name.escape_debug().to_string(),
            key: None,
            message: "not valid UTF-8".to_owned(),
            line: None,
        })
    }
}

impl<const N: usize> From<[(&str, &str); N]> for Environment {
    fn from(variables: [(&str, &str); N]) -> Self {
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Environment { variables, broken: BTreeSet::new() }
    }
}

/// The variable that overlays the key at `path`.
pub(super) fn variable_of(path: &str) -> String {
    format!("{PREFIX}{}", path.to_uppercase().replace('.', SEPARATOR))
}
