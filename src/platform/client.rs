//! Asks the platform: one series, one window of days, one channel a request.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use reqwest::header::HeaderValue;
use tokio::time::Instant;

use super::answer::Answer;
use super::ask::Ask;
use super::dates::{date, when_asked};
use super::failure::Failure;
use super::outage::Outage;
use super::reading::{self, Asked};
use super::request::request;
use super::token;
use super::verdict::{Verdict, verdict};
use crate::config;
use crate::domain::backoff;
use crate::domain::clock::Clock;
use crate::domain::series::{Series, Window};
use crate::http::{LONGEST_ANSWER, Service, TransportError, receive, transport_error};
use crate::limits::in_flight::{AnswerPermit, InFlight, Place};
use crate::limits::limiter::{Limiter, NotAsked, Permit, Purpose, Request, Wish};
use crate::observe::metrics::Watch;
use crate::shutdown::{Stop, Stopped};

/// How long after its first denial a tick, or a backfill, waits for a bot that the platform denies.
pub fn patience(purpose: Purpose) -> Duration {
    match purpose {
        Purpose::Live => Duration::from_secs(10 * 60),
        Purpose::Backfill => Duration::from_secs(2 * 3600),
    }
}

/// The platform, and the right to ask it.
#[derive(Debug)]
pub struct Client {
    http: reqwest::Client,
    platform: config::Platform,
    in_flight: InFlight,
    outage: Outage,
    lasting: Lasting,
}

/// What a client works with and leaves behind for the next one, when the configuration is read again.
#[derive(Clone, Debug)]
pub struct Lasting {
    /// How often each bot may be asked, and was.
    pub limiter: Arc<Limiter>,
    /// Counts requests and watches over them.
    pub watch: Watch,
    /// Tells the time.
    pub clock: Clock,
    /// The way to the platform.
    pub ask: Ask,
}

/// What is asked.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// Whose figures.
    pub series: &'a Series,
    /// Which days.
    pub window: Window,
    /// Which limits apply.
    pub purpose: Purpose,
    /// Attempts, at least one.
    pub tries: usize,
    /// How long after its first denial to wait for a bot that the platform denies.
    pub patience: Duration,
}

/// An answer, and what is needed to place it in time.
#[derive(Debug)]
pub struct Fetched {
    /// What the platform holds.
    pub answer: Answer,
    /// When it was asked, by this machine's clock.
    pub asked_at: Timestamp,
    /// When it was asked, by its own clock, if it says so.
    pub platform_time: Option<Timestamp>,
    /// To be kept until the points are written.
    pub permit: Option<AnswerPermit>,
}

/// The right to ask, or why there is none.
#[derive(Debug)]
pub struct Turn {
    /// Since when somebody wants to ask.
    wanted_at: Instant,
    permit: Result<Permit, FetchError>,
}

/// Why there is no answer.
#[derive(Debug)]
pub enum FetchError {
    /// The program is shutting down.
    Stopped,
    /// The platform failed, for good or for a range this long.
    Failed(Failure),
}

impl From<Stopped> for FetchError {
    fn from(_: Stopped) -> Self {
        FetchError::Stopped
    }
}

impl Client {
    /// Nothing is asked yet.
    ///
    /// # Errors
    ///
    /// If the environment names a proxy that cannot be used, or the HTTP client cannot be set up.
    pub fn new(platform: config::Platform, lasting: Lasting) -> Result<Client, anyhow::Error> {
        let http = Service::new(&platform.url, platform.timeout)?.client(platform.concurrency)?;
        let in_flight = InFlight::new(platform.concurrency);
        Ok(Client { http, platform, in_flight, outage: Outage::new(), lasting })
    }

    /// How many answers are asked for or not yet written.
    pub fn in_flight(&self) -> &InFlight {
        &self.in_flight
    }

    /// For how long the platform has denied this bot for being asked too often, with no answer since.
    pub fn denied_for(&self, bot_id: &str) -> Option<Duration> {
        self.lasting.limiter.usage(bot_id).denied_for
    }

    /// Asks until there is an answer, the tries are used up, or asking again cannot help. Every attempt adds one to
    /// `requests`, waits for the bot's turn and carries a token of its own.
    ///
    /// # Errors
    ///
    /// The last failure, or that the program is shutting down while this waited; a request in flight is finished first.
    pub async fn fetch(&self, question: Question<'_>, requests: &mut u64, stop: &Stop) -> Result<Fetched, FetchError> {
        let turn = self.turn(question, Instant::now(), None, stop).await;
        self.fetch_from(turn, question, requests, stop).await
    }

