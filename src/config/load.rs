//! Builds a [`Config`] from its layers, or reports everything that is wrong with it.

use std::net::SocketAddr;
use std::path::PathBuf;

use super::environment::Environment;
use super::layers;
use super::log_level::{LEVELS, parse_filter};
use super::problem::Problems;
use super::reader::Reader;
use super::source::Source;
use super::values::{cron, duration, service_url};
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
    let layers = layers::merge(source, environment).map_err(|problem| Problems(vec![problem]))?;
    let mut reader = Reader::new(layers, source.name());
    let destination = destination::read(&mut reader, environment);
    Ok(Secrets { bots: bots::read(&mut reader, environment), destination })
}

fn load_for(source: &Source, environment: &Environment, simulated: bool) -> Result<Config, Problems> {
    let layers = layers::merge(source, environment).map_err(|problem| Problems(vec![problem]))?;
    let mut reader = Reader::new(layers, source.name());
    reader.simulated = simulated;

    let state_dir = reader.get("state_dir", "the path of a folder", |path: &PathBuf| !path.as_os_str().is_empty());
    let shutdown_grace = duration(&mut reader, "shutdown_grace", "20s", true);
    let schedule = schedule(&mut reader);
    let platform = platform(&mut reader);
    let destination = destination::read(&mut reader, environment);
    let admin = admin(&mut reader);
    let log_level = reader.get("log_level", LEVELS, |text: &String| parse_filter(text).is_ok());
    let bots = bots::read(&mut reader, environment);

    let of_platform = platform.as_ref().filter(|_| !simulated).map(|platform| ("platform.url", &platform.url));
    let of_database = match &destination {
        Some(Destination::InfluxDb(database)) => Some(("influxdb.url", &database.url)),
        _ => None,
    };
    for (key, url) in of_platform.into_iter().chain(of_database) {
        if let Err(error) = Proxy::of(url, |name| environment.get(name).map(Into::into)) {
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
    let folders = environment.get("STATE_DIRECTORY").unwrap_or_default();
    PathBuf::from(folders.split(':').find(|folder| !folder.is_empty()).unwrap_or("state"))
}

fn schedule(reader: &mut Reader) -> Schedule {
    let days = "a whole number of days from 0 to 36500";
    let flag = "true or false";
    Schedule {
        cron: cron(reader, "schedule.cron").unwrap_or_else(|| DEFAULT_CRON.clone()),
        run_on_start: reader.get("schedule.run_on_start", flag, |_| true).unwrap_or(true),
        spread: duration(reader, "schedule.spread", "30s", true),
        refresh_days: reader.get("schedule.refresh_days", days, |days| *days <= 36_500).unwrap_or(2),
        initial_days: reader.get("schedule.initial_days", days, |days| *days <= 36_500).unwrap_or(7),
        include_open: reader.get("schedule.include_open", flag, |_| true).unwrap_or(false),
    }
}

#[expect(clippy::expect_used, reason = "a constant line that a test parses")]
static DEFAULT_CRON: std::sync::LazyLock<Cron> =
    std::sync::LazyLock::new(|| Cron::parse("0 10 * * * *").expect("the default cron line is valid"));

fn platform(reader: &mut Reader) -> Option<Platform> {
    let whole = "a whole number of at least 1";
    let url = service_url(reader, "platform.url", "https://platform.kore.ai");
    if let Some(url) = &url
        && url.scheme() == "http"
        && !is_loopback(url)
    {
        let host = url.host_str().unwrap_or_default();
        reader.warnings.push(format!("platform.url uses http:// to {host}: tokens travel unencrypted, use https://"));
    }
    let api: String = reader
        .get("platform.api", "\"v1\" or \"v2\"", |api| ["v1", "v2"].contains(&String::as_str(api)))
        .unwrap_or_default();
    let places = "\"query\", \"body\" or \"both\"";
    let send =
        match reader.get("platform.send", places, |send| ["query", "body", "both"].contains(&String::as_str(send))) {
            Some(send) if send == "body" => Send::Body,
            Some(send) if send == "both" => Send::Both,
            _ => Send::Query,
        };
    let end_date = reader.get("platform.end_date", "\"included\" or \"excluded\"", |text| {
        ["included", "excluded"].contains(&String::as_str(text))
    });
    let limits = Limits {
        per_minute: reader.get("platform.per_minute", whole, |n| *n >= 1).unwrap_or(60),
        per_hour: reader.get("platform.per_hour", whole, |n| *n >= 1).unwrap_or(1800),
        backfill_share: share(reader),
    };
    for (key, value, documented) in [("per_minute", limits.per_minute, 60), ("per_hour", limits.per_hour, 1800)] {
        if value > documented {
            let warning = format!(
                "platform.{key} is {value}, above the platform's documented limit of {documented}: requests beyond it are denied"
            );
            reader.warnings.push(warning);
        }
    }
    Some(Platform {
        api: if api == "v2" { Api::V2 } else { Api::V1(send) },
        timeout: duration(reader, "platform.timeout", "30s", false),
        max_days_per_request: reader.get("platform.max_days_per_request", whole, |n| *n >= 1).unwrap_or(31),
        concurrency: reader
            .get("platform.concurrency", "a whole number from 1 to 1000", |n| (1..=1000).contains(n))
            .unwrap_or(8),
        limits,
        end_date: if end_date.as_deref() == Some("excluded") { EndDate::Excluded } else { EndDate::Included },
        url: url?,
    })
}

fn share(reader: &mut Reader) -> f64 {
    reader.get("platform.backfill_share", "a number from 0 to 1", |share| (0.0..=1.0).contains(share)).unwrap_or(0.5)
}

fn admin(reader: &mut Reader) -> Option<SocketAddr> {
    let allowed = "an address and a port such as \"127.0.0.1:9468\", or \"\"";
    let valid = |text: &String| text.is_empty() || text.parse::<SocketAddr>().is_ok();
    let listen = reader.get("admin.listen", allowed, valid).unwrap_or_else(|| "127.0.0.1:9468".to_owned());
    listen.parse().ok()
}
