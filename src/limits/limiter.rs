//! Waits for a bot's turn: the shell around [`Usage`], which decides, and the [`Ledger`], which other processes share.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{Notify, OwnedSemaphorePermit};
use tokio::time::Instant;

use super::denial::{Denial, Turn};
use super::in_flight::{AnswerPermit, InFlight, Place};
use super::ledger::{Entry, Event, Ledger};
pub use super::usage::{Budget, Purpose};
use super::usage::{HOUR, MARGIN, Usage};
use crate::config::Limits;
use crate::domain::series::stable_hash;

/// Another process's request is known by when it began; this much later its answer is taken to have come.
const OTHERS_TRAVEL_TIME: Duration = Duration::from_secs(2);

/// When to look again at a ledger that another process has locked.
const BUSY: Duration = Duration::from_millis(5);

/// The limits of all bots, by the platform's bot id: two names for one bot share its limit.
#[derive(Debug)]
pub struct Limiter {
    limits: Mutex<Limits>,
    bots: Mutex<HashMap<u64, Arc<Bot>>>,
    ledger: Option<Mutex<Ledger>>,
}

/// One bot's requests, and the queue of those who wait to make one.
#[derive(Debug, Default)]
struct Bot {
    usage: Mutex<Usage>,
    /// By purpose.
    queues: [tokio::sync::Mutex<()>; 2],
    /// Told when a request ends or a denial changes.
    changed: Notify,
}

/// What someone wants to ask.
#[derive(Clone, Copy, Debug)]
pub struct Wish<'a> {
    /// The platform's id of the bot.
    pub bot_id: &'a str,
    /// What for.
    pub purpose: Purpose,
    /// How long after its first denial one still waits for a bot that the platform denies.
    pub patience: Duration,
}

impl Limiter {
    /// With a ledger, requests of earlier and of other processes count as well.
    pub fn new(limits: Limits, ledger: Option<Ledger>) -> Limiter {
        Limiter { limits: Mutex::new(limits), bots: Mutex::default(), ledger: ledger.map(Mutex::new) }
    }

    /// The limits in force.
    pub fn limits(&self) -> Limits {
        *self.limits.lock()
    }

    /// Puts other limits in force. What was used stays used.
    pub fn set_limits(&self, limits: Limits) {
        *self.limits.lock() = limits;
        for bot in self.bots.lock().values() {
            bot.changed.notify_waiters();
        }
    }

    /// How much of its limits a bot has used.
    pub fn usage(&self, bot_id: &str) -> Budget {
        let bot = self.bots.lock().get(&stable_hash(bot_id)).cloned();
        bot.map(|bot| bot.usage.lock().budget(Instant::now())).unwrap_or_default()
    }

    /// Counts what other processes have asked since somebody looked.
    pub fn look_at_others(&self) {
        let now = Instant::now();
        if let Some(ledger) = &self.ledger {
            // If the files are locked just now, the next one who looks sees it.
            ledger.lock().exchange(|entry| self.count_other(entry, now), || ((), None));
        }
    }

    /// Whether requests cannot be recorded.
    pub fn has_unwritten(&self) -> bool {
        self.ledger.as_ref().is_some_and(|ledger| ledger.lock().is_failing())
    }

    /// Waits for the bot's turn and for room among the requests of all bots, in the order of asking. A place is given up
    /// as soon as the bot's own limits, or another request of it, hold this one up.
    ///
    /// # Errors
    ///
    /// For how long the platform has denied the bot, and will for longer than one waits.
    pub async fn acquire(
        &self,
        wish: Wish<'_>,
        in_flight: &InFlight,
        mut place: Option<Place>,
    ) -> Result<Permit, Duration> {
        let key = stable_hash(wish.bot_id);
        let bot = self.bot(key);
        let queue = &bot.queues[wish.purpose as usize];
        let _first = match queue.try_lock() {
            Ok(first) => first,
            Err(_) => {
                drop(place.take());
                queue.lock().await
            }
        };
        loop {
            let changed = bot.changed.notified();
            let turn = self.turn(key, &bot, wish, false);
            if turn != Turn::Now {
                drop(place.take());
            }
            match turn {
                Turn::NotBefore(then) => tokio::select! {
                    () = tokio::time::sleep_until(then) => {}
                    () = changed => {}
                },
                Turn::AfterAnother => changed.await,
                Turn::InVain(lasted) => return Err(lasted),
                Turn::Now => {
                    let (answer, room) = in_flight.take().await;
                    match self.turn(key, &bot, wish, true) {
                        Turn::Now => {
                            let (bot, began) = (Arc::clone(&bot), Instant::now());
                            let request = Request { bot, key, purpose: wish.purpose, began, _room: room };
                            return Ok(Permit { answer, request });
                        }
                        // Another process has the ledger for a moment.
                        Turn::NotBefore(then) if then <= Instant::now() + BUSY => tokio::time::sleep_until(then).await,
                        _ => {}
                    }
                }
            }
        }
    }

