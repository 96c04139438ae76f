//! Why lines were not taken, and what to do about it.

use std::fmt;
use std::time::Duration;

use super::wordings::{self, Meaning};
use crate::http::PROXY_PASSWORD;
use crate::observe::redact;

/// Why lines were not taken, or a question was not answered.
#[derive(Clone, Debug, PartialEq)]
pub enum WriteFailure {
    /// No connection, or one that broke off.
    Unreachable(String),
    /// No answer within the configured time.
    TimedOut(Duration),
    /// The database answered something else than a success.
    Refused(Refusal),
    /// The file or standard output cannot be written.
    Io(String),
    /// What the database has cannot be read: why, and the next step, which may be empty.
    Unread(String, &'static str),
}

/// An answer that is not a success, made sense of.
#[derive(Clone, Debug, PartialEq)]
pub struct Refusal {
    /// The HTTP status.
    pub status: u16,
    /// What it means; decided on the answer as it came.
    pub meaning: Meaning,
    /// The database's words, fit to be shown.
    pub message: String,
    /// How long to wait at least before the next try, as the database says.
    pub retry_after: Option<Duration>,
    advice: Option<&'static str>,
}

impl Refusal {
    /// Makes sense of an answer. What it echoes of the secret is not shown.
    pub fn read(status: u16, body: &[u8], retry_after: Option<Duration>, secret: &str) -> Refusal {
        let wordings::Reading { mut meaning, words, advice } = wordings::read(status, body);
        if let Meaning::NumberedLines { refused, .. } = &mut meaning {
            refused.iter_mut().for_each(|(_, message)| *message = redact::shown(message, secret));
        }
        Refusal { status, meaning, message: redact::shown(&words, secret), retry_after, advice }
    }

    /// The next step for the person on call; empty where the answer suggests none.
    fn advice(&self) -> &'static str {
        if let Some(advice) = self.advice {
            return advice;
        }
        match self.status {
            401 | 403 => "check the influxdb token: it must be valid and allowed to write to the bucket",
            404 => "check influxdb.org and influxdb.bucket: both must exist",
            405 => wordings::NO_WRITE_API,
            407 => PROXY_PASSWORD,
            300..=399 => "redirects are not followed, to protect the token: set influxdb.url to the new address",
            413 => "raise the maximum request size of the database or the proxy in front of it",
            500..=599 => "see the database's log",
            _ => "",
        }
    }
}

impl WriteFailure {
    /// What the database has cannot be read, in these words as they came; the secret in them is not shown.
    pub(super) fn unread(words: &str, secret: &str) -> WriteFailure {
        WriteFailure::Unread(redact::shown(words, secret), wordings::advice_for_reading(words))
    }

    /// The same failure, where it came of a question for points: whoever may write need not be allowed to read.
    pub(super) fn while_reading(self, bucket: &str) -> WriteFailure {
        match self {
            WriteFailure::Refused(refusal) if matches!(refusal.meaning, Meaning::Denied | Meaning::Absent) => {
                let words =
                    format!("the token may not read bucket {bucket} ({}: {:?})", refusal.status, refusal.message);
                WriteFailure::Unread(words, wordings::READ_TOKEN)
            }
            WriteFailure::Refused(refusal) if refusal.meaning != Meaning::Passing => {
                let advice = wordings::advice_for_reading(&refusal.message);
                WriteFailure::Unread(format!("{}: {:?}", refusal.status, refusal.message), advice)
            }
            other => other,
        }
    }

    /// The same refusal with other words.
    pub(super) fn with_message(&self, message: &str) -> WriteFailure {
        match self {
            WriteFailure::Refused(refusal) => {
                WriteFailure::Refused(Refusal { message: message.to_owned(), ..refusal.clone() })
            }
            other => other.clone(),
        }
    }

    /// A status, or a word for what came instead.
    pub fn label(&self) -> String {
        match self {
            WriteFailure::Unreachable(_) => "unreachable".to_owned(),
            WriteFailure::TimedOut(_) => "timeout".to_owned(),
            WriteFailure::Refused(refusal) => refusal.status.to_string(),
            WriteFailure::Io(_) => "io".to_owned(),
            WriteFailure::Unread(..) => "unread".to_owned(),
        }
    }

    /// Whether the same write may well succeed a moment later.
    pub fn is_passing(&self) -> bool {
        match self {
            WriteFailure::Unreachable(_) | WriteFailure::TimedOut(_) => true,
            WriteFailure::Refused(refusal) => refusal.meaning == Meaning::Passing,
            WriteFailure::Io(_) | WriteFailure::Unread(..) => false,
        }
    }

    /// Whether the database did not accept the token.
    pub fn is_denied(&self) -> bool {
        matches!(self, WriteFailure::Refused(refusal) if refusal.meaning == Meaning::Denied)
    }

    /// How long the database asks to be left alone.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            WriteFailure::Refused(refusal) => refusal.retry_after,
            _ => None,
        }
    }

    /// The next step for the person on call; empty where there is none to suggest.
    pub fn advice(&self) -> &'static str {
        match self {
            WriteFailure::Unreachable(_) => "check influxdb.url, DNS, the network, and that the database is running",
            WriteFailure::TimedOut(_) => {
                "check the network and the database's load; if they are merely slow, raise influxdb.timeout"
            }
            WriteFailure::Refused(refusal) => refusal.advice(),
            WriteFailure::Io(_) => "check disk space and the file's permissions",
            WriteFailure::Unread(_, advice) => advice,
        }
    }
}

impl fmt::Display for WriteFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            WriteFailure::Unreachable(error) => write!(f, "cannot reach the database: {error}"),
            WriteFailure::TimedOut(limit) => write!(f, "the database did not answer within {limit:?}"),
            WriteFailure::Refused(Refusal { status, message, .. }) => {
                write!(f, "the database answered {status}: {message:?}")
            }
            WriteFailure::Io(error) => write!(f, "failed to write the points: {error}"),
            WriteFailure::Unread(error, _) => write!(f, "failed to read the points: {error}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TOKEN: &str = "dG9rZW4tb2YtYS10ZXN0LW9mLXRoZS1yZWZ1c2Fscw==";

    proptest! {
        #[test]
        fn no_part_of_an_echoed_token_is_shown(
            (before, after) in ("[ -~]{0,500}", "[ -~]{0,500}"),
            (start, length) in (0..TOKEN.len() - 12, 12..TOKEN.len()),
            status in 400..600_u16,
        ) {
            let echo = &TOKEN[start..(start + length).min(TOKEN.len())];
            let body = serde_json::json!({"message": format!("{before}{echo}{after}")}).to_string();
            let shown = WriteFailure::Refused(Refusal::read(status, body.as_bytes(), None, TOKEN)).to_string();
            let parts: Vec<&[u8]> = TOKEN.as_bytes().windows(12).collect();
            prop_assert!(!shown.as_bytes().windows(12).any(|part| parts.contains(&part)), "{}", shown);
        }
    }
}
