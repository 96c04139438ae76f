//! Prometheus' text format. The library writes OpenMetrics; what differs is how a counter is announced: by the name of its
//! samples, so that every tool finds its type and help.

use std::fmt::{self, Write};

use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;

/// The `Content-Type` of what [`text`] writes.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Writes what the registry holds.
pub(super) fn text(registry: &Registry) -> Result<String, fmt::Error> {
    let mut text = Text::default();
    encode(&mut text, registry)?;
    Ok(text.plain)
}

/// Takes OpenMetrics in and holds Prometheus' format, line by line: with many series the text is large, and there is one
/// of it.
#[derive(Default)]
struct Text {
    plain: String,
    /// What has come of the current line.
    line: String,
    /// The words of the last `# HELP`, which waits for `# TYPE` to know its name.
    help: Option<String>,
}

impl Write for Text {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for part in text.split_inclusive('\n') {
            self.line.push_str(part);
            if part.ends_with('\n') {
                self.end_line()?;
                self.line.clear();
            }
        }
        Ok(())
    }
}

impl Text {
    fn end_line(&mut self) -> fmt::Result {
        let line = self.line.trim_end_matches('\n');
        if let Some(about) = line.strip_prefix("# HELP ") {
            self.help = about.split_once(' ').map(|(_, words)| words.to_owned());
        } else if let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|about| about.split_once(' ')) {
            let suffix = if kind == "counter" { "_total" } else { "" };
            if let Some(words) = self.help.take() {
                writeln!(self.plain, "# HELP {name}{suffix} {words}")?;
            }
            writeln!(self.plain, "# TYPE {name}{suffix} {kind}")?;
        } else if !line.starts_with('#') {
            self.plain.push_str(&self.line);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_announced_by_the_name_of_their_sample() {
        let open = "# HELP a_seconds Some words.\n# TYPE a_seconds counter\n# UNIT a_seconds seconds\na_seconds_total 1\n\
                    # HELP b Others.\n# TYPE b gauge\nb{c=\"# d\"} 2\n# EOF\n";
        let plain = "# HELP a_seconds_total Some words.\n# TYPE a_seconds_total counter\na_seconds_total 1\n\
                     # HELP b Others.\n# TYPE b gauge\nb{c=\"# d\"} 2\n";
        for size in [1, 7, open.len()] {
            let mut text = Text::default();
            for part in open.as_bytes().chunks(size) {
                text.write_str(std::str::from_utf8(part).unwrap()).unwrap();
            }
            assert_eq!(text.plain, plain, "in parts of {size} bytes");
        }
    }
}
