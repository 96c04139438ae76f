//! How asking the platform fails, and what a person should do about it.

use std::fmt;
use std::time::Duration;

use crate::domain::series::Window;
use crate::http::PROXY_PASSWORD;

/// One attempt that brought no answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Failure {
    /// No connection, or one that broke off: what the network said.
    Unreachable(String),
    /// No complete answer within the configured time.
    TimedOut(Duration),
    /// The platform is away, as other series found: what the last of them was told. Nothing was asked.
    Away(String),
    /// The bot has been denied for so long that nothing was asked.
    RateLimited(Duration),
    /// An answer that is not a success.
    Refused(Refusal),
    /// A success whose body is not the documented shape: what is wrong and where.
    Shape(String),
    /// A success with days of this range, none of which was asked for.
    OtherDays(Window),
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
    /// What its words mean.
    pub meaning: Meaning,
    /// The platform's words, or the beginning of the body, fit to be shown.
    pub message: String,
    /// The delay it asked for.
    pub retry_after: Option<Duration>,
    /// How far this machine's clock is ahead of the platform's, in seconds, where its answer had a date.
    pub clock_ahead: Option<i64>,
}

/// What a refusal means beyond its status, told by its words as they came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// The bot was asked too often.
    RateLimit,
    /// The app lacks the right to these figures.
    Scope,
    /// The token was not accepted.
    Denied,
    /// What the status says.
    Other,
}

impl Meaning {
    /// Reads a refusal of this status, whatever its length. With which status the platform refuses a token is not
    /// documented in every case.
    pub fn of(status: u16, words: &str) -> Meaning {
        let lower = words.to_ascii_lowercase();
        let says = |part: &str| lower.contains(part);
        let is_denied = matches!(status, 401 | 403);
        match status {
            _ if status == 429 || speaks_of_rate_limit(words) => Meaning::RateLimit,
            500..=599 => Meaning::Other,
            _ if says("scope") && (is_denied || says("permission denied")) => Meaning::Scope,
            _ if is_denied || says("sdk credentials") || says("verifying the jwt") || says("jwt token") => {
                Meaning::Denied
            }
            _ => Meaning::Other,
        }
    }
}

/// Whether "rate limit" stands in the text, in one word or two, as in `RateLimitExceeded` or `rate-limited`: never as a part
/// of other words.
fn speaks_of_rate_limit(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    let is_letter = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric());
    lower.match_indices("rate").any(|(place, rate)| {
        let starts_a_word = !is_letter(place.checked_sub(1).map(|before| lower.as_bytes()[before]))
            || text.as_bytes()[place].is_ascii_uppercase() && text.as_bytes()[place - 1].is_ascii_lowercase();
        let rest = lower[place + rate.len()..].trim_start_matches([' ', '-', '_', '\t', '\n', '\r']);
        let Some(after) = rest.strip_prefix("limit") else { return false };
        let after_limit = lower.len() - after.len();
        let ending = after.split(|letter: char| !letter.is_ascii_alphanumeric()).next().unwrap_or_default();
        let is_camel_case = text.as_bytes().get(after_limit).is_some_and(u8::is_ascii_uppercase);
        starts_a_word && (["", "s", "ed", "er", "ing", "exceeded"].contains(&ending) || is_camel_case)
    })
}

impl Refusal {
    /// Whether the platform says that the bot was asked too often.
    pub fn is_throttling(&self) -> bool {
        self.meaning == Meaning::RateLimit
    }

    /// Whether the credentials were not accepted, or do not allow this.
    pub fn is_denied(&self) -> bool {
        matches!(self.meaning, Meaning::Scope | Meaning::Denied)
    }
}

impl Failure {
    /// The label of this outcome in the metrics: a status, or a word.
    pub fn label(&self) -> String {
        match self {
            Failure::Unreachable(_) => "unreachable".to_owned(),
            Failure::TimedOut(_) => "timeout".to_owned(),
            Failure::Away(_) => "away".to_owned(),
            Failure::RateLimited(_) => "rate_limited".to_owned(),
            Failure::Refused(refusal) => refusal.status.to_string(),
            Failure::Shape(_) | Failure::OtherDays(_) | Failure::TooLarge(_) => "malformed".to_owned(),
            Failure::NoToken(_) => "no_token".to_owned(),
        }
    }

