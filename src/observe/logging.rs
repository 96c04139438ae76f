//! Log lines on standard error: text for people, plain under the journal, JSON for collectors.

use std::io::{self, IsTerminal};

use clap::ValueEnum;
use tracing::Level;
use tracing_subscriber::filter::{FilterExt, filter_fn};
use tracing_subscriber::fmt;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry, reload};

use super::console::Console;
use super::journal;
use crate::config::Environment;

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
    let stream = environment.get("JOURNAL_STREAM").filter(|_| format == Format::Auto);
    let is_journal = stream.is_some_and(journal::is_behind_stderr);
    let lines = fmt::layer().with_writer(console.clone()).with_target(false);
    let way = journal::Way::default();
    let lines = match format {
        Format::Auto if is_journal => journal::layer(console, &way),
        Format::Json => lines.json().flatten_event(true).boxed(),
        Format::Auto | Format::Text => lines.with_ansi(is_terminal).boxed(),
    };
    let (levels, handle) = reload::Layer::new(filter(level));
    tracing_subscriber::registry().with(lines.with_filter(own_or_grave.and(levels))).init();
    Log { handle, fixed: level.is_some(), way }
}
