//! What the platform counted, as its answer has it: figures by day and local hour.

use std::collections::BTreeMap;

use jiff::civil::Date;

use super::point::Figures;

/// The days of one answer, each once, in order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answer {
    /// What was counted on each day.
    pub days: BTreeMap<Date, Buckets>,
    /// A mismatch that deserves a look but fails nothing.
    pub oddity: Option<String>,
}

/// The figures that were sent of one day, each bucket once and in order: by local hour, or of the whole day (`None`).
pub type Buckets = Vec<(Option<usize>, Figures)>;
