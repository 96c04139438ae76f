//! Prometheus' text format. The library writes OpenMetrics; what differs is how a counter is announced: by the name of its
//! samples, so that every tool finds its type and help.

use std::fmt::Write;

use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;

/// The `Content-Type` of what [`text`] writes.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Writes what the registry holds.
pub(super) fn text(registry: &Registry) -> Result<String, std::fmt::Error> {
    let mut text = String::with_capacity(16 << 10);
    encode(&mut text, registry)?;
    as_prometheus(&text)
}

/// `# HELP` comes before `# TYPE`, so the former waits for the latter to know the name.
fn as_prometheus(text: &str) -> Result<String, std::fmt::Error> {
    let mut plain = String::with_capacity(text.len());
    let mut help = None;
    for line in text.lines() {
        if let Some(about) = line.strip_prefix("# HELP ") {
            help = about.split_once(' ');
        } else if let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|about| about.split_once(' ')) {
            let suffix = if kind == "counter" { "_total" } else { "" };
            if let Some((_, words)) = help.take() {
                writeln!(plain, "# HELP {name}{suffix} {words}")?;
            }
            writeln!(plain, "# TYPE {name}{suffix} {kind}")?;
        } else if !line.starts_with('#') {
            writeln!(plain, "{line}")?;
        }
    }
    Ok(plain)
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
        assert_eq!(as_prometheus(open).unwrap(), plain);
    }
}
