//! The simulated platform with a say for the test: it records every request, has the habits of real platforms as switches,
//! and a script may answer in its place.

pub mod answer;
pub mod habits;

use std::collections::BTreeMap;
use std::net::SocketAddrV4;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::extract::Request;
use axum::http::Uri;
use axum::http::header::DATE;
use axum::middleware::{self, Next};
use axum::response::Response;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use kore_trend_exporter::config::{Config, Environment, Source, load};
use kore_trend_exporter::demo::{Behaviour, Platform, figures};
use kore_trend_exporter::domain::series::{Interval, Window, day_after};
use serde_json::Value;

use self::habits::{Desk, Habits};
use super::server::{ANY_PORT, Reply, Server};
use super::tls::Front;
use super::workspace::{Template, Workspace};

/// One request to the platform.
#[derive(Clone, Debug)]
pub struct Asked {
    pub at: Instant,
    pub method: String,
    pub path: String,
    pub query: BTreeMap<String, String>,
    /// By lower-case name; `auth` holds the token.
    pub headers: BTreeMap<String, String>,
    pub body: String,
}

impl Asked {
    /// The id of the bot in the path.
    pub fn bot_id(&self) -> &str {
        self.path.split('/').nth(4).unwrap_or_default()
    }

    /// The channel, or `all`.
    pub fn channel(&self) -> &str {
        self.query.get("channels").map_or("all", String::as_str)
    }

    /// The days asked for, if the query says.
    pub fn window(&self) -> Option<Window> {
        let day = |name| self.query.get(name)?.parse::<Date>().ok();
        Some(Window { first: day("start_date")?, last: day("end_date")? })
    }

    /// Whether days or hours are asked for.
    pub fn interval(&self) -> Interval {
        match self.query.get("aggregation_type") {
            Some(name) if name.eq_ignore_ascii_case("daily") => Interval::Daily,
            _ => Interval::Hourly,
        }
    }

    /// Whether this day is among those asked for.
    pub fn asks_for(&self, day: Date) -> bool {
        self.window().is_some_and(|window| window.contains(day))
    }
}

impl Asked {
    /// The same for other days.
    fn ask_for(&mut self, window: Window) {
        self.query.insert("start_date".to_owned(), window.first.to_string());
        self.query.insert("end_date".to_owned(), window.last.to_string());
    }

    fn uri(&self) -> Uri {
        let encoded = self.query.iter().map(|(name, value)| format!("{name}={}", value.replace('/', "%2F")));
        format!("{}?{}", self.path, encoded.collect::<Vec<_>>().join("&")).parse().unwrap()
    }
}

/// The platform, on a loopback port and a thread of its own; stops when dropped.
pub struct SimulatedPlatform {
    server: Server,
    asked: Arc<Mutex<Vec<Asked>>>,
    flight: Arc<Mutex<Flight>>,
    habits: Arc<Mutex<Habits>>,
}

/// What an answer is made by: from a request, and its number over all bots.
type Answers<T> = Arc<dyn Fn(&Asked, usize) -> T + Send + Sync>;

/// What a platform is to be like.
#[derive(Clone)]
pub struct Options {
    bots: String,
    address: SocketAddrV4,
    clock: fn() -> Timestamp,
    latency: Duration,
    certificates: Option<PathBuf>,
    habits: Habits,
    figures: Option<Answers<String>>,
    script: Answers<Option<Reply>>,
}

impl Options {
    /// Knows the bots of these sections of a configuration, and answers with their final figures.
    pub fn new(bots: &str) -> Options {
        Options {
            bots: bots.to_owned(),
            address: ANY_PORT,
            clock: Timestamp::now,
            latency: Duration::ZERO,
            certificates: None,
            habits: Habits::default(),
            figures: None,
            script: Arc::new(|_, _| None),
        }
    }

    /// Where it listens.
    pub fn on(self, address: SocketAddrV4) -> Options {
        Options { address, ..self }
    }

    /// The time that it tells, also in its answers.
    pub fn by_clock(self, clock: fn() -> Timestamp) -> Options {
        Options { clock, ..self }
    }

    /// How long each answer takes.
    pub fn latency(self, latency: Duration) -> Options {
        Options { latency, ..self }
    }

    /// Speaks TLS, with a certificate that it leaves in [`CERTIFICATES`](super::tls::CERTIFICATES) in this folder.
    pub fn tls(self, folder: &Path) -> Options {
        Options { certificates: Some(folder.to_owned()), ..self }
    }

    /// What it does besides what is documented.
    pub fn habits(self, habits: Habits) -> Options {
        Options { habits, ..self }
    }

    /// Answers with this body in the place of its own. The request is for the days that its habits leave.
    pub fn figures(self, figures: impl Fn(&Asked, usize) -> String + Send + Sync + 'static) -> Options {
        Options { figures: Some(Arc::new(figures)), ..self }
    }

    /// Answers this before anything else is looked at, where it is something. Must not block.
    pub fn script(self, script: impl Fn(&Asked, usize) -> Option<Reply> + Send + Sync + 'static) -> Options {
        Options { script: Arc::new(script), ..self }
    }

