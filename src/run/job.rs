//! Carries a plan out: every series in a task of its own, its windows in order. What happens is told as events, for
//! whoever keeps the watermarks, the summary and the progress bar.

use std::collections::VecDeque;
use std::sync::Arc;

use jiff::SignedDuration;
use jiff::civil::Date;
use tokio::sync::{mpsc, oneshot};
use tokio::task::{JoinError, JoinSet};

use crate::database::WriteFailure;
use crate::database::writer::{Parcel, WriteError, Written};
use crate::domain::calendar;
use crate::domain::flatten::{self, Asked, complete_through, flatten};
use crate::domain::point::Encoder;
use crate::domain::retry::{self, TRIES, Verdict};
use crate::domain::series::{Series, Window, day_after};
use crate::observe::panics::words_of;
use crate::observe::status::recent::DAYS;
use crate::platform::client::{Client, FetchError, Fetched, PATIENCE, Question};
use crate::platform::failure::Failure;
use crate::platform::limits::limiter::Purpose;
use crate::shutdown::Stop;

/// A clock that is ahead of the platform's by more than this deserves a word: a tick is that much late, and tokens fail
/// soon.
const FAR_AHEAD: SignedDuration = SignedDuration::from_mins(10);

const CLOCKS_DIFFER: &str = "this machine's clock is far ahead of the date in the platform's answers: only what is over by \
     the platform's is written; set the clock, or have whatever answers for the platform set its own";

/// What one series is to do.
#[derive(Debug)]
pub struct Errand {
    /// Whose figures.
    pub series: Series,
    /// The windows, in the order in which to fetch them.
    pub windows: VecDeque<Window>,
    /// The first of the live days; `None` where the windows are a backfill's.
    pub live_from: Option<Date>,
}

/// Everything an errand needs.
#[derive(Debug)]
pub struct Means {
    /// Asks the platform.
    pub client: Client,
    /// Takes points.
    pub writer: mpsc::Sender<Parcel>,
    /// Whether open buckets are exported.
    pub include_open: bool,
    /// Which limits apply.
    pub purpose: Purpose,
    /// Whether to end.
    pub stop: Stop,
}

/// Something that happened to the series of this number.
#[derive(Debug)]
pub struct Event {
    /// The errand's place in the list that was handed in.
    pub errand: usize,
    /// What it was.
    pub happened: Happened,
}

/// What may happen to a series.
#[derive(Debug)]
pub enum Happened {
    /// A window is confirmed by the database.
    Confirmed(Confirmed),
    /// The series ended early.
    Ended {
        /// Why.
        problem: Problem,
        /// The window it was at.
        window: Window,
        /// Requests since the last event.
        requests: u64,
        /// Whether live and owed days were asked for together, and the failure may lie with a single day of them.
        apart: bool,
    },
    /// Every window is confirmed.
    Done,
}

/// What is known of a window after its points were confirmed.
#[derive(Debug)]
pub struct Confirmed {
    /// The days asked for.
    pub window: Window,
    /// The part of it that was over, which the watermark may move over.
    pub complete: Option<Window>,
    /// Stored, or beyond the database's retention.
    pub written: Written,
    /// The platform's today in the bot's zone, if it told the time.
    pub platform_today: Option<Date>,
    /// Requests it took, retries included.
    pub requests: u64,
    /// The timestamp of the newest point, in Unix seconds.
    pub newest: Option<i64>,
    /// Buckets with users whose local hour (or whole day: `None`) never was: day and hour.
    pub nonexistent: Vec<(Date, Option<usize>)>,
    /// A mismatch in the answer that deserves a look but fails nothing.
    pub oddity: Option<String>,
    /// A figure for each day that has points.
    pub days: Vec<(Date, i64)>,
    /// Of a tick's last days the users by day and hour; those of a day are at hour 0.
    pub recent: Vec<(Date, usize, i64)>,
}

/// Why a series ended before its windows were done.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// The platform failed.
    #[error("{0}")]
    Platform(Failure),
    /// The points were not taken.
    #[error("{0}")]
    Sink(WriteError),
    /// The program was told to end.
    #[error("the program was told to end")]
    Stopped,
    /// The task itself failed, which is a defect.
    #[error("a defect in this program: {0}")]
    Panicked(&'static str),
}

impl Problem {
    /// A word for this kind of problem, by which a new one is told from one that lasts.
    pub fn kind(&self) -> String {
        match self {
            Problem::Platform(failure) => format!("platform {}", failure.label()),
            Problem::Sink(WriteError::Failed(failure)) => format!("database {}", failure.label()),
            Problem::Sink(WriteError::LinesRefused { .. }) => "lines refused".to_owned(),
            Problem::Stopped => "stopped".to_owned(),
            Problem::Panicked(_) => "defect".to_owned(),
        }
    }

