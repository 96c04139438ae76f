//! Reads one key at a time and collects what is wrong, so that one run reports every problem.

use std::collections::BTreeSet;

use figment::Figment;
use figment::value::{Dict, Value};
use serde::de::DeserializeOwned;

use super::layers::{ENVIRONMENT, variable_of};
use super::problem::Problem;

/// The merged layers, the keys that were asked for, and what was wrong with them.
pub(super) struct Reader {
    root: Value,
    figment: Figment,
    document: String,
    /// The paths of values.
    known: BTreeSet<String>,
    /// The paths of tables whose keys the user chooses, and of tables that may be empty.
    tables: BTreeSet<String>,
    /// Of these the ones whose keys the user chooses: a dot in such a key is no step of a path.
    of_user: BTreeSet<String>,
    problems: Vec<Problem>,
    /// Whether bots without credentials get some, for the simulated platform takes what it is told.
    pub(super) simulated: bool,
    /// Valid but unusual.
    pub(super) warnings: Vec<String>,
}

impl Reader {
    /// `document` is what messages call the TOML layer.
    pub(super) fn new(figment: Figment, document: String) -> Reader {
        let root = figment.find_value("").unwrap_or_else(|_| Value::from(Dict::new()));
        Reader {
            root,
            figment,
            document,
            known: BTreeSet::new(),
            tables: BTreeSet::new(),
            of_user: BTreeSet::new(),
            problems: Vec::new(),
            simulated: false,
            warnings: Vec::new(),
        }
    }

    /// The value at `path`, if it is there, has the type and is valid; `allowed` completes "must be …".
    pub(super) fn get<T: DeserializeOwned>(
        &mut self,
        path: &str,
        allowed: &str,
        valid: impl Fn(&T) -> bool,
    ) -> Option<T> {
        self.known.insert(path.to_owned());
        let value = self.root.find_ref(path)?.clone();
        let typed: Option<T> = match (&value, self.is_from_environment(path)) {
            (Value::String(_, text), true) => {
                value.deserialize().ok().or_else(|| text.parse::<Value>().ok()?.deserialize().ok())
            }
            _ => value.deserialize().ok(),
        };
        let accepted = typed.filter(valid);
        if accepted.is_none() {
            self.problem(path, format!("found {}, must be {allowed}", show(&value)));
        }
        accepted
    }

    /// A string as it stands, whatever it looks like; the message of a wrong type does not show the value.
    pub(super) fn get_secret(&mut self, path: &str) -> Option<String> {
        self.known.insert(path.to_owned());
        match self.root.find_ref(path)? {
            Value::String(_, text) => Some(text.clone()),
            _ => {
                self.problem(path, "must be a string in quotes (value hidden)");
                None
            }
        }
    }

    /// Notes that there may be a value at `path`, whatever it is.
    pub(super) fn know(&mut self, path: &str) {
        self.known.insert(path.to_owned());
    }

    /// Notes that there may be a table at `path`; [`finish`](Self::finish) reports what is no table.
    pub(super) fn table(&mut self, path: &str) {
        self.tables.insert(path.to_owned());
    }

    /// The keys, which the user chooses, of the table at `path`, which may be absent.
    pub(super) fn names(&mut self, path: &str) -> Vec<String> {
        self.table(path);
        self.of_user.insert(path.to_owned());
        match self.root.find_ref(path) {
            Some(Value::Dict(_, dict)) => dict.keys().cloned().collect(),
            _ => Vec::new(),
        }
    }

    /// The entries of a table whose keys the user chooses; a key may hold any character, so it is no path.
    pub(super) fn entries(&mut self, path: &str) -> Vec<(String, Value)> {
        let keys = self.names(path);
        let Some(Value::Dict(_, dict)) = self.root.find_ref(path) else { return Vec::new() };
        let entries: Vec<_> = keys.into_iter().filter_map(|key| Some((key.clone(), dict.get(&key)?.clone()))).collect();
        self.known.extend(entries.iter().map(|(key, _)| format!("{path}.{key}")));
        entries
    }

    /// Whether anything stands at `path`.
    pub(super) fn has(&self, path: &str) -> bool {
        self.root.find_ref(path).is_some()
    }

