//! The configuration: types that are valid once built. [`load`] reads a TOML document, environment variables and secrets,
//! and reports every problem at once, each with its place and without a secret. It asks no service.

mod bot_keys;
mod bot_values;
mod bots;
mod destination;
mod document;
mod environment;
mod files;
mod layers;
mod load;
mod log_level;
mod overlay;
mod problem;
mod reader;
mod schema;
mod secrets;
mod shown;
mod source;
mod values;
mod zones;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use reqwest::Url;
use secrecy::{ExposeSecret, SecretString};

pub use self::environment::Environment;
pub use self::files::open_regular;
pub use self::load::{load, load_secrets, load_simulated};
pub use self::log_level::parse_filter;
pub use self::problem::{Problem, Problems};
pub use self::source::Source;
pub use self::zones::find as time_zone;
use crate::domain::bot::Bot;
use crate::domain::slots::Cron;

/// A complete, valid configuration.
#[derive(Clone, Debug)]
pub struct Config {
    /// The folder of watermarks, backfill progress and the count of requests.
    pub state_dir: PathBuf,
    /// How long a shutdown lets requests in flight finish.
    pub shutdown_grace: Duration,
    /// When to ask, and for which days.
    pub schedule: Schedule,
    /// The service that is asked.
    pub platform: Platform,
    /// Where points go.
    pub destination: Destination,
    /// Where `/metrics` and the status page are served; `None` is off.
    pub admin: Option<std::net::SocketAddr>,
    /// The log level, unless the command line sets it; as `--log-level` takes it.
    pub log_level: Option<String>,
    /// In the order of their names; never empty.
    pub bots: Vec<Arc<Bot>>,
    /// What is valid but unusual, one sentence each, for the log.
    pub warnings: Vec<String>,
}

/// The secrets that were found where they are kept, each with what it is for.
#[derive(Clone, Debug)]
pub struct Secrets {
    /// The bots that are valid.
    pub bots: Vec<Arc<Bot>>,
    /// The database, if it is valid.
    pub destination: Option<Destination>,
}

impl Config {
    /// This configuration with the secrets that were found now, if any of them is another one.
    pub fn with_secrets(&self, found: &Secrets) -> Option<Config> {
        let mut fresh = self.clone();
        let mut changed = false;
        for bot in &mut fresh.bots {
            // Both are in the order of their names.
            let place = found.bots.binary_search_by_key(&&bot.name, |other| &other.name);
            let Some(found) = place.ok().map(|place| &found.bots[place]) else { continue };
            if (&found.id, &found.client_id) == (&bot.id, &bot.client_id) && found.key != bot.key {
                *bot = Arc::new(Bot { key: found.key.clone(), ..(**bot).clone() });
                changed = true;
            }
        }
        if let (Destination::InfluxDb(mine), Some(Destination::InfluxDb(found))) =
            (&mut fresh.destination, &found.destination)
            && (&mine.url, &mine.org, &mine.bucket) == (&found.url, &found.org, &found.bucket)
            && mine.tokens() != found.tokens()
        {
            mine.token = found.token.clone();
            mine.read_token = found.read_token.clone();
            changed = true;
        }
        changed.then_some(fresh)
    }
}

/// When to ask, and for which days.
#[derive(Clone, Debug, PartialEq)]
pub struct Schedule {
    /// Ticks, in UTC.
    pub cron: Cron,
    /// Whether the daemon ticks once when it starts.
    pub run_on_start: bool,
    /// The longest delay of a bot's ticks.
    pub spread: Duration,
    /// Days before today that every tick asks for again.
    pub refresh_days: u32,
    /// Days before today that the first run asks for.
    pub initial_days: u32,
    /// Whether the hour and the day that are still filling are exported.
    pub include_open: bool,
}

/// The platform and how to query it.
#[derive(Clone, Debug, PartialEq)]
pub struct Platform {
    /// Scheme, host and an optional path prefix, without a trailing slash in the path.
    pub url: Url,
    /// Which of its two APIs.
    pub api: Api,
    /// The time one request may take, from connecting to the last byte.
    pub timeout: Duration,
    /// The longest range of one request, in days.
    pub max_days_per_request: u32,
    /// Requests in flight at once, over all bots.
    pub concurrency: usize,
    /// How often one bot may be asked.
    pub limits: Limits,
    /// Whether an answer holds the last day asked for.
    pub end_date: EndDate,
}

/// What the platform makes of the last day of a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndDate {
    /// It is part of the answer.
    Included,
    /// It is not: the last day that is wanted needs a day more in the question.
    Excluded,
}

/// The version of the platform's API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Api {
    /// `userEngagementTrend`, with the place where its parameters go.
    V1(Send),
    /// `v2/userEngagementTrend`: takes a time zone, tells new from returning users.
    V2,
}

/// Where the parameters of a v1 request go; the vendor's pages disagree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Send {
    /// In the query string.
    Query,
    /// In the body, under `filters`.
    Body,
    /// In both.
    Both,
}

/// How many requests one bot takes, by rolling windows, and which part of that a backfill may use.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// Requests in any 60 seconds.
    pub per_minute: u32,
    /// Requests in any 3,600 seconds.
    pub per_hour: u32,
    /// The part of both that `--backfill` may use, 0 to 1.
    pub backfill_share: f64,
}

/// Where points go.
#[derive(Clone, Debug)]
pub enum Destination {
    /// The v2 write API of InfluxDB, or of a database that speaks it.
    InfluxDb(InfluxDb),
    /// A file that line protocol is appended to.
    File(PathBuf),
}

impl Destination {
    /// What tells it from any other, whatever the token and the other keys: no secret is in it.
    pub fn identity(&self) -> String {
        match self {
            Destination::InfluxDb(database) => format!("{} {:?} {:?}", database.url, database.org, database.bucket),
            Destination::File(path) => std::path::absolute(path).unwrap_or_else(|_| path.clone()).display().to_string(),
        }
    }
}

/// The database and the right to write to it.
#[derive(Clone, Debug)]
pub struct InfluxDb {
    /// Scheme, host, port and, behind a reverse proxy, a path without a trailing slash.
    pub url: Url,
    /// The organization's name or id; empty where the database has none.
    pub org: String,
    /// The bucket's name or id; of InfluxDB 1 `database/retention policy`.
    pub bucket: String,
    /// An API token that may write to the bucket.
    pub token: SecretString,
    /// A token that may read from the bucket, where the other one may not.
    pub read_token: Option<SecretString>,
    /// The language of questions; `None`: by what the database says it is.
    pub read: Option<ReadLanguage>,
    /// The time one write may take.
    pub timeout: Duration,
    /// Whether bodies are compressed.
    pub gzip: bool,
}

impl InfluxDb {
    /// The token that may write and the one that may read.
    fn tokens(&self) -> (&str, Option<&str>) {
        (self.token.expose_secret(), self.read_token.as_ref().map(ExposeSecret::expose_secret))
    }
}

/// The language that a database is asked in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadLanguage {
    /// InfluxDB 2's own, over its query API.
    Flux,
    /// What every generation understands, over `/query`.
    InfluxQl,
}

#[cfg(test)]
mod tests;