    /// How far this machine's clock is ahead of the platform's, in seconds, where the platform said so with its refusal.
    pub fn clock_ahead(&self) -> Option<i64> {
        match self {
            Problem::Platform(Failure::Refused(refusal)) => refusal.clock_ahead,
            _ => None,
        }
    }

    /// Whether the other side did not accept the credentials.
    pub fn is_denied(&self) -> bool {
        match self {
            Problem::Platform(Failure::Refused(refusal)) => matches!(refusal.status, 401 | 403),
            Problem::Sink(WriteError::Failed(failure)) => {
                matches!(failure, WriteFailure::Refused { status: 401 | 403, .. })
            }
            _ => false,
        }
    }

    /// The next step for the person on call.
    pub fn advice(&self) -> String {
        match self {
            Problem::Platform(failure) => failure.advice(),
            Problem::Sink(WriteError::Failed(failure)) => failure.advice().to_owned(),
            Problem::Sink(WriteError::LinesRefused { .. }) => {
                "see the database's words: another program may have written the field with another type; the rest of \
                 the series is stored, these days stay owed"
                    .to_owned()
            }
            Problem::Stopped => "run it again to continue".to_owned(),
            Problem::Panicked(_) => "report it with this line; the other series go on".to_owned(),
        }
    }
}

/// What ended a task before its time. Its place in the source is in the log.
pub fn defect(ended: JoinError) -> &'static str {
    ended.try_into_panic().map_or("its task was ended", |panic| words_of(&*panic))
}

/// Runs all errands side by side. The channel ends when the last of them has.
///
/// Once the program is told to end, waiting gives way at once, requests and writes in hand are finished.
pub fn start(errands: Vec<Errand>, means: Arc<Means>) -> mpsc::Receiver<Event> {
    let (sender, events) = mpsc::channel(256);
    tokio::spawn(async move {
        let mut tasks = JoinSet::new();
        let mut numbers = std::collections::HashMap::new();
        for (number, errand) in errands.into_iter().enumerate() {
            let window = errand.windows.front().copied();
            let task = tasks.spawn(run(number, errand, Arc::clone(&means), sender.clone()));
            numbers.insert(task.id(), (number, window));
        }
        drop(means);
        // A defect that shows in one series must not take the others along.
        while let Some(ended) = tasks.join_next().await {
            let Err(error) = ended else { continue };
            let Some((errand, Some(window))) = numbers.get(&error.id()).copied() else { continue };
            let happened =
                Happened::Ended { problem: Problem::Panicked(defect(error)), window, requests: 0, apart: false };
            let _nobody_listens = sender.send(Event { errand, happened }).await;
        }
    });
    events
}

async fn run(number: usize, mut errand: Errand, means: Arc<Means>, events: mpsc::Sender<Event>) {
    let encoder = Arc::new(Encoder::new(&errand.series));
    let tell = async |happened| {
        let _nobody_listens = events.send(Event { errand: number, happened }).await;
    };
    let mut requests = 0;
    let mut tries = TRIES;
    // What failed before the live days were asked for alone.
    let mut together_failed = None;
    let ended = loop {
        let Some(window) = errand.windows.pop_front() else { break None };
        if means.stop.is_told() {
            break Some((Problem::Stopped, window, false));
        }
        // Of the tries at live and owed days together the last one is kept, for the live days alone.
        let kept = usize::from(errand.together(window).is_some());
        let tries_now = tries - kept;
        let question =
            Question { series: &errand.series, window, purpose: means.purpose, tries: tries_now, patience: PATIENCE };
        match means.client.fetch(question, &mut requests, &means.stop).await {
            Ok(fetched) => match export(&errand.series, &encoder, window, fetched, &means).await {
                Ok(confirmed) => {
                    tell(Happened::Confirmed(Confirmed { requests: std::mem::take(&mut requests), ..confirmed })).await;
                    tries = TRIES;
                }
                Err(error) => break Some((Problem::Sink(error), window, false)),
            },
            Err(FetchError::Stopped) => break Some((Problem::Stopped, window, false)),
            Err(FetchError::Failed(failure)) => {
                let apart = errand.together(window).is_some() && retry::may_be_the_days(&failure);
                match errand.after(window, &failure) {
                    Next::GoOn => {}
                    Next::LiveAlone(live) => {
                        together_failed = Some((Problem::Platform(failure), window));
                        tries = 1;
                        errand.windows = [live].into();
                    }
                    Next::End => break Some((Problem::Platform(failure), window, apart)),
                }
            }
        }
    };
    tell(match (together_failed, ended) {
        // If the live days were had alone, the failure lies with the others; else it may be an outage.
        (Some((problem, window)), ended) => Happened::Ended { problem, window, requests, apart: ended.is_none() },
        (None, Some((problem, window, apart))) => Happened::Ended { problem, window, requests, apart },
        (None, None) => Happened::Done,
    })
    .await;
}

