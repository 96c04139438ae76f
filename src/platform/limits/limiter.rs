//! How fast a bot may be asked: exact rolling windows, live requests before those of a backfill.
//!
//! The platform counts a request when it arrives, which is some time between sending it and having its answer. So a
//! request counts here from before it is sent until a whole window after its answer: whatever the travel time, the
//! platform never sees more than the limit in any window.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, OwnedSemaphorePermit};
use tokio::time::Instant;

use super::flush::Flush;
use super::ledger::{Ledger, Record};
use super::places::{Hand, Places};
use crate::config::Limits;
use crate::domain::series::stable_hash;
use crate::shutdown::{Stop, Stopped};

/// What a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A tick: may use the whole limit.
    Live,
    /// `--backfill`: may use its share.
    Backfill,
}

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

/// Added to both windows, for a platform that counts in steps of its own.
const MARGIN: Duration = Duration::from_millis(250);

/// Another process's request is known by when it began; this much later its answer is taken to have come.
const OTHERS_TRAVEL_TIME: Duration = Duration::from_secs(2);

impl Limits {
    /// How many requests of this purpose fit into a minute and into an hour.
    pub fn of(&self, purpose: Purpose) -> (u32, u32) {
        match purpose {
            Purpose::Live => (self.per_minute, self.per_hour),
            Purpose::Backfill => (self.share_of(self.per_minute), self.share_of(self.per_hour)),
        }
    }

    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of a u32 is a u32")]
    fn share_of(&self, limit: u32) -> u32 {
        let share = (f64::from(limit) * self.backfill_share).floor() as u32;
        if self.backfill_share > 0.0 { share.max(1) } else { 0 }
    }

    /// The least time in which a bot takes so many requests of this purpose; `None` if it takes none at all.
    pub fn least_time(&self, requests: u64, purpose: Purpose) -> Option<Duration> {
        let (per_minute, per_hour) = self.of(purpose);
        let last = requests.saturating_sub(1);
        let hours = last.checked_div(u64::from(per_hour))?;
        let minutes = (last % u64::from(per_hour)).checked_div(u64::from(per_minute))?;
        Some(Duration::from_secs(hours * 3600 + minutes * 60))
    }
}

/// The limits of all bots, by the platform's bot id: two names for one bot share its limit.
#[derive(Debug)]
pub struct Limiter {
    limits: Mutex<Limits>,
    bots: Mutex<HashMap<u64, Arc<Bot>>>,
    ledger: Option<Mutex<Ledger>>,
    flush: Option<Flush>,
}

/// One bot's requests, and the queue of those who wait to make one.
#[derive(Debug, Default)]
struct Bot {
    usage: Mutex<Usage>,
    live_queue: tokio::sync::Mutex<()>,
    backfill_queue: tokio::sync::Mutex<()>,
    /// Told when a request ends or a pause changes.
    changed: Notify,
}

/// The requests of one bot that still count.
#[derive(Debug, Default)]
struct Usage {
    /// When the answers came, oldest first, and whether a backfill asked.
    ended: VecDeque<(Instant, Purpose)>,
    live_in_flight: usize,
    backfill_in_flight: usize,
    paused_until: Option<Instant>,
}

/// The requests of one bot that count now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Budget {
    /// Against the limit of the minute.
    pub minute: u32,
    /// Against the limit of the hour.
    pub hour: u32,
    /// How much longer the bot is left alone, as the platform asked for.
    pub paused_for: Option<Duration>,
}

/// When a request may be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    Now,
    NotBefore(Instant),
    /// Not before one of those in flight has ended.
    AfterAnother,
}

impl Limiter {
    /// With a ledger, requests of earlier and of other processes count as well.
    pub fn new(limits: Limits, ledger: Option<Ledger>) -> Limiter {
        let flush = ledger.as_ref().and_then(Ledger::flush);
        Limiter { limits: Mutex::new(limits), bots: Mutex::default(), ledger: ledger.map(Mutex::new), flush }
    }

    /// The limits in force.
    pub fn limits(&self) -> Limits {
        *lock(&self.limits)
    }

    /// Puts other limits in force. What was used stays used.
    pub fn set_limits(&self, limits: Limits) {
        *lock(&self.limits) = limits;
        for bot in lock(&self.bots).values() {
            bot.changed.notify_waiters();
        }
    }