    /// The same from the bot's first turn on: of many series most wait for theirs, in as little memory as that takes.
    ///
    /// # Errors
    ///
    /// As for [`Client::fetch`].
    pub async fn fetch_from(
        &self,
        first: Turn,
        question: Question<'_>,
        requests: &mut u64,
        stop: &Stop,
    ) -> Result<Fetched, FetchError> {
        let Turn { wanted_at, mut permit } = first;
        let mut pauses = backoff::pauses(question.tries);
        let mut refused = None;
        loop {
            let Permit { answer: room, request } = match permit {
                Ok(permit) => permit,
                Err(FetchError::Failed(Failure::RateLimited(lasted))) => {
                    return Err(FetchError::Failed(refused.unwrap_or(Failure::RateLimited(lasted))));
                }
                Err(error) => return Err(error),
            };
            *requests += 1;
            let answered = self.timed(question).await;
            if answered.as_ref().err().is_none_or(Failure::is_malformed) {
                self.lasting.limiter.answered(&request);
            }
            let failure = match answered {
                Ok(fetched) => return Ok(Fetched { permit: room, ..fetched }),
                Err(failure) => failure,
            };
            drop(room);
            let Series { bot, channel, .. } = question.series;
            tracing::debug!(bot = bot.name, channel, days = %question.window, "{failure}");
            if let Some(cause) = self.outage.cause_since(wanted_at) {
                return Err(FetchError::Failed(Failure::Away(cause)));
            }
            match verdict(&failure, question.window.days()) {
                Verdict::Throttled(delay) => {
                    self.denied(&bot.name, &request, delay);
                    drop(request);
                    refused = Some(failure);
                }
                Verdict::Retry(least) => {
                    drop(request);
                    match pauses.next() {
                        Some(pause) => stop.or(tokio::time::sleep(pause.max(least))).await?,
                        None => return Err(FetchError::Failed(failure)),
                    }
                }
                Verdict::Narrow | Verdict::GiveUp => return Err(FetchError::Failed(failure)),
            }
            permit = self.turn(question, wanted_at, None, stop).await.permit;
        }
    }

    /// Waits for the right to ask, unless it shows that the platform is away since this was wanted. Who waits for room has
    /// a place, if one is given.
    pub async fn turn(&self, question: Question<'_>, wanted_at: Instant, place: Option<Place>, stop: &Stop) -> Turn {
        let wish = Wish { bot_id: &question.series.bot.id, purpose: question.purpose, patience: question.patience };
        let permit = tokio::select! {
            biased;
            cause = self.outage.shows(wanted_at) => Err(FetchError::Failed(Failure::Away(cause))),
            turn = self.lasting.limiter.acquire(wish, &self.in_flight, place, stop) => turn.map_err(|denied| match denied {
                NotAsked::Stopped => FetchError::Stopped,
                NotAsked::Denied(lasted) => FetchError::Failed(Failure::RateLimited(lasted)),
            })
        };
        Turn { wanted_at, permit }
    }

    /// The bot is left alone. The request counts as one in flight until now, so that the next one of this bot waits.
    fn denied(&self, bot: &str, request: &Request, retry_after: Option<Duration>) {
        if let Some(pause) = self.lasting.limiter.denied(request, retry_after) {
            tracing::info!(bot, "rate limited by the platform; pausing for {} s", pause.as_secs());
        }
    }

    /// One request, counted and watched over.
    async fn timed(&self, question: Question<'_>) -> Result<Fetched, Failure> {
        let began = Instant::now();
        let operation = self.lasting.watch.liveness.begin("a request to the platform", self.platform.timeout);
        let answered = self.attempt(question).await;
        drop(operation);
        let bot = &question.series.bot.name;
        let status = answered.as_ref().map_or_else(Failure::label, |(status, _)| status.to_string());
        self.lasting.watch.metrics.asked(bot, status, began.elapsed());
        if let Err(Failure::Refused(refusal)) = &answered
            && refusal.is_throttling()
        {
            self.lasting.watch.metrics.throttled(bot);
        }
        answered.map(|(_, fetched)| fetched)
    }

    /// One request and its answer with its status, or what came instead.
    async fn attempt(&self, question: Question<'_>) -> Result<(u16, Fetched), Failure> {
        let Question { series, window, .. } = question;
        let asked_at = (self.lasting.clock)();
        let token = token::mint(&series.bot, asked_at).map_err(Failure::NoToken)?;
        let mut header = HeaderValue::from_str(&token).map_err(|error| Failure::NoToken(error.to_string()))?;
        header.set_sensitive(true);
        let request = request(&self.http, &self.platform, series, window).header("auth", header);
        let began = Instant::now();
        let reply = match (self.lasting.ask)(request).await {
            Ok(response) => receive(response).await.map_err(|error| self.failed(error, series, true)),
            Err(error) => {
                let is_connected = !error.is_connect();
                Err(self.failed(transport_error(error), series, is_connected))
            }
        }?;
        self.outage.answered();
        // While the machine sleeps, only the clock goes on.
        let by_the_clock = (self.lasting.clock)().duration_since(asked_at);
        let took = began.elapsed().max(by_the_clock.try_into().unwrap_or_default());
        let platform_time = date(&reply.headers).map(|date| when_asked(date, took, asked_at));
        let asked = Asked { window, interval: series.interval, token: &token, at: asked_at };
        let answer = reading::read(&self.platform, &reply, &asked)?;
        Ok((reply.status, Fetched { answer, asked_at, platform_time, permit: None }))
    }

    fn failed(&self, error: TransportError, series: &Series, is_connected: bool) -> Failure {
        let failure = match error {
            TransportError::TimedOut => Failure::TimedOut(self.platform.timeout),
            TransportError::Unreachable(words) => Failure::Unreachable(words),
            TransportError::TooLarge => Failure::TooLarge(LONGEST_ANSWER),
            TransportError::Encoded(problem) => Failure::Shape(problem),
        };
        if !is_connected || matches!(failure, Failure::TimedOut(_)) {
            self.outage.failed(series.key(), &failure, Instant::now());
        }
        failure
    }
}
