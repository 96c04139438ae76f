//! What is wrong with a configuration: said by place and key, and never with a secret.

use std::fmt;

/// One thing that is wrong with the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The file, or the environment variable, that holds the wrong value.
    pub origin: String,
    /// The path of the key, as in `platform.per_minute`; `None` where the document as a whole is wrong.
    pub key: Option<String>,
    /// What was found and what is allowed. Never a secret.
    pub message: String,
    /// The line of the file, from 1; of what is missing the line of the table that should hold it.
    pub line: Option<usize>,
}

impl Problem {
    /// Of the document as a whole.
    pub(super) fn of_document(origin: String, message: String) -> Problem {
        Problem { origin, key: None, message, line: None }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.origin)?;
        if let Some(key) = &self.key {
            write!(f, "{key}: ")?;
        }
        f.write_str(&self.message)?;
        self.line.map_or(Ok(()), |line| write!(f, " (line {line})"))
    }
}

/// Everything that is wrong with a configuration; never empty.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
pub struct Problems(pub Vec<Problem>);
