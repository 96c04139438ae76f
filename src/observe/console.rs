//! Standard error: where log lines and the progress bar go.

use std::io::{self, Write};
use std::sync::Arc;

use indicatif::ProgressBar;
use parking_lot::Mutex;
use tracing_subscriber::fmt::MakeWriter;

/// Standard error, shared by log lines and the progress bar, which steps aside for them.
#[derive(Clone, Debug, Default)]
pub struct Console(Arc<Mutex<Option<ProgressBar>>>);

impl Console {
    /// From now on log lines are written above this bar.
    pub fn show(&self, bar: Option<ProgressBar>) {
        *self.0.lock() = bar;
    }

    fn bar(&self) -> Option<ProgressBar> {
        self.0.lock().clone()
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
