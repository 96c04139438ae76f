//! The command line: what the flags mean together, decided once. Wrong usage is refused here, in words for the user.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::path::PathBuf;
use std::str::FromStr;

use clap::Parser;
use clap_complete::Shell;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::{Offset, TimeZone};

use crate::config::{Config, Environment, Source, parse_filter};
use crate::demo;
use crate::domain::calendar;
use crate::domain::series::{Series, Shard, day_after};
use crate::observe::logging::Format;
use crate::state::backfill::Range;

/// Exports the Kore.ai User Engagement Trend of chatbots to InfluxDB
#[derive(Debug, Parser)]
#[command(version)]
pub struct Arguments {
    /// Export all that is owed now, then exit
    #[arg(long, group = "mode")]
    once: bool,
    /// Export these days (YYYY-MM-DD, both inclusive; FROM.. = through yesterday), then exit
    #[arg(long, value_name = "FROM..TO", value_parser = parse_range, group = "mode")]
    backfill: Option<Range>,
    /// Compare these days in the database with the platform, then exit (FROM.. = through yesterday)
    #[arg(long, value_name = "FROM..TO", value_parser = parse_range, group = "mode")]
    verify: Option<Range>,
    /// Test configuration, credentials and both services without writing a point, then exit
    #[arg(long, group = "mode")]
    check: bool,
    /// With any mode: use a simulated platform; without --config, needs no account and no database
    #[arg(long)]
    demo: bool,
    /// Configuration file; default ./config.toml, then /etc/kore-trend-exporter/config.toml [env KORE_TREND_CONFIG]
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// With --once or --backfill: print line protocol to stdout; write nothing, remember nothing
    #[arg(long)]
    dry_run: bool,
    /// With --backfill: forget the progress of an interrupted run
    #[arg(long)]
    restart: bool,
    /// With --verify: write what is missing or different, then compare it again
    #[arg(long)]
    repair: bool,
    /// With --verify: also count late revisions of the last refresh_days as differences
    #[arg(long)]
    strict: bool,
    /// Only this bot (repeatable)
    #[arg(long, value_name = "NAME")]
    bot: Vec<String>,
    /// Only this channel (repeatable)
    #[arg(long, value_name = "NAME")]
    channel: Vec<String>,
    /// Only the bots of shard I of N (0-based); also from JOB_COMPLETION_INDEX + KORE_TREND_SHARDS
    #[arg(long, value_name = "I/N", value_parser = parse_shard)]
    shard: Option<Shard>,
    /// Log as text or JSON; auto (default): text, in colour on a terminal, without times under the journal
    #[arg(long, value_name = "auto|text|json", value_enum, default_value_t = Format::Auto)]
    #[arg(hide_possible_values = true, hide_default_value = true)]
    log_format: Format,
    /// Log level: off, error, warn, info, debug, trace, or directives by module; default: log_level as configured
    #[arg(long, value_name = "FILTER", value_parser = parse_filter)]
    log_level: Option<String>,
    /// Do not show a progress bar
    #[arg(long)]
    no_progress: bool,
    /// Print a completion script for this shell, then exit
    #[arg(long, value_name = "SHELL")]
    completions: Option<Shell>,
    /// Print the manual page, then exit
    #[arg(long)]
    man: bool,
}

/// What the program is asked to do.
#[derive(Debug)]
pub struct Invocation {
    /// The mode, with its own options.
    pub mode: Mode,
    /// Whether lines go to standard output and nothing is remembered.
    pub dry_run: bool,
    /// Whether to use the simulated platform.
    pub demo: bool,
    /// Where the configuration comes from.
    pub source: Source,
    /// Which of its series to export.
    pub selection: Selection,
    /// The log format.
    pub log_format: Format,
    /// The log level, if the command line sets it.
    pub log_level: Option<String>,
    /// Whether to show a progress bar on a terminal.
    pub progress: bool,
}