/// How a series goes on after a window that failed.
#[derive(Debug, PartialEq)]
enum Next {
    /// With the windows that it now has.
    GoOn,
    /// With the live days alone, although the series has failed.
    LiveAlone(Window),
    /// Not within this tick.
    End,
}

impl Errand {
    /// The owed and the live days of a window that holds both.
    fn together(&self, window: Window) -> Option<(Window, Window)> {
        window.split_before(self.live_from?)
    }

    /// Decides how to go on. A day that keeps failing must not keep the live days from being exported.
    fn after(&mut self, window: Window, failure: &Failure) -> Next {
        match (retry::platform(failure, window.days()), self.together(window)) {
            (Verdict::Narrow, Some((owed, live))) => {
                self.divide(window, [live, owed]);
                Next::GoOn
            }
            (Verdict::Narrow, None) => match window.halves() {
                Some((older, newer)) => {
                    let is_live = self.live_from.is_some_and(|live_from| live_from <= newer.last);
                    self.divide(older, if is_live { [newer, older] } else { [older, newer] });
                    Next::GoOn
                }
                None => Next::End,
            },
            (Verdict::Retry(_), Some((_, live))) => Next::LiveAlone(live),
            (Verdict::GiveUp, Some((_, live))) if failure.is_malformed() => Next::LiveAlone(live),
            _ => Next::End,
        }
    }

    /// Goes on with these two; what follows is not asked for in pieces longer than `longest`.
    fn divide(&mut self, longest: Window, pieces: [Window; 2]) {
        let rest = std::mem::take(&mut self.windows).into_iter();
        let rest = rest.flat_map(|window| crate::domain::plan::chunks(window, longest.days()));
        self.windows = pieces.into_iter().chain(rest).collect();
    }
}

/// Turns an answer into points and waits until they are confirmed.
async fn export(
    series: &Series,
    encoder: &Arc<Encoder>,
    window: Window,
    fetched: Fetched,
    means: &Means,
) -> Result<Confirmed, WriteError> {
    let Fetched { answer, asked_at, platform_time, hand } = fetched;
    let zone = &series.bot.time_zone;
    let recent_from = match means.purpose {
        Purpose::Live => Some(day_after(window.last, 1 - DAYS as i64)),
        Purpose::Backfill => None,
    };
    let at = flatten::asked_at(asked_at, platform_time);
    let asked = Asked { window, zone, at, include_open: means.include_open, recent_from };
    let flattened = flatten(&answer, &asked);
    let oddity = answer.oddity.or_else(|| (asked_at.duration_since(at) > FAR_AHEAD).then(|| CLOCKS_DIFFER.to_owned()));
    // While the points wait to be written, their source need not.
    drop(answer.days);
    let complete = complete_through(&asked).map(|last| Window { first: window.first, last });
    let newest = flattened.points.last().map(|point| point.timestamp);
    let written = if flattened.points.is_empty() {
        Written::default()
    } else {
        let (reply, told) = oneshot::channel();
        let parcel = Parcel { key: series.key(), encoder: Arc::clone(encoder), points: flattened.points, reply };
        let gone = || WriteError::Failed(WriteFailure::Io("the writer has ended".to_owned()));
        means.writer.send(parcel).await.map_err(|_| gone())?;
        told.await.map_err(|_| gone())??
    };
    drop(hand);
    Ok(Confirmed {
        window,
        complete,
        written,
        platform_today: platform_time.map(|time| calendar::today(zone, time)),
        requests: 0,
        newest,
        nonexistent: flattened.nonexistent,
        oddity,
        days: flattened.days,
        recent: flattened.recent,
    })
}

/// The days that an errand of the given windows asks for, and how many requests that is.
pub fn cost(errands: &[Errand]) -> (u64, u64) {
    let windows = || errands.iter().flat_map(|errand| &errand.windows);
    (windows().map(|window| u64::from(window.days())).sum(), windows().count() as u64)
}