    /// Counts what other processes have asked since somebody looked.
    pub fn look_at_others(&self) {
        let now = Instant::now();
        if let Some(ledger) = &self.ledger {
            // If the file is locked just now, the next one who looks sees it.
            lock(ledger).exchange(|other| self.count_other(&other, now), || ((), None));
        }
    }

    /// Whether requests could not be put on record.
    pub fn has_unwritten(&self) -> bool {
        self.ledger.as_ref().is_some_and(|ledger| lock(ledger).has_unwritten())
            || self.flush.as_ref().is_some_and(Flush::is_failing)
    }

    /// How much of its limits a bot has used.
    pub fn usage(&self, bot_id: &str) -> Budget {
        let now = Instant::now();
        let Some(bot) = lock(&self.bots).get(&stable_hash(bot_id)).cloned() else { return Budget::default() };
        let usage = lock(&bot.usage);
        let in_flight = usage.live_in_flight + usage.backfill_in_flight;
        let within = |length: Duration| {
            let over = usage.ended.partition_point(|(ended, _)| *ended + length + MARGIN <= now);
            let ended = usage.ended.len() - over;
            u32::try_from(ended + in_flight).unwrap_or(u32::MAX)
        };
        let paused_for = usage.paused_until.and_then(|until| until.checked_duration_since(now));
        Budget { minute: within(MINUTE), hour: within(HOUR), paused_for: paused_for.filter(|pause| !pause.is_zero()) }
    }

    /// Waits for the bot's turn and for a place among the requests of all bots, in the order of asking.
    ///
    /// # Errors
    ///
    /// If the program is told to stop meanwhile.
    pub async fn acquire(
        &self,
        bot_id: &str,
        purpose: Purpose,
        places: &Places,
        stop: &Stop,
    ) -> Result<Permit, Stopped> {
        let key = stable_hash(bot_id);
        let bot = self.bot(key);
        let wait = async {
            let queue = match purpose {
                Purpose::Live => &bot.live_queue,
                Purpose::Backfill => &bot.backfill_queue,
            };
            let _first = queue.lock().await;
            loop {
                let changed = bot.changed.notified();
                match self.turn(key, &bot, purpose, false) {
                    Turn::NotBefore(then) => tokio::select! {
                        () = tokio::time::sleep_until(then) => {}
                        () = changed => {}
                    },
                    Turn::AfterAnother => changed.await,
                    Turn::Now => {
                        let (hand, place) = places.take().await;
                        if self.turn(key, &bot, purpose, true) == Turn::Now {
                            let bot = Arc::clone(&bot);
                            return Permit { hand, request: Request { bot, purpose, _place: place } };
                        }
                    }
                }
            }
        };
        let permit = stop.or(wait).await?;
        // The platform must not know of a request that a power cut makes this side forget.
        if let Some(flush) = &self.flush {
            flush.wait().await;
        }
        Ok(permit)
    }

    /// Leaves the bot alone for this long; without a delay, until its minute has surely passed.
    pub fn pause(&self, bot_id: &str, delay: Option<Duration>) {
        let bot = self.bot(stable_hash(bot_id));
        let now = Instant::now();
        let mut usage = lock(&bot.usage);
        let until = match delay {
            Some(delay) => now + delay,
            None => {
                let oldest = usage.ended.iter().map(|(ended, _)| *ended).find(|ended| *ended + MINUTE > now);
                oldest.unwrap_or(now) + MINUTE + MARGIN
            }
        };
        usage.paused_until = usage.paused_until.max(Some(until));
    }

    fn bot(&self, key: u64) -> Arc<Bot> {
        Arc::clone(lock(&self.bots).entry(key).or_default())
    }

    /// Whether it is the bot's turn; if so and `take` is set, a request counts from now on.
    fn turn(&self, key: u64, bot: &Bot, purpose: Purpose, take: bool) -> Turn {
        let (now, limits) = (Instant::now(), self.limits());
        let decide = |usage: &mut Usage| {
            let turn = usage.turn(now, purpose, &limits);
            let taken = take && turn == Turn::Now;
            if taken {
                *usage.in_flight(purpose) += 1;
            }
            (turn, taken)
        };
        // Only who takes a turn must know what other processes did.
        let Some(ledger) = self.ledger.as_ref().filter(|_| take) else { return decide(&mut lock(&bot.usage)).0 };
        let mut ledger = lock(ledger);
        let turn = ledger.exchange(
            |other| self.count_other(&other, now),
            || {
                let (turn, taken) = decide(&mut lock(&bot.usage));
                (turn, taken.then_some((key, purpose)))
            },
        );
        turn.unwrap_or(Turn::NotBefore(now + Duration::from_millis(100)))
    }

