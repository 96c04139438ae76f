//! Answers of both versions as the platform documents them, and as it must not send them.

use jiff::civil::date;

use super::*;

fn users(answer: &Answer, day: Date) -> Vec<(usize, i64)> {
    answer.days[&day].iter().map(|(hour, figures)| (hour.unwrap_or(99), figures.users.unwrap())).collect()
}

#[test]
fn the_documented_hours_are_read_and_none_is_invented() {
    let body = br#"{"results":[{"date":"Aug 06 2020","0 - 1":20,"1 - 2":0,"3 - 4":10,"23 - 0":0},
        {"date":"Aug 07 2020","0 - 1":20,"23 - 0":0}],"totalResults":2}"#;
    let answer = parse_v1(body, Interval::Hourly).unwrap();
    assert_eq!(users(&answer, date(2020, 8, 6)), [(0, 20), (1, 0), (3, 10), (23, 0)]);
    assert_eq!(users(&answer, date(2020, 8, 7)), [(0, 20), (23, 0)]);
    assert_eq!(answer.oddity, None);
}

#[test]
fn the_documented_days_are_read_as_numbers_or_strings() {
    let body =
        br#"{"results":[{"date":"Aug 06 2020","users":20},{"date":"Aug 07 2020","users":"4"}],"totalResults":3}"#;
    let answer = parse_v1(body, Interval::Daily).unwrap();
    assert_eq!(users(&answer, date(2020, 8, 6)), [(99, 20)]);
    assert_eq!(users(&answer, date(2020, 8, 7)), [(99, 4)]);
    assert_eq!(answer.oddity.as_deref(), Some("totalResults is 3, but the answer has 2 days"));
}

#[test]
fn the_three_trends_of_v2_become_three_fields() {
    let body = br#"{"summary":{"uniqueUsers":2},
        "uniqueUsersTrend":{"dataPoints":[{"date":"Dec 03 2025","users":3}]},
        "newUsersTrend":{"dataPoints":[{"date":"Dec 03 2025","users":1}]},
        "returningUsersTrend":{"dataPoints":[]},"filters":{}}"#;
    let answer = parse_v2(body, Interval::Daily).unwrap();
    let expected = Figures { users: Some(3), new_users: Some(1), returning_users: None };
    assert_eq!(answer.days[&date(2025, 12, 3)], Buckets::from([(None, expected)]));
}

#[test]
fn no_part_of_an_answer_is_an_answer() {
    let v1 = r#"{"totalResults":1,"results":[{"date":"Aug 06 2020","0 - 1":20,"23 - 0":10}]}"#;
    let trend = r#"{"dataPoints":[{"date":"Aug 06 2020","0 - 1":20}]}"#;
    let names = ["uniqueUsersTrend", "newUsersTrend", "returningUsersTrend"];
    let v2 = format!("{{{}}}", names.map(|name| format!("\"{name}\":{trend}")).join(","));
    type Parse = fn(&[u8], Interval) -> Result<Answer, String>;
    for (whole, parse) in [(v1, parse_v1 as Parse), (&v2, parse_v2)] {
        assert!(parse(whole.as_bytes(), Interval::Hourly).is_ok(), "{whole}");
        for length in 0..whole.len() {
            assert!(parse(&whole.as_bytes()[..length], Interval::Hourly).is_err(), "{}", &whole[..length]);
        }
    }
}

