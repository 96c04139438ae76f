//! A platform that corrects its figures with every answer: each bears the number of its revision, so that a figure in
//! the database tells which answer it came from.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use kore_trend_exporter::domain::series::{Interval, Window, stable_hash};

use super::dice::Dice;
use crate::support::platform::{Asked, Options, SimulatedPlatform, answer};
use crate::support::server::Reply;

/// Bot, channel, interval.
pub(super) type Series = (String, String, Interval);

/// A series and the first second of a bucket.
pub(super) type Bucket = (Series, i64);

pub(super) struct RevisedPlatform {
    platform: SimulatedPlatform,
    book: Arc<Mutex<Book>>,
}

/// What was answered.
#[derive(Default)]
struct Book {
    revision: i64,
    answers: HashMap<(Series, i64), Window>,
    latest: BTreeMap<Bucket, i64>,
}

/// The revisions of one bucket are told apart by the thousands, the buckets of one revision by what is below.
const STEP: i64 = 1000;

/// How long after its end an hour of today is told, so that the clock of either side says that it is over.
const SETTLED: i64 = 300;

impl RevisedPlatform {
    /// Answers after a while, which differs from request to request.
    pub(super) fn start(bots: &str, dice: &mut Dice) -> RevisedPlatform {
        let book: Arc<Mutex<Book>> = Arc::default();
        let (record, pace) = (Arc::clone(&book), Mutex::new(dice.fork("pace")));
        let figures = move |asked: &Asked, _| record.lock().unwrap().answer(asked, Timestamp::now());
        let pauses =
            move |_: &Asked, _| Some(Reply::own().late(Duration::from_millis(20 + pace.lock().unwrap().below(120))));
        let platform = Options::new(bots).figures(figures).script(pauses).start();
        RevisedPlatform { platform, book }
    }

    pub(super) fn url(&self) -> &str {
        self.platform.url()
    }

    /// The requests so far.
    pub(super) fn requests(&self) -> u64 {
        self.book.lock().unwrap().revision.unsigned_abs()
    }

    /// The most requests for one bot within any minute.
    pub(super) fn most_in_a_minute(&self) -> usize {
        let mut arrivals: HashMap<String, Vec<Instant>> = HashMap::new();
        for asked in self.platform.asked() {
            arrivals.entry(asked.bot_id().to_owned()).or_default().push(asked.at);
        }
        let within = |at: &[Instant]| at.partition_point(|later| *later < at[0] + Duration::from_secs(60));
        let most = |at: &Vec<Instant>| (0..at.len()).map(|first| within(&at[first..])).max();
        arrivals.values().filter_map(most).max().unwrap_or(0)
    }

    /// The figures that were told last, by bucket.
    pub(super) fn latest(&self) -> BTreeMap<Bucket, i64> {
        self.book.lock().unwrap().latest.clone()
    }

    /// Panics unless this figure of this bucket was told at some time.
    pub(super) fn must_have_told(&self, bucket: &Bucket, users: i64) {
        let (series, timestamp) = bucket;
        let revision = users / STEP;
        assert_eq!(users, figure(bucket, revision), "{bucket:?} holds the figure of another bucket");
        let window = self.book.lock().unwrap().answers.get(&(series.clone(), revision)).copied();
        let told = window.is_some_and(|window| window.contains(day_of(*timestamp)));
        assert!(told, "{bucket:?} holds {users}, which was never told");
    }
}

impl Book {
    fn answer(&mut self, asked: &Asked, now: Timestamp) -> String {
        self.revision += 1;
        let (window, interval) = (asked.window().unwrap(), asked.interval());
        let bot = asked.bot_id().trim_start_matches("st-").to_owned();
        let series = (bot, asked.channel().to_owned(), interval);
        let today = now.to_zoned(TimeZone::UTC).date();
        let (revision, latest) = (self.revision, &mut self.latest);
        let body = answer::v1(window, interval, |day, hour| {
            let (start, end) = span(day, hour);
            let is_told = day < today || end + SETTLED <= now.as_second();
            is_told.then(|| {
                let bucket = (series.clone(), start);
                let users = figure(&bucket, revision);
                latest.insert(bucket, users);
                users
            })
        });
        self.answers.insert((series, self.revision), window);
        body
    }
}

fn figure(bucket: &Bucket, revision: i64) -> i64 {
    let mark = stable_hash(&format!("{bucket:?}")) % STEP.unsigned_abs();
    revision * STEP + i64::try_from(mark).unwrap()
}

/// The first seconds of a day's buckets.
pub(super) fn buckets_of(day: Date, interval: Interval) -> impl Iterator<Item = i64> {
    answer::buckets(interval).map(move |hour| span(day, hour).0)
}

/// First second and end of a day's bucket, in UTC.
fn span(day: Date, hour: Option<i8>) -> (i64, i64) {
    let midnight = day.to_zoned(TimeZone::UTC).unwrap().timestamp().as_second();
    match hour {
        Some(hour) => (midnight + 3600 * i64::from(hour), midnight + 3600 * (i64::from(hour) + 1)),
        None => (midnight, midnight + 86_400),
    }
}

fn day_of(timestamp: i64) -> Date {
    Timestamp::from_second(timestamp).unwrap().to_zoned(TimeZone::UTC).date()
}
