//! A platform that is away is known once: three series in a row that could not connect, or waited in vain, with no answer
//! in between. Who wanted to ask before that is told so instead of asking; who comes later asks again.

use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::time::Instant;

use super::failure::Failure;
use crate::domain::series::SeriesKey;

/// Different series in a row that make an outage.
const ENOUGH: usize = 3;

/// What is known of the platform's availability, over all series.
#[derive(Debug)]
pub(super) struct Outage {
    /// The series that failed since the last answer, each once; no more than matter.
    failed: Mutex<Vec<SeriesKey>>,
    known: watch::Sender<Option<Away>>,
}

/// The platform is away.
#[derive(Clone, Debug)]
struct Away {
    at: Instant,
    cause: String,
}

impl Outage {
    pub(super) fn new() -> Outage {
        Outage { failed: Mutex::default(), known: watch::Sender::new(None) }
    }

    /// A series could not connect, or had no answer in time.
    pub(super) fn failed(&self, series: SeriesKey, failure: &Failure, now: Instant) {
        let mut failed = self.failed.lock();
        if !failed.contains(&series) && failed.len() < ENOUGH {
            failed.push(series);
        }
        if failed.len() == ENOUGH {
            self.known.send_replace(Some(Away { at: now, cause: cause_of(failure) }));
        }
    }

    /// The platform answered, whatever it said.
    pub(super) fn answered(&self) {
        self.failed.lock().clear();
        self.known.send_if_modified(|known| known.take().is_some());
    }

    /// Why the platform is away, if that showed after `then`.
    pub(super) fn cause_since(&self, then: Instant) -> Option<String> {
        self.known.borrow().as_ref().filter(|away| away.at >= then).map(|away| away.cause.clone())
    }

    /// Waits until it shows that the platform is away.
    pub(super) async fn shows(&self, then: Instant) -> String {
        let mut known = self.known.subscribe();
        loop {
            if let Some(cause) = self.cause_since(then) {
                return cause;
            }
            if known.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }
}

/// In short, for the words of the outage are added.
fn cause_of(failure: &Failure) -> String {
    match failure {
        Failure::Unreachable(words) => words.clone(),
        Failure::TimedOut(limit) => format!("no answer within {limit:?}"),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;
    use crate::domain::bot::test_bot;
    use crate::domain::series::{Interval, Series};

    #[test]
    fn three_different_series_in_a_row_make_an_outage_until_an_answer() {
        let (outage, start) = (Outage::new(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        let fail = |bot: &str, words: &str, now| {
            let bot = Arc::new(test_bot(bot));
            let series = Series { bot, channel: "all".into(), interval: Interval::Hourly };
            outage.failed(series.key(), &Failure::Unreachable(words.to_owned()), now);
        };
        for bot in ["one", "two", "two", "one", "two"] {
            fail(bot, "refused", at(1));
            assert_eq!(outage.cause_since(start), None);
        }
        outage.answered();
        for bot in ["one", "two"] {
            fail(bot, "refused", at(2));
        }
        assert_eq!(outage.cause_since(start), None, "the answer counts");
        fail("three", "refused", at(3));
        assert_eq!(outage.cause_since(start).as_deref(), Some("refused"));
        assert_eq!(outage.cause_since(at(4)), None, "the next tick asks again");
        fail("one", "still refused", at(5));
        assert_eq!(outage.cause_since(at(4)).as_deref(), Some("still refused"), "one failure more is enough");
        outage.answered();
        assert_eq!(outage.cause_since(start), None);
    }
}
