//! Compares what the platform tells of a series with what the database has. Pure: whoever reads either side hands it in.

use std::collections::BTreeMap;
use std::ops::Range;

use serde::Serialize;

use super::point::{Figures, Point};

/// The value of a field, as the database has it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Value {
    /// A whole number: what this program writes.
    Integer(i64),
    /// A whole number of the type that has no sign.
    Unsigned(u64),
    /// A number of another type, whole or not.
    Float(f64),
    /// True or false.
    Boolean(bool),
    /// A string.
    Text(String),
}

/// The fields of one point, by name.
pub type Fields = BTreeMap<String, Value>;

/// What the database has of a series in a span of time, by Unix seconds.
pub type Stored = BTreeMap<i64, Fields>;

/// How a point differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The platform has it, the database has not.
    Missing,
    /// Another value, type or set of fields.
    Different,
    /// The database has it, the platform does not tell it.
    Unexpected,
}

/// A point that differs.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    /// The bucket's first instant, in Unix seconds.
    pub timestamp: i64,
    /// How.
    pub kind: Kind,
    /// What the platform tells.
    pub platform: Option<Fields>,
    /// What the database has.
    pub database: Option<Fields>,
    /// Whether the platform may have revised it since it was written.
    pub late_revision: bool,
}

/// What a comparison needs to know of time, in Unix seconds.
#[derive(Clone, Debug)]
pub struct Bounds {
    /// What of it is compared.
    pub compared: Range<i64>,
    /// Spans within that are not.
    pub withheld: Vec<Range<i64>>,
    /// From here on, what is missing or different may be a late revision.
    pub late_from: i64,
}

impl Bounds {
    /// Whether a point of this time is compared.
    pub fn hold(&self, timestamp: i64) -> bool {
        self.compared.contains(&timestamp) && !self.withheld.iter().any(|span| span.contains(&timestamp))
    }
}

/// What came of a comparison.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Comparison {
    /// Points that are the same on both sides.
    pub equal: u64,
    /// Those that are not, in the order of time.
    pub differences: Vec<Difference>,
}

/// Compares the points of a series, which are in the order of time.
pub fn compare(expected: &[Point], stored: &Stored, bounds: &Bounds) -> Comparison {
    let mut comparison = Comparison::default();
    let mut told: BTreeMap<i64, &Figures> = BTreeMap::new();
    for point in expected.iter().filter(|point| bounds.hold(point.timestamp)) {
        told.insert(point.timestamp, &point.figures);
        let database = stored.get(&point.timestamp);
        let kind = match database {
            Some(fields) if are_same(&point.figures, fields) => {
                comparison.equal += 1;
                continue;
            }
            Some(_) => Kind::Different,
            None => Kind::Missing,
        };
        comparison.differences.push(Difference {
            timestamp: point.timestamp,
            kind,
            platform: Some(fields_of(&point.figures)),
            database: database.cloned(),
            late_revision: bounds.late_from <= point.timestamp,
        });
    }
    let surplus = stored.iter().filter(|(timestamp, _)| bounds.hold(**timestamp) && !told.contains_key(timestamp));
    comparison.differences.extend(surplus.map(|(timestamp, fields)| Difference {
        timestamp: *timestamp,
        kind: Kind::Unexpected,
        platform: None,
        database: Some(fields.clone()),
        late_revision: false,
    }));
    comparison.differences.sort_by_key(|difference| difference.timestamp);
    comparison
}

/// The figures as a database would have them.
fn fields_of(figures: &Figures) -> Fields {
    figures.fields().map(|(name, value)| (name.to_owned(), Value::Integer(value))).collect()
}

/// Whether the fields are the same, with the same values of the same type.
fn are_same(figures: &Figures, fields: &Fields) -> bool {
    figures.fields().count() == fields.len()
        && figures.fields().all(|(name, value)| fields.get(name) == Some(&Value::Integer(value)))
}

/// Time zones lie a multiple of this apart, in seconds.
const STEP: i64 = 15 * 60;

/// And no further than this.
const FURTHEST: i64 = 26 * 3600;

/// Fewer points than this may lie shifted by chance.
const FEWEST: u64 = 4;

/// Finds out whether all of a series is there, but shifted: what a wrong time zone does.
#[derive(Clone, Debug, Default)]
pub struct Shifts {
    points: u64,
    /// How many points are found this many seconds later.
    found: BTreeMap<i64, u64>,
}

impl Shifts {
    /// Looks for the points of a window among those of the database. Zeros are found everywhere and tell nothing.
    pub fn add(&mut self, expected: &[Point], stored: &Stored) {
        let expected = expected.iter().filter(|point| !point.figures.are_zero());
        for point in expected {
            self.points += 1;
            for (timestamp, fields) in stored.range(point.timestamp - FURTHEST..=point.timestamp + FURTHEST) {
                let shift = timestamp - point.timestamp;
                if shift % STEP == 0 && are_same(&point.figures, fields) {
                    *self.found.entry(shift).or_default() += 1;
                }
            }
        }
    }

    /// Adds what was found in another window.
    pub fn merge(&mut self, other: Shifts) {
        self.points += other.points;
        for (shift, found) in other.found {
            *self.found.entry(shift).or_default() += found;
        }
    }

    /// By how many seconds the database's points come later, where nine of ten do; two figures where a clock change lies
    /// in between.
    pub fn shift(&self) -> Option<Vec<i64>> {
        let enough = |found: u64| found * 10 >= self.points * 9;
        let at = |shift: i64| self.found.get(&shift).copied().unwrap_or(0);
        if self.points < FEWEST || enough(at(0)) {
            return None;
        }
        let mut best: Vec<(u64, i64)> = self.found.iter().map(|(shift, found)| (*found, *shift)).collect();
        best.sort_by_key(|(found, shift)| (std::cmp::Reverse(*found), shift.abs()));
        let (first, shift) = *best.first()?;
        if shift != 0 && enough(first) {
            return Some(vec![shift]);
        }
        let (second, other) = *best.get(1)?;
        let is_clock_change = (shift - other).abs() <= 2 * 3600 && shift != 0 && other != 0;
        (is_clock_change && enough(first + second)).then(|| vec![shift, other])
    }
}

#[cfg(test)]
#[path = "compare_tests.rs"]
mod tests;