    /// Whether the value at `path` comes from an environment variable.
    pub(super) fn is_from_environment(&self, path: &str) -> bool {
        let metadata = self.root.find_ref(path).and_then(|value| self.figment.get_metadata(value.tag()));
        metadata.is_some_and(|metadata| metadata.name == ENVIRONMENT)
    }

    /// Notes that the key at `path` is wrong.
    pub(super) fn problem(&mut self, path: &str, message: impl Into<String>) {
        let origin = if self.is_from_environment(path) { variable_of(path) } else { self.document.clone() };
        self.problems.push(Problem { origin, key: Some(path.to_owned()), message: message.into() });
    }

    /// Notes every key that was never asked for, and returns all problems and all warnings.
    pub(super) fn finish(mut self) -> (Vec<Problem>, Vec<String>) {
        let (mut unknown, mut no_tables) = (Vec::new(), Vec::new());
        self.look_for_strays(&self.root, "", &mut unknown, &mut no_tables);
        for path in no_tables {
            self.problem(&path, "must be a table (value hidden)");
        }
        for path in unknown {
            let message = match nearest(&path, &self.known, &self.tables) {
                Some(known) => format!("unknown key; did you mean {known}?"),
                None => "unknown key".to_owned(),
            };
            self.problem(&path, message);
        }
        (self.problems, self.warnings)
    }

    /// The topmost paths under which nothing is known, and those of values that stand where a table should.
    fn look_for_strays(&self, value: &Value, path: &str, unknown: &mut Vec<String>, no_tables: &mut Vec<String>) {
        let Value::Dict(_, dict) = value else {
            return no_tables.push(path.to_owned());
        };
        for (key, inner) in dict {
            let is_stray = key.contains('.') && !self.of_user.contains(path);
            let key = if is_stray { format!("{key:?}") } else { key.clone() };
            let path = if path.is_empty() { key } else { format!("{path}.{key}") };
            if is_stray {
                unknown.push(path);
                continue;
            }
            if self.known.contains(&path) {
                // Of what is chosen by the user, one key may look like the path to another.
                continue;
            }
            let below = format!("{path}.");
            let known_below = self.known.range(below.clone()..).next().is_some_and(|next| next.starts_with(&below));
            if known_below || self.tables.contains(&path) {
                self.look_for_strays(inner, &path, unknown, no_tables);
            } else {
                unknown.push(path);
            }
        }
    }
}

/// A value as the user wrote it, for a message.
fn show(value: &Value) -> String {
    let json = match value {
        Value::String(_, text) => return quoted(text),
        Value::Dict(..) => return "a table".to_owned(),
        Value::Array(_, values) if values.iter().any(|value| value.as_str().is_none_or(may_be_a_secret)) => {
            return "(value hidden)".to_owned();
        }
        value => serde_json::to_string(value).unwrap_or_else(|_| "a value".to_owned()),
    };
    cut(json)
}

/// A text as the user wrote it, for a message; not what may be a secret that was put in the wrong place.
pub(super) fn quoted(text: &str) -> String {
    if may_be_a_secret(text) { "(value hidden)".to_owned() } else { cut(format!("{text:?}")) }
}

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

/// The known key or table that looks most like `path`: among its siblings first, then by its last part anywhere.
fn nearest<'a>(path: &str, known: &'a BTreeSet<String>, tables: &'a BTreeSet<String>) -> Option<&'a str> {
    let (parent, name) = path.rsplit_once('.').unwrap_or(("", path));
    let distance = |candidate: &str| {
        let (its_parent, its_name) = candidate.rsplit_once('.').unwrap_or(("", candidate));
        let elsewhere = if its_parent == parent { 0 } else { 2 };
        strsim::damerau_levenshtein(name, its_name) + elsewhere
    };
    let sections = known.iter().filter_map(|key| Some(key.rsplit_once('.')?.0));
    let candidates = known.iter().chain(tables).map(String::as_str).chain(sections);
    let in_place = |candidate: &&str| !(parent.is_empty() && candidate.starts_with("bots."));
    candidates.filter(in_place).min_by_key(|candidate| distance(candidate))
}