    /// The request was denied: the bot is left alone, by other processes as well. Returns for how long, if that is a step
    /// further.
    pub fn denied(&self, request: &Request, retry_after: Option<Duration>) -> Option<Duration> {
        let now = Instant::now();
        let (is_step, left) = {
            let mut usage = request.bot.usage.lock();
            let is_step = match &mut usage.denial {
                Some(denial) => denial.again(now, request.began, retry_after),
                none => {
                    *none = Some(Denial::first(now, retry_after));
                    true
                }
            };
            (is_step, usage.budget(now).paused_for.unwrap_or_default())
        };
        if let Some(ledger) = &self.ledger {
            let entry = Some((request.key, Event::Denied(left)));
            ledger.lock().exchange(|entry| self.count_other(entry, now), || ((), entry));
        }
        request.bot.changed.notify_waiters();
        is_step.then_some(left)
    }

    /// The request was answered: the bot is not denied any more.
    pub fn answered(&self, request: &Request) {
        let mut usage = request.bot.usage.lock();
        usage.denial = usage.denial.filter(|denial| !denial.is_ended_by(request.began));
    }

    fn bot(&self, key: u64) -> Arc<Bot> {
        Arc::clone(self.bots.lock().entry(key).or_default())
    }

    /// Whether it is the bot's turn; if so and `take` is set, a request counts from now on.
    fn turn(&self, key: u64, bot: &Bot, wish: Wish<'_>, take: bool) -> Turn {
        let (now, limits) = (Instant::now(), self.limits());
        let decide = |usage: &mut Usage| {
            let turn = usage.turn(now, wish.purpose, wish.patience, &limits);
            let taken = take && turn == Turn::Now;
            if taken {
                usage.begin(wish.purpose);
            }
            (turn, taken)
        };
        // Only who takes a turn must know what other processes did.
        let Some(ledger) = self.ledger.as_ref().filter(|_| take) else { return decide(&mut bot.usage.lock()).0 };
        let mut ledger = ledger.lock();
        let turn = ledger.exchange(
            |entry| self.count_other(entry, now),
            || {
                let (turn, taken) = decide(&mut bot.usage.lock());
                (turn, taken.then_some((key, Event::Asked(wish.purpose, Duration::ZERO))))
            },
        );
        turn.unwrap_or(Turn::NotBefore(now + BUSY))
    }

    /// Counts what another process, or an earlier life of this one, did.
    fn count_other(&self, (key, event): Entry, now: Instant) {
        match event {
            Event::Denied(left) if left.is_zero() => {}
            Event::Denied(left) => {
                let bot = self.bot(key);
                bot.usage.lock().denial.get_or_insert_with(|| Denial::of_another(now, left));
            }
            Event::Asked(_, age) if age.saturating_sub(OTHERS_TRAVEL_TIME) >= HOUR + MARGIN => {}
            Event::Asked(purpose, age) => {
                // That is yet to come for one that has only begun.
                let Some(ended) = (now + OTHERS_TRAVEL_TIME).checked_sub(age) else { return };
                let bot = self.bot(key);
                let mut usage = bot.usage.lock();
                usage.forget_old(now);
                usage.ended(ended, purpose);
            }
        }
    }
}

/// The right to make one request.
#[derive(Debug)]
pub struct Permit {
    /// To be kept until the points of the answer are written.
    pub answer: Option<AnswerPermit>,
    /// To be dropped when the answer, or the failure, is there.
    pub request: Request,
}

/// A request in flight.
#[derive(Debug)]
pub struct Request {
    bot: Arc<Bot>,
    key: u64,
    purpose: Purpose,
    began: Instant,
    _room: Option<OwnedSemaphorePermit>,
}

impl Drop for Request {
    fn drop(&mut self) {
        self.bot.usage.lock().end(Instant::now(), self.purpose);
        self.bot.changed.notify_waiters();
    }
}

#[cfg(test)]
#[path = "limiter_tests.rs"]
mod tests;
