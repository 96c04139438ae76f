//! Asks the platform: one series, one window of days, one channel a request.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use reqwest::Url;
use reqwest::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use serde_json::json;
use tokio::time::Instant;

use super::answer::{Answer, parse_v1, parse_v2};
use super::ask::Ask;
use super::dates::{date, when_asked};
use super::failure::{Failure, Refusal};
use super::limits::limiter::{Limiter, Purpose};
use super::limits::places::{Hand, Places};
use super::verdict::{Verdict, least_pause, verdict};
use crate::config::{self, Api, Send};
use crate::domain::backoff;
use crate::domain::clock::Clock;
use crate::domain::series::{ALL_CHANNELS, Interval, Series, Window};
use crate::http::{LONGEST_ANSWER, Reply, Service, SetupError, TransportError, receive, transport_error};
use crate::observe::metrics::Watch;
use crate::observe::redact;
use crate::platform::limits::uptime::ReadUptime;
use crate::shutdown::{Stop, Stopped};

/// How long a request to the platform waits in all for a bot that was asked too often, before it counts as failed.
pub const PATIENCE: Duration = Duration::from_secs(2 * 3600);

/// The platform, and the right to ask it.
#[derive(Debug)]
pub struct Client {
    http: reqwest::Client,
    platform: config::Platform,
    places: Places,
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
    /// Tells how long the machine has been up.
    pub uptime: ReadUptime,
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
    /// How long to wait in all where the platform says that the bot was asked too often.
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
    pub hand: Option<Hand>,
}

/// A success as it came.
struct Received {
    status: u16,
    body: Vec<u8>,
    /// What it was asked with, so that an echo of it is known.
    token: String,
    asked_at: Timestamp,
    platform_time: Option<Timestamp>,
}

/// Why there is no answer.
#[derive(Debug)]
pub enum FetchError {
    /// The program is told to end.
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
    /// # Errors
    ///
    /// If the environment names a proxy that cannot be used, or the HTTP client cannot be set up.
    pub fn new(platform: config::Platform, lasting: Lasting) -> Result<Client, SetupError> {
        let http = Service::new(&platform.url, platform.timeout)?.client(platform.concurrency)?;
        let places = Places::new(platform.concurrency);
        Ok(Client { http, platform, places, lasting })
    }

    /// How many answers are asked for or not yet written.
    pub fn places(&self) -> &Places {
        &self.places
    }

    /// Asks until there is an answer, the tries are used up, or asking again cannot help. Every attempt adds one to
    /// `requests`, waits for the bot's turn and carries a token of its own.
    ///
    /// # Errors
    ///
    /// The last failure, or that the program is told to end while it waited; a request in hand is finished first.
    pub async fn fetch(&self, question: Question<'_>, requests: &mut u64, stop: &Stop) -> Result<Fetched, FetchError> {
        let bot = &question.series.bot;
        let mut pauses = backoff::pauses(question.tries);
        let (mut throttled, mut waited) = (0, Duration::ZERO);
        loop {
            let permit = self.lasting.limiter.acquire(&bot.id, question.purpose, &self.places, stop).await?;
            *requests += 1;
            let mut request = Some(permit.request);
            // On the heap, for of many series only a few make a request while the others wait.
            let answered = match Box::pin(self.timed(question)).await {
                Ok(received) => {
                    // The place of this request is free; let the next one go out before this answer is read.
                    request = None;
                    tokio::task::yield_now().await;
                    self.read(received, question.series.interval)
                }
                Err(failure) => Err(failure),
            };
            let failure = match answered {
                Ok(fetched) => return Ok(Fetched { hand: permit.hand, ..fetched }),
                Err(failure) => failure,
            };
            drop(permit.hand);
            tracing::debug!(bot = bot.name, channel = question.series.channel, days = %question.window, "{failure}");
            let pause = match verdict(&failure, question.window.days()) {
                Verdict::Throttled(delay) if waited < question.patience => {
                    throttled += 1;
                    let delay = delay.map(|delay| delay.max(least_pause(throttled)));
                    waited += delay.unwrap_or(Duration::from_secs(60));
                    // Said when it begins, and ever less often while it lasts.
                    if throttled.is_power_of_two() {
                        let wait = delay
                            .map_or_else(|| "until its minute has passed".to_owned(), |delay| format!("{delay:?}"));
                        tracing::info!(
                            bot = bot.name,
                            "the platform says that this bot is asked too often: pausing it, {wait}"
                        );
                    }
                    self.lasting.limiter.pause(&bot.id, delay);
                    // Only now, for the next request of this bot must see the pause.
                    drop(request);
                    continue;
                }
                Verdict::Retry(least) => pauses.next().map(|pause| pause.max(least)),
                Verdict::Throttled(_) | Verdict::Narrow | Verdict::GiveUp => None,
            };
            drop(request);
            match pause {
                Some(pause) => stop.or(tokio::time::sleep(pause)).await?,
                None => return Err(FetchError::Failed(failure)),
            }
        }
    }

    /// One request, counted and watched over.
    async fn timed(&self, question: Question<'_>) -> Result<Received, Failure> {
        let began = Instant::now();
        let operation = self.lasting.watch.liveness.begin("a request to the platform", self.platform.timeout);
        let answered = self.attempt(question).await;
        drop(operation);
        let bot = &question.series.bot.name;
        let status = answered.as_ref().map_or_else(Failure::label, |received| received.status.to_string());
        self.lasting.watch.metrics.asked(bot, status, began.elapsed());
        if let Err(Failure::Refused(refusal)) = &answered
            && refusal.is_throttling()
        {
            self.lasting.watch.metrics.throttled(bot);
        }
        answered
    }

