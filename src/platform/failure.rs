//! How asking the platform fails, and what a person should do about it.

use std::fmt;
use std::time::Duration;

/// One attempt that brought no answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Failure {
    /// No connection, or one that broke off: what the network said.
    Unreachable(String),
    /// No complete answer within the configured time.
    TimedOut(Duration),
    /// An answer that is not a success.
    Refused(Refusal),
    /// A success whose body is not the documented shape: what is wrong and where.
    Shape(String),
    /// A body beyond the limit, in bytes.
    TooLarge(usize),
    /// No token could be made: what the library said.
    NoToken(String),
}

/// What the platform said instead of an answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Refusal {
    /// The HTTP status.
    pub status: u16,
    /// The platform's words, or the beginning of the body.
    pub message: String,
    /// The delay it asked for.
    pub retry_after: Option<Duration>,
    /// How far this machine's clock is ahead of the platform's, in seconds, where its answer had a date.
    pub clock_ahead: Option<i64>,
}

impl Refusal {
    /// Whether the platform says that the bot was asked too often: by status, or by its words whatever the status.
    pub fn is_throttling(&self) -> bool {
        let letters: String = self.message.chars().filter(char::is_ascii_alphabetic).collect();
        self.status == 429 || letters.to_ascii_lowercase().contains("ratelimit")
    }
}

impl Failure {
    /// The label of this outcome in the metrics: a status, or a word.
    pub fn label(&self) -> String {
        match self {
            Failure::Unreachable(_) => "unreachable".to_owned(),
            Failure::TimedOut(_) => "timeout".to_owned(),
            Failure::Refused(refusal) => refusal.status.to_string(),
            Failure::Shape(_) | Failure::TooLarge(_) => "malformed".to_owned(),
            Failure::NoToken(_) => "no_token".to_owned(),
        }
    }

    /// Whether there was an answer that cannot be used.
    pub fn is_malformed(&self) -> bool {
        matches!(self, Failure::Shape(_) | Failure::TooLarge(_))
    }

    /// The next step for the person on call.
    pub fn advice(&self) -> String {
        match self {
            Failure::Unreachable(_) => "check platform.url, the name server, the network and the proxy".to_owned(),
            Failure::TimedOut(_) => {
                "check the network and the proxy; where they are only slow, raise platform.timeout or \
                 lower platform.max_days_per_request"
                    .to_owned()
            }
            Failure::Refused(refusal) => refusal.advice(),
            Failure::Shape(_) => "check that platform.url and platform.api fit; nothing was written from it".to_owned(),
            Failure::TooLarge(_) => "lower platform.max_days_per_request".to_owned(),
            Failure::NoToken(_) => "check the bot's secret or private key".to_owned(),
        }
    }
}

impl Refusal {
    fn advice(&self) -> String {
        let advice = match self.status {
            _ if self.is_throttling() => {
                "something else uses this bot's limits: lower platform.per_minute and per_hour"
            }
            401 | 403 if self.message.to_ascii_lowercase().contains("scope") => {
                "give the app the scope \"User Engagement Trend\", in the account of this bot, and publish the bot again"
            }
            401 | 403 => {
                "check that client_id is the app's own (the token's appId), that the secret belongs to it, that id is \
                 this bot's and not another's, and that the app has the scope \"User Engagement Trend\" on a published bot"
            }
            400 | 404 => "check the bot's id, platform.url and platform.api",
            405 => "check platform.url: something else answers there",
            412 => {
                "check the channel's name; if the range is too long for the platform, lower platform.max_days_per_request"
            }
            300..=399 => {
                "redirects are not followed, for they would carry the token: set platform.url to the new address"
            }
            413 => "lower platform.max_days_per_request",
            _ => "the next tick asks again; if it lasts, ask the vendor",
        };
        match self.clock_ahead {
            Some(ahead) if ahead.abs() > 60 && matches!(self.status, 401 | 403) => {
                let side = if ahead > 0 { "ahead of" } else { "behind" };
                format!(
                    "{advice}; this machine's clock is {} s {side} the platform's, which alone spoils tokens",
                    ahead.abs()
                )
            }
            _ => advice.to_owned(),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Unreachable(error) => write!(f, "the platform cannot be reached: {error}"),
            Failure::TimedOut(limit) => write!(f, "the platform sent no complete answer within {limit:?}"),
            Failure::Refused(refusal) => write!(f, "the platform answered {}: {:?}", refusal.status, refusal.message),
            Failure::Shape(problem) => write!(f, "the platform's answer is not as documented: {problem}"),
            Failure::TooLarge(limit) => write!(f, "the platform's answer is longer than {} MiB", limit >> 20),
            Failure::NoToken(error) => write!(f, "no token could be made: {error}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(status: u16, message: &str) -> Refusal {
        Refusal { status, message: message.to_owned(), retry_after: None, clock_ahead: None }
    }

    #[test]
    fn throttling_is_told_by_status_or_words() {
        for (status, message, expected) in [
            (429, "", true),
            (403, "API Rate Limit exceeded", true),
            (400, "rate-limit reached", true),
            (503, "RateLimit", true),
            (401, "Invalid SDK credentials", false),
            (500, "rate of failures: no limit", false),
        ] {
            assert_eq!(refusal(status, message).is_throttling(), expected, "{status} {message}");
        }
    }

    #[test]
    fn a_refused_token_says_what_to_check() {
        let advice = Failure::Refused(refusal(401, "Invalid SDK credentials")).advice();
        for word in ["appId", "secret", "id is", "scope", "published"] {
            assert!(advice.contains(word), "{word}: {advice}");
        }
        assert!(Failure::Refused(refusal(401, "Permission denied. Scope is incorrect!")).advice().contains("publish"));
    }

    #[test]
    fn a_clock_that_is_off_is_named() {
        let refused = Refusal { clock_ahead: Some(-7200), ..refusal(401, "expired") };
        assert!(refused.advice().contains("7200 s behind the platform's"));
    }
}
