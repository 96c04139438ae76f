//! The simulated platform with a say for the test: it records every request, and a script may answer in its place.

use std::collections::BTreeMap;
use std::net::SocketAddrV4;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use axum::extract::Request;
use axum::http::header::DATE;
use axum::middleware::{self, Next};
use axum::response::Response;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use kore_trend_exporter::config::{Config, Environment, Source, load};
use kore_trend_exporter::demo::{Behaviour, Platform, figures};
use kore_trend_exporter::domain::series::{Interval, Window, day_after};

use super::server::{ANY_PORT, Reply, Server};
use super::workspace::{Template, Workspace};

/// One request to the platform.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) at: Instant,
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: BTreeMap<String, String>,
    /// By lower-case name; `auth` holds the token.
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: String,
}

impl Asked {
    /// The id of the bot in the path.
    pub(crate) fn bot_id(&self) -> &str {
        self.path.split('/').nth(4).unwrap_or_default()
    }

    /// The channel, or `all`.
    pub(crate) fn channel(&self) -> &str {
        self.query.get("channels").map_or("all", String::as_str)
    }

    /// The days asked for, if the query says.
    pub(crate) fn window(&self) -> Option<Window> {
        let day = |name| self.query.get(name)?.parse::<Date>().ok();
        Some(Window { first: day("start_date")?, last: day("end_date")? })
    }

    /// Whether this day is among those asked for.
    pub(crate) fn asks_for(&self, day: Date) -> bool {
        self.window().is_some_and(|window| window.contains(day))
    }
}

/// The platform, on a loopback port and a thread of its own; stops when dropped.
pub(crate) struct SimulatedPlatform {
    server: Server,
    asked: Arc<Mutex<Vec<Asked>>>,
    flight: Arc<Mutex<Flight>>,
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
    pub(crate) fn start(
        bots: &str,
        script: impl Fn(&Asked, usize) -> Option<Reply> + Send + Sync + 'static,
    ) -> SimulatedPlatform {
        SimulatedPlatform::start_with(ANY_PORT, bots, Timestamp::now, script)
    }

    /// The same on this address.
    #[track_caller]
    pub(crate) fn start_on(
        address: SocketAddrV4,
        bots: &str,
        script: impl Fn(&Asked, usize) -> Option<Reply> + Send + Sync + 'static,
    ) -> SimulatedPlatform {
        SimulatedPlatform::start_with(address, bots, Timestamp::now, script)
    }

    /// The same at the time that this clock tells, also in its answers.
    #[track_caller]
    pub(crate) fn start_by_clock(
        clock: fn() -> Timestamp,
        bots: &str,
        script: impl Fn(&Asked, usize) -> Option<Reply> + Send + Sync + 'static,
    ) -> SimulatedPlatform {
        SimulatedPlatform::start_with(ANY_PORT, bots, clock, script)
    }

    #[track_caller]
    fn start_with(
        address: SocketAddrV4,
        bots: &str,
        clock: fn() -> Timestamp,
        script: impl Fn(&Asked, usize) -> Option<Reply> + Send + Sync + 'static,
    ) -> SimulatedPlatform {
        let asked: Arc<Mutex<Vec<Asked>>> = Arc::default();
        let flight: Arc<Mutex<Flight>> = Arc::default();
        let (record, script, gauge) = (Arc::clone(&asked), Arc::new(script), Arc::clone(&flight));
        let layer = middleware::from_fn(move |request: Request, next: Next| {
            let (record, script, gauge) = (Arc::clone(&record), Arc::clone(&script), Arc::clone(&gauge));
            async move {
                let _in_flight = InFlight::new(gauge);
                let (asked, request) = received(request).await;
                let number = {
                    let mut record = record.lock().unwrap();
                    record.push(asked.clone());
                    record.len()
                };
                let mut response = match script(&asked, number) {
                    None => next.run(request).await as Response,
                    Some(reply) if reply.is_own() => {
                        reply.wait().await;
                        next.run(request).await
                    }
                    Some(reply) => reply.into_response().await,
                };
                let date = clock().strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
                response.headers_mut().entry(DATE).or_insert_with(|| date.parse().unwrap());
                response
            }
        });
        let platform = Platform::new(&configured(bots).bots, Behaviour::STEADY, clock);
        SimulatedPlatform { server: Server::start_on(address, platform.router().layer(layer)), asked, flight }
    }

    /// Always answers itself.
    pub(crate) fn well(bots: &str) -> SimulatedPlatform {
        SimulatedPlatform::start(bots, |_, _| None)
    }

    /// Its base URL.
    pub(crate) fn url(&self) -> &str {
        self.server.url()
    }

    /// Every request so far, in the order of arrival.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// Every request so far for this bot, in the order of arrival.
    pub(crate) fn asked_of(&self, bot: &str) -> Vec<Asked> {
        self.asked().into_iter().filter(|asked| asked.bot_id() == format!("st-{bot}")).collect()
    }

    /// The requests that wait for their answer now, and the most that ever did.
    pub(crate) fn in_flight(&self) -> (usize, usize) {
        let flight = self.flight.lock().unwrap();
        (flight.now, flight.most)
    }

    /// Forgets the requests so far.
    pub(crate) fn forget(&self) {
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
pub(crate) fn day(from_today: i64) -> Date {
    day_after(Timestamp::now().to_zoned(TimeZone::UTC).date(), from_today)
}

/// The lines of a series of a bot that [`bots`](super::workspace::bots) wrote, from this day through yesterday.
pub(crate) fn held_lines(bot: &str, channel: &str, interval: Interval, first: i64) -> Vec<String> {
    let window = Window { first: day(first), last: day(-1) };
    let line = |(timestamp, users)| {
        format!("user_engagement_{interval},bot={bot},bot_id=st-{bot},channel={channel} users={users}i {timestamp}")
    };
    held(&format!("st-{bot}"), channel, interval, window).into_iter().map(line).collect()
}

/// What the simulated platform holds for a series in UTC over these days, as `(timestamp, users)`, both final.
pub(crate) fn held(bot_id: &str, channel: &str, interval: Interval, window: Window) -> Vec<(i64, i64)> {
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