    /// Whether there was an answer that cannot be used.
    pub fn is_malformed(&self) -> bool {
        matches!(self, Failure::Shape(_) | Failure::OtherDays(_) | Failure::TooLarge(_))
    }

    /// The next step for the person on call.
    pub fn advice(&self) -> String {
        match self {
            Failure::Unreachable(_) | Failure::Away(_) => {
                "check platform.url, DNS, the network and the proxy".to_owned()
            }
            Failure::TimedOut(_) => {
                "check the network and the proxy; if they are merely slow, raise platform.timeout or \
                 lower platform.max_days_per_request"
                    .to_owned()
            }
            Failure::RateLimited(_) => RATE_LIMITED.to_owned(),
            Failure::Refused(refusal) => refusal.advice(),
            Failure::Shape(_) => "check platform.url and platform.api; nothing was written".to_owned(),
            Failure::OtherDays(_) => "it ignores the parameters: try another platform.send".to_owned(),
            Failure::TooLarge(_) => "lower platform.max_days_per_request".to_owned(),
            Failure::NoToken(_) => "check the bot's secret or private key".to_owned(),
        }
    }
}

const RATE_LIMITED: &str =
    "another client uses up this bot's request limit: lower platform.per_minute and platform.per_hour";

impl Refusal {
    fn advice(&self) -> String {
        let advice = match self.status {
            _ if self.is_throttling() => RATE_LIMITED,
            _ if self.meaning == Meaning::Scope => {
                "add the scope \"User Engagement Trend\" to the app, make sure the app belongs to this bot's account, then \
                 publish the bot"
            }
            _ if self.is_denied() && self.message.starts_with('<') => {
                "this is not the platform's answer: check platform.url and what is in between, such as a proxy"
            }
            _ if self.is_denied() => {
                "check that client_id (the token's appId), secret and bot id belong together, and that the app has the scope \
                 \"User Engagement Trend\" on a published bot"
            }
            400 | 404 => "check the bot's id, platform.url and platform.api",
            405 => "check platform.url: this is not the API",
            407 => PROXY_PASSWORD,
            412 => {
                "check the channel's name; if the range is too long for the platform, lower platform.max_days_per_request"
            }
            300..=399 => "redirects are not followed, to protect the token: set platform.url to the new address",
            413 => "lower platform.max_days_per_request",
            _ => "the next tick retries; if it persists, contact Kore.ai support",
        };
        match self.clock_ahead {
            Some(ahead) if ahead.abs() > 60 && self.is_denied() => {
                let side = if ahead.is_positive() { "ahead of" } else { "behind" };
                format!(
                    "{advice}; this machine's clock is {} s {side} the platform's, which makes tokens invalid: set the clock",
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
            Failure::Unreachable(error) => write!(f, "cannot reach the platform: {error}"),
            Failure::TimedOut(limit) => write!(f, "the platform did not answer within {limit:?}"),
            Failure::Away(cause) => write!(f, "the platform is unavailable ({cause})"),
            Failure::RateLimited(lasted) => write!(f, "still rate limited after {}: giving up", minutes(*lasted)),
            Failure::Refused(refusal) => write!(f, "the platform answered {}: {:?}", refusal.status, refusal.message),
            Failure::Shape(problem) => write!(f, "the platform's answer is not as documented: {problem}"),
            Failure::OtherDays(Window { first, last }) => {
                write!(f, "the platform answered with other days than requested ({first} to {last})")
            }
            Failure::TooLarge(limit) => write!(f, "the platform's answer is larger than {} MiB", limit >> 20),
            Failure::NoToken(error) => write!(f, "failed to create a token: {error}"),
        }
    }
}

/// Whole minutes, or seconds of less than one.
fn minutes(time: Duration) -> String {
    match time.as_secs() {
        seconds @ ..60 => format!("{seconds} s"),
        seconds => format!("{} min", seconds / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OTHER: Window = Window { first: jiff::civil::date(2020, 1, 1), last: jiff::civil::date(2020, 1, 2) };

    fn refusal(status: u16, message: &str) -> Refusal {
        let meaning = Meaning::of(status, message);
        Refusal { status, meaning, message: message.to_owned(), retry_after: None, clock_ahead: None }
    }

    #[test]
    fn throttling_is_told_by_status_or_whole_words() {
        let long = format!("{} API rate limit exceeded {}", "x".repeat(310), "y".repeat(60_000));
        for (status, message, expected) in [
            (429, "", true),
            (403, "API Rate Limit exceeded", true),
            (400, "rate-limit reached", true),
            (400, "rate_limit_exceeded", true),
            (400, "You are being rate limited.", true),
            (503, "RateLimit", true),
            (400, "errRateLimitExceeded", true),
            (400, "ratelimitexceeded", true),
            (400, &long, true),
            (403, "<html>Blocked by Contoso Corporate Limited</html>", false),
            (403, "Accurate limits", false),
            (400, "rate limitless", false),
            (401, "Invalid SDK credentials", false),
            (500, "rate of failures: no limit", false),
            (500, "the rate. Limit", false),
        ] {
            assert_eq!(refusal(status, message).is_throttling(), expected, "{status} {message}");
        }
    }

    #[test]
    fn a_refused_token_says_what_to_check() {
        let advice = Failure::Refused(refusal(401, "Invalid SDK credentials")).advice();
        for word in ["appId", "secret", "bot id", "scope", "published"] {
            assert!(advice.contains(word), "{word}: {advice}");
        }
        assert!(Failure::Refused(refusal(401, "Permission denied. Scope is incorrect!")).advice().contains("publish"));
    }

    /// Whatever goes wrong, in turn: its label, a word of the advice that no other has, and its words.
    #[test]
    fn every_failure_has_its_label_its_advice_and_its_words() {
        let refused = |status, message| Failure::Refused(refusal(status, message));
        let network = "DNS, the network and the proxy";
        for (failure, label, advice, words) in [
            (Failure::Unreachable("no route".into()), "unreachable", network, "cannot reach the platform: no route"),
            (Failure::TimedOut(Duration::from_secs(9)), "timeout", "raise platform.timeout", "within 9s"),
            (Failure::Shape("EOF".into()), "malformed", "nothing was written", "not as documented: EOF"),
            (Failure::TooLarge(3 << 20), "malformed", "lower platform.max_days", "larger than 3 MiB"),
            (Failure::NoToken("no key".into()), "no_token", "secret or private key", "create a token: no key"),
            (Failure::Away("refused".into()), "away", network, "unavailable (refused)"),
            (Failure::RateLimited(Duration::from_secs(630)), "rate_limited", "another client", "limited after 10 min"),
            (Failure::OtherDays(OTHER), "malformed", "platform.send", "than requested (2020-01-01 to 2020-01-02)"),
            (refused(301, ""), "301", "redirects are not followed", "answered 301"),
            (refused(308, ""), "308", "redirects are not followed", "answered 308"),
            (refused(400, "no"), "400", "check the bot's id, platform.url", r#"answered 400: "no""#),
            (refused(400, "scope"), "400", "check the bot's id, platform.url", "answered 400"),
            (refused(404, ""), "404", "check the bot's id, platform.url", "answered 404"),
            (refused(401, ""), "401", "client_id (the token's appId)", "answered 401"),
            (refused(403, ""), "403", "client_id (the token's appId)", "answered 403"),
            (refused(403, "SCOPE"), "403", "add the scope", "answered 403"),
            (refused(200, "Permission denied. Scope is incorrect!"), "200", "add the scope", "answered 200"),
            (refused(200, "Invalid SDK credentials"), "200", "client_id (the token's appId)", "answered 200"),
            (refused(400, "error verifying the jwt: x"), "400", "client_id (the token's appId)", "answered 400"),
            (refused(403, "<html>Blocked"), "403", "such as a proxy", "answered 403"),
            (refused(405, ""), "405", "this is not the API", "answered 405"),
            (refused(407, ""), "407", "password for the proxy", "answered 407"),
            (refused(412, ""), "412", "check the channel's name", "answered 412"),
            (refused(413, ""), "413", "lower platform.max_days", "answered 413"),
            (refused(429, ""), "429", "another client uses up this bot's request limit", "answered 429"),
            (refused(403, "rate limit"), "403", "another client uses up this bot's request limit", "answered 403"),
            (refused(500, ""), "500", "the next tick retries", "answered 500"),
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
