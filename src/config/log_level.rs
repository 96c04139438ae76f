//! Which log lines are written: a level, or directives by module.

use std::str::FromStr;

use tracing::level_filters::LevelFilter;
use tracing_subscriber::EnvFilter;

/// What a log level may be.
pub(super) const LEVELS: &str = "error, warn, info, debug, trace, off or directives by module";

/// Checks a log level as the command line and the configuration take it, and drops the blanks between its directives: to
/// the filter, one that begins or ends with a blank is a module of that name.
///
/// # Errors
///
/// What is wrong with it, and what may be.
pub fn parse_filter(text: &str) -> Result<String, String> {
    let directives: Vec<&str> = text.split(',').map(str::trim).filter(|directive| !directive.is_empty()).collect();
    if directives.is_empty() {
        return Err(format!("it selects nothing; must be {LEVELS}"));
    }
    // A single word may be a module as well, and a misspelt level would then silence everything.
    let is_misspelt = |word: &&str| {
        let is_module = word.contains(['=', '[']) || word.starts_with(env!("CARGO_CRATE_NAME"));
        !is_module && LevelFilter::from_str(word).is_err()
    };
    if let Some(word) = directives.iter().copied().find(is_misspelt) {
        return Err(format!("unknown log level {word:?}; must be {LEVELS}"));
    }
    let text = directives.join(",");
    EnvFilter::try_new(&text).map_err(|error| format!("{error}; must be {LEVELS}"))?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_level_is_no_level() {
        for level in ["info", "warn,kore_trend_exporter::platform=debug", "off", "TRACE"] {
            assert_eq!(parse_filter(level).as_deref(), Ok(level));
        }
        for (level, expected) in [(" info ", "info"), ("warn, debug,", "warn,debug"), ("off, a=info", "off,a=info")] {
            assert_eq!(parse_filter(level).as_deref(), Ok(expected));
        }
        for level in ["inof", "debug,verbose", "loud=very", "", ",", " , "] {
            assert!(parse_filter(level).is_err(), "{level}");
        }
    }
}
