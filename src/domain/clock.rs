//! The way to tell the time, handed in: only the program's entry reads a clock.

use jiff::Timestamp;

/// Tells the time.
pub type Clock = fn() -> Timestamp;
