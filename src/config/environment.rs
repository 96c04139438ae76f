//! The environment variables of the process.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};

use super::problem::Problem;

/// The environment variables of the process, taken once at start-up.
#[derive(Clone, Default)]
pub struct Environment(BTreeMap<OsString, OsString>);

/// What every variable that overlays a key begins with.
const PREFIX: &str = "KORE_TREND__";
/// What stands between the names of a key's path.
pub(super) const SEPARATOR: &str = "__";

impl Environment {
    /// The variables of this process.
    pub fn of_process() -> Environment {
        Environment(std::env::vars_os().collect())
    }

    /// The value of a variable that is set and not empty, where it is text.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.raw(name)?.to_str()
    }

    /// The same, whatever its bytes are: a path may be anything.
    pub fn raw(&self, name: &str) -> Option<&OsStr> {
        self.0.get(OsStr::new(name)).map(OsString::as_os_str).filter(|value| !value.is_empty())
    }

    /// The variables that overlay a key, without what every one of them begins with.
    pub(super) fn overlays(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().filter_map(|(name, value)| Some((name.to_str()?.strip_prefix(PREFIX)?, value.to_str()?)))
    }

    /// The program's own variables that are no text.
    pub(super) fn problems(&self) -> Vec<Problem> {
        let is_own = |name: &str| name.starts_with("KORE_TREND_") && name != "KORE_TREND_CONFIG";
        let is_text = |name: &OsStr, value: &OsStr| name.to_str().and(value.to_str()).is_some();
        let broken = self.0.iter().filter(|(name, value)| !is_text(name, value));
        let names = broken.map(|(name, _)| name.to_string_lossy()).filter(|name| is_own(name));
        names.map(|name| Problem::of_document(name.escape_debug().to_string(), "not valid UTF-8".to_owned())).collect()
    }
}

#[cfg(test)]
impl<K: Into<OsString>, V: Into<OsString>, const N: usize> From<[(K, V); N]> for Environment {
    fn from(variables: [(K, V); N]) -> Self {
        variables.into_iter().collect()
    }
}

#[cfg(test)]
impl<K: Into<OsString>, V: Into<OsString>> FromIterator<(K, V)> for Environment {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(variables: I) -> Self {
        Environment(variables.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }
}

/// The variable that overlays the key at `path`.
pub(super) fn variable_of(path: &str) -> String {
    format!("{PREFIX}{}", path.to_uppercase().replace('.', SEPARATOR))
}
