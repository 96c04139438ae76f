//! The platform: what it answers, how it fails, and how it counts requests.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::http::{Response, header};
use bytes::Bytes;
use http_body::{Body as HttpBody, Frame};
use jiff::civil::Date;
use kore_trend_exporter::database::influxdb::gzip;
use kore_trend_exporter::domain::series::{Interval, Window, day_after};
use kore_trend_exporter::platform::client::Asked;
use reqwest::{Body, RequestBuilder};
use support::platform::answer;
use support::platform::habits::{Habits, Limits};

use crate::history::{Setup, Trouble};
use crate::process;
use crate::time;
use crate::truth::{self, Bucket};
use crate::world::{Arrival, Process, World, current, lock};

/// The time that a request may take.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(30);

/// A request is under way for at most this long, in milliseconds, before the platform counts it.
const LONGEST_WAY: u64 = 1500;

pub(crate) fn ask_for_daemon(request: RequestBuilder) -> Asked {
    ask(Process::Daemon, request)
}

pub(crate) fn ask_for_backfill(request: RequestBuilder) -> Asked {
    ask(Process::Backfill, request)
}

/// The longest pause that the exporter makes after a denial, in seconds.
const LONGEST_PAUSE: i64 = 15 * 60;

/// The days after which figures are forgotten: more than the exporter takes for old, for it asks before midnight and is
/// answered after it.
const FORGOTTEN_AFTER: i64 = 31;

/// What the platform of this life does besides what is documented. Its limits are the most that the exporter is ever
/// configured with.
pub(crate) fn habits(setup: &Setup) -> Habits {
    let most = process::limits(setup, true);
    let [per_minute, per_hour] = [most.per_minute, most.per_hour].map(|limit| usize::try_from(limit).unwrap());
    let limits = Limits { per_minute, per_hour, says_when: setup.says_when };
    let forgets_after = setup.forgets.then_some(FORGOTTEN_AFTER);
    Habits {
        limits: Some(limits),
        forgets_after,
        excludes_end: setup.excludes_end,
        compresses: setup.compresses,
        insists_on_length: setup.insists_on_length,
        ..Habits::default()
    }
}

/// What comes back.
enum Reply {
    Answer { status: u16, headers: Vec<(header::HeaderName, String)>, body: String, cut_off: bool },
    HangUp,
}

fn ask(process: Process, request: RequestBuilder) -> Asked {
    let world = current();
    Box::pin(async move {
        let request = request.build()?;
        let way = {
            let mut world = lock(&world);
            world.on_their_way += 1;
            world.dice.u64(1..LONGEST_WAY)
        };
        tokio::time::sleep(Duration::from_millis(way)).await;
        let (after, reply) = lock(&world).arrive(process, &request);
        let compresses = lock(&world).habits.compresses;
        // An answer bears the time at which it is made, however long it is under way.
        let made = time::true_now();
        let left = TIMEOUT - Duration::from_millis(way);
        tokio::time::sleep(after.min(left)).await;
        lock(&world).event();
        if after >= left {
            return Err(error(std::io::ErrorKind::TimedOut).await);
        }
        match reply {
            Reply::HangUp => Err(error(std::io::ErrorKind::ConnectionReset).await),
            Reply::Answer { status, headers, body, cut_off } => {
                let mut response = Response::builder().status(status);
                let made = made.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
                for (name, value) in headers.into_iter().chain([(header::DATE, made)]) {
                    response = response.header(name, value);
                }
                let mut body = Bytes::from(body);
                if compresses {
                    response = response.header(header::CONTENT_ENCODING, "gzip");
                    body = gzip::Packer::default().pack(std::iter::once(body.to_vec())).unwrap();
                }
                let body = match cut_off {
                    true => Body::wrap(Broken(Some(body.slice(..body.len() / 2)), std::io::ErrorKind::Other)),
                    false => Body::from(body),
                };
                Ok(response.body(body).unwrap().into())
            }
        }
    })
}

