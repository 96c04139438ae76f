//! `--check`: everything that can be asked without writing a point, a line each, and what to do where it fails.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use jiff::{SignedDuration, Timestamp};
use secrecy::ExposeSecret;
use serde::Deserialize;

use crate::config::{Config, Destination, InfluxDb};
use crate::database::influxdb::InfluxDbSink;
use crate::database::{Sink, WriteFailure};
use crate::domain::bot::Bot;
use crate::domain::calendar;
use crate::domain::series::{Series, Window, day_after};
use crate::http::{Service, chain};
use crate::platform::answer::Counted;
use crate::platform::client::{Client, FetchError, Lasting, Question};
use crate::platform::limits::ledger::Ledger;
use crate::platform::limits::limiter::{Limiter, Purpose};
use crate::run::Env;
use crate::state::watermarks::Watermarks;

/// What one question brought: what is well, or what is not and what to do.
type Finding = Result<String, String>;

/// Asks everything and prints a line for each answer on standard output. Returns whether all is well.
///
/// # Errors
///
/// If the clients cannot be set up, or standard output cannot be written.
pub async fn run(config: &Config, name: &str, series: &[Series], around: &Env) -> Result<bool, anyhow::Error> {
    let mut report = Report { all_well: true };
    let bots = bots(series);
    report.line("configuration", &Ok(format!("{name}: {} bots, {} series", bots.len(), series.len())))?;
    report.line("state folder", &state_folder(&config.state_dir))?;
    for (bot, _) in &bots {
        report.line(&format!("schedule of {}", bot.name), &schedule(config, bot, series, around))?;
    }
    let ledger = Ledger::open_to_read(&config.state_dir, around.clock).ok();
    let limiter = Arc::new(Limiter::new(config.platform.limits, ledger));
    let lasting = Lasting { limiter, watch: around.watch.clone(), clock: around.clock, ask: around.ask };
    let client = Client::new(config.platform.clone(), lasting).context("cannot set up the platform's client")?;
    for (_, its_series) in &bots {
        report.line(
            &format!("platform for {}", its_series[0].bot.name),
            &platform(&client, its_series[0], around).await,
        )?;
    }
    match &config.destination {
        Destination::File(path) => report.line("file", &file(path))?,
        Destination::InfluxDb(database) => {
            let http = Service::new(&database.url, database.timeout).and_then(|service| service.client(1));
            let http = http.context("cannot set up the database's client")?;
            report.line("database", &health(&http, database).await)?;
            let may_write = right_to_write(database).await;
            report.line("right to write", &may_write)?;
            if may_write.is_ok() {
                report.line("retention", &retention(&http, database, config.schedule.initial_days).await)?;
            }
        }
    }
    Ok(report.all_well)
}

struct Report {
    all_well: bool,
}

impl Report {
    fn line(&mut self, subject: &str, finding: &Finding) -> io::Result<()> {
        let mut stdout = io::stdout().lock();
        match finding {
            Ok(well) => writeln!(stdout, "ok    {subject}: {well}")?,
            Err(problem) => {
                self.all_well = false;
                writeln!(stdout, "FAIL  {subject}: {problem}")?;
            }
        }
        stdout.flush()
    }
}

/// The bots of the series, each with its own.
fn bots(series: &[Series]) -> Vec<(Arc<Bot>, Vec<&Series>)> {
    let mut by_name: BTreeMap<&str, (Arc<Bot>, Vec<&Series>)> = BTreeMap::new();
    for one in series {
        let entry = by_name.entry(&one.bot.name).or_insert_with(|| (Arc::clone(&one.bot), Vec::new()));
        entry.1.push(one);
    }
    by_name.into_values().collect()
}

fn state_folder(folder: &Path) -> Finding {
    if !folder.is_dir() {
        return may_be_made(folder).map(|()| format!("{} will be made", folder.display()));
    }
    Watermarks::load(folder, Timestamp::UNIX_EPOCH, false).map_err(|error| error.to_string())?;
    match tempfile::Builder::new().prefix(".check-").tempfile_in(folder) {
        Ok(_) => Ok(format!("{} can be written", folder.display())),
        Err(error) => Err(format!("{} cannot be written: {error}; check its owner and permissions", folder.display())),
    }
}

/// Whether a folder that does not exist could be made, judged by the nearest one that does.
fn may_be_made(folder: &Path) -> Result<(), String> {
    let parents =
        folder.ancestors().skip(1).map(|parent| if parent.as_os_str().is_empty() { Path::new(".") } else { parent });
    let existing = parents.into_iter().find(|parent| parent.exists()).unwrap_or(Path::new("/"));
    let access = rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK;
    match rustix::fs::access(existing, access) {
        Ok(()) if existing.is_dir() && !folder.exists() => Ok(()),
        Ok(()) => Err(format!("{} cannot be made: something else is in its way", folder.display())),
        Err(error) => Err(format!("{} cannot be made in {}: {error}", folder.display(), existing.display())),
    }
}

