//! What real platforms do besides what is documented, a switch for each. Decided here without clock and transport, so
//! that the model in virtual time has the same habits.

use std::collections::{BTreeMap, VecDeque};

use jiff::civil::Date;
use kore_trend_exporter::domain::series::{Window, day_after};

/// The switches. Without any, the platform is as documented, and bears any number of requests.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Habits {
    /// Denies a bot for a while, whatever it does.
    pub denies: Option<Denial>,
    /// Counts requests, and denies a bot that breaks a limit.
    pub limits: Option<Limits>,
    /// Answers these days, whatever was asked for.
    pub answers: Option<Window>,
    /// Leaves out the last day that was asked for.
    pub excludes_end: bool,
    /// Says zero for every bucket of a day so many days ago or earlier.
    pub forgets_after: Option<i64>,
    /// Takes requests, and answers none.
    pub hangs: bool,
    /// Compresses with gzip although nobody asked for it.
    pub compresses: bool,
    /// Answers 411 to a request that does not say how long its body is.
    pub insists_on_length: bool,
    /// Answers every request with this status and a page in HTML, as a proxy in between does.
    pub blocks: Option<u16>,
    /// Has this in the place of the number of results.
    pub total_results: Option<&'static str>,
    /// Has this under `errors` beside the results.
    pub errors: Option<&'static str>,
}

/// The page of a proxy that blocks. Its words are not about a limit.
pub const BLOCKED: &str = "<html><h1>Blocked by Contoso Corporate Limited</h1></html>";

/// From one request on, a bot is denied for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Denial {
    /// So many requests of the bot are answered before.
    pub after: usize,
    /// How long it lasts from the first request that is denied, in seconds.
    pub seconds: i64,
    /// Whether `Retry-After` tells how long it still lasts.
    pub says_when: bool,
}

/// Requests of one bot in a rolling minute and hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// In 60 seconds.
    pub per_minute: usize,
    /// In 3,600 seconds. Who breaks it is denied until an hour has passed.
    pub per_hour: usize,
    /// Whether `Retry-After` tells when the bot may ask again.
    pub says_when: bool,
}

impl Limits {
    /// What the platform's documentation says.
    pub const DOCUMENTED: Limits = Limits { per_minute: 60, per_hour: 1800, says_when: false };
}

/// A request is denied: 429, with this `Retry-After` in seconds, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Denied {
    /// Seconds.
    pub retry_after: Option<i64>,
}

impl Habits {
    /// The days that are answered where these were asked for.
    pub fn answered(&self, asked: Window) -> Option<Window> {
        if self.answers.is_some() {
            return self.answers;
        }
        let last = if self.excludes_end { day_after(asked.last, -1) } else { asked.last };
        (asked.first <= last).then_some(Window { first: asked.first, last })
    }

    /// Whether the figures of a day are forgotten.
    pub fn has_forgotten(&self, day: Date, today: Date) -> bool {
        self.forgets_after.is_some_and(|days| day <= day_after(today, -days))
    }
}

/// What the platform remembers of each bot's requests.
#[derive(Clone, Debug, Default)]
pub struct Desk {
    bots: BTreeMap<String, Visits>,
}

#[derive(Clone, Debug, Default)]
struct Visits {
    /// All requests that ever came.
    count: usize,
    /// When those of the last hour came that were answered, in milliseconds.
    answered: VecDeque<i64>,
    /// Until when the bot is denied whatever it does, and whether it is told.
    denied: Option<(i64, bool)>,
    /// Whether [`Habits::denies`] has come true.
    was_denied: bool,
}

const SECOND: i64 = 1000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;

impl Desk {
    /// A request of a bot arrives at this time in milliseconds: whether it is denied.
    ///
    /// # Errors
    ///
    /// With what the denial says.
    pub fn admit(&mut self, habits: &Habits, bot: &str, at: i64) -> Result<(), Denied> {
        let visits = self.bots.entry(bot.to_owned()).or_default();
        visits.count += 1;
        visits.admit_to_denial(habits.denies, at)?;
        if let Some(limits) = habits.limits {
            visits.admit_to_limits(limits, at)?;
        }
        visits.answered.push_back(at);
        Ok(())
    }

    /// Somebody else has asked so many times for a bot, evenly over the last so many seconds.
    pub fn crowd(&mut self, bot: &str, requests: usize, seconds: i64, at: i64) {
        let visits = self.bots.entry(bot.to_owned()).or_default();
        let step = seconds * SECOND / i64::try_from(requests).unwrap().max(1);
        visits.answered.extend((0..).map(|number| at - number * step).take(requests));
        visits.answered.make_contiguous().sort_unstable();
    }

    /// From this time in milliseconds on, a bot is denied for so many seconds, whatever it does.
    pub fn deny(&mut self, bot: &str, seconds: i64, says_when: bool, at: i64) {
        self.bots.entry(bot.to_owned()).or_default().denied = Some((at + seconds * SECOND, says_when));
    }

    /// Until when a bot is denied at this time, in milliseconds.
    pub fn denied_until(&self, bot: &str, at: i64) -> Option<i64> {
        self.bots.get(bot)?.denied.map(|(until, _)| until).filter(|until| *until > at)
    }

    /// Nothing is remembered.
    pub fn forget(&mut self) {
        self.bots.clear();
    }
}

impl Visits {
    fn admit_to_denial(&mut self, denial: Option<Denial>, at: i64) -> Result<(), Denied> {
        if let Some(denial) = denial.filter(|denial| self.count > denial.after && !self.was_denied) {
            self.denied = Some((at + denial.seconds * SECOND, denial.says_when));
            self.was_denied = true;
        }
        match self.denied {
            Some((until, says_when)) if until > at => Err(denied(until - at, says_when)),
            _ => Ok(()),
        }
    }

    /// Requests that are denied for the minute do not count; the one that breaks the hour closes it.
    fn admit_to_limits(&mut self, limits: Limits, at: i64) -> Result<(), Denied> {
        let Limits { per_minute, per_hour, says_when } = limits;
        while self.answered.front().is_some_and(|first| *first <= at - HOUR) {
            self.answered.pop_front();
        }
        if self.answered.len() >= per_hour {
            self.denied = Some((at + HOUR, says_when));
            return Err(denied(HOUR, says_when));
        }
        // The oldest of those that fill the minute.
        let oldest = self.answered.len().checked_sub(per_minute).and_then(|place| self.answered.get(place));
        match oldest {
            Some(oldest) if *oldest > at - MINUTE => Err(denied(oldest + MINUTE - at, says_when)),
            _ => Ok(()),
        }
    }
}

fn denied(milliseconds: i64, says_when: bool) -> Denied {
    let seconds = (milliseconds + SECOND - 1) / SECOND;
    Denied { retry_after: says_when.then_some(seconds) }
}
