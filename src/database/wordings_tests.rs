use proptest::prelude::*;

use super::*;

fn meaning(status: u16, body: &str) -> Meaning {
    read(status, body.as_bytes()).meaning
}

fn message(words: &str) -> String {
    serde_json::json!({"code": "invalid", "message": words}).to_string()
}

#[test]
fn retention_is_known_by_its_words_whatever_the_status_and_the_key() {
    let short = "partial write: points beyond retention policy dropped=6";
    let long = "partial write: dropped 6 points outside retention policy of duration 48h0m0s - oldest point \
                user_engagement_hourly,bot=a at 2026-08-01T00:00:00Z dropped because it violates a Retention Policy Lower \
                Bound at 2026-08-02T00:00:00Z dropped=6 for database: 2f0e for retention policy: autogen";
    for words in [short.to_owned(), long.to_owned(), format!("failure writing points to database: {short}")] {
        for status in [400, 403, 422, 500] {
            assert_eq!(meaning(status, &message(&words)), Meaning::Retention(Some(6)), "{words}");
            let old = serde_json::json!({"error": words}).to_string();
            assert_eq!(meaning(status, &old), Meaning::Retention(Some(6)), "{words}");
            assert_eq!(meaning(status, &words), Meaning::Retention(Some(6)), "{words}");
        }
    }
    assert_eq!(meaning(403, &message("data in table x is outside of the retention period")), Meaning::Retention(None));
}

#[test]
fn a_cloud_that_stores_nothing_says_from_when_on_it_would() {
    let words = "dml handler error: data in table Test is outside of the retention period: minimum acceptable timestamp is \
                 2023-07-30T11:05:48.178479165+00:00, but observed timestamp 2022-04-04T05:40:41.079+00:00 is older.";
    assert_eq!(meaning(403, &message(words)), Meaning::OlderThan(1_690_715_148));
}

#[test]
fn numbered_lines_are_read_with_their_reasons() {
    let body = r#"{"error":"partial write of line protocol occurred","data":[
        {"line_number":1,"original_line":"a","error_message":"invalid column type for column 'users'"},
        {"line_number":3,"original_line":"b","error_message":"no fields"}]}"#;
    let found = read(400, body.as_bytes());
    let refused = vec![(0, "invalid column type for column 'users'".to_owned()), (2, "no fields".to_owned())];
    let beyond_retention = Vec::new();
    assert_eq!(found.meaning, Meaning::NumberedLines { refused, beyond_retention, rest_is_stored: true });
    assert!(found.words.contains("invalid column type") && found.advice == TYPE, "{found:?}");
    let all_refused = body.replace("partial write of line protocol occurred", "parsing failed for write_lp endpoint");
    assert!(matches!(meaning(400, &all_refused), Meaning::NumberedLines { rest_is_stored: false, .. }));
    let old = body.replace("no fields", "data in table x is outside of the retention period");
    let Meaning::NumberedLines { refused, beyond_retention, .. } = meaning(400, &old) else { panic!("{old}") };
    assert_eq!((refused.len(), beyond_retention), (1, vec![2]));
}

#[test]
fn a_success_may_be_a_refusal() {
    for (body, expected) in [
        ("", false),
        ("OK", false),
        ("{}", false),
        (r#"{"error":null}"#, false),
        (r#"{"error":"","errors":[]}"#, false),
        (r#"{"error":"partial write: points beyond retention policy dropped=6"}"#, true),
        (r#"{"errors":[{"message":"no"}]}"#, true),
        ("\n<html>Log in, please</html>", true),
    ] {
        assert_eq!(is_refusal(body.as_bytes()), expected, "{body}");
    }
}

#[test]
fn each_wording_has_its_meaning_and_its_advice() {
    let buffer = |words: &str| format!("write buffer error: {words}");
    let conflict = "partial write: field type conflict: input field \"users\" on measurement \"m\" is type integer, already \
                    exists as type float dropped=1";
    let five = "catalog update error: Adding a new database would exceed limit of 5 databases";
    for (status, words, expected, advice) in [
        (422, conflict.to_owned(), Meaning::Lines(Some(1)), TYPE),
        (400, format!("{conflict} for database: d"), Meaning::Lines(Some(1)), TYPE),
        (400, buffer("line protocol parse failed: invalid column type for column 'x'"), Meaning::Lines(None), TYPE),
        (400, "unable to parse 'a b': missing fields".into(), Meaning::Lines(None), None),
        (400, "failed to parse line protocol: errors encountered on line(s)".into(), Meaning::Lines(None), None),
        (400, "something about column x".into(), Meaning::Lines(None), None),
        (400, buffer("incoming write was empty"), Meaning::Empty, None),
        (400, buffer("error from wal: x: No space left on device (os error 28)"), Meaning::Other, DISK),
        (400, buffer("error from wal: StorageFull { }"), Meaning::Other, DISK),
        (500, "engine: write /x: no space left on device".into(), Meaning::Passing, DISK),
        (400, buffer(five), Meaning::Other, DATABASES),
        (400, buffer("namespace name 'my line' contains invalid character"), Meaning::Other, NAME),
        (400, "the bucket 'field' is closed".into(), Meaning::Other, None),
        (400, "the bucket isn't open, and the line isn't either".into(), Meaning::Lines(None), None),
        (400, "the timeline is online".into(), Meaning::Other, None),
        (400, String::new(), Meaning::Other, None),
        (401, "unauthorized access".into(), Meaning::Denied, None),
        (401, "unable to parse authentication credentials".into(), Meaning::Denied, None),
        (403, "<html>Blocked by Contoso Line Limited</html>".into(), Meaning::Denied, Some(NOT_THE_DATABASE)),
        (
            400,
            "<html>A request header field is too long, and so is a line</html>".into(),
            Meaning::Other,
            Some(NOT_THE_DATABASE),
        ),
        (400, "request header field is too large".into(), Meaning::Other, None),
        (422, "the limit of 5 databases is reached".into(), Meaning::Other, DATABASES),
        (200, "<html>Log in, please</html>".into(), Meaning::Other, Some(NOT_THE_DATABASE)),
        (404, "bucket \"a line\" not found".into(), Meaning::Absent, None),
        (413, "a line too many".into(), Meaning::TooLarge, None),
        (413, "<html>too large</html>".into(), Meaning::TooLarge, None),
        (429, "a column of cars".into(), Meaning::Passing, None),
        (503, "the line is busy".into(), Meaning::Passing, None),
        (302, String::new(), Meaning::Other, None),
    ] {
        let found = read(status, message(&words).as_bytes());
        assert_eq!((found.meaning, found.advice), (expected, advice), "{status} {words}");
    }
}

#[test]
fn what_is_quoted_speaks_of_nothing() {
    assert_eq!(meaning(400, &message("unable to parse 'm,a=points beyond retention policy': x")), Meaning::Lines(None));
    assert_eq!(without_quotes("it isn't 'a b' or \"c\" but 'd"), "it isn't  or  but 'd");
}

#[test]
fn an_answer_that_was_cut_off_is_understood_all_the_same() {
    let cut = r#"{"code":"x","message":"partial write: points beyond retention policy dropped=6 for datab"#;
    assert_eq!(meaning(422, cut), Meaning::Retention(Some(6)));
}

proptest! {
    #[test]
    fn any_answer_can_be_read(status in 100..600_u16, body in prop::collection::vec(any::<u8>(), 0..300)) {
        read(status, &body);
    }

    #[test]
    fn any_words_can_be_read(status in 100..600_u16, words in "[a-z'\"=0-9 ]{0,80}") {
        read(status, message(&words).as_bytes());
    }
}