    /// Answers as soon as this returns.
    #[track_caller]
    pub fn start(self) -> SimulatedPlatform {
        SimulatedPlatform::with(self)
    }
}

/// Requests that have arrived and are not answered.
#[derive(Default)]
struct Flight {
    now: usize,
    most: usize,
}

/// One of them; lands when dropped, also where the client hangs up.
struct InFlight(Arc<Mutex<Flight>>);

impl SimulatedPlatform {
    /// Knows these bots, and answers with their final figures unless `script` answers first. The script sees the
    /// request and its number over all bots, from 1; it must not block.
    pub fn start(
        bots: &str,
        script: impl Fn(&Asked, usize) -> Option<Reply> + Send + Sync + 'static,
    ) -> SimulatedPlatform {
        Options::new(bots).script(script).start()
    }

    /// The same on this address.
    #[track_caller]
    pub fn start_on(
        address: SocketAddrV4,
        bots: &str,
        script: impl Fn(&Asked, usize) -> Option<Reply> + Send + Sync + 'static,
    ) -> SimulatedPlatform {
        Options::new(bots).on(address).script(script).start()
    }

    #[track_caller]
    fn with(options: Options) -> SimulatedPlatform {
        let asked: Arc<Mutex<Vec<Asked>>> = Arc::default();
        let flight: Arc<Mutex<Flight>> = Arc::default();
        let habits = Arc::new(Mutex::new(options.habits.clone()));
        let (address, clock) = (options.address, options.clock);
        let front = options.certificates.as_deref().map(Front::new);
        let platform = Platform::new(&configured(&options.bots).bots, Behaviour::STEADY, clock);
        let (record, gauge, switches) = (Arc::clone(&asked), Arc::clone(&flight), Arc::clone(&habits));
        let desk: Arc<Mutex<Desk>> = Arc::default();
        let layer = middleware::from_fn(move |request: Request, next: Next| {
            let (record, gauge, desk) = (Arc::clone(&record), Arc::clone(&gauge), Arc::clone(&desk));
            let (options, switches) = (options.clone(), Arc::clone(&switches));
            async move {
                let _in_flight = InFlight::new(gauge);
                let (asked, request) = received(request).await;
                let number = {
                    let mut record = record.lock().unwrap();
                    record.push(asked.clone());
                    record.len()
                };
                tokio::time::sleep(options.latency).await;
                let scripted = (options.script)(&asked, number);
                if let Some(reply) = &scripted {
                    reply.wait().await;
                }
                let mut response = match scripted.filter(|reply| !reply.is_own()) {
                    Some(reply) => reply.into_response().await,
                    None => {
                        let habits = switches.lock().unwrap().clone();
                        let refusal = refusal(&habits, &desk, &asked, clock());
                        match refusal {
                            Some(reply) => reply.into_response().await,
                            None => answer(&habits, &options, asked, number, request, next).await,
                        }
                    }
                };
                let date = clock().strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
                response.headers_mut().entry(DATE).or_insert_with(|| date.parse().unwrap());
                response
            }
        });
        let server = Server::start_behind(front, address, platform.router().layer(layer));
        SimulatedPlatform { server, asked, flight, habits }
    }

    /// Changes its habits from now on.
    pub fn set(&self, change: impl FnOnce(&mut Habits)) {
        change(&mut self.habits.lock().unwrap());
    }

    /// Always answers itself.
    pub fn well(bots: &str) -> SimulatedPlatform {
        Options::new(bots).start()
    }

    /// Its base URL.
    pub fn url(&self) -> &str {
        self.server.url()
    }

    /// Every request so far, in the order of arrival.
    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// Every request so far for this bot, in the order of arrival.
    pub fn asked_of(&self, bot: &str) -> Vec<Asked> {
        self.asked().into_iter().filter(|asked| asked.bot_id() == format!("st-{bot}")).collect()
    }

    /// The requests that wait for their answer now, and the most that ever did.
    pub fn in_flight(&self) -> (usize, usize) {
        let flight = self.flight.lock().unwrap();
        (flight.now, flight.most)
    }

    /// Forgets the requests so far.
    pub fn forget(&self) {
        self.asked.lock().unwrap().clear();
    }
}

impl InFlight {
    fn new(flight: Arc<Mutex<Flight>>) -> InFlight {
        {
            let mut flight = flight.lock().unwrap();
            flight.now += 1;
            flight.most = flight.most.max(flight.now);
        }
        InFlight(flight)
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.lock().unwrap().now -= 1;
    }
}

/// Today in UTC, and the days around it.
pub fn day(from_today: i64) -> Date {
    day_after(Timestamp::now().to_zoned(TimeZone::UTC).date(), from_today)
}

/// The lines of a series of a bot that [`bots`](super::workspace::bots) wrote, from this day through yesterday.
pub fn held_lines(bot: &str, channel: &str, interval: Interval, first: i64) -> Vec<String> {
    let window = Window { first: day(first), last: day(-1) };
    let line = |(timestamp, users)| {
        format!("user_engagement_{interval},bot={bot},bot_id=st-{bot},channel={channel} users={users}i {timestamp}")
    };
    held(&format!("st-{bot}"), channel, interval, window).into_iter().map(line).collect()
}

