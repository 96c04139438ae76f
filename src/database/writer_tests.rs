//! The writer against a database that refuses, in process.

use std::future::pending;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use jiff::civil::date;
use secrecy::SecretString;

use super::*;
use crate::config::InfluxDb;
use crate::database::Refusal;
use crate::database::influxdb::InfluxDbSink;
use crate::domain::bot::test_bot;
use crate::domain::point::Figures;
use crate::domain::series::{Interval, Series};

type Answer = fn(&[String]) -> (u16, String);

type Told = oneshot::Receiver<Result<Written, WriteError>>;

/// What the database was sent and what it kept.
#[derive(Default)]
struct Kept {
    requests: usize,
    lines: Vec<String>,
}

/// A writer into a database that answers each write by its lines, and keeps those of a 204.
async fn writer(answer: Answer) -> (mpsc::Sender<Parcel>, Arc<Mutex<Kept>>) {
    let kept = Arc::new(Mutex::new(Kept::default()));
    let shared = Arc::clone(&kept);
    let write = move |State(kept): State<Arc<Mutex<Kept>>>, body: String| async move {
        let lines: Vec<String> = body.lines().map(str::to_owned).collect();
        let (status, message) = answer(&lines);
        let mut kept = kept.lock().unwrap();
        kept.requests += 1;
        if status == 204 {
            kept.lines.extend(lines);
        }
        (StatusCode::from_u16(status).unwrap(), format!("{{\"message\":\"{message}\"}}"))
    };
    let router = Router::new().route("/api/v2/write", axum::routing::post(write)).with_state(shared);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    let database = InfluxDb {
        read_token: None,
        read: None,
        url,
        org: "sre".into(),
        bucket: "engagement".into(),
        token: SecretString::from("token"),
        timeout: Duration::from_secs(10),
        gzip: false,
    };
    let sink = Sink::InfluxDb(Box::new(InfluxDbSink::new(&database).unwrap()));
    (start(sink, Box::new(|| 8), Watch::new(jiff::Timestamp::UNIX_EPOCH), Stop::after(pending())), kept)
}

/// Sends `count` points of the bot, whose figures are 0, 1, 2, … and whose hours follow each other.
fn send(writer: &mpsc::Sender<Parcel>, bot: &str, count: usize) -> Told {
    let (parcel, told) = parcel(bot, count);
    writer.try_send(parcel).unwrap();
    told
}

fn parcel(bot: &str, count: usize) -> (Parcel, Told) {
    let series = Series { bot: Arc::new(test_bot(bot)), channel: "all".into(), interval: Interval::Hourly };
    let start = date(2026, 8, 1).to_zoned(jiff::tz::TimeZone::UTC).unwrap().timestamp().as_second();
    let points = (0..count as i64)
        .map(|number| Point {
            timestamp: start + 3600 * number,
            figures: Figures { users: Some(number), ..Figures::default() },
        })
        .collect();
    let (reply, told) = oneshot::channel();
    (Parcel { encoder: Arc::new(Encoder::new(&series)), points, reply }, told)
}

fn requests_and_lines(kept: &Mutex<Kept>) -> (usize, usize) {
    let kept = kept.lock().unwrap();
    (kept.requests, kept.lines.len())
}

fn holds(lines: &[String], text: &str) -> bool {
    lines.iter().any(|line| line.contains(text))
}

#[tokio::test]
async fn series_that_are_ready_together_go_out_in_one_write() {
    let (writer, kept) = writer(|_| (204, String::new())).await;
    let told = [send(&writer, "a", 24), send(&writer, "b", 24), send(&writer, "c", 24)];
    for told in told {
        assert_eq!(told.await.unwrap(), Ok(Written { points: 24, ..Written::default() }));
    }
    assert_eq!(requests_and_lines(&kept), (1, 72));
}

#[tokio::test]
async fn no_write_holds_more_than_enough_lines() {
    let (writer, kept) =
        writer(|lines| if lines.len() > ENOUGH_LINES { (500, String::new()) } else { (204, String::new()) }).await;
    assert_eq!(send(&writer, "a", 12_345).await.unwrap(), Ok(Written { points: 12_345, ..Written::default() }));
    assert_eq!(requests_and_lines(&kept), (3, 12_345));
}

