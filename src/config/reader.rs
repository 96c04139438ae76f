//! Reads one key at a time and collects what is wrong, so that one run reports every problem, and each mistake once.

use std::collections::{BTreeMap, BTreeSet};

use figment::Figment;
use figment::value::{Dict, Value};
use serde::de::DeserializeOwned;

use super::document::join;
use super::environment::variable_of;
use super::layers::{ENVIRONMENT, Layers};
use super::nearest::Known;
use super::problem::Problem;
use super::shown::show;

/// The merged layers, the keys that were asked for, and what was wrong with them.
pub(super) struct Reader {
    root: Value,
    figment: Figment,
    document: String,
    lines: BTreeMap<String, usize>,
    known: Known,
    /// The paths of tables whose keys the user chooses: a dot in such a key is no step of a path.
    of_user: BTreeSet<String>,
    problems: Vec<Problem>,
    /// Keys that are missing; each problem with the keys of which one would do.
    missing: Vec<(Problem, Vec<String>)>,
    /// Whether bots without credentials get some, for the simulated platform takes what it is told.
    pub(super) simulated: bool,
    /// Valid but unusual.
    pub(super) warnings: Vec<String>,
}

impl Reader {
    /// `document` is what messages call the TOML layer.
    pub(super) fn new(layers: Layers, document: String) -> Reader {
        let root = layers.figment.find_value("").unwrap_or_else(|_| Value::from(Dict::new()));
        Reader {
            root,
            figment: layers.figment,
            document,
            lines: layers.lines,
            known: Known::default(),
            of_user: BTreeSet::new(),
            problems: layers.problems,
            missing: Vec::new(),
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
        self.know(path);
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
        self.know(path);
        match self.root.find_ref(path)? {
            Value::String(_, text) => Some(text.clone()),
            _ => {
                self.problem(path, "must be a string in quotes (value hidden)");
                None
            }
        }
    }

    /// Notes that there may be anything at `path` and below it.
    pub(super) fn know(&mut self, path: &str) {
        self.known.add_key(path);
    }

    /// Notes that there may be a table at `path`; [`finish`](Self::finish) reports what is no table.
    pub(super) fn table(&mut self, path: &str) {
        self.known.add_table(path);
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
        self.names(path);
        let Some(Value::Dict(_, dict)) = self.root.find_ref(path) else { return Vec::new() };
        let entries: Vec<_> = dict.iter().map(|(key, value)| (key.clone(), value.clone())).collect();
        entries.iter().for_each(|(key, _)| self.know(&join(path, key)));
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
        let problem = self.problem_at(path, message.into());
        self.problems.push(problem);
    }

    /// Notes that one of these keys should be there; the message speaks of the first.
    pub(super) fn missing(&mut self, keys: &[&str], message: impl Into<String>) {
        let Some(path) = keys.first() else { return };
        let problem = self.problem_at(path, message.into());
        self.missing.push((problem, keys.iter().map(|key| (*key).to_owned()).collect()));
    }

    fn problem_at(&self, path: &str, message: String) -> Problem {
        // A name may hold anything; whoever writes it must not write lines into a log.
        let key = Some(path.replace(char::is_control, "\u{fffd}"));
        if self.is_from_environment(path) {
            return Problem { origin: variable_of(path), key, message, line: None };
        }
        // What is missing has no line of its own, but the table that should hold it has.
        let tables = std::iter::successors(Some(path), |path| Some(path.rsplit_once('.')?.0));
        let line = tables.filter_map(|path| self.lines.get(path)).copied().next();
        Problem { origin: self.document.clone(), key, message, line }
    }

    /// Notes every key that was never asked for, and returns all problems and all warnings.
    pub(super) fn finish(mut self) -> (Vec<Problem>, Vec<String>) {
        let (mut unknown, mut no_tables) = (Vec::new(), Vec::new());
        self.look_for_strays(&self.root, "", &mut unknown, &mut no_tables);
        // A key that is written in another way is not missing besides.
        let mut explained: BTreeSet<String> = BTreeSet::new();
        for path in no_tables {
            self.problem(&path, "must be a table (value hidden)");
            explained.insert(path);
        }
        for path in unknown {
            let message = match self.known.nearest(&path) {
                Some(nearest) => {
                    if nearest.is_close {
                        explained.insert(nearest.key.to_owned());
                    }
                    format!("unknown key; did you mean {}?", nearest.key)
                }
                None => "unknown key".to_owned(),
            };
            self.problem(&path, message);
        }
        let is_explained = |key: &String| {
            std::iter::successors(Some(key.as_str()), |path| Some(path.rsplit_once('.')?.0))
                .any(|path| explained.contains(path))
        };
        let missing = self.missing.into_iter().filter(|(_, keys)| !keys.iter().any(is_explained));
        self.problems.extend(missing.map(|(problem, _)| problem));
        // In the order of the document, and what is wrong with variables first.
        self.problems.sort_by_key(|problem| problem.line);
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
            let path = join(path, &key);
            if is_stray {
                unknown.push(path);
            } else if self.known.is_key(&path) {
                // Of what is chosen by the user, one key may look like the path to another.
            } else if self.known.is_table(&path) {
                self.look_for_strays(inner, &path, unknown, no_tables);
            } else {
                unknown.push(path);
            }
        }
    }
}
