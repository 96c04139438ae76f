//! Logging to the systemd journal. While the daemon works, lines go to the journal itself and keep their fields.
//! It looks up the service of a line by the process it came from, which must still be there: so the first and the last
//! words, and those of short runs, go through standard error, which it has known as the service's from the start.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tracing::{Event, Level, Subscriber};
use tracing_journald::{Priority, PriorityMappings};
use tracing_subscriber::filter::dynamic_filter_fn;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, format};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::{Layer, Registry};

use super::console::Console;

/// Which of the two ways lines take now.
#[derive(Clone, Debug, Default)]
pub(crate) struct Way {
    is_native: Arc<AtomicBool>,
}

impl Way {
    /// From now on lines take the native way, or no longer do.
    pub(crate) fn set_native(&self, native: bool) {
        self.is_native.store(native, Ordering::Relaxed);
    }
}

/// Whether standard error leads to the journal, which `$JOURNAL_STREAM` says by device and inode.
pub(crate) fn is_behind_stderr(stream: &str) -> bool {
    rustix::fs::fstat(io::stderr()).is_ok_and(|stderr| stream == format!("{}:{}", stderr.st_dev, stderr.st_ino))
}

/// Both ways, of which [`Way`] chooses one.
pub(crate) fn layer(console: &Console, way: &Way) -> Box<dyn Layer<Registry> + Send + Sync> {
    let lines = tracing_subscriber::fmt::layer().with_writer(console.clone()).event_format(WithPriority);
    // What is called information here is called so there; without this it would be a notice, in bold.
    let levels = PriorityMappings { info: Priority::Informational, debug: Priority::Debug, ..PriorityMappings::new() };
    let Ok(native) = tracing_journald::layer() else { return lines.boxed() };
    let native = native.with_field_prefix(None).with_priority_mappings(levels);
    let is_native = |way: &Way, wanted| {
        let is_native = Arc::clone(&way.is_native);
        dynamic_filter_fn(move |_, _| is_native.load(Ordering::Relaxed) == wanted)
    };
    lines.with_filter(is_native(way, false)).and_then(native.with_filter(is_native(way, true))).boxed()
}

/// A line that begins with its level as the journal reads it, `<3>` for an error.
struct WithPriority;

impl<S, N> FormatEvent<S, N> for WithPriority
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let priority = match *event.metadata().level() {
            Level::ERROR => 3,
            Level::WARN => 4,
            Level::INFO => 6,
            _ => 7,
        };
        write!(writer, "<{priority}>")?;
        let line = format().without_time().with_target(false).with_level(false).with_ansi(false);
        line.format_event(context, writer, event)
    }
}