/// What the simulated platform holds for a series in UTC over these days, as `(timestamp, users)`, both final.
pub fn held(bot_id: &str, channel: &str, interval: Interval, window: Window) -> Vec<(i64, i64)> {
    let days = window.first.series(jiff::Span::new().days(1)).take_while(|day| *day <= window.last);
    let midnight = |day: Date| day.to_zoned(jiff::tz::TimeZone::UTC).unwrap().timestamp().as_second();
    days.flat_map(|day| -> Vec<(i64, i64)> {
        match interval {
            Interval::Daily => {
                figures::daily(bot_id, channel, day, false).map(|users| (midnight(day), users)).into_iter().collect()
            }
            Interval::Hourly => (0..24_i8)
                .filter_map(|hour| {
                    let users = figures::hourly(bot_id, channel, day, hour, false)?;
                    Some((midnight(day) + 3600 * i64::from(hour), users))
                })
                .collect(),
        }
    })
    .collect()
}

/// The configuration that has these bots.
fn configured(bots: &str) -> Config {
    let workspace = Workspace::with(&Template { bots, ..Template::default() });
    load(&Source::File(workspace.path("config.toml")), &Environment::default()).unwrap()
}

/// The answer of a platform whose habits let it give none.
fn refusal(habits: &Habits, desk: &Mutex<Desk>, asked: &Asked, now: Timestamp) -> Option<Reply> {
    if let Some(status) = habits.blocks {
        return Some(Reply::from((status, habits::BLOCKED.to_owned())).header("content-type", "text/html"));
    }
    if habits.insists_on_length && !asked.headers.contains_key("content-length") {
        return Some((411, "<html>Length Required</html>".to_owned()).into());
    }
    if habits.hangs {
        return Some(Reply::never());
    }
    let denied = desk.lock().unwrap().admit(habits, asked.bot_id(), now.as_millisecond()).err()?;
    let reply = Reply::errors(429, 429, "API rate limit exceeded");
    Some(match denied.retry_after {
        Some(seconds) => reply.header("retry-after", seconds),
        None => reply,
    })
}

/// The answer with figures, as the habits leave it.
async fn answer(
    habits: &Habits,
    options: &Options,
    mut asked: Asked,
    number: usize,
    mut request: Request,
    next: Next,
) -> Response {
    if *habits == Habits::default() && options.figures.is_none() {
        return next.run(request).await;
    }
    let Some(window) = asked.window() else { return next.run(request).await };
    let body = match (habits.answered(window), &options.figures) {
        (None, _) => "{\"results\":[],\"totalResults\":0}".to_owned(),
        (Some(window), figures) => {
            asked.ask_for(window);
            match figures {
                Some(figures) => figures(&asked, number),
                None => {
                    *request.uri_mut() = asked.uri();
                    let (head, body) = next.run(request).await.into_parts();
                    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
                    let text = String::from_utf8(body.to_vec()).unwrap();
                    if head.status != 200 {
                        return Response::from_parts(head, text.into());
                    }
                    text
                }
            }
        }
    };
    let today = (options.clock)().to_zoned(TimeZone::UTC).date();
    let reply: Reply = (200, shaped(habits, body, today)).into();
    let reply = reply.header("content-type", "application/json; charset=utf-8");
    let reply = if habits.compresses { reply.gzip() } else { reply };
    reply.into_response().await
}

/// The body with what the habits change about it.
fn shaped(habits: &Habits, body: String, today: Date) -> String {
    if habits.forgets_after.is_none() && habits.total_results.is_none() && habits.errors.is_none() {
        return body;
    }
    let mut answer: Value = serde_json::from_str(&body).unwrap();
    let raw = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    if let Some(total) = habits.total_results {
        answer["totalResults"] = raw(total);
    }
    if let Some(errors) = habits.errors {
        answer["errors"] = raw(errors);
    }
    let trends =
        ["/results", "/uniqueUsersTrend/dataPoints", "/newUsersTrend/dataPoints", "/returningUsersTrend/dataPoints"];
    for trend in trends {
        let Some(Value::Array(days)) = answer.pointer_mut(trend) else { continue };
        for entry in days.iter_mut().filter_map(Value::as_object_mut) {
            let day = Date::strptime("%b %d %Y", entry["date"].as_str().unwrap()).unwrap();
            if habits.has_forgotten(day, today) {
                let buckets = entry.iter_mut().filter(|(name, _)| *name != "date");
                buckets.for_each(|(_, users)| *users = 0.into());
            }
        }
    }
    answer.to_string()
}

async fn received(request: Request) -> (Asked, Request) {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    let query = axum::extract::Query::try_from_uri(&parts.uri).map(|query| query.0).unwrap_or_default();
    let headers = parts.headers.iter();
    let headers =
        headers.map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()));
    let asked = Asked {
        at: Instant::now(),
        method: parts.method.to_string(),
        path: parts.uri.path().to_owned(),
        query,
        headers: headers.collect(),
        body: String::from_utf8_lossy(&body).into_owned(),
    };
    (asked, Request::from_parts(parts, body.into()))
}
