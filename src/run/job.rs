//! Runs a plan: one task per series, its windows in order. What happens is told as events, for whoever keeps the
//! watermarks, the summary and the progress bar.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use jiff::SignedDuration;
use jiff::civil::Date;
use tokio::sync::mpsc;
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::Instant;

use crate::database::line_protocol::Encoder;
use crate::database::writer::{Parcel, WriteError, write};
use crate::domain::backoff::TRIES;
use crate::domain::calendar;
use crate::domain::event::{Confirmed, SeriesEvent, SeriesFailure};
use crate::domain::flatten::{self, Asked, complete_through, flatten};
use crate::domain::plan;
use crate::domain::series::{Series, Window, day_after};
use crate::domain::target::Target;
use crate::limits::in_flight::Place;
use crate::limits::limiter::{Permit, Purpose};
use crate::observe::status::recent::DAYS;
use crate::platform::client::{Client, FetchError, Fetched, Question, patience};
use crate::platform::failure::Failure;
use crate::platform::verdict::{Verdict, verdict};
use crate::run::verifier::Verifier;
use crate::run::{KnownBuckets, failure};
use crate::shutdown::Stop;
use crate::state::beside::Beside;

/// A clock that is ahead of the platform's by more than this deserves a word: a tick is that much late, and tokens fail
/// soon.
const FAR_AHEAD: SignedDuration = SignedDuration::from_mins(10);

const CLOCKS_DIFFER: &str = "this machine's clock is ahead of the platform's: hours are written only once they are over by \
     the platform's clock; synchronize the clock";

/// What one series is to do.
#[derive(Debug)]
pub struct SeriesJob {
    /// Whose figures.
    pub series: Series,
    /// The windows, in the order in which to fetch them.
    pub windows: VecDeque<Window>,
    /// `None` where the windows are a backfill's.
    pub live: Option<LiveDays>,
}

/// The days that every tick asks for.
#[derive(Clone, Debug)]
pub struct LiveDays {
    /// The first of them.
    pub from: Date,
    /// Where their points go: what is known to be stored there is not written again.
    pub target: Target,
    /// Who else writes there.
    pub beside: Beside,
}

/// The two services, as a job uses them.
#[derive(Debug)]
pub struct Clients {
    /// Asks the platform.
    pub platform: Client,
    /// Takes points.
    pub writer: mpsc::Sender<Parcel>,
    /// Whether open buckets are exported.
    pub include_open: bool,
    /// Which limits apply.
    pub purpose: Purpose,
    /// Compares in the place of writing, where that is wanted.
    pub verifier: Option<Arc<Verifier>>,
    /// What the database is known to hold.
    pub stored: Arc<KnownBuckets>,
    /// Whether to end.
    pub stop: Stop,
}

/// What a job tells: its place in the list that was handed in, and what happened.
pub type Told = (usize, SeriesEvent);

/// What ended a task before its time. Its place in the source is in the log.
pub fn defect(ended: JoinError) -> SeriesFailure {
    failure::defect(if ended.is_panic() { "it panicked, see the log for the place" } else { "the task was cancelled" })
}

/// Runs all jobs side by side. The channel ends when the last of them has.
///
/// Once the program is shutting down, waiting gives way at once; requests and writes in hand are finished.
pub fn start(jobs: Vec<SeriesJob>, clients: Arc<Clients>) -> mpsc::Receiver<Told> {
    let (sender, events) = mpsc::channel(256);
    tokio::spawn(run_all(jobs, clients, sender));
    events
}

