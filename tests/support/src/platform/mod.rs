//! The simulated platform with a say for the test: it records every request, has the habits of real platforms as switches,
//! and a script may answer in its place.

pub mod answer;
mod asked;
mod gate;
pub mod habits;
mod held;
mod options;
mod reply;

use std::net::SocketAddrV4;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::extract::Request;
use axum::http::header::DATE;
use axum::middleware::{self, Next};
use axum::response::Response;
use kore_trend_exporter::config::{Config, Environment, Source, load};
use kore_trend_exporter::demo::tokens::own_key;
use kore_trend_exporter::demo::{Behaviour, Platform};

pub use self::asked::Asked;
use self::gate::Gate;
use self::habits::{Desk, Habits};
pub use self::held::{day, held, held_lines};
pub use self::options::Options;
use super::server::{Reply, Server};
use super::tls::Front;
use super::workspace::{Template, Workspace};

/// The platform, on a loopback port and a thread of its own; stops when dropped.
pub struct SimulatedPlatform {
    server: Server,
    inner: Arc<Inner>,
}

struct Inner {
    options: Options,
    asked: Mutex<Vec<Asked>>,
    flight: Arc<Mutex<Flight>>,
    habits: Mutex<Habits>,
    desk: Mutex<Desk>,
    gate: Mutex<Gate>,
}

/// Requests that have arrived and are not answered.
#[derive(Default)]
struct Flight {
    now: usize,
    most: usize,
    /// The time of all answers together, from the head of a request on.
    spent: Duration,
}

/// One of them; lands when dropped, also where the client hangs up.
struct InFlight(Arc<Mutex<Flight>>, Instant);

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
        let (address, front) = (options.address, options.certificates.as_deref().map(Front::new));
        let bots = configured(&options.bots).bots;
        let figures = Platform::new(&bots, Behaviour::STEADY, options.clock);
        if bots.iter().any(|bot| bot.encryption.is_some()) {
            figures.decrypt_with(own_key().unwrap().clone());
        }
        let inner = Arc::new(Inner {
            asked: Mutex::default(),
            flight: Arc::default(),
            habits: Mutex::new(options.habits.clone()),
            desk: Mutex::default(),
            gate: Mutex::new(Gate::new(&options.bots)),
            options,
        });
        let shared = Arc::clone(&inner);
        let layer = middleware::from_fn(move |request, next| Arc::clone(&shared).respond(request, next));
        SimulatedPlatform { server: Server::start_behind(front, address, figures.router().layer(layer)), inner }
    }

    /// Changes its habits from now on.
    pub fn set(&self, change: impl FnOnce(&mut Habits)) {
        change(&mut self.inner.habits.lock().unwrap());
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
        self.inner.asked.lock().unwrap().clone()
    }

    /// Every request so far for this bot, in the order of arrival.
    pub fn asked_of(&self, bot: &str) -> Vec<Asked> {
        self.asked().into_iter().filter(|asked| asked.bot_id() == format!("st-{bot}")).collect()
    }

    /// The requests that wait for their answer now, and the most that ever did.
    pub fn in_flight(&self) -> (usize, usize) {
        let flight = self.inner.flight.lock().unwrap();
        (flight.now, flight.most)
    }

    /// How long it took over all of its answers, one after the other: at least the latency that was wished for.
    pub fn spent(&self) -> Duration {
        self.inner.flight.lock().unwrap().spent
    }

    /// Forgets the requests so far.
    pub fn forget(&self) {
        self.inner.asked.lock().unwrap().clear();
    }
}

impl Inner {
    async fn respond(self: Arc<Inner>, request: Request, next: Next) -> Response {
        let received = Instant::now();
        let _in_flight = InFlight::new(Arc::clone(&self.flight));
        let (asked, request) = asked::received(request).await;
        let number = {
            let mut record = self.asked.lock().unwrap();
            record.push(asked.clone());
            record.len()
        };
        let answered = received + self.options.latency;
        let scripted = (self.options.script)(&asked, number);
        if let Some(reply) = &scripted {
            reply.wait().await;
        }
        let now = (self.options.clock)();
        let habits = self.habits.lock().unwrap().clone();
        let refusal = || {
            let refusal = reply::refusal(&habits, &self.desk, &asked, now);
            let admit = || self.gate.lock().unwrap().admit(&asked, now).err();
            refusal.or_else(|| if self.options.is_open { None } else { admit() })
        };
        let mut response = match scripted.filter(|reply| !reply.is_own()).or_else(refusal) {
            Some(reply) => reply.into_response().await,
            None => reply::answer(&habits, &self.options, asked, number, request, next).await,
        };
        let date = (self.options.clock)().strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
        response.headers_mut().entry(DATE).or_insert_with(|| date.parse().unwrap());
        wait_until(answered).await;
        response
    }
}

/// Waits on a thread of its own: the runtime's timer is late by one to two milliseconds.
async fn wait_until(time: Instant) {
    let left = time.saturating_duration_since(Instant::now());
    if !left.is_zero() {
        tokio::task::spawn_blocking(move || std::thread::sleep(left)).await.unwrap();
    }
}

impl InFlight {
    fn new(flight: Arc<Mutex<Flight>>) -> InFlight {
        {
            let mut flight = flight.lock().unwrap();
            flight.now += 1;
            flight.most = flight.most.max(flight.now);
        }
        InFlight(flight, Instant::now())
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        let mut flight = self.0.lock().unwrap();
        flight.now -= 1;
        flight.spent += self.1.elapsed();
    }
}

/// The configuration that has these bots.
fn configured(bots: &str) -> Config {
    let workspace = Workspace::with(&Template { bots, ..Template::default() });
    load(&Source::File(workspace.path("config.toml")), &Environment::default()).unwrap()
}
