//! Values that several sections hold: flags, paths, cron lines, durations, addresses of services.

use std::path::PathBuf;
use std::time::Duration;

use jiff::SignedDuration;
use reqwest::Url;

use super::reader::Reader;
use super::shown::{HIDDEN, quoted};
use crate::domain::slots::Cron;

/// What is on or off.
pub(super) fn flag(reader: &mut Reader, path: &str, default: bool) -> bool {
    reader.get(path, "true or false", Some).unwrap_or(default)
}

/// A path that is not empty.
pub(super) fn some_path(path: PathBuf) -> Option<PathBuf> {
    (!path.as_os_str().is_empty()).then_some(path)
}

/// The schedule at `path`, if there is a valid one.
pub(super) fn cron(reader: &mut Reader, path: &str) -> Option<Cron> {
    let line: String = reader.get(path, "a cron line in quotes", Some)?;
    let told = |error| match quoted(&line) {
        shown if shown.starts_with('"') => format!("found {shown}: {error}"),
        hidden => format!("found {hidden}, must be a cron line"),
    };
    Cron::parse(&line).map_err(|error| reader.problem(path, told(error))).ok()
}

/// The duration at `path`, or so many seconds; zero only where that means something.
pub(super) fn duration(reader: &mut Reader, path: &str, default: u64, zero_allowed: bool) -> Duration {
    let above_zero = if zero_allowed { "" } else { "above zero and " };
    let allowed = format!("a duration such as \"30s\" or \"5m\", {above_zero}at most a day");
    let parse = |text: String| {
        let duration = Duration::try_from(text.parse::<SignedDuration>().ok()?).ok()?;
        (duration <= MAX_DURATION && (zero_allowed || !duration.is_zero())).then_some(duration)
    };
    reader.get(path, &allowed, parse).unwrap_or(Duration::from_secs(default))
}

/// No pause of this program is longer.
const MAX_DURATION: Duration = Duration::from_secs(24 * 3600);

/// The address of a service; `https://` is added where the scheme is missing.
pub(super) fn service_url(reader: &mut Reader, path: &str, default: &str) -> Option<Url> {
    let text = reader.get_or(path, "an address in quotes", || default.to_owned(), Some)?;
    let url = parse_url(&text);
    if url.is_none() {
        let may_hold_a_secret = text.contains(['@', '?', '#']);
        let found = if may_hold_a_secret { HIDDEN.to_owned() } else { quoted(&text) };
        let allowed = "an http:// or https:// address without credentials, query or fragment";
        reader.problem(path, format!("found {found}, must be {allowed}"));
    }
    url
}

fn parse_url(text: &str) -> Option<Url> {
    let text = text.trim_end_matches('/');
    let url = match text.contains("://") {
        true => Url::parse(text),
        // Half a scheme is no host.
        false if text.starts_with("http:") || text.starts_with("https:") => return None,
        false => Url::parse(&format!("https://{text}")),
    };
    let url = url.ok()?;
    let plain =
        url.username().is_empty() && url.password().is_none() && url.query().is_none() && url.fragment().is_none();
    (plain && url.has_host() && ["http", "https"].contains(&url.scheme())).then_some(url)
}
