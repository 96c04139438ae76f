//! Errands under way: what they tell, for whoever remembers it, and for the summary, the log and the bar.

use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use jiff::civil::Date;
use tokio::time::{Instant, sleep_until};

use super::Surroundings;
use crate::config::Config;
use crate::domain::calendar;
use crate::domain::series::Window;
use crate::observe::status::board::Board;
use crate::platform::client::Clock;
use crate::run::job::{self, Errand, Event, Happened, Means, Problem};
use crate::run::progress::Progress;
use crate::run::summary::{Outcome, Row};
use crate::shutdown::Stop;

/// How often progress is made durable while errands run, at most.
const SAVE_EVERY: Duration = Duration::from_secs(2);

/// Errands under way: tells what matters to a memory, and keeps the summary, the log and the bar.
pub(super) struct Run {
    events: tokio::sync::mpsc::Receiver<Event>,
    pub(super) rows: Vec<Row>,
    windows: Vec<u64>,
    progress: Progress,
    save_due: Option<Instant>,
    deadline: Option<Instant>,
    stop: Stop,
    grace: Duration,
    board: Arc<Board>,
    clock: Clock,
    /// Whether the grace after a stop was over before all errands had ended.
    pub(super) was_left: bool,
}

/// What a memory needs to know.
pub(super) enum News {
    /// A window is confirmed.
    Confirmed {
        /// The part of it that is over for good.
        complete: Option<Window>,
        platform_today: Option<Date>,
    },
    Ended {
        apart: bool,
        platform_today: Option<Date>,
    },
    Done,
    /// Time to make the progress durable.
    SaveNow,
}

impl Run {
    pub(super) fn start(errands: Vec<Errand>, means: Arc<Means>, config: &Config, around: &Surroundings) -> Run {
        let limits = config.platform.limits;
        Run {
            rows: errands.iter().map(|errand| Row::new(errand.series.clone())).collect(),
            windows: errands.iter().map(|errand| errand.windows.len() as u64).collect(),
            progress: Progress::start(&errands, &around.console, around.show, limits, means.purpose),
            events: job::start(errands, means),
            save_due: None,
            deadline: None,
            stop: around.stop.clone(),
            grace: config.shutdown_grace,
            board: Arc::clone(&around.board),
            clock: around.clock,
            was_left: false,
        }
    }

    /// The next news, or `None` when all errands have ended, or the grace after a stop has.
    pub(super) async fn next(&mut self) -> Option<(usize, News)> {
        loop {
            let stop_not_seen = self.deadline.is_none();
            let later = Instant::now() + Duration::from_secs(3600);
            tokio::select! {
                event = self.events.recv() => match event {
                    Some(event) => return Some((event.errand, self.take(event))),
                    None => return None,
                },
                () = sleep_until(self.save_due.unwrap_or(later)), if self.save_due.is_some() => {
                    self.save_due = None;
                    return Some((0, News::SaveNow));
                }
                () = tokio::time::sleep(Duration::from_secs(60)) => self.progress.line(),
                () = self.stop.told(), if stop_not_seen => {
                    self.deadline = Some(Instant::now() + self.grace);
                }
                () = sleep_until(self.deadline.unwrap_or(later)), if !stop_not_seen => {
                    self.was_left = true;
                    return None;
                }
            }
        }
    }

    fn take(&mut self, event: Event) -> News {
        let row = &mut self.rows[event.errand];
        let bot_id = row.series().bot.id.clone();
        self.save_due.get_or_insert_with(|| Instant::now() + SAVE_EVERY);
        self.progress.line();
        self.board.saw(row.series(), &event.happened, (self.clock)());
        match event.happened {
            Happened::Confirmed(confirmed) => {
                row.add(&confirmed);
                self.windows[event.errand] = self.windows[event.errand].saturating_sub(1);
                self.progress.advance(&bot_id, confirmed.window.days(), confirmed.written.points);
                News::Confirmed { complete: confirmed.complete, platform_today: confirmed.platform_today }
            }
            Happened::Done => {
                row.end(Outcome::Complete, 0);
                News::Done
            }
            Happened::Ended { problem, requests, apart, .. } => {
                let platform_time = problem
                    .clock_ahead()
                    .and_then(|ahead| (self.clock)().checked_sub(SignedDuration::from_secs(ahead)).ok());
                let platform_today = platform_time.map(|time| calendar::today(&row.series().bot.time_zone, time));
                let stopped = matches!(problem, Problem::Stopped);
                row.end(if stopped { Outcome::Unfinished } else { Outcome::Failed }, requests);
                self.progress.give_up(&bot_id, self.windows[event.errand]);
                News::Ended { apart, platform_today }
            }
        }
    }
}
