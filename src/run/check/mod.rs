//! `--check`: every check that writes no point, one line each, with advice on failure.

mod database;
mod local;
mod platform;
mod stored;

use std::io::{self, Write};

use crate::config::{Config, Destination};
use crate::database::read::Reader;
use crate::domain::series::Series;
use crate::domain::words::{counted, with_advice};
use crate::run::{self, Env, say_left};
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
        Finding::Fail(with_advice(failure, advice))
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
    let mut bots: Vec<&Series> = series.iter().collect();
    bots.sort_by(|one, other| one.bot.name.cmp(&other.bot.name));
    bots.dedup_by(|one, other| one.bot.name == other.bot.name);
    let counted_bots = counted(bots.len() as u64, "bot");
    report.line("configuration", &Finding::Ok(format!("{name}: {counted_bots}, {} series", series.len())))?;
    report.line("state folder", &local::state_folder(&config.state_dir))?;
    for Series { bot, .. } in &bots {
        report.line(&format!("schedule of {}", bot.name), &local::schedule(config, bot, series, env))?;
    }
    // It leaves no trace, and takes the limits that other processes leave.
    let limiter = run::limiter(config, &Env { dry_run: true, ..env.clone() })?;
    let client = run::platform(config, limiter, env)?;
    let mut asked = Vec::new();
    for first in &bots {
        let (findings, answer) = platform::ask(&client, first, config.platform.end_date, env).await;
        for finding in &findings {
            report.line(&format!("platform for {}", first.bot.name), finding)?;
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