    /// Counts a request that another process, or an earlier life of this one, made.
    fn count_other(&self, other: &Record, now: Instant) {
        if other.age.saturating_sub(OTHERS_TRAVEL_TIME) >= HOUR + MARGIN {
            return;
        }
        // That is yet to come for one that has only begun.
        let Some(ended) = (now + OTHERS_TRAVEL_TIME).checked_sub(other.age) else { return };
        let bot = self.bot(other.bot);
        let mut usage = lock(&bot.usage);
        usage.forget_old(now);
        usage.ended(ended, other.purpose);
    }
}

impl Usage {
    fn in_flight(&mut self, purpose: Purpose) -> &mut usize {
        match purpose {
            Purpose::Live => &mut self.live_in_flight,
            Purpose::Backfill => &mut self.backfill_in_flight,
        }
    }

    /// The answer to a request came, or is taken to come, at this time.
    fn ended(&mut self, at: Instant, purpose: Purpose) {
        let place = self.ended.partition_point(|(earlier, _)| *earlier <= at);
        self.ended.insert(place, (at, purpose));
    }

    /// Forgets requests that count against no limit any more.
    fn forget_old(&mut self, now: Instant) {
        while self.ended.front().is_some_and(|(ended, _)| *ended + HOUR + MARGIN <= now) {
            self.ended.pop_front();
        }
    }

    fn turn(&mut self, now: Instant, purpose: Purpose, limits: &Limits) -> Turn {
        self.forget_old(now);
        let all = self.live_in_flight + self.backfill_in_flight;
        let (per_minute, per_hour) = limits.of(Purpose::Live);
        let mut turns = vec![
            self.window_turn(now, MINUTE, per_minute, all, |_| true),
            self.window_turn(now, HOUR, per_hour, all, |_| true),
        ];
        if purpose == Purpose::Backfill {
            let (per_minute, per_hour) = limits.of(Purpose::Backfill);
            let own = |purpose| purpose == Purpose::Backfill;
            turns.push(self.window_turn(now, MINUTE, per_minute, self.backfill_in_flight, own));
            turns.push(self.window_turn(now, HOUR, per_hour, self.backfill_in_flight, own));
        }
        if let Some(until) = self.paused_until.filter(|until| *until > now) {
            turns.push(Turn::NotBefore(until));
        }
        let latest = turns.iter().filter_map(|turn| match turn {
            Turn::NotBefore(then) => Some(*then),
            _ => None,
        });
        match latest.max() {
            _ if turns.contains(&Turn::AfterAnother) => Turn::AfterAnother,
            Some(then) => Turn::NotBefore(then),
            None => Turn::Now,
        }
    }

    /// When one window of the length holds fewer than `limit` requests of those that count.
    fn window_turn(
        &self,
        now: Instant,
        length: Duration,
        limit: u32,
        in_flight: usize,
        counts: impl Fn(Purpose) -> bool,
    ) -> Turn {
        let length = length + MARGIN;
        let first = self.ended.partition_point(|(ended, _)| *ended + length <= now);
        let within = self.ended.range(first..).filter(|(_, purpose)| counts(*purpose));
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let too_many = (within.clone().count() + in_flight + 1).saturating_sub(limit);
        match too_many.checked_sub(1) {
            None => Turn::Now,
            Some(last_to_leave) => match within.clone().nth(last_to_leave) {
                Some((ended, _)) => Turn::NotBefore(*ended + length),
                None => Turn::AfterAnother,
            },
        }
    }
}

/// The right to make one request.
#[derive(Debug)]
pub struct Permit {
    /// To be kept until the points of the answer are written.
    pub hand: Option<Hand>,
    /// To be dropped when the answer, or the failure, is there.
    pub request: Request,
}

/// A request in flight.
#[derive(Debug)]
pub struct Request {
    bot: Arc<Bot>,
    purpose: Purpose,
    _place: Option<OwnedSemaphorePermit>,
}

impl Drop for Request {
    fn drop(&mut self) {
        let mut usage = lock(&self.bot.usage);
        *usage.in_flight(self.purpose) -= 1;
        usage.ended(Instant::now(), self.purpose);
        drop(usage);
        self.bot.changed.notify_waiters();
    }
}

/// A panic elsewhere leaves plain counters behind, which stay usable.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
#[path = "limiter_tests.rs"]
mod tests;