#[test]
fn what_is_not_documented_is_refused_with_its_place() {
    for (body, interval, problem) in [
        (r#"{"results":[{"date":"Aug 06 2020","0 - 1":2"#, Interval::Hourly, "EOF"),
        (r#"{"results":[],"errors":[{"msg":"no"}]}"#, Interval::Hourly, "contains an error message"),
        (r#"{"total":0}"#, Interval::Hourly, "missing field `results`"),
        (r#"{"results":[{"0 - 1":2}]}"#, Interval::Hourly, "missing field `date`"),
        (r#"{"results":[{"date":"2020-08-06"}]}"#, Interval::Hourly, "column"),
        (r#"{"results":[{"date":"Aug 06 2020","0 - 2":2}]}"#, Interval::Hourly, "\"0 - 2\" is not an hour"),
        (r#"{"results":[{"date":"Aug 06 2020","\u00a00 - 1":2}]}"#, Interval::Hourly, "is not an hour"),
        (r#"{"results":[{"date":"Aug 06 2020","24 - 25":2}]}"#, Interval::Hourly, "is not an hour"),
        (r#"{"results":[{"date":"Aug 06 2020","0 - 1":-2}]}"#, Interval::Hourly, "expected a number of users"),
        (r#"{"results":[{"date":"Aug 06 2020","0 - 1":2.5}]}"#, Interval::Hourly, "expected a number of users"),
        (r#"{"results":[{"date":"Aug 06 2020","0 - 1":null}]}"#, Interval::Hourly, "expected a number of users"),
        (r#"{"results":[{"date":"Aug 06 2020","users":"33.33"}]}"#, Interval::Daily, "expected a number of users"),
        (r#"{"results":[{"date":"Aug 06 2020","users":3}]}"#, Interval::Hourly, "but hourly were requested"),
        (r#"{"results":[{"date":"Aug 06 2020","0 - 1":3}]}"#, Interval::Daily, "has no daily users"),
        (r#"{"results":[{"date":"Aug 06 2020","0 - 1":3,"0 - 1":4}]}"#, Interval::Hourly, "twice"),
        (
            r#"{"results":[{"date":"Aug 06 2020","users":3},{"date":"Aug 06 2020","users":4}]}"#,
            Interval::Daily,
            "2020-08-06 appears twice",
        ),
        (
            r#"{"results":[{"date":"Aug 06 2020","1 - 2":3,"2 - 3":4},{"date":"Aug 06 2020","1 - 2":3,"3 - 4":5}]}"#,
            Interval::Hourly,
            "2020-08-06 appears twice",
        ),
        (r#"{"results":[3]}"#, Interval::Hourly, "expected a day with its date and its users"),
        (r#"{"results":[{"date":"2020-08-06"}]}"#, Interval::Hourly, "expected a date such as \"Aug 06 2020\""),
        ("<html>", Interval::Hourly, "line 1 column 1"),
        ("[[],0,[]]", Interval::Hourly, "expected an object"),
    ] {
        let error = parse_v1(body.as_bytes(), interval).unwrap_err();
        assert!(error.contains(problem), "{body}: {error}");
    }
}

#[test]
fn what_is_not_needed_is_not_judged() {
    let day = r#"{"date":"Aug 06 2020","users":3}"#;
    for (rest, oddity) in [
        (r#","totalResults":1"#, None),
        (r#","totalResults":"1""#, None),
        (r#","totalResults":2"#, Some("totalResults is 2, but the answer has 1 days")),
        (r#","totalResults":-1"#, None),
        (r#","totalResults":"6 days""#, None),
        (r#","totalResults":{"count":[1]}"#, None),
        (r#","totalResults":null,"errors":null"#, None),
        (r#","errors":[]"#, None),
    ] {
        let answer = parse_v1(format!(r#"{{"results":[{day}]{rest}}}"#).as_bytes(), Interval::Daily).unwrap();
        assert_eq!((answer.days.len(), answer.oddity.as_deref()), (1, oddity), "{rest}");
    }
}

#[test]
fn what_the_documentation_does_not_speak_of_is_passed_over() {
    let body = br#"{"results":[{"date":"Aug 06 2020","note":{"9 - 9":[]},"":1,"0 - 1":20,"- 1":2}]}"#;
    let answer = parse_v1(body, Interval::Hourly).unwrap();
    assert_eq!(users(&answer, date(2020, 8, 6)), [(0, 20)]);
}

#[test]
fn a_list_is_no_answer() {
    assert!(parse_v1(b" [[]]", Interval::Daily).unwrap_err().contains("expected an object"));
    assert!(parse_v2(b"[[],[],[]]", Interval::Daily).unwrap_err().contains("expected an object"));
}

#[test]
fn every_hour_has_one_key() {
    for hour in 0..24 {
        assert_eq!(parse_hour(format!("{hour} - {}", (hour + 1) % 24).as_bytes()), Some(hour));
    }
    assert_eq!(parse_hour(b" 00-01"), Some(0));
    for text in
        ["0 - 2", "24 - 25", "24 - 1", "24 - 0", "000 - 1", "0 - 001", "0 - +1", "0 -", "0", "-1 - 0", "0 - 1 - 2"]
    {
        assert_eq!(parse_hour(text.as_bytes()), None, "{text}");
    }
}

#[test]
fn only_whole_dates_are_dates() {
    assert_eq!(parse_date("Feb 29 2024"), Some(date(2024, 2, 29)));
    for text in ["Feb 30 2024", "feb 01 2024", "Feb 1", "Feb 1 24", "Feb +1 2024", "Feb 013 2024", "Feb 01 2024 x", ""]
    {
        assert_eq!(parse_date(text), None, "{text}");
    }
}