/// Whether a steady tick, one request a series, fits into the limits of its bot.
///
/// The platform counts by the bot's id, so the series of every name that it is given count.
fn schedule(config: &Config, bot: &Bot, series: &[Series], around: &Env) -> Finding {
    let ticks_of = |bot: &Bot| {
        let cron = bot.cron.as_ref().unwrap_or(&config.schedule.cron);
        cron.most_ticks_an_hour((around.clock)().as_second())
    };
    let same_bot = || series.iter().filter(|series| series.bot.id == bot.id);
    let limits = config.platform.limits;
    let an_hour: usize = same_bot().map(|series| ticks_of(&series.bot)).sum();
    let (ticks, series) = (ticks_of(bot), same_bot().count());
    let least = limits.least_time(series as u64, Purpose::Live).unwrap_or_default();
    let least = SignedDuration::try_from(least).unwrap_or_default();
    let found = format!("{series} requests a tick, at most {an_hour} an hour");
    if an_hour > usize::try_from(limits.per_hour).unwrap_or(usize::MAX) {
        return Err(format!("{found}, and {} are allowed: tick less often or export fewer series", limits.per_hour));
    }
    if ticks > 0 && least.as_secs().saturating_mul(i64::try_from(ticks).unwrap_or(i64::MAX)) > 3600 {
        return Err(format!("{found}, and one tick takes at least {least:#}: tick less often or export fewer series"));
    }
    Ok(format!("{found}; the limits are {} a minute and {} an hour", limits.per_minute, limits.per_hour))
}

/// One real request: it proves the address, the token and the scope.
async fn platform(client: &Client, series: &Series, around: &Env) -> Finding {
    let yesterday = day_after(calendar::today(&series.bot.time_zone, (around.clock)()), -1);
    let window = Window { first: yesterday, last: yesterday };
    let question = Question { series, window, purpose: Purpose::Live, tries: 2, patience: Duration::ZERO };
    match client.fetch(question, &mut 0, &around.stop).await {
        Ok(fetched) => {
            let buckets = fetched.answer.days.get(&yesterday).map_or(0, |counted| match counted {
                Counted::Day(_) => 1,
                Counted::Hours(hours) => hours.iter().filter(|figures| figures.fields().next().is_some()).count(),
            });
            Ok(format!(
                "token and scope are good; {} of {yesterday} has {buckets} {} buckets",
                series.channel, series.interval
            ))
        }
        Err(FetchError::Failed(failure)) => Err(format!("{failure}; {}", failure.advice())),
        Err(FetchError::Stopped) => Err("not asked: shutting down".to_owned()),
    }
}

fn file(path: &Path) -> Finding {
    if path.exists() {
        let opened = std::fs::File::options().append(true).open(path);
        return match opened {
            Ok(_) => Ok(format!("{} can be written", path.display())),
            Err(error) => {
                Err(format!("{} cannot be written: {error}; check its owner and permissions", path.display()))
            }
        };
    }
    may_be_made(path).map(|()| format!("{} will be made", path.display()))
}

/// InfluxDB answers with JSON, others with a plain word; the status tells.
async fn health(http: &reqwest::Client, database: &InfluxDb) -> Finding {
    let mut url = database.url.clone();
    url.set_path("/health");
    let token = format!("Token {}", database.token.expose_secret());
    match http.get(url).header("Authorization", token).send().await {
        Ok(answer) if answer.status().is_success() => Ok(format!("{} is healthy", database.url)),
        Ok(answer) => Err(format!("{} answered {} to /health: see the database's log", database.url, answer.status())),
        Err(error) => {
            let failure = WriteFailure::Unreachable(chain(&error.without_url()));
            Err(format!("{failure}; {}", failure.advice()))
        }
    }
}

/// A comment is no point, and is refused where a point would be.
async fn right_to_write(database: &InfluxDb) -> Finding {
    let sink = InfluxDbSink::new(database).map_err(|error| error.to_string())?;
    let good = || Ok(format!("the token may write to the bucket {} of {}", database.bucket, database.org));
    let sink = Sink::InfluxDb(Box::new(sink));
    let question = std::iter::once(b"# no point, only a question\n".to_vec());
    let asked = async { sink.write(sink.pack(question)?).await };
    match asked.await {
        Ok(()) => good(),
        // A database may say that there is no point in it, after it looked at the token.
        Err(WriteFailure::Refused(crate::database::Refusal { status: 400, message, .. }))
            if message.contains("point") || message.contains("line") =>
        {
            good()
        }
        Err(failure) => Err(format!("{failure}; {}", failure.advice())),
    }
}

/// InfluxDB 2 tells how long a bucket keeps its points, if the token may read it.
async fn retention(http: &reqwest::Client, database: &InfluxDb, initial_days: u32) -> Finding {
    let mut url = database.url.clone();
    url.set_path("/api/v2/buckets");
    let token = format!("Token {}", database.token.expose_secret());
    let asked =
        http.get(url).query(&[("org", &database.org), ("name", &database.bucket)]).header("Authorization", token);
    let answer = match asked.send().await {
        Ok(answer) if answer.status().is_success() => answer.json::<Buckets>().await.ok(),
        _ => None,
    };
    let Some(bucket) = answer.and_then(|answer| answer.buckets.into_iter().next()) else {
        return Ok("not known, the token may not read it or the database does not tell".to_owned());
    };
    let kept = bucket.retention_rules.iter().map(|rule| rule.every_seconds).find(|seconds| *seconds > 0);
    match kept {
        None => Ok("the bucket keeps its points for ever".to_owned()),
        Some(seconds) if seconds < i64::from(initial_days + 1) * 86_400 => Err(format!(
            "the bucket keeps its points for {:#}, the first run asks for {initial_days} days: raise the bucket's \
             retention or lower schedule.initial_days",
            SignedDuration::from_secs(seconds)
        )),
        Some(seconds) => Ok(format!("the bucket keeps its points for {:#}", SignedDuration::from_secs(seconds))),
    }
}

#[derive(Deserialize)]
struct Buckets {
    buckets: Vec<Bucket>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Bucket {
    retention_rules: Vec<RetentionRule>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RetentionRule {
    #[serde(default)]
    every_seconds: i64,
}
