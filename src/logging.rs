//! Log lines on standard error: text for people, plain under the journal, JSON for collectors.

use std::io::{self, IsTerminal, Write};
use std::sync::{Arc, Mutex, PoisonError};

use clap::ValueEnum;
use indicatif::ProgressBar;
use tracing::Level;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::fmt::{self, MakeWriter};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer};

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

/// Starts logging for the whole process. Other crates say only what is a warning or worse: below that some of them
/// would show what travels.
pub fn start(format: Format, filter: &str, environment: &Environment, console: &Console) {
    let own_or_grave =
        filter_fn(|event| *event.level() <= Level::WARN || event.target().starts_with(env!("CARGO_CRATE_NAME")));
    let is_terminal = io::stderr().is_terminal();
    let journal = format == Format::Auto && !is_terminal && environment.get("JOURNAL_STREAM").is_some();
    let lines = fmt::layer().with_writer(console.clone()).with_target(false);
    let lines = match format {
        Format::Json => lines.json().flatten_event(true).boxed(),
        _ if journal => lines.with_ansi(false).without_time().boxed(),
        _ => lines.with_ansi(is_terminal).boxed(),
    };
    // The filter was parsed with the command line.
    let filter = EnvFilter::try_new(filter).unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::registry().with(lines.with_filter(own_or_grave).with_filter(filter)).init();
}
