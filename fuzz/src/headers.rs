//! `Retry-After` and `Date`: what a header asks for is read as another reader of dates reads it, no server makes the
//! program wait for longer than it allows, and no date moves a watermark over a day that is not over.

use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::{DateTime, date};
use jiff::tz::{Offset, TimeZone};
use kore_trend_exporter::domain::backoff;
use kore_trend_exporter::domain::flatten::{Asked, asked_at, complete_through};
use kore_trend_exporter::domain::series::{Window, day_after};
use kore_trend_exporter::platform::failure::{Failure, Meaning, Refusal};
use kore_trend_exporter::platform::verdict::{Verdict, verdict};

/// The three forms of a date in HTTP, the last two of which are obsolete and still to be understood.
const FORMS: [&str; 3] = ["%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"];

const LONGEST_RETRY_DELAY: Duration = Duration::from_secs(60);

/// A header's value.
pub fn check(input: &[u8]) {
    // What else there may be in a header is refused before it comes here.
    let Ok(header) = std::str::from_utf8(input) else { return };
    if header.bytes().any(|byte| byte != b'\t' && !(b' '..=b'~').contains(&byte)) {
        return;
    }
    let now: Timestamp = "2026-11-22T12:00:00Z".parse().unwrap();
    let found = backoff::http_date(header);
    if let Some(expected) = read_date(header.trim()) {
        assert_eq!(found, Some(expected), "{header}");
    }
    let after = backoff::retry_after(header, now);
    let digits = header.trim();
    if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        let least = digits.parse().unwrap_or(u64::MAX);
        assert_eq!(after, Some(Duration::from_secs(least)), "{header}");
    } else if let Some(date) = found {
        let seconds = (date.as_second() - now.as_second()).max(0);
        assert_eq!(after.map(|after| after.as_secs()), u64::try_from(seconds).ok(), "{header}");
    }
    check_verdicts(after, found.map(|date| now.as_second() - date.as_second()));
    check_complete(found);
}

/// Such a date as the program would write it. Before 1970 there was no HTTP: whether such a date is one is left open.
fn read_date(header: &str) -> Option<Timestamp> {
    FORMS.iter().find_map(|form| {
        let date = DateTime::strptime(form, header).ok()?;
        let instant = Offset::UTC.to_timestamp(date).ok()?;
        let is_of_http = (1970..=9999).contains(&date.year());
        (is_of_http && date.strftime(form).to_string() == header).then_some(instant)
    })
}

fn check_verdicts(retry_after: Option<Duration>, clock_ahead: Option<i64>) {
    for status in [401, 429, 500, 503] {
        let meaning = Meaning::of(status, "");
        let refusal = Refusal { status, meaning, message: String::new(), retry_after, clock_ahead };
        let failure = Failure::Refused(refusal);
        assert!(!failure.to_string().is_empty() && failure.advice().len() < 1000);
        match verdict(&failure, 1) {
            Verdict::Retry(delay) => assert!(status >= 500 && delay <= LONGEST_RETRY_DELAY),
            Verdict::Throttled(delay) => assert_eq!((status, delay), (429, retry_after)),
            verdict => assert_eq!((status, verdict), (401, Verdict::GiveUp)),
        }
    }
}

/// A day that is over by the platform's clock and by ours, whatever the platform's says.
fn check_complete(platform_time: Option<Timestamp>) {
    let window = Window { first: date(2026, 11, 1), last: date(2026, 11, 30) };
    for zone in ["UTC", "Pacific/Kiritimati", "America/St_Johns"].map(|name| TimeZone::get(name).unwrap()) {
        let own_time: Timestamp = "2026-11-22T12:00:00Z".parse().unwrap();
        let at = asked_at(own_time, platform_time);
        let asked = Asked { window, zone: &zone, at, include_open: false, recent_from: None };
        let through = complete_through(&asked);
        let known = platform_time.map_or(own_time, |time| time.min(own_time));
        let is_over = |day| zone.to_datetime(known).date() >= day_after(day, 1);
        assert!(through.is_none_or(|day| window.contains(day) && is_over(day)));
        let next = through.map_or(window.first, |day| day_after(day, 1));
        let end = day_after(next, 1).to_zoned(zone.clone()).unwrap().timestamp();
        assert!(!window.contains(next) || known < end, "{next} was over, found {through:?}");
    }
}
