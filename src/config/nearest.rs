//! The keys there are, and which of them an unknown one resembles. What is unknown below a bot is compared with the
//! keys of that bot alone: a file of thousands of bots may have the same mistake in each of them.

use std::collections::BTreeSet;

/// The keys and tables that may be there.
#[derive(Default)]
pub(super) struct Known {
    /// The paths of values.
    keys: BTreeSet<String>,
    /// The paths of tables.
    tables: BTreeSet<String>,
    /// The keys and tables outside the tables that the user names.
    fixed: BTreeSet<String>,
}

/// What an unknown key resembles.
pub(super) struct Nearest<'a> {
    pub(super) key: &'a str,
    /// Whether it is this key written in another way, as far as one can tell.
    pub(super) is_close: bool,
}

/// The table whose keys are the bots' names.
const BOTS: &str = "bots";

impl Known {
    pub(super) fn add_key(&mut self, path: &str) {
        self.keys.insert(path.to_owned());
        self.add_parents(path);
    }

    pub(super) fn add_table(&mut self, path: &str) {
        self.tables.insert(path.to_owned());
        self.add_parents(path);
        self.add_fixed(path);
    }

    fn add_parents(&mut self, path: &str) {
        self.add_fixed(path);
        if let Some((parent, _)) = path.rsplit_once('.')
            && !self.tables.contains(parent)
        {
            self.add_table(parent);
        }
    }

    fn add_fixed(&mut self, path: &str) {
        if below_bots(path).is_none() {
            self.fixed.insert(path.to_owned());
        }
    }

    pub(super) fn is_key(&self, path: &str) -> bool {
        self.keys.contains(path)
    }

    pub(super) fn is_table(&self, path: &str) -> bool {
        self.tables.contains(path)
    }

    /// The known key or table that looks most like `path`: among its siblings first, then, outside the bots, anywhere.
    pub(super) fn nearest(&self, path: &str) -> Option<Nearest<'_>> {
        let (parent, name) = path.rsplit_once('.').unwrap_or(("", path));
        let name = name.trim_matches('"');
        let rated = |candidate: &'_ str| {
            let (its_parent, its_name) = candidate.rsplit_once('.').unwrap_or(("", candidate));
            // The beginning of a name is as good as a letter that is wrong.
            let distance = match its_name.strip_prefix(name) {
                Some(rest) => usize::from(!rest.is_empty()),
                None => strsim::damerau_levenshtein(name, its_name),
            };
            let longer = name.chars().count().max(its_name.chars().count());
            (distance + if its_parent == parent { 0 } else { 2 }, distance * 2 <= longer)
        };
        let below = format!("{parent}.");
        let candidates: Vec<&str> = match below_bots(path) {
            Some(_) => [below_path(&self.keys, &below), below_path(&self.tables, &below)].concat(),
            None => self.fixed.iter().map(String::as_str).collect(),
        };
        let nearest = candidates.into_iter().min_by_key(|candidate| rated(candidate).0)?;
        Some(Nearest { key: nearest, is_close: rated(nearest).1 })
    }
}

/// The paths that begin like this and have no step below it.
fn below_path<'a>(paths: &'a BTreeSet<String>, below: &str) -> Vec<&'a str> {
    let from_here = paths.range(below.to_owned()..).map(String::as_str).take_while(|path| path.starts_with(below));
    from_here.filter(|path| !path[below.len()..].contains('.')).collect()
}

/// What follows the name of a bot.
fn below_bots(path: &str) -> Option<&str> {
    path.strip_prefix(BOTS)?.strip_prefix('.')
}
