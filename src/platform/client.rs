//! Asks the platform: one series, one window of days, one channel a request.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use reqwest::header::HeaderValue;
use reqwest::{RequestBuilder, Response};
use tokio::time::Instant;

use super::answer::Answer;
use super::dates::{date, when_asked};
use super::failure::Failure;
use super::outage::Outage;
use super::reading;
use super::request::request;
use super::token;
use super::verdict::{Verdict, verdict};
use crate::config;
use crate::domain::backoff;
use crate::domain::clock::Clock;
use crate::domain::series::{Series, Window};
use crate::http::{LONGEST_ANSWER, Service, TransportError, receive, transport_error};
use crate::limits::in_flight::{AnswerPermit, InFlight, Place};
use crate::limits::limiter::{Limiter, Permit, Purpose, Wish};
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
    limiter: Arc<Limiter>,
    watch: Watch,
    clock: Clock,
    ask: Ask,
}

/// Sends a request; handed in as the clock is, so that a platform need not be behind a network.
pub type Ask = fn(RequestBuilder) -> Asked;

/// A request under way.
pub type Asked = Pin<Box<dyn Future<Output = Result<Response, reqwest::Error>> + Send>>;

/// The way over the network.
pub fn over_the_network(request: RequestBuilder) -> Asked {
    Box::pin(request.send())
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
    /// Nothing is asked yet. The limiter knows how often each bot was asked, and outlives the client.
    ///
    /// # Errors
    ///
    /// If the environment names a proxy that cannot be used, or the HTTP client cannot be set up.
    pub fn new(
        platform: config::Platform,
        limiter: Arc<Limiter>,
        watch: Watch,
        clock: Clock,
        ask: Ask,
    ) -> Result<Client, anyhow::Error> {
        let http = Service::new(&platform.url, platform.timeout)?.client(platform.concurrency)?;
        let in_flight = InFlight::new(platform.concurrency);
        Ok(Client { http, platform, in_flight, outage: Outage::new(), limiter, watch, clock, ask })
    }

    /// How many answers are asked for or not yet written.
    pub fn in_flight(&self) -> &InFlight {
        &self.in_flight
    }

    /// For how long the platform has denied this bot for being asked too often, with no answer since.
    pub fn denied_for(&self, bot_id: &str) -> Option<Duration> {
        self.limiter.usage(bot_id).denied_for
    }

    /// Asks until there is an answer, the tries are used up, or asking again cannot help. `permit` is the bot's first
    /// [turn](Client::turn), wanted since `wanted_at`: of many series most wait for theirs, in as little memory as that
    /// takes. Every attempt adds one to `requests` and carries a token of its own; the next waits for the bot's turn.
    ///
    /// # Errors
    ///
    /// The last failure, or that the program is shutting down while this waited; a request in flight is finished first.
    pub async fn fetch_from(
        &self,
        mut permit: Result<Permit, FetchError>,
        wanted_at: Instant,
        question: Question<'_>,
        requests: &mut u64,
        stop: &Stop,
    ) -> Result<Fetched, FetchError> {
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
                self.limiter.answered(&request);
            }
            let failure = match answered {
                Ok(fetched) => return Ok(Fetched { permit: room, ..fetched }),
                Err(failure) => failure,
            };
            drop(room);
            let Series { bot, channel, .. } = question.series;
            tracing::debug!(bot = &*bot.name, channel = &**channel, days = %question.window, "{failure}");
            if let Some(cause) = self.outage.cause_since(wanted_at) {
                return Err(FetchError::Failed(Failure::Away(cause)));
            }
            match verdict(&failure, question.window.days()) {
                Verdict::Throttled(delay) => {
                    // The request counts as one in flight until now, so that the next one of this bot waits.
                    if let Some(pause) = self.limiter.denied(&request, delay) {
                        tracing::info!(
                            bot = &*bot.name,
                            "rate limited by the platform; pausing for {} s",
                            pause.as_secs()
                        );
                    }
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
            permit = self.turn(question, wanted_at, None, stop).await;
        }
    }

    /// Waits for the right to ask, unless it shows that the platform is away since this was wanted. Who waits for room has
    /// a place, if one is given.
    ///
    /// # Errors
    ///
    /// Why there is none.
    pub async fn turn(
        &self,
        question: Question<'_>,
        wanted_at: Instant,
        place: Option<Place>,
        stop: &Stop,
    ) -> Result<Permit, FetchError> {
        let wish = Wish { bot_id: &question.series.bot.id, purpose: question.purpose, patience: question.patience };
        tokio::select! {
            biased;
            cause = self.outage.shows(wanted_at) => Err(FetchError::Failed(Failure::Away(cause))),
            () = stop.told() => Err(FetchError::Stopped),
            permit = self.limiter.acquire(wish, &self.in_flight, place) => {
                permit.map_err(|denied_for| FetchError::Failed(Failure::RateLimited(denied_for)))
            }
        }
    }

    /// One request, counted and watched over.
    async fn timed(&self, question: Question<'_>) -> Result<Fetched, Failure> {
        let began = Instant::now();
        let operation = self.watch.liveness.begin("a request to the platform", self.platform.timeout);
        let answered = self.attempt(question).await;
        drop(operation);
        let bot = &question.series.bot.name;
        let status = answered.as_ref().map_or_else(Failure::label, |(status, _)| status.to_string());
        self.watch.metrics.asked(bot, status, began.elapsed());
        if let Err(Failure::Refused(refusal)) = &answered
            && refusal.is_throttling()
        {
            self.watch.metrics.throttled(bot);
        }
        answered.map(|(_, fetched)| fetched)
    }

    /// One request and its answer with its status, or what came instead.
    async fn attempt(&self, question: Question<'_>) -> Result<(u16, Fetched), Failure> {
        let Question { series, window, .. } = question;
        let asked_at = (self.clock)();
        let token = token::mint(&series.bot, asked_at).map_err(Failure::NoToken)?;
        let mut header = HeaderValue::from_str(&token).map_err(|error| Failure::NoToken(error.to_string()))?;
        header.set_sensitive(true);
        let request = request(&self.http, &self.platform, series, window).header("auth", header);
        let began = Instant::now();
        let reply = match (self.ask)(request).await {
            Ok(response) => receive(response).await.map_err(|error| self.failed(error, series, true)),
            Err(error) => {
                let is_connected = !error.is_connect();
                Err(self.failed(transport_error(error), series, is_connected))
            }
        }?;
        self.outage.answered();
        // While the machine sleeps, only the clock goes on.
        let by_the_clock = (self.clock)().duration_since(asked_at);
        let took = began.elapsed().max(by_the_clock.try_into().unwrap_or_default());
        let platform_time = date(&reply.headers).map(|date| when_asked(date, took, asked_at));
        let asked = reading::Asked { window, interval: series.interval, token: &token, at: asked_at };
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