/// The mode in which the program runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// The daemon: ticks on a schedule until it is shut down.
    Daemon,
    /// One tick.
    Once,
    /// A range of days.
    Backfill {
        /// Which days.
        range: Range,
        /// Whether the progress of an interrupted run is forgotten.
        restart: bool,
    },
    /// A comparison of a range of days.
    Verify {
        /// Which days.
        range: Range,
        /// Whether what is missing or different is written.
        repair: bool,
        /// Whether late revisions count as differences.
        strict: bool,
    },
    /// No export, only questions.
    Check,
    /// A completion script.
    Completions(Shell),
    /// The manual page.
    Man,
}

/// The part of the configured series that a process is to export.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    bots: Vec<String>,
    channels: Vec<String>,
    shard: Option<Shard>,
}

/// The command line names something that is not configured, or means nothing.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct UsageError(pub String);

impl Arguments {
    /// Decides what the flags mean together.
    ///
    /// # Errors
    ///
    /// If the flags do not fit together, or a range or a shard makes no sense.
    pub fn resolve(self, environment: &Environment, now: Timestamp) -> Result<Invocation, UsageError> {
        for (flag, is_set, mode, is_chosen) in [
            ("--dry-run", self.dry_run, "--once or --backfill", self.once || self.backfill.is_some()),
            ("--restart", self.restart, "--backfill", self.backfill.is_some()),
            ("--repair", self.repair, "--verify", self.verify.is_some()),
            ("--strict", self.strict, "--verify", self.verify.is_some()),
        ] {
            if is_set && !is_chosen {
                return Err(UsageError(format!("{flag} requires {mode}")));
            }
        }
        let config = self.config.or_else(|| environment.raw("KORE_TREND_CONFIG").map(PathBuf::from));
        let source = match config {
            Some(path) => Source::File(path),
            None if self.demo => Source::BuiltIn("the demo's configuration", demo::CONFIG),
            None => Source::default_place(),
        };
        let mode = match (self.completions, self.backfill, self.verify) {
            _ if self.man => Mode::Man,
            (Some(shell), ..) => Mode::Completions(shell),
            (None, Some(range), _) => Mode::Backfill { range, restart: self.restart },
            (None, None, Some(range)) => Mode::Verify { range, repair: self.repair, strict: self.strict },
            (None, None, None) if self.once => Mode::Once,
            (None, None, None) if self.check => Mode::Check,
            (None, None, None) => Mode::Daemon,
        };
        let shard = match (self.shard, mode) {
            (Some(shard), _) => Some(shard),
            // What explains the program does so whatever the environment says.
            (None, Mode::Completions(_) | Mode::Man) => None,
            (None, _) => shard_of_job(environment)?,
        };
        // The earliest zone of the world: what lies after its today does so everywhere.
        mode.range_is_sensible(calendar::today(&TimeZone::fixed(Offset::constant(14)), now))?;
        Ok(Invocation {
            mode,
            dry_run: self.dry_run,
            demo: self.demo,
            source,
            selection: Selection { bots: self.bot, channels: self.channel, shard },
            log_format: self.log_format,
            log_level: self.log_level,
            progress: !self.no_progress,
        })
    }
}

impl Selection {
    /// The selected series of a configuration, bot by bot.
    ///
    /// # Errors
    ///
    /// If a bot or a channel was named that is not configured.
    pub fn choose(&self, config: &Config) -> Result<Vec<Series>, UsageError> {
        let known: BTreeSet<&str> = config.bots.iter().map(|bot| &*bot.name).collect();
        all_known("--bot", &self.bots, &known)?;
        let named = |bot: &str| self.bots.is_empty() || self.bots.iter().any(|name| name == bot);
        let bots = || config.bots.iter().filter(|bot| named(&bot.name));
        let known = bots().flat_map(|bot| bot.channels.iter().map(AsRef::as_ref)).collect();
        all_known("--channel", &self.channels, &known)?;
        let in_shard = |bot: &str| self.shard.is_none_or(|shard| shard.holds(bot));
        let series = bots().filter(|bot| in_shard(&bot.name)).flat_map(|bot| bot.series().collect::<Vec<_>>());
        let wanted = |channel: &str| self.channels.is_empty() || self.channels.iter().any(|name| name == channel);
        Ok(series.filter(|series| wanted(&series.channel)).collect())
    }
}