#[tokio::test]
async fn a_refused_line_harms_only_its_own_series() {
    let answer: Answer = |lines| match holds(lines, "bot=b,bot_id=st-b,channel=all users=7i ") {
        true => (400, "unable to parse".into()),
        false => (204, String::new()),
    };
    let (writer, kept) = writer(answer).await;
    let told = [send(&writer, "a", 50), send(&writer, "b", 50), send(&writer, "c", 50)];
    let results = futures(told).await;
    assert!(results[0].is_ok() && results[2].is_ok());
    match &results[1] {
        Err(WriteError::LinesRefused { count: 1, example, failure }) => {
            assert!(example.ends_with("users=7i 1785567600"), "{example}");
            assert!(failure.to_string().contains("unable to parse"));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(kept.lock().unwrap().lines.len(), 149, "the rest of the refused series is written");
}

#[tokio::test]
async fn the_search_for_refused_lines_is_bounded() {
    let (writer, kept) = writer(|_| (400, "a bad line".into())).await;
    assert!(matches!(send(&writer, "a", 5_000).await.unwrap(), Err(WriteError::Failed(_))));
    let (requests, _) = requests_and_lines(&kept);
    assert!(requests <= MOST_SEARCHES + 1, "{requests}");
}

#[tokio::test]
async fn a_write_of_which_every_line_is_refused_needs_no_search() {
    let (writer, kept) =
        writer(|lines| (422, format!("partial write: field type conflict dropped={}", lines.len()))).await;
    assert!(matches!(send(&writer, "a", 100).await.unwrap(), Err(WriteError::LinesRefused { count: 100, .. })));
    assert_eq!(kept.lock().unwrap().requests, 1);
}

#[tokio::test]
async fn what_is_too_large_is_halved() {
    let answer: Answer = |lines| if lines.len() > 10 { (413, "too large".into()) } else { (204, String::new()) };
    let (writer, kept) = writer(answer).await;
    assert!(send(&writer, "a", 100).await.unwrap().is_ok());
    assert_eq!(kept.lock().unwrap().lines.len(), 100);
}

#[tokio::test]
async fn what_was_tried_in_vain_stays_doubtful_when_another_answer_follows() {
    static WAS_ASKED: AtomicBool = AtomicBool::new(false);
    let answer: Answer = |lines| match lines.len() > 50 {
        true if !WAS_ASKED.swap(true, Ordering::Relaxed) => (500, "a moment, please".into()),
        true => (413, "too large".into()),
        false => (204, String::new()),
    };
    let (writer, kept) = writer(answer).await;
    let expected = Written { points: 100, beyond_retention: 0, is_doubtful: true };
    assert_eq!(send(&writer, "a", 100).await.unwrap(), Ok(expected));
    assert_eq!(requests_and_lines(&kept), (4, 100), "in vain, too large, and its halves");
}

#[tokio::test]
async fn where_no_line_is_small_enough_few_writes_show_it() {
    let (writer, kept) = writer(|_| (413, "too large".into())).await;
    assert!(matches!(send(&writer, "a", 4096).await.unwrap(), Err(WriteError::Failed(_))));
    assert_eq!(kept.lock().unwrap().requests, 13, "4096, 2048, … 1");
}

#[tokio::test]
async fn numbers_of_lines_that_were_not_sent_confirm_nothing() {
    let (writer, _kept) = writer(|_| (400, "partial write\",\"data\":[{\"line_number\":99}],\"x\":\"".into())).await;
    assert!(matches!(send(&writer, "a", 10).await.unwrap(), Err(WriteError::Failed(_))));
}

#[tokio::test]
async fn numbered_lines_beyond_the_retention_are_counted_and_the_rest_is_confirmed() {
    const OLD: &str =
        "partial write\",\"data\":[{\"line_number\":1,\"error_message\":\"outside of the retention period\"}],\"x\":\"";
    let (writer, kept) = writer(|_| (400, OLD.into())).await;
    let expected = Written { points: 9, beyond_retention: 1, is_doubtful: false };
    assert_eq!(send(&writer, "a", 10).await.unwrap(), Ok(expected));
    assert_eq!(kept.lock().unwrap().requests, 1);
}

#[tokio::test]
async fn numbered_lines_need_no_search_where_the_rest_is_stored() {
    let (parcel, _told) = parcel("a", 10);
    let body = br#"{"error":"partial write","data":[{"line_number":4,"error_message":"a bad line"}]}"#;
    let failure = WriteFailure::Refused(Refusal::read(400, body, None, "no secret was sent"));
    let mut fates = [Fate::default()];
    let next = judge(&failure, &[Piece { parcel: 0, points: 0..10 }], &[parcel], false, &mut fates);
    assert!(matches!(next, Next::Nothing));
    assert_eq!((fates[0].refused.len(), &fates[0].failure), (1, &None), "nine points are confirmed");
}

#[tokio::test]
async fn points_of_which_all_are_too_old_are_not_followed_by_a_write_of_nothing() {
    const WORDS: &str = "outside of the retention period: minimum acceptable timestamp is 2030-01-01T00:00:00Z, but";
    let (writer, kept) = writer(|_| (403, WORDS.into())).await;
    let expected = Written { points: 0, beyond_retention: 10, is_doubtful: false };
    assert_eq!(send(&writer, "a", 10).await.unwrap(), Ok(expected));
    assert_eq!(kept.lock().unwrap().requests, 1);
}

#[tokio::test]
async fn points_beyond_retention_are_counted_by_series_and_confirmed() {
    let (writer, _kept) =
        writer(|_| (422, "partial write: dropped 6 points outside retention policy of 1h".into())).await;
    let told = [send(&writer, "a", 10), send(&writer, "b", 2)];
    // The six oldest: two of each series share the first two hours.
    let results = futures(told).await;
    assert_eq!(results[0], Ok(Written { points: 6, beyond_retention: 4, is_doubtful: false }));
    assert_eq!(results[1], Ok(Written { points: 0, beyond_retention: 2, is_doubtful: false }));
}

#[tokio::test]
async fn a_wrong_token_fails_at_once() {
    let (writer, kept) = writer(|_| (401, "unauthorized access".into())).await;
    let result = send(&writer, "a", 10).await.unwrap().unwrap_err();
    assert!(matches!(&result, WriteError::Failed(failure) if failure.is_denied()), "{result:?}");
    assert!(result.to_string().contains("unauthorized access") && result.advice().contains("token"), "{result}");
    assert_eq!(kept.lock().unwrap().requests, 1);
}

async fn futures<const N: usize>(told: [Told; N]) -> Vec<Result<Written, WriteError>> {
    let mut results = Vec::new();
    for told in told {
        results.push(told.await.unwrap());
    }
    results
}
