//! Reads one key at a time and collects what is wrong, so that one run reports every problem, and each mistake once.

use std::collections::BTreeSet;

use figment::value::{Dict, Value};
use serde::de::DeserializeOwned;

use super::document::parse_value;
use super::environment::variable_of;
use super::layers::{Layers, is_of_environment};
use super::problem::Problem;
use super::schema::{Nearest, Strays};
use super::shown::show;

/// The merged layers, the keys that were asked for, and what was wrong with them.
pub(super) struct Reader {
    layers: Layers,
    /// Bots of which nothing else is said.
    pub(super) refused: BTreeSet<String>,
    /// Keys that are missing; each problem with the keys of which one would do.
    missing: Vec<(Problem, Vec<String>)>,
    /// Whether bots without credentials get some, for the simulated platform takes what it is told.
    pub(super) simulated: bool,
    /// Valid but unusual.
    pub(super) warnings: Vec<String>,
}

impl Reader {
    pub(super) fn new(layers: Layers, simulated: bool) -> Reader {
        Reader { layers, refused: BTreeSet::new(), missing: Vec::new(), simulated, warnings: Vec::new() }
    }

    /// What `parse` makes of the value at `path`, if it is there, has the type and is valid; `allowed` completes
    /// "must be …".
    pub(super) fn get<T: DeserializeOwned, U>(
        &mut self,
        path: &str,
        allowed: &str,
        parse: impl FnOnce(T) -> Option<U>,
    ) -> Option<U> {
        let value = self.layers.root.find_ref(path)?.clone();
        let typed = value.deserialize().ok().or_else(|| match &value {
            // As in TOML, or as figment has it: without the quotes.
            Value::String(_, text) if is_of_environment(&value) => {
                let readings = [parse_value(text), text.parse().ok()];
                readings.into_iter().flatten().find_map(|value| value.deserialize().ok())
            }
            _ => None,
        });
        let accepted = typed.and_then(parse);
        if accepted.is_none() {
            self.problem(path, format!("found {}, must be {allowed}", show(&value)));
        }
        accepted
    }

    /// The same, or a default where nothing is there; `None` where what is there is wrong.
    pub(super) fn get_or<T: DeserializeOwned, U>(
        &mut self,
        path: &str,
        allowed: &str,
        default: impl FnOnce() -> U,
        parse: impl FnOnce(T) -> Option<U>,
    ) -> Option<U> {
        match self.get(path, allowed, parse) {
            None if !self.has(path) => Some(default()),
            found => found,
        }
    }

    /// The same, where it has to be there; `missing` says that it is not.
    pub(super) fn required<T: DeserializeOwned, U>(
        &mut self,
        path: &str,
        allowed: &str,
        missing: &str,
        parse: impl FnOnce(T) -> Option<U>,
    ) -> Option<U> {
        let found = self.get(path, allowed, parse);
        if !self.has(path) {
            self.missing(&[path], missing);
        }
        found
    }

    /// What the word at `path` stands for.
    pub(super) fn choice<T: Copy>(&mut self, path: &str, choices: &[(&str, T)]) -> Option<T> {
        let words: Vec<String> = choices.iter().map(|(word, _)| format!("{word:?}")).collect();
        let allowed = words.split_last().map_or_else(String::new, |(last, others)| match others {
            [] => last.clone(),
            others => format!("{} or {last}", others.join(", ")),
        });
        self.get(path, &allowed, |text: String| {
            choices.iter().find(|(word, _)| *word == text).map(|(_, choice)| *choice)
        })
    }

    /// A string as it stands, whatever it looks like; the message of a wrong type does not show the value.
    pub(super) fn get_secret(&mut self, path: &str) -> Option<String> {
        match self.layers.root.find_ref(path)? {
            Value::String(_, text) => Some(text.clone()),
            _ => {
                self.problem(path, "must be a string in quotes (value hidden)");
                None
            }
        }
    }

    /// The entries of the table at `path`, which may be absent.
    pub(super) fn entries(&self, path: &str) -> Dict {
        self.layers.root.find_ref(path).and_then(Value::as_dict).cloned().unwrap_or_default()
    }

    /// Whether anything stands at `path`.
    pub(super) fn has(&self, path: &str) -> bool {
        self.layers.root.find_ref(path).is_some()
    }

    /// Whether the value at `path` comes from an environment variable.
    pub(super) fn is_from_environment(&self, path: &str) -> bool {
        self.layers.root.find_ref(path).is_some_and(is_of_environment)
    }

    /// Notes that the key at `path` is wrong.
    pub(super) fn problem(&mut self, path: &str, message: impl Into<String>) {
        let problem = self.problem_at(path, message.into());
        self.layers.problems.push(problem);
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
        // What is missing is of the document or of the environment as the table is that should hold it.
        let there = up_from(path).find(|path| self.layers.lines.contains_key(*path) || self.has(path));
        let line = there.and_then(|path| self.layers.lines.get(path)).copied();
        let is_of_variable = |value: &Value| is_of_environment(value) && value.as_dict().is_none();
        let is_overlaid =
            there.is_some_and(|path| line.is_none() || self.layers.root.find_ref(path).is_some_and(is_of_variable));
        match is_overlaid {
            true => Problem { origin: variable_of(path), key, message, line: None },
            false => Problem { origin: self.layers.document.clone(), key, message, line },
        }
    }

    /// Notes what there is no such key for, and returns all problems and all warnings.
    pub(super) fn finish(mut self) -> (Vec<Problem>, Vec<String>) {
        let Strays { unknown, no_tables } = Strays::of(&self.layers.root, &self.refused);
        // A key that is written in another way is not missing besides.
        let mut explained: BTreeSet<String> = BTreeSet::new();
        for path in no_tables {
            self.problem(&path, "must be a table (value hidden)");
            explained.insert(path);
        }
        for (path, Nearest { key, is_close }) in unknown {
            self.problem(&path, format!("unknown key; did you mean {key}?"));
            explained.extend(is_close.then_some(key));
        }
        let is_explained = |key: &String| up_from(key).any(|path| explained.contains(path));
        let missing = self.missing.into_iter().filter(|(_, keys)| !keys.iter().any(is_explained));
        self.layers.problems.extend(missing.map(|(problem, _)| problem));
        // In the order of the document, and what is wrong with variables first.
        self.layers.problems.sort_by_key(|problem| problem.line);
        (self.layers.problems, self.warnings)
    }
}

/// The path and those of the tables around it, the innermost first.
fn up_from(path: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(path), |path| Some(path.rsplit_once('.')?.0))
}
