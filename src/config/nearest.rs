//! The keys there are, and which of them an unknown one resembles: one of those beside it, or one of the same name in
//! another section. A file of thousands of bots may have the same mistake in each of them.

use std::collections::BTreeMap;

use super::document::join;

/// The keys and tables that may be there.
#[derive(Default)]
pub(super) struct Known {
    /// What each table has, by its path.
    tables: BTreeMap<String, BTreeMap<String, Kind>>,
    /// A path that ends in this name; none of those below a bot, which are one bot's own.
    places: BTreeMap<String, String>,
}

/// What is at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A value, whatever it is.
    Key,
    /// A table of which every key is known.
    Table,
}

/// What an unknown key resembles.
pub(super) struct Nearest {
    pub(super) key: String,
    /// Whether it is this key written in another way, as far as one can tell.
    pub(super) is_close: bool,
}

impl Known {
    pub(super) fn add(&mut self, path: &str, kind: Kind) {
        let (parent, name) = parted(path);
        if !is_of_bot(path) {
            self.places.entry(name.to_owned()).or_insert_with(|| path.to_owned());
        }
        self.tables.entry(parent.to_owned()).or_default().insert(name.to_owned(), kind);
        if !parent.is_empty() && self.kind(parent).is_none() {
            self.add(parent, Kind::Table);
        }
    }

    pub(super) fn kind(&self, path: &str) -> Option<Kind> {
        let (parent, name) = parted(path);
        self.tables.get(parent)?.get(name).copied()
    }

    /// The known key or table that looks most like `path`.
    pub(super) fn nearest(&self, path: &str) -> Option<Nearest> {
        let (parent, name) = parted(path);
        let name = name.trim_matches('"');
        if let Some(key) = self.places.get(name).filter(|_| !is_of_bot(path)) {
            return Some(Nearest { key: key.clone(), is_close: true });
        }
        // The beginning of a name is as good as a letter that is wrong.
        let distance = |sibling: &str| match sibling.starts_with(name) {
            true => 1,
            false => strsim::damerau_levenshtein(name, sibling),
        };
        let siblings = self.tables.get(parent)?.keys();
        let (sibling, distance) = siblings.map(|key| (key, distance(key))).min_by_key(|(_, distance)| *distance)?;
        let longer = name.chars().count().max(sibling.chars().count());
        Some(Nearest { key: join(parent, sibling), is_close: distance * 2 <= longer })
    }
}

/// What leads to a key, and its name.
fn parted(path: &str) -> (&str, &str) {
    path.rsplit_once('.').unwrap_or(("", path))
}

fn is_of_bot(path: &str) -> bool {
    path.starts_with("bots.")
}
