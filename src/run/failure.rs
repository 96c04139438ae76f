//! What a failure of either side means for a series and for the others, and what a person is told of it. Pure.

use std::time::Duration;

use crate::database::writer::WriteError;
use crate::domain::event::{FailureScope, SeriesFailure};
use crate::platform::failure::Failure;

/// The kind of a bot that is denied for being asked too often.
const RATE_LIMITED: &str = "platform rate_limited";

/// The platform has denied the bot for so long, and still does.
pub(super) fn rate_limited(lasted: Duration) -> SeriesFailure {
    let error = format!("rate limited by the platform for {} min", lasted.as_secs() / 60);
    let advice = Failure::RateLimited(lasted).advice();
    SeriesFailure { scope: FailureScope::Bot, ..plain(RATE_LIMITED.to_owned(), error, advice) }
}

/// The platform failed.
pub(super) fn platform(failure: &Failure) -> SeriesFailure {
    let (is_denied, clock_ahead) = match failure {
        Failure::Refused(refusal) => (refusal.is_denied(), refusal.clock_ahead),
        _ => (false, None),
    };
    let scope = match failure {
        Failure::Unreachable(_) | Failure::Away(_) => FailureScope::Platform,
        Failure::Refused(refusal) if is_denied || refusal.is_throttling() => FailureScope::Bot,
        Failure::Refused(refusal) if matches!(refusal.status, 502 | 503) => FailureScope::Platform,
        Failure::NoToken(_) | Failure::RateLimited(_) => FailureScope::Bot,
        _ => FailureScope::Series,
    };
    let is_throttling = matches!(failure, Failure::Refused(refusal) if refusal.is_throttling());
    let kind = if is_throttling { RATE_LIMITED.to_owned() } else { format!("platform {}", failure.label()) };
    SeriesFailure { is_denied, clock_ahead, scope, ..plain(kind, failure.to_string(), failure.advice()) }
}

/// The points were not taken.
pub(super) fn database(error: &WriteError) -> SeriesFailure {
    let failure = plain(error.kind(), error.to_string(), error.advice());
    match error {
        WriteError::Failed(cause) => {
            SeriesFailure { scope: FailureScope::Database, is_denied: cause.is_denied(), ..failure }
        }
        WriteError::LinesRefused { count, .. } => SeriesFailure { refused_points: *count, ..failure },
    }
}

/// The task itself failed, which is a bug.
pub(super) fn defect(words: &str) -> SeriesFailure {
    let advice = "please report this line; the other series continue".to_owned();
    plain("defect".to_owned(), format!("internal error: {words}"), advice)
}

fn plain(kind: String, error: String, advice: String) -> SeriesFailure {
    let scope = FailureScope::Series;
    SeriesFailure { kind, error, advice, scope, is_denied: false, refused_points: 0, clock_ahead: None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::failure::{Meaning, Refusal};

    #[test]
    fn what_stops_many_series_is_told_from_what_is_the_series_own() {
        let refused = |status, words: &str| {
            let (meaning, message) = (Meaning::of(status, words), words.to_owned());
            Failure::Refused(Refusal { status, meaning, message, retry_after: None, clock_ahead: None })
        };
        for (failure, scope) in [
            (Failure::Unreachable("refused".to_owned()), FailureScope::Platform),
            (Failure::Away("refused".to_owned()), FailureScope::Platform),
            (refused(503, "maintenance"), FailureScope::Platform),
            (refused(503, "rate limit exceeded"), FailureScope::Bot),
            (refused(401, "invalid token"), FailureScope::Bot),
            (Failure::RateLimited(Duration::from_secs(600)), FailureScope::Bot),
            (Failure::TimedOut(Duration::from_secs(30)), FailureScope::Series),
            (refused(412, "no such channel"), FailureScope::Series),
            (Failure::Shape("not JSON".to_owned()), FailureScope::Series),
        ] {
            assert_eq!(platform(&failure).scope, scope, "{failure}");
        }
        let denied = platform(&refused(429, "slow down"));
        assert_eq!(denied.kind, rate_limited(Duration::from_secs(300)).kind, "one trouble, said once");
    }
}
