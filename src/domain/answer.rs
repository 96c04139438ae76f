//! What the platform counted, as its answer has it: figures by day and local hour.

use std::collections::BTreeMap;

use jiff::civil::Date;

use super::point::Figures;

/// The days of one answer, each once, in order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answer {
    /// What was counted on each day.
    pub days: BTreeMap<Date, Counted>,
    /// A mismatch that deserves a look but fails nothing.
    pub oddity: Option<String>,
}

/// The figures of one day.
#[derive(Clone, Debug, PartialEq)]
pub enum Counted {
    /// By local hour; an hour that the platform did not send has no figure at all.
    Hours(Box<[Figures; 24]>),
    /// Of the whole day.
    Day(Figures),
}