    /// One request and its answer, or what came instead.
    async fn attempt(&self, question: Question<'_>) -> Result<Received, Failure> {
        let asked_at = (self.lasting.clock)();
        let bot = &question.series.bot;
        let token = bot.key.mint(&bot.client_id, asked_at).map_err(|error| Failure::NoToken(error.to_string()))?;
        let mut header = HeaderValue::from_str(&token).map_err(|error| Failure::NoToken(error.to_string()))?;
        header.set_sensitive(true);
        let request = self.request(question).header("auth", header).header(CONTENT_TYPE, "application/json");
        let (began, up_for) = (Instant::now(), (self.lasting.uptime)());
        let response = (self.lasting.ask)(request).await.map_err(|error| self.failed(transport_error(error)))?;
        // While the machine sleeps, only its uptime goes on.
        let slept_or_not = up_for.and_then(|before| Some((self.lasting.uptime)()?.time.saturating_sub(before.time)));
        let took = began.elapsed().max(slept_or_not.unwrap_or_default());
        let platform_time = date(response.headers()).map(|date| when_asked(date, took, asked_at));
        let reply = receive(response).await.map_err(|error| self.failed(error))?;
        if !reply.is_success() {
            return Err(Failure::Refused(self.refusal(&reply, asked_at, &token)));
        }
        Ok(Received { status: reply.status, body: reply.body, token, asked_at, platform_time })
    }

    fn read(&self, received: Received, interval: Interval) -> Result<Fetched, Failure> {
        let Received { status, body, token, asked_at, platform_time } = received;
        let parsed = match self.platform.api {
            Api::V1(_) => parse_v1(&body, interval),
            Api::V2 => parse_v2(&body, interval),
        };
        let answer = parsed.map_err(|problem| match errors_in(&body) {
            // A success that speaks of errors is none.
            Some(words) => {
                let message = redact::shown(&words, &token);
                let clock_ahead = platform_time.map(|platform| asked_at.as_second() - platform.as_second());
                Failure::Refused(Refusal { status, message, retry_after: None, clock_ahead })
            }
            None => Failure::Shape(redact::shown(&problem, &token)),
        })?;
        Ok(Fetched { answer, asked_at, platform_time, hand: None })
    }

    /// The request without its token.
    fn request(&self, question: Question<'_>) -> reqwest::RequestBuilder {
        let Question { series, window, .. } = question;
        let (first, last) = (window.first.to_string(), window.last.to_string());
        let channel = (series.channel != ALL_CHANNELS).then_some(series.channel.as_str());
        match self.platform.api {
            Api::V1(send) => {
                let aggregation = match series.interval {
                    Interval::Hourly => "Hourly",
                    Interval::Daily => "Daily",
                };
                let mut request = self.http.post(self.url(&series.bot.id, &["userEngagementTrend"]));
                if send != Send::Body {
                    request = request
                        .query(&[("aggregation_type", aggregation), ("start_date", &first), ("end_date", &last)])
                        .query(&channel.map(|channel| [("channels", channel)]));
                }
                if send != Send::Query {
                    let mut filters = json!({"aggregation_type": aggregation, "start_date": first, "end_date": last});
                    if let Some(channel) = channel {
                        filters["channel"] = channel.into();
                    }
                    request = request.json(&json!({ "filters": filters }));
                }
                request
            }
            Api::V2 => {
                let zone = series.bot.time_zone.iana_name().unwrap_or("UTC");
                let (aggregation, url) =
                    (series.interval.name(), self.url(&series.bot.id, &["v2", "userEngagementTrend"]));
                self.http
                    .post(url)
                    .query(&[("aggregation_type", aggregation), ("start_date", &first), ("end_date", &last)])
                    .query(&channel.map(|channel| [("channels", channel)]))
                    .query(&[("timeZoneOffset", zone)])
            }
        }
    }

    fn url(&self, bot_id: &str, endpoint: &[&str]) -> Url {
        let mut url = self.platform.url.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(["api", "public", "bot", bot_id]).extend(endpoint);
        }
        url
    }

    fn refusal(&self, reply: &Reply, now: Timestamp, token: &str) -> Refusal {
        let platform_time = date(&reply.headers);
        // A date to wait for is one of the platform's clock, from which this one may differ.
        let retry_after =
            reply.header(RETRY_AFTER).and_then(|header| backoff::retry_after(header, platform_time.unwrap_or(now)));
        let clock_ahead = platform_time.map(|platform| now.as_second() - platform.as_second());
        let words = errors_in(&reply.body).unwrap_or_else(|| String::from_utf8_lossy(&reply.body).into_owned());
        Refusal { status: reply.status, message: redact::shown(&words, token), retry_after, clock_ahead }
    }

    fn failed(&self, error: TransportError) -> Failure {
        match error {
            TransportError::TimedOut => Failure::TimedOut(self.platform.timeout),
            TransportError::Unreachable(words) => Failure::Unreachable(words),
            TransportError::TooLarge => Failure::TooLarge(LONGEST_ANSWER),
            TransportError::Encoded(problem) => Failure::Shape(problem),
        }
    }
}

/// The words of `{"errors":[{"msg":"…","code":4002}]}`, whatever type the code has.
fn errors_in(body: &[u8]) -> Option<String> {
    let body: serde_json::Value = serde_json::from_slice(body).ok()?;
    let errors = body.get("errors")?.as_array()?;
    let words = errors.iter().filter_map(|error| {
        let message = error.get("msg").or_else(|| error.get("message"))?.as_str()?;
        let code =
            error.get("code").map(|code| format!(" (code {})", code.as_str().map_or(code.to_string(), str::to_owned)));
        Some(format!("{message}{}", code.unwrap_or_default()))
    });
    let words: Vec<String> = words.collect();
    (!words.is_empty()).then(|| words.join(", "))
}
