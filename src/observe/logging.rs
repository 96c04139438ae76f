//! Log lines on standard error: text for people, plain under the journal, JSON for collectors.

use std::io::{self, IsTerminal, Write};
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};

use clap::ValueEnum;
use indicatif::ProgressBar;
use tracing::Level;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::{FilterExt, filter_fn};
use tracing_subscriber::fmt::{self, MakeWriter};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry, reload};

use crate::config::Environment;
use crate::observe::journal;

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Text, in colour on a terminal, without a time of its own under the journal
    Auto,
    /// Text
    Text,
    /// One JSON object a line
    Json,
}

/// Standard error, shared by log lines and the progress bar, which steps aside for them.
#[derive(Clone, Debug, Default)]
pub struct Console(Arc<Mutex<Option<ProgressBar>>>);

impl Console {
    /// From now on log lines are written above this bar.
    pub fn show(&self, bar: Option<ProgressBar>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = bar;
    }

    fn bar(&self) -> Option<ProgressBar> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Write for Console {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let write = || io::stderr().lock().write_all(line);
        match self.bar() {
            Some(bar) => bar.suspend(write),
            None => write(),
        }?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

impl<'a> MakeWriter<'a> for Console {
    type Writer = Console;

    fn make_writer(&'a self) -> Console {
        self.clone()
    }
}

/// What a log level may be.
pub const LEVELS: &str = "error, warn, info, debug, trace, off or directives by module";

/// Checks a log level as the command line and the configuration take it.
///
/// # Errors
///
/// What is wrong with it, and what may be.
pub fn parse_filter(text: &str) -> Result<String, String> {
    // A single word may be a module as well, and a misspelt level would then silence everything.
    let is_misspelt = |word: &&str| {
        let is_module = word.contains(['=', '[']) || word.starts_with(env!("CARGO_CRATE_NAME"));
        !is_module && LevelFilter::from_str(word).is_err()
    };
    if let Some(word) = text.split(',').map(str::trim).find(is_misspelt) {
        return Err(format!("{word:?} is no level; must be {LEVELS}"));
    }
    EnvFilter::try_new(text).map_err(|error| format!("{error}; must be {LEVELS}"))?;
    Ok(text.to_owned())
}

/// Changes which log lines are written, and where to, while the program runs.
#[derive(Clone, Debug)]
pub struct Log {
    handle: reload::Handle<EnvFilter, Registry>,
    /// What the command line says goes before what a configuration says.
    fixed: bool,
    way: journal::Way,
}

impl Log {
    /// Follows the configuration, unless the command line said what to write.
    pub fn set_level(&self, configured: Option<&str>) {
        if !self.fixed
            && let Err(error) = self.handle.reload(filter(configured))
        {
            tracing::error!("the log level cannot be changed: {error}");
        }
    }

    /// Whether the process goes on, so that lines may go to the journal itself, if standard error leads there.
    pub fn set_lasting(&self, lasting: bool) {
        self.way.set_native(lasting);
    }
}

fn filter(text: Option<&str>) -> EnvFilter {
    // It was parsed where it came from.
    EnvFilter::try_new(text.unwrap_or("info")).unwrap_or_else(|_| EnvFilter::new("info"))
}

/// Starts logging for the whole process. Other crates say only what is a warning or worse: below that some of them
/// would show what travels. The scheduler says nothing: what it misses when hundreds of schedules come at once, the
/// daemon makes up for.
pub fn start(format: Format, level: Option<&str>, environment: &Environment, console: &Console) -> Log {
    let own_or_grave = filter_fn(|event| {
        let is_grave = *event.level() <= Level::WARN && !event.target().starts_with("tokio_cron_scheduler");
        is_grave || event.target().starts_with(env!("CARGO_CRATE_NAME"))
    });
    let is_terminal = io::stderr().is_terminal();
    let journal = environment.get("JOURNAL_STREAM").filter(|_| format == Format::Auto && !is_terminal);
    let lines = fmt::layer().with_writer(console.clone()).with_target(false);
    let way = journal::Way::default();
    let lines = match (format, journal) {
        (_, Some(stream)) if journal::is_behind_stderr(stream) => journal::layer(console, &way),
        (_, Some(_)) => lines.with_ansi(false).without_time().boxed(),
        (Format::Json, None) => lines.json().flatten_event(true).boxed(),
        (_, None) => lines.with_ansi(is_terminal).boxed(),
    };
    let (levels, handle) = reload::Layer::new(filter(level));
    tracing_subscriber::registry().with(lines.with_filter(own_or_grave.and(levels))).init();
    Log { handle, fixed: level.is_some(), way }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_level_is_no_level() {
        for level in ["info", "warn,kore_trend_exporter::platform=debug", "off", "TRACE"] {
            assert_eq!(parse_filter(level).as_deref(), Ok(level));
        }
        for level in ["inof", "debug,verbose", "loud=very"] {
            assert!(parse_filter(level).is_err(), "{level}");
        }
    }
}
