//! Numbers with their nouns, as people write them, and what failed with what to do.

use std::fmt::Display;

/// A noun for so many: it takes a plain `s` for all but one; `series` is its own plural.
pub fn plural(number: u64, noun: &str) -> String {
    let ending = if number == 1 || noun.ends_with('s') { "" } else { "s" };
    format!("{noun}{ending}")
}

/// A number with its noun.
pub fn counted(number: u64, noun: &str) -> String {
    format!("{number} {}", plural(number, noun))
}

/// What failed, and what to do, which may be empty.
pub fn with_advice(failure: &dyn Display, advice: &str) -> String {
    if advice.is_empty() { failure.to_string() } else { format!("{failure}; {advice}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nouns_agree_with_their_numbers() {
        let said = [(1, "day"), (0, "day"), (1234, "day"), (1, "series"), (2, "series")]
            .map(|(number, noun)| counted(number, noun));
        assert_eq!(said, ["1 day", "0 days", "1234 days", "1 series", "2 series"]);
    }
}
