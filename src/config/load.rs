//! Builds a [`Config`] from its layers, or reports everything that is wrong with it.

use std::net::SocketAddr;
use std::path::PathBuf;

use super::environment::Environment;
use super::layers;
use super::log_level::{LEVELS, parse_filter};
use super::problem::Problems;
use super::reader::Reader;
use super::source::Source;
use super::values::{cron, duration, flag, service_url, some_path};
use super::{Api, Config, Destination, EndDate, Limits, Platform, Schedule, Secrets, Send, bots, destination};
use crate::domain::slots::Cron;
use crate::http::{Proxy, is_loopback};

/// Reads the document and puts the environment over it.
///
/// # Errors
///
/// Every problem of the configuration, each with the file or variable and the key; none of them shows a secret.
pub fn load(source: &Source, environment: &Environment) -> Result<Config, Problems> {
    load_for(source, environment, false)
}

/// The same for a simulated platform, before which a bot's credentials need not exist yet.
///
/// # Errors
///
/// Those of [`load`].
pub fn load_simulated(source: &Source, environment: &Environment) -> Result<Config, Problems> {
    load_for(source, environment, true)
}

/// The secrets that can be read, whatever else is wrong with the configuration.
///
/// # Errors
///
/// If the document cannot be read at all.
pub fn load_secrets(source: &Source, environment: &Environment) -> Result<Secrets, Problems> {
    source.can_be_read_again()?;
    let mut reader = Reader::new(layers::merge(source, environment)?, false);
    let destination = destination::read(&mut reader, environment);
    Ok(Secrets { bots: bots::read(&mut reader, environment), destination })
}

fn load_for(source: &Source, environment: &Environment, simulated: bool) -> Result<Config, Problems> {
    let mut reader = Reader::new(layers::merge(source, environment)?, simulated);
    let state_dir = reader.get("state_dir", "the path of a folder", some_path);
    let shutdown_grace = duration(&mut reader, "shutdown_grace", 20, true);
    let schedule = schedule(&mut reader);
    let platform = platform(&mut reader);
    let destination = destination::read(&mut reader, environment);
    let admin = admin(&mut reader);
    let log_level = reader.get("log_level", LEVELS, |text: String| parse_filter(&text).ok());
    let bots = bots::read(&mut reader, environment);

    let of_platform = platform.as_ref().filter(|_| !simulated).map(|platform| ("platform.url", &platform.url));
    let of_database = match &destination {
        Some(Destination::InfluxDb(database)) => Some(("influxdb.url", &database.url)),
        _ => None,
    };
    for (key, url) in of_platform.into_iter().chain(of_database) {
        if let Err(error) = Proxy::of(url, |name| environment.raw(name).map(Into::into)) {
            reader.problem(key, error.to_string());
        }
    }

    let (problems, warnings) = reader.finish();
    match (platform, destination) {
        (Some(platform), Some(destination)) if problems.is_empty() => Ok(Config {
            state_dir: state_dir.unwrap_or_else(|| default_state_dir(environment)),
            shutdown_grace,
            schedule,
            platform,
            destination,
            admin,
            log_level,
            bots,
            warnings,
        }),
        _ => Err(Problems(problems)),
    }
}

/// systemd's folder for the service, else `./state`.
fn default_state_dir(environment: &Environment) -> PathBuf {
    let folders = environment.raw("STATE_DIRECTORY").unwrap_or_default();
    std::env::split_paths(folders).find_map(some_path).unwrap_or_else(|| PathBuf::from("state"))
}

fn schedule(reader: &mut Reader) -> Schedule {
    let mut days = |path, default| {
        let allowed = "a whole number of days from 0 to 36500";
        reader.get(path, allowed, |days| (days <= 36_500).then_some(days)).unwrap_or(default)
    };
    let (refresh_days, initial_days) = (days("schedule.refresh_days", 2), days("schedule.initial_days", 7));
    Schedule {
        cron: cron(reader, "schedule.cron").unwrap_or_else(|| DEFAULT_CRON.clone()),
        run_on_start: flag(reader, "schedule.run_on_start", true),
        spread: duration(reader, "schedule.spread", 30, true),
        refresh_days,
        initial_days,
        include_open: flag(reader, "schedule.include_open", false),
    }
}

#[expect(clippy::expect_used, reason = "a constant line that a test parses")]
static DEFAULT_CRON: std::sync::LazyLock<Cron> =
    std::sync::LazyLock::new(|| Cron::parse("0 10 * * * *").expect("the default cron line is valid"));

fn platform(reader: &mut Reader) -> Option<Platform> {
    let url = service_url(reader, "platform.url", "https://platform.kore.ai");
    if let Some(url) = url.as_ref().filter(|url| url.scheme() == "http" && !is_loopback(url)) {
        let host = url.host_str().unwrap_or_default();
        reader.warnings.push(format!("platform.url uses http:// to {host}: tokens travel unencrypted, use https://"));
    }
    let is_v2 = reader.choice("platform.api", &[("v1", false), ("v2", true)]).unwrap_or(false);
    let places = [("query", Send::Query), ("body", Send::Body), ("both", Send::Both)];
    let send = reader.choice("platform.send", &places).unwrap_or(Send::Query);
    let ends = [("included", EndDate::Included), ("excluded", EndDate::Excluded)];
    let share = |share: f64| (0.0..=1.0).contains(&share).then_some(share);
    let limits = Limits {
        per_minute: at_least_one(reader, "platform.per_minute", 60),
        per_hour: at_least_one(reader, "platform.per_hour", 1800),
        backfill_share: reader.get("platform.backfill_share", "a number from 0 to 1", share).unwrap_or(0.5),
    };
    for (key, value, documented) in [("per_minute", limits.per_minute, 60), ("per_hour", limits.per_hour, 1800)] {
        if value > documented {
            reader.warnings.push(format!(
                "platform.{key} is {value}, above the platform's documented limit of {documented}: requests beyond it are denied"
            ));
        }
    }
    let concurrency = |n| (1..=1000).contains(&n).then_some(n);
    Some(Platform {
        api: if is_v2 { Api::V2 } else { Api::V1(send) },
        timeout: duration(reader, "platform.timeout", 30, false),
        max_days_per_request: at_least_one(reader, "platform.max_days_per_request", 31),
        concurrency: reader.get("platform.concurrency", "a whole number from 1 to 1000", concurrency).unwrap_or(8),
        limits,
        end_date: reader.choice("platform.end_date", &ends).unwrap_or(EndDate::Included),
        url: url?,
    })
}

fn at_least_one(reader: &mut Reader, path: &str, default: u32) -> u32 {
    reader.get(path, "a whole number of at least 1", |n| (n >= 1).then_some(n)).unwrap_or(default)
}

fn admin(reader: &mut Reader) -> Option<SocketAddr> {
    let allowed = "an address and a port such as \"127.0.0.1:9468\", or \"\"";
    let parse = |text: String| if text.is_empty() { Some(None) } else { text.parse().ok().map(Some) };
    reader.get("admin.listen", allowed, parse).unwrap_or(Some(([127, 0, 0, 1], 9468).into()))
}
