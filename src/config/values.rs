//! Values that several sections hold: cron lines, durations, addresses of services.

use std::time::Duration;

use jiff::SignedDuration;
use reqwest::Url;

use super::reader::Reader;
use super::shown::{HIDDEN, quoted};
use crate::domain::slots::Cron;

/// The schedule at `path`, if there is a valid one.
pub(super) fn cron(reader: &mut Reader, path: &str) -> Option<Cron> {
    let line: String = reader.get(path, "a cron line in quotes", |_| true)?;
    let told = |error| match quoted(&line) {
        shown if shown.starts_with('"') => format!("found {shown}: {error}"),
        hidden => format!("found {hidden}, must be a cron line"),
    };
    Cron::parse(&line).map_err(|error| reader.problem(path, told(error))).ok()
}

/// The duration at `path`, or its default; zero only where that means something.
pub(super) fn duration(reader: &mut Reader, path: &str, default: &str, zero_allowed: bool) -> Duration {
    let parse = |text: &str| -> Option<Duration> {
        let duration = Duration::try_from(text.parse::<SignedDuration>().ok()?).ok()?;
        (duration <= MAX_DURATION && (zero_allowed || !duration.is_zero())).then_some(duration)
    };
    let allowed = if zero_allowed {
        "a duration such as \"30s\" or \"5m\", at most a day"
    } else {
        "a duration such as \"30s\" or \"5m\", above zero and at most a day"
    };
    let text: Option<String> = reader.get(path, allowed, |text: &String| parse(text).is_some());
    text.as_deref().or(Some(default)).and_then(parse).unwrap_or_default()
}

/// No pause of this program is longer.
const MAX_DURATION: Duration = Duration::from_secs(24 * 3600);

/// The address of a service; `https://` is added where the scheme is missing.
pub(super) fn service_url(reader: &mut Reader, path: &str, default: &str) -> Option<Url> {
    let text: String = match reader.get(path, "an address in quotes", |_| true) {
        Some(text) => text,
        None if reader.has(path) => return None,
        None => default.to_owned(),
    };
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
    let with_scheme = if text.contains("://") { text.to_owned() } else { format!("https://{text}") };
    let url = Url::parse(&with_scheme).ok()?;
    let plain =
        url.username().is_empty() && url.password().is_none() && url.query().is_none() && url.fragment().is_none();
    (plain && url.has_host() && ["http", "https"].contains(&url.scheme())).then_some(url)
}
