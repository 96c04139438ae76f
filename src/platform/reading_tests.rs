use jiff::civil::date;
use reqwest::header::{DATE, HeaderMap, HeaderValue};

use super::*;
use crate::config::{Limits, Send};

const WINDOW: Window = Window { first: date(2026, 8, 5), last: date(2026, 8, 6) };

fn asked() -> Asked<'static> {
    let at = "2026-08-07T12:00:00Z".parse().unwrap();
    Asked { window: WINDOW, interval: Interval::Daily, token: "eyJhbGciOiJIUzI1NiJ9.e30.c2lnbmF0dXJl", at }
}

fn platform(end_date: EndDate) -> Platform {
    Platform {
        url: "http://platform.invalid".parse().unwrap(),
        api: Api::V1(Send::Query),
        end_date,
        timeout: std::time::Duration::from_secs(1),
        max_days_per_request: 31,
        concurrency: 1,
        limits: Limits { per_minute: 60, per_hour: 1800, backfill_share: 0.5 },
    }
}

fn reply(status: u16, headers: &[(reqwest::header::HeaderName, &str)], body: &str) -> Reply {
    let headers = headers.iter().map(|(name, value)| (name.clone(), HeaderValue::from_str(value).unwrap()));
    Reply { status, headers: headers.collect::<HeaderMap>(), body: body.as_bytes().to_vec() }
}

#[test]
fn what_a_refusal_means_is_decided_on_all_of_it_and_only_the_rest_is_hidden() {
    let long = format!("{} API rate limit exceeded {}", "x".repeat(310), "y".repeat(120));
    for (status, body, meaning, shown) in [
        (400, format!(r#"{{"errors":[{{"msg":"{long}"}}]}}"#), Meaning::RateLimit, "xxx…"),
        (200, r#"{"errors":[{"msg":"Rate limit","code":"4"}]}"#.to_owned(), Meaning::RateLimit, "Rate limit (code 4)"),
        (200, r#"{"error":"Rate limit exceeded"}"#.to_owned(), Meaning::RateLimit, "Rate limit exceeded"),
        (200, r#"{"errors":["Invalid SDK credentials"]}"#.to_owned(), Meaning::Denied, "Invalid SDK credentials"),
        (200, r#"{"errors":{"message":"no"},"results":[]}"#.to_owned(), Meaning::Other, "no"),
        (403, "Blocked by Contoso Corporate Limited".to_owned(), Meaning::Denied, "Blocked by Contoso"),
        (
            401,
            r#"{"errors":[{"msg":"eyJhbGciOiJIUzI1NiJ9.e30.c2lnbmF0dXJl has no scope"}]}"#.to_owned(),
            Meaning::Scope,
            "",
        ),
    ] {
        let refusal = refusal(&reply(status, &[], &body), &asked()).unwrap();
        assert_eq!((refusal.status, refusal.meaning), (status, meaning), "{body}");
        let beginning = shown.trim_end_matches('…');
        assert!(
            refusal.message.contains(beginning) && !refusal.message.contains("c2lnbmF0dXJl"),
            "{}",
            refusal.message
        );
        assert!(refusal.message.chars().count() < 500);
    }
}

#[test]
fn a_delay_until_a_date_is_one_of_the_platforms_clock() {
    let headers = [(DATE, "Fri, 07 Aug 2026 11:00:00 GMT"), (RETRY_AFTER, "Fri, 07 Aug 2026 11:00:30 GMT")];
    let refusal = refusal(&reply(429, &headers, ""), &asked()).unwrap();
    assert_eq!(refusal.retry_after, Some(std::time::Duration::from_secs(30)));
    assert_eq!(refusal.clock_ahead, Some(3600));
}

/// The days of an answer, or its failure, and the word about it.
fn read(end_date: EndDate, body: &str) -> Result<(Vec<Date>, Option<String>), Failure> {
    let reply = reply(200, &[], body);
    assert_eq!(refusal(&reply, &asked()), None, "{body}");
    let answer = answer(&platform(end_date), &reply, &asked())?;
    assert!(answer.days.values().all(|buckets| matches!(buckets[..], [(None, _)])));
    Ok((answer.days.into_keys().collect(), answer.oddity))
}

fn body(days: &[&str]) -> String {
    let days: Vec<String> = days.iter().map(|day| format!(r#"{{"date":"{day}","users":1}}"#)).collect();
    format!(r#"{{"results":[{}]}}"#, days.join(","))
}

#[test]
fn days_that_were_not_asked_for_are_left_out_and_said() {
    let (days, oddity) = read(EndDate::Included, &body(&["Aug 04 2026", "Aug 05 2026", "Aug 07 2026"])).unwrap();
    assert_eq!(days, [date(2026, 8, 5)]);
    assert!(oddity.unwrap().contains("contains 2 days that were not requested"));
    for errors in ["null", "[]", "{}", "\"\"", "false"] {
        let body = format!(r#"{{"results":[],"errors":{errors}}}"#);
        assert_eq!(read(EndDate::Included, &body), Ok((Vec::new(), None)), "{body}");
    }
}

#[test]
fn what_is_no_answer_at_all_is_shown() {
    for body in [r#"{"message":"Session expired"}"#, "<html>Log in, please</html>"] {
        let Failure::Shape(problem) = read(EndDate::Included, body).unwrap_err() else { panic!("{body}") };
        assert!(problem.contains(&format!(": {body}")), "{problem}");
    }
    let Failure::Shape(problem) = read(EndDate::Included, r#"{"results":[7]}"#).unwrap_err() else { panic!() };
    assert!(problem.contains("expected a day") && !problem.contains("results"), "{problem}");
}

#[test]
fn an_answer_with_none_of_the_days_is_a_failure_that_names_the_setting() {
    let failure = read(EndDate::Included, &body(&["Jan 01 2020", "Jan 03 2020"])).unwrap_err();
    assert_eq!(failure, Failure::OtherDays(Window { first: date(2020, 1, 1), last: date(2020, 1, 3) }));
    assert!(failure.advice().contains("platform.send"));
}

#[test]
fn the_day_more_that_is_asked_for_is_no_surprise() {
    let days = body(&["Aug 06 2026", "Aug 07 2026"]);
    assert_eq!(read(EndDate::Excluded, &days), Ok((vec![date(2026, 8, 6)], None)));
    assert_eq!(read(EndDate::Excluded, &body(&["Aug 07 2026"])), Ok((Vec::new(), None)));
    assert!(read(EndDate::Excluded, &body(&["Aug 08 2026"])).is_err());
}
