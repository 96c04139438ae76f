//! What a destination has of a series, by time.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use super::line_protocol::tags;
use crate::domain::compare::{Stored, Value};
use crate::domain::series::Series;

/// A span of time, in Unix seconds; the end is not part of it.
pub type Span = Range<i64>;

/// What a destination has of a series.
#[derive(Debug, Default)]
pub struct Found {
    own_tags: BTreeMap<String, String>,
    /// Under its own tags.
    pub own: Stored,
    /// Points of the same bot and channel under other tags: the tags and the time.
    others: BTreeSet<(BTreeMap<String, String>, i64)>,
}

impl Found {
    /// Nothing found yet.
    pub(super) fn of(series: &Series) -> Found {
        let own_tags = tags(series).into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
        Found { own_tags, ..Found::default() }
    }

    /// Takes in a field of a point.
    pub(super) fn add(&mut self, tags: BTreeMap<String, String>, time: i64, field: String, value: Value) {
        if tags == self.own_tags {
            self.own.entry(time).or_default().insert(field, value);
        } else {
            self.others.insert((tags, time));
        }
    }

    /// Forgets the fields of a point, for a later line replaces it.
    pub(super) fn replace(&mut self, tags: &BTreeMap<String, String>, time: i64) {
        if *tags == self.own_tags {
            self.own.remove(&time);
        }
    }

    /// Adds what another question brought.
    pub(super) fn merge(&mut self, other: Found) {
        self.own.extend(other.own);
        self.others.extend(other.others);
    }

    /// How many points of the span stand under other tags.
    pub fn elsewhere(&self, span: &Span) -> u64 {
        self.others.iter().filter(|(_, time)| span.contains(time)).count() as u64
    }
}
