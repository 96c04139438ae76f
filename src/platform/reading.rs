//! What a reply means, decided once, on the reply as it came: an answer, or which failure. Only what is shown of it is
//! shortened and rid of secrets.

use jiff::Timestamp;
use jiff::civil::Date;
use memchr::memmem;
use reqwest::header::RETRY_AFTER;

use super::answer::{Answer, parse_v1, parse_v2};
use super::dates::date;
use super::failure::{Failure, Meaning, Refusal};
use crate::config::{Api, EndDate, Platform};
use crate::domain::backoff;
use crate::domain::series::{Interval, Window, day_after};
use crate::http::Reply;
use crate::observe::redact;

/// A request, as far as its reply is read by it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked<'a> {
    /// The days it was for.
    pub(super) window: Window,
    pub(super) interval: Interval,
    /// What it carried, so that an echo of it is known.
    pub(super) token: &'a str,
    /// When it was made, by this machine's clock.
    pub(super) at: Timestamp,
}

/// The days that were asked for, or why there are none.
pub(super) fn read(platform: &Platform, reply: &Reply, asked: &Asked<'_>) -> Result<Answer, Failure> {
    match refusal(reply, asked) {
        Some(refusal) => Err(Failure::Refused(refusal)),
        None => answer(platform, reply, asked),
    }
}

/// Whether a reply is no answer: by its status, or a success that speaks of errors or, in the place of figures, of a
/// refusal.
fn refusal(reply: &Reply, asked: &Asked<'_>) -> Option<Refusal> {
    let whole = || String::from_utf8_lossy(&reply.body).into_owned();
    let errors = if reply.is_success() && !has(&reply.body, "errors") { None } else { errors_in(&reply.body) };
    let words = match errors {
        Some(errors) => errors,
        None if !reply.is_success() => whole(),
        None if has_figures(&reply.body) => return None,
        None => Some(whole()).filter(|words| Meaning::of(reply.status, words) != Meaning::Other)?,
    };
    let platform_time = date(&reply.headers);
    // A date to wait for is one of the platform's clock, from which this one may differ.
    let now = platform_time.unwrap_or(asked.at);
    Some(Refusal {
        status: reply.status,
        meaning: Meaning::of(reply.status, &words),
        message: redact::shown(&words, asked.token),
        retry_after: reply.header(RETRY_AFTER).and_then(|header| backoff::retry_after(header, now)),
        clock_ahead: platform_time.map(|platform| asked.at.as_second() - platform.as_second()),
    })
}

/// The days of a reply that is no refusal.
fn answer(platform: &Platform, reply: &Reply, asked: &Asked<'_>) -> Result<Answer, Failure> {
    let parsed = match platform.api {
        Api::V1(_) => parse_v1(&reply.body, asked.interval),
        Api::V2 => parse_v2(&reply.body, asked.interval),
    };
    let mut answer = parsed.map_err(|problem| {
        // Of what is something else altogether, the place in it tells little.
        let beginning = if has_figures(&reply.body) { "".into() } else { String::from_utf8_lossy(&reply.body) };
        let colon = if beginning.is_empty() { "" } else { ": " };
        Failure::Shape(redact::shown(&format!("{problem}{colon}{beginning}"), asked.token))
    })?;
    let is_foreign = |day: &Date| !asked.window.contains(*day) && !is_extra(platform, asked.window, *day);
    let foreign: Vec<Date> = answer.days.keys().copied().filter(is_foreign).collect();
    answer.days.retain(|day, _| asked.window.contains(*day));
    if let (Some(&first), Some(&last)) = (foreign.first(), foreign.last()) {
        if answer.days.is_empty() {
            return Err(Failure::OtherDays(Window { first, last }));
        }
        let count = foreign.len();
        answer.oddity =
            Some(format!("the answer contains {count} days that were not requested: ignored (logged once per series)"));
    }
    Ok(answer)
}

/// Whether this is the day more that is asked for where the platform leaves out the last one, and that it should not send.
fn is_extra(platform: &Platform, window: Window, day: Date) -> bool {
    platform.end_date == EndDate::Excluded && day == day_after(window.last, 1)
}

/// Whether the body holds what an answer of either version does.
fn has_figures(body: &[u8]) -> bool {
    has(body, "results") || has(body, "uniqueUsersTrend")
}

/// Whether the body may have this key.
fn has(body: &[u8], key: &str) -> bool {
    memmem::find(body, format!("\"{key}\"").as_bytes()).is_some()
}

/// The words of `{"errors":[{"msg":"…","code":4002}]}`, whatever type the code has, and of one without its list.
fn errors_in(body: &[u8]) -> Option<String> {
    let body: serde_json::Value = serde_json::from_slice(body).ok()?;
    let errors = body.get("errors")?;
    let errors = errors.as_array().map_or(std::slice::from_ref(errors), Vec::as_slice);
    let words = errors.iter().filter_map(|error| {
        let message = error.get("msg").or_else(|| error.get("message")).unwrap_or(error);
        let message = message.as_str().filter(|message| !message.is_empty())?;
        let code =
            error.get("code").map(|code| format!(" (code {})", code.as_str().map_or(code.to_string(), str::to_owned)));
        Some(format!("{message}{}", code.unwrap_or_default()))
    });
    let words: Vec<String> = words.collect();
    (!words.is_empty()).then(|| words.join(", "))
}

#[cfg(test)]
#[path = "reading_tests.rs"]
mod tests;