impl Mode {
    /// Refuses a range that ends before it begins or lies after this day.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub fn range_is_sensible(&self, today: Date) -> Result<(), UsageError> {
        let (flag, range) = match self {
            Mode::Backfill { range, .. } => ("--backfill", range),
            Mode::Verify { range, .. } => ("--verify", range),
            Mode::Daemon | Mode::Once | Mode::Check | Mode::Completions(_) | Mode::Man => return Ok(()),
        };
        let yesterday = day_after(today, -1);
        let why = match range.to {
            Some(to) if to < range.from => "the range ends before it begins".to_owned(),
            Some(to) if to > today => "the range ends after today".to_owned(),
            None if range.from > yesterday => {
                format!("the range begins after it ends: an open range ends yesterday, {yesterday}")
            }
            _ => return Ok(()),
        };
        Err(UsageError(format!("{flag} {range}: {why}")))
    }
}

/// So many names are told, so that the message is read.
const MOST_TOLD: usize = 20;

fn all_known(flag: &str, named: &[String], known: &BTreeSet<&str>) -> Result<(), UsageError> {
    let Some(unknown) = named.iter().find(|name| !known.contains(name.as_str())) else { return Ok(()) };
    let some = known.iter().copied().take(MOST_TOLD).collect::<Vec<_>>().join(", ");
    let others = known.len().saturating_sub(MOST_TOLD);
    let others = if others > 0 { format!(" and {others} more") } else { String::new() };
    Err(UsageError(format!("{flag} {unknown}: not configured; configured: {some}{others}")))
}

/// An indexed Kubernetes job numbers its pods.
fn shard_of_job(environment: &Environment) -> Result<Option<Shard>, UsageError> {
    let Some(count) = environment.get("KORE_TREND_SHARDS") else { return Ok(None) };
    let Some(index) = environment.get("JOB_COMPLETION_INDEX") else {
        return Err(UsageError("KORE_TREND_SHARDS is set and JOB_COMPLETION_INDEX is not".to_owned()));
    };
    let text = format!("{index}/{count}");
    parse_shard(&text)
        .map(Some)
        .map_err(|error| UsageError(format!("JOB_COMPLETION_INDEX/KORE_TREND_SHARDS = {text}: {error}")))
}

/// Each bot's name is hashed with the number of each shard: more than this would take long, and is a slip of the finger.
const MOST_SHARDS: u32 = 10_000;

fn parse_shard(text: &str) -> Result<Shard, String> {
    let shard = text.split_once('/').and_then(|(index, count)| {
        let shard = Shard { index: index.parse().ok()?, count: count.parse().ok()? };
        (shard.index < shard.count && shard.count <= MOST_SHARDS).then_some(shard)
    });
    shard.ok_or_else(|| format!("must be I/N with I from 0 to N-1, such as 0/3, and N at most {MOST_SHARDS}"))
}

fn parse_range(text: &str) -> Result<Range, String> {
    let (from, to) = text.split_once("..").ok_or("must be FROM..TO or FROM.., with days as YYYY-MM-DD")?;
    let to = if to.is_empty() { None } else { Some(parse_day(to)?) };
    Ok(Range { from: parse_day(from)?, to })
}

fn parse_day(text: &str) -> Result<Date, String> {
    let wrong = |error: &dyn Display| format!("{text:?} is not a date such as 2026-08-06: {error}");
    let shape = text.len() == 10 && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
    if !shape {
        return Err(wrong(&"it must be YYYY-MM-DD"));
    }
    Date::from_str(text).map_err(|error| wrong(&error))
}

#[cfg(test)]
#[path = "cli_tests.rs"]
mod tests;