/// An error as the HTTP client would return it: it cannot be made in another way than by having one.
async fn error(kind: std::io::ErrorKind) -> reqwest::Error {
    let broken: reqwest::Response = Response::new(Body::wrap(Broken(None, kind))).into();
    broken.bytes().await.unwrap_err()
}

/// A body that ends in an error.
struct Broken(Option<Bytes>, std::io::ErrorKind);

impl HttpBody for Broken {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
        Poll::Ready(Some(match self.0.take() {
            Some(bytes) => Ok(Frame::data(bytes)),
            None => Err(self.1.into()),
        }))
    }
}

impl World {
    /// A request has arrived: the platform counts it, and answers by what is so now.
    fn arrive(&mut self, process: Process, request: &reqwest::Request) -> (Duration, Reply) {
        self.on_their_way -= 1;
        self.event();
        self.counts.requests += 1;
        let path: Vec<&str> = request.url().path_segments().unwrap().collect();
        let query = |name: &str| {
            let found = request.url().query_pairs().find(|(key, _)| key == name);
            found.map(|(_, value)| value.into_owned())
        };
        let bot = self.bots.iter().position(|bot| *bot.id == *path[3]).unwrap();
        let channel = query("channels").unwrap_or_else(|| "all".to_owned());
        let interval = match query("aggregation_type").unwrap().as_str() {
            "Hourly" | "hourly" => Interval::Hourly,
            _ => Interval::Daily,
        };
        let date = |name: &str| -> Date { query(name).unwrap().parse().unwrap() };
        let window = Window { first: date("start_date"), last: date("end_date") };
        let is_it = |known: &&crate::world::Known| {
            let series = &known.series;
            *series.bot.id == *path[3] && *series.channel == *channel && series.interval == interval
        };
        let number = self.series.iter().position(|known| is_it(&known)).unwrap();
        self.count(bot, process);
        self.check_watermarks();
        let token = request.headers()["auth"].to_str().unwrap();
        let at = time::true_milliseconds();
        if self.habits.insists_on_length && !request.headers().contains_key(header::CONTENT_LENGTH) {
            self.breaks("every request says how long it is", format!("series {number} for {window}"));
        }
        let reply = match self.desk.admit(&self.habits, path[3], at) {
            Ok(()) => self.reply(number, window, token),
            Err(denied) => {
                self.is_denied(bot);
                let headers = denied.retry_after.map(|seconds| (header::RETRY_AFTER, seconds.to_string()));
                let body = "{\"errors\":[{\"msg\":\"API rate limit exceeded\",\"code\":429}]}".to_owned();
                let headers = headers.into_iter().collect();
                (Duration::from_millis(100), Reply::Answer { status: 429, headers, body, cut_off: false })
            }
        };
        self.note(|| format!("{process:?} asks series {number} for {window}: {}", reply.1.words()));
        reply
    }

    /// Nothing of a bot can be expected while it is denied, and for as long as the exporter then leaves it alone.
    pub(crate) fn is_denied(&mut self, bot: usize) {
        let now = time::true_milliseconds();
        let until = self.desk.denied_until(&self.bots[bot].id, now).unwrap_or(now + 60_000);
        self.denied_until[bot] = self.denied_until[bot].max(until / 1000 + LONGEST_PAUSE);
        self.set_healthy(|_| true);
    }

    fn count(&mut self, bot: usize, process: Process) {
        let arrival = Arrival { at: time::true_milliseconds(), by: process };
        self.arrivals.entry(bot).or_default().push_back(arrival);
        self.check_limits(bot, arrival);
    }