/// A job begins when there is a place for it: those of thousands of bots that wait for the same few requests would only
/// take memory.
async fn run_all(jobs: Vec<SeriesJob>, clients: Arc<Clients>, events: mpsc::Sender<Told>) {
    let wanted_at = Instant::now();
    let (mut tasks, mut running) = (JoinSet::new(), HashMap::new());
    for (number, job) in jobs.into_iter().enumerate() {
        let window = job.windows.front().copied();
        let place = if window.is_some() { clients.platform.in_flight().place().await } else { None };
        let (first, told) = (Some((wanted_at, place)), events.clone());
        let series_task = SeriesTask { number, job, first, encoder: None, requests: 0, events: told };
        let task = tasks.spawn(run(Box::new(series_task), Arc::clone(&clients)));
        running.insert(task.id(), (number, window));
        while let Some(ended) = tasks.try_join_next_with_id() {
            ended_by(ended, &mut running, &events).await;
        }
    }
    drop(clients);
    while let Some(ended) = tasks.join_next_with_id().await {
        ended_by(ended, &mut running, &events).await;
    }
}

/// A defect that shows in one series must not take the others along.
async fn ended_by(
    ended: Result<(Id, ()), JoinError>,
    running: &mut HashMap<Id, (usize, Option<Window>)>,
    events: &mpsc::Sender<Told>,
) {
    let id = ended.as_ref().map_or_else(JoinError::id, |(id, ())| *id);
    let job = running.remove(&id);
    let (Err(error), Some((number, Some(window)))) = (ended, job) else { return };
    let event = SeriesEvent::Failed { failure: Box::new(defect(error)), window, requests: 0 };
    let _nobody_listens = events.send((number, event)).await;
}

/// A series on its way through its windows. On the heap, as is the work on a window: of many series only a few work while
/// the others wait for their turn, which must not take the memory of work.
#[derive(Debug)]
struct SeriesTask {
    number: usize,
    job: SeriesJob,
    /// Since when its first window is wanted, and its place until that may be asked for.
    first: Option<(Instant, Option<Place>)>,
    encoder: Option<Arc<Encoder>>,
    requests: u64,
    events: mpsc::Sender<Told>,
}

async fn run(mut series_task: Box<SeriesTask>, clients: Arc<Clients>) {
    let last = loop {
        let Some(window) = series_task.job.windows.pop_front() else { break SeriesEvent::Done };
        if clients.stop.is_told() {
            break SeriesEvent::Stopped(series_task.requests);
        }
        let (wanted_at, place) = series_task.first.take().unwrap_or_else(|| (Instant::now(), None));
        let question = clients.question(&series_task.job.series, window);
        let turn = clients.platform.turn(question, wanted_at, place, &clients.stop).await;
        if let Some(last) = Box::pin(series_task.window(window, turn, wanted_at, &clients)).await {
            break last;
        }
    };
    let _nobody_listens = series_task.events.send((series_task.number, last)).await;
}

impl SeriesTask {
    /// Fetches a window and has it written; tells what ends the series, if something does.
    async fn window(
        &mut self,
        window: Window,
        turn: Result<Permit, FetchError>,
        wanted_at: Instant,
        clients: &Clients,
    ) -> Option<SeriesEvent> {
        let SeriesTask { number, job, encoder, requests, events, .. } = self;
        let encoder = encoder.get_or_insert_with(|| Arc::new(Encoder::new(&job.series)));
        let question = clients.question(&job.series, window);
        let failure = match clients.platform.fetch_from(turn, wanted_at, question, requests, &clients.stop).await {
            Ok(fetched) => {
                let confirmed = match &clients.verifier {
                    Some(verifier) => verifier.window(&job.series, encoder, window, fetched, &clients.writer).await,
                    None => export(job, encoder, window, fetched, clients).await,
                };
                match confirmed {
                    Ok(confirmed) => {
                        let confirmed = Confirmed { requests: std::mem::take(requests), ..confirmed };
                        let event = SeriesEvent::Confirmed(Box::new(confirmed));
                        let _nobody_listens = events.send((*number, event)).await;
                        return None;
                    }
                    Err(error) => failure::database(&error),
                }
            }
            Err(FetchError::Stopped) => return Some(SeriesEvent::Stopped(*requests)),
            Err(FetchError::Failed(failure)) => {
                if job.goes_on_after(window, &failure) {
                    return None;
                }
                failure::platform(&failure)
            }
        };
        Some(SeriesEvent::Failed { failure: Box::new(failure), window, requests: *requests })
    }
}

