//! `--check`: every check that writes no point, one line each, with advice on failure.

mod database;
mod local;
mod platform;
mod stored;

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::Arc;

use anyhow::Context;

use crate::config::{Config, Destination};
use crate::database::read::Reader;
use crate::domain::bot::Bot;
use crate::domain::series::Series;
use crate::domain::words::counted;
use crate::limits::ledger::Ledger;
use crate::limits::limiter::Limiter;
use crate::platform::client::{Client, Lasting};
use crate::run::{Env, say_left};
use crate::shutdown::Stopped;

/// What one question brought.
#[derive(Debug, PartialEq)]
enum Finding {
    /// What is well.
    Ok(String),
    /// What deserves a look, and fails nothing.
    Note(String),
    /// What is wrong and what to do.
    Fail(String),
}

impl Finding {
    /// A failure and its advice, which may be empty.
    fn fail(failure: &dyn std::fmt::Display, advice: &str) -> Finding {
        Finding::Fail(if advice.is_empty() { failure.to_string() } else { format!("{failure}; {advice}") })
    }
}

/// Asks everything and prints a line for each answer on standard output. Returns whether nothing fails.
///
/// # Errors
///
/// If the clients cannot be set up, or standard output cannot be written.
pub async fn run(config: &Config, name: &str, series: &[Series], env: &Env) -> Result<bool, anyhow::Error> {
    let asked = env.stop.or_after(config.shutdown_grace, ask(config, name, series, env)).await;
    asked.unwrap_or_else(|Stopped| {
        say_left(config);
        Ok(false)
    })
}

async fn ask(config: &Config, name: &str, series: &[Series], env: &Env) -> Result<bool, anyhow::Error> {
    let mut report = Report { all_well: true };
    let bots = bots(series);
    let counted_bots = counted(bots.len() as u64, "bot");
    report.line("configuration", &Finding::Ok(format!("{name}: {counted_bots}, {} series", series.len())))?;
    report.line("state folder", &local::state_folder(&config.state_dir))?;
    for (bot, _) in &bots {
        report.line(&format!("schedule of {}", bot.name), &local::schedule(config, bot, series, env))?;
    }
    let client = client(config, env)?;
    let mut asked = Vec::new();
    for (bot, its_series) in &bots {
        let (findings, answer) = platform::ask(&client, its_series[0], config.platform.end_date, env).await;
        for finding in &findings {
            report.line(&format!("platform for {}", bot.name), finding)?;
        }
        asked.extend(answer);
    }
    let reader = match &config.destination {
        Destination::File(path) => {
            report.line("file", &local::file(path))?;
            Reader::open((env.open)(&config.destination)?).await.ok()
        }
        Destination::InfluxDb(found) => database::check(found, config.schedule.initial_days, &mut report).await?,
    };
    if let Some(reader) = reader {
        stored::check(&reader, series, &asked, config.schedule.include_open, env, &mut report).await?;
    }
    Ok(report.all_well)
}

/// The platform, under the limits that other processes leave; nothing is left behind by this one.
fn client(config: &Config, env: &Env) -> Result<Client, anyhow::Error> {
    let ledger = Ledger::open_to_read(&config.state_dir, env.clock).ok();
    let limiter = Arc::new(Limiter::new(config.platform.limits, ledger));
    let lasting = Lasting { limiter, watch: env.watch.clone(), clock: env.clock, ask: env.ask };
    Client::new(config.platform.clone(), lasting).context("cannot set up the platform's client")
}

struct Report {
    all_well: bool,
}

impl Report {
    fn line(&mut self, subject: &str, finding: &Finding) -> io::Result<()> {
        let mut stdout = io::stdout().lock();
        match finding {
            Finding::Ok(well) => writeln!(stdout, "ok    {subject}: {well}")?,
            Finding::Note(note) => writeln!(stdout, "note  {subject}: {note}")?,
            Finding::Fail(problem) => {
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