    fn reply(&mut self, number: usize, window: Window, token: &str) -> (Duration, Reply) {
        let quick = Duration::from_millis(self.dice.u64(20..800));
        let refused = |status: u16, message: &str| Reply::Answer {
            status,
            headers: Vec::new(),
            body: format!("{{\"errors\":[{{\"msg\":\"{message}\",\"code\":{status}}}]}}"),
            cut_off: false,
        };
        if self.setup.checks_tokens {
            let claims = kore_trend_exporter::demo::tokens::claims(&self.series[number].series.bot.key, token).unwrap();
            if !(1..=3600).contains(&(claims.exp - time::true_seconds())) {
                return (quick, refused(401, "error verifying the jwt"));
            }
        }
        let (trouble, chance) = (self.series[number].trouble, self.series[number].chance);
        let trouble = if self.happens(chance) { trouble } else { Trouble::None };
        // It counts the days that it would answer.
        let days = self.habits.answered(window).map_or(0, |window| i64::from(window.days()));
        let answer = || Reply::Answer {
            status: 200,
            headers: Vec::new(),
            body: self.answer(number, window),
            cut_off: trouble == Trouble::CutOff,
        };
        match trouble {
            Trouble::Status(status) => (quick, refused(status, "no")),
            Trouble::Foreign => {
                let long_ago = |day| day_after(day, -400);
                let body = self.answer(number, Window { first: long_ago(window.first), last: long_ago(window.last) });
                (quick, Reply::Answer { status: 200, headers: Vec::new(), body, cut_off: false })
            }
            Trouble::TooLong(most) if days > most => (quick, refused(413, "too long")),
            Trouble::Slow(most) if days > most => (quick, refused(504, "too slow")),
            Trouble::HangUp => (quick, Reply::HangUp),
            Trouble::Silent => (TIMEOUT, Reply::HangUp),
            Trouble::Malformed => {
                let body = "{\"results\":[{\"date\":\"Aug 06 2026\",\"24 - 25\":1}]}".to_owned();
                (quick, Reply::Answer { status: 200, headers: Vec::new(), body, cut_off: false })
            }
            Trouble::PoisonedDay(day) if truth::days(window.first, window.last).any(|date| date.day() == day) => (
                quick,
                Reply::Answer { status: 200, headers: Vec::new(), body: "{\"results\":7}".to_owned(), cut_off: false },
            ),
            Trouble::Late(seconds) => (Duration::from_secs(seconds), answer()),
            _ => (quick, answer()),
        }
    }

    /// What stands now for these days, as the documentation says it is written.
    fn answer(&self, number: usize, window: Window) -> String {
        let Some(window) = self.habits.answered(window) else { return "{\"results\":[]}".to_owned() };
        let known = &self.series[number];
        let now = time::true_seconds();
        let today = truth::local_date(known.zone, time::true_now());
        // Nobody asks for more than the clock's error and some months.
        let users = |date: Date, hour: Option<i8>| {
            let bucket = Bucket { day: date, hour: hour.map(|hour| usize::try_from(hour).unwrap()) };
            let span = truth::day(known.zone, date).span(bucket.hour);
            if self.habits.has_forgotten(date, today) {
                return Some(0);
            }
            let revision = span.and_then(|span| known.figures.revision(bucket, span, now));
            revision.map(|revision| known.figures.users(bucket, revision))
        };
        let interval = known.series.interval;
        if self.setup.v2 {
            let parts = |users: i64| [0, 1, 2].map(|part| users + part_of(part));
            answer::v2(window, interval, |date, hour| {
                let is_forgotten = self.habits.has_forgotten(date, today);
                Some(if is_forgotten { [0; 3] } else { parts(users(date, hour).unwrap_or(0)) })
            })
        } else {
            answer::v1(window, interval, users)
        }
    }
}

/// So that the fields of one point are told apart; zero users are new and returning users of their own kind.
pub(crate) fn part_of(part: usize) -> i64 {
    [0, 1_000_000, 2_000_000][part]
}

impl Reply {
    fn words(&self) -> String {
        match self {
            Reply::HangUp => "hangs up, or says nothing".to_owned(),
            Reply::Answer { status, headers, body, cut_off } => {
                let broken = if *cut_off { ", cut off" } else { "" };
                format!("{status}{broken}, {} bytes {headers:?}", body.len())
            }
        }
    }
}