impl Clients {
    fn question<'a>(&self, series: &'a Series, window: Window) -> Question<'a> {
        let purpose = self.purpose;
        Question { series, window, purpose, tries: TRIES, patience: patience(purpose) }
    }
}

impl SeriesJob {
    fn is_live(&self, window: Window) -> bool {
        self.live.as_ref().is_some_and(|live| live.from <= window.last)
    }

    /// Whether there is a way to go on after a window that failed: with the halves of it, if it was too long.
    fn goes_on_after(&mut self, window: Window, failure: &Failure) -> bool {
        let is_live = self.is_live(window);
        let refuses_length = matches!(failure, Failure::Refused(refusal) if refusal.status == 413);
        verdict(failure, window.days()) == Verdict::Narrow
            && plan::narrow(&mut self.windows, window, is_live, refuses_length)
    }
}

/// Turns an answer into points and waits until they are confirmed.
async fn export(
    job: &SeriesJob,
    encoder: &Arc<Encoder>,
    window: Window,
    fetched: Fetched,
    clients: &Clients,
) -> Result<Confirmed, WriteError> {
    let Fetched { answer, asked_at, platform_time, permit } = fetched;
    let series = &job.series;
    let zone = &series.bot.time_zone;
    let recent_from = match clients.purpose {
        Purpose::Live => Some(day_after(window.last, 1 - DAYS as i64)),
        Purpose::Backfill => None,
    };
    let at = flatten::asked_at(asked_at, platform_time);
    let asked = Asked { window, zone, at, include_open: clients.include_open, recent_from };
    let flattened = flatten(&answer, &asked);
    let oddity = answer.oddity.or_else(|| (asked_at.duration_since(at) > FAR_AHEAD).then(|| CLOCKS_DIFFER.to_owned()));
    // While the points wait to be written, their source need not.
    drop(answer.days);
    let complete = complete_through(&asked).map(|last| Window { first: window.first, last });
    let newest = flattened.points.last().map(|point| point.timestamp);
    let written = match &job.live {
        Some(live) => {
            let mut stored = clients.stored.take(&series.key(), &live.target, live.beside);
            let is_live = job.is_live(window);
            let news = if is_live { stored.news(flattened.points, asked_at) } else { flattened.points };
            let written = write(encoder, news.clone(), &clients.writer).await;
            match &written {
                // Which of them were dropped nobody says.
                Ok(written) if !written.is_doubtful && written.beyond_retention > 0 => {}
                Ok(written) if !written.is_doubtful => {
                    let live_from = calendar::day(zone, live.from).span.map_or(i64::MIN, |day| day.start.as_second());
                    stored.remember(if is_live { &news } else { &[] }, live_from);
                }
                _ => stored.forget(),
            }
            clients.stored.put(series.key(), live.target.clone(), live.beside, stored);
            written?
        }
        None => write(encoder, flattened.points, &clients.writer).await?,
    };
    drop(permit);
    Ok(Confirmed {
        window,
        complete,
        points: written.points,
        beyond_retention: written.beyond_retention,
        platform_today: platform_time.map(|time| calendar::today(zone, time)),
        requests: 0,
        newest,
        nonexistent: flattened.nonexistent,
        forgotten: flattened.forgotten,
        oddity,
        days: flattened.days,
        recent: flattened.recent,
    })
}

/// The days that these jobs ask for, and how many requests that is.
pub fn cost(jobs: &[SeriesJob]) -> (u64, u64) {
    let windows = || jobs.iter().flat_map(|job| &job.windows);
    (windows().map(|window| u64::from(window.days())).sum(), windows().count() as u64)
}
