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
                let side = if ahead.is_positive() { "ahead of" } else { "behind" };
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

    /// Whatever goes wrong, in turn: its label, a word of the advice that no other has, and its words.
    #[test]
    fn every_failure_has_its_label_its_advice_and_its_words() {
        let refused = |status, message| Failure::Refused(refusal(status, message));
        let network = "the name server, the network and the proxy";
        for (failure, label, advice, words) in [
            (Failure::Unreachable("no route".into()), "unreachable", network, "cannot be reached: no route"),
            (Failure::TimedOut(Duration::from_secs(9)), "timeout", "raise platform.timeout", "within 9s"),
            (Failure::Shape("EOF".into()), "malformed", "nothing was written from it", "not as documented: EOF"),
            (Failure::TooLarge(3 << 20), "malformed", "lower platform.max_days", "longer than 3 MiB"),
            (Failure::NoToken("no key".into()), "no_token", "secret or private key", "could be made: no key"),
            (refused(301, ""), "301", "redirects are not followed", "answered 301"),
            (refused(308, ""), "308", "redirects are not followed", "answered 308"),
            (refused(400, "no"), "400", "check the bot's id, platform.url", r#"answered 400: "no""#),
            (refused(400, "scope"), "400", "check the bot's id, platform.url", "answered 400"),
            (refused(404, ""), "404", "check the bot's id, platform.url", "answered 404"),
            (refused(401, ""), "401", "client_id is the app's own", "answered 401"),
            (refused(403, ""), "403", "client_id is the app's own", "answered 403"),
            (refused(403, "SCOPE"), "403", "give the app the scope", "answered 403"),
            (refused(405, ""), "405", "something else answers there", "answered 405"),
            (refused(412, ""), "412", "check the channel's name", "answered 412"),
            (refused(413, ""), "413", "lower platform.max_days", "answered 413"),
            (refused(429, ""), "429", "something else uses this bot's limits", "answered 429"),
            (refused(403, "rate limit"), "403", "something else uses this bot's limits", "answered 403"),
            (refused(500, ""), "500", "the next tick asks again", "answered 500"),
        ] {
            assert_eq!(failure.label(), label);
            assert!(failure.advice().contains(advice), "{label}: {}", failure.advice());
            assert!(failure.to_string().contains(words), "{label}: {failure}");
            assert_eq!(failure.is_malformed(), label == "malformed", "{label}");
        }
    }

    #[test]
    fn a_clock_that_is_off_by_more_than_a_minute_is_named_where_it_spoils_tokens() {
        let advice = |status, ahead| Refusal { clock_ahead: Some(ahead), ..refusal(status, "expired") }.advice();
        assert!(advice(401, -7200).contains("7200 s behind the platform's"));
        assert!(advice(403, 61).contains("61 s ahead of the platform's"));
        for (status, ahead) in [(401, 60), (401, -60), (403, 0), (500, 7200), (400, -7200), (404, 0)] {
            assert!(!advice(status, ahead).contains("clock"), "{status} {ahead}");
        }
    }
}
