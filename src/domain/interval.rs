//! How long one bucket of a series is.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How long one bucket of a series is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Interval {
    /// One figure an hour of the bot's local day.
    Hourly,
    /// One figure a local day. Not the sum of its hours: a person may come back.
    Daily,
}

impl Interval {
    /// The name used in the configuration, in metric labels and in the state files.
    pub fn name(self) -> &'static str {
        match self {
            Interval::Hourly => "hourly",
            Interval::Daily => "daily",
        }
    }
}

impl fmt::Display for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_has_one_name_everywhere() {
        for (interval, name) in [(Interval::Hourly, "hourly"), (Interval::Daily, "daily")] {
            assert_eq!((interval.name(), interval.to_string().as_str()), (name, name));
            assert_eq!(serde_json::to_value(interval).unwrap(), name);
        }
    }
}
