//! Jobs under way: what they tell, for whoever remembers it, and for the summary, the log and the bar.

use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use jiff::civil::Date;
use tokio::sync::mpsc::Receiver;
use tokio::time::{Instant, sleep_until};

use super::Env;
use crate::config::Config;
use crate::domain::calendar;
use crate::domain::event::SeriesEvent;
use crate::domain::series::Window;
use crate::run::failure;
use crate::run::job::{self, Clients, SeriesJob, Told};
use crate::run::progress::ProgressReport;
use crate::run::summary::{Outcome, Row};

/// How long a failure that may stop others, too, waits for them before it is said.
const SAY_AFTER: Duration = Duration::from_secs(60);

/// How often jobs are looked at while nothing happens.
const LOOK_EVERY: Duration = Duration::from_secs(30);

/// How long a bot may be denied for being asked too often before its series show as failing.
const LONGEST_SILENCE: Duration = Duration::from_secs(300);

/// Jobs under way.
pub(super) struct RunningJobs<'a> {
    config: &'a Config,
    env: &'a Env,
    events: Receiver<Told>,
    pub(super) rows: Vec<Row>,
    windows: Vec<u64>,
    clients: Arc<Clients>,
    /// Where each job begins, unless it has shown as failing or has none.
    unfinished: Vec<Option<Window>>,
    look_due: Instant,
    progress: ProgressReport,
    say_due: Option<Instant>,
    deadline: Option<Instant>,
    /// Whether the grace after a stop was over before all jobs had ended.
    pub(super) was_left: bool,
}

/// What whoever keeps the progress needs to know.
pub(super) enum News {
    /// A window is confirmed.
    Confirmed {
        /// The part of it that is over for good.
        complete: Option<Window>,
        platform_today: Option<Date>,
    },
    Failed {
        platform_today: Option<Date>,
    },
}

impl<'a> RunningJobs<'a> {
    pub(super) fn start(
        jobs: Vec<SeriesJob>,
        clients: Arc<Clients>,
        config: &'a Config,
        env: &'a Env,
    ) -> RunningJobs<'a> {
        let limits = config.platform.limits;
        RunningJobs {
            config,
            env,
            rows: jobs.iter().map(|job| Row::new(job.series.clone())).collect(),
            windows: jobs.iter().map(|job| job.windows.len() as u64).collect(),
            unfinished: jobs.iter().map(|job| job.windows.front().copied()).collect(),
            look_due: Instant::now() + LOOK_EVERY,
            progress: ProgressReport::start(&jobs, &env.console, env.show, limits, clients.purpose),
            events: job::start(jobs, Arc::clone(&clients)),
            clients,
            say_due: None,
            deadline: None,
            was_left: false,
        }
    }

    /// The next news, or `None` when all jobs have ended, or the grace after a stop has.
    pub(super) async fn next(&mut self) -> Option<(usize, News)> {
        loop {
            let stop_not_seen = self.deadline.is_none();
            let later = Instant::now() + Duration::from_secs(3600);
            tokio::select! {
                event = self.events.recv() => {
                    let (number, event) = event?;
                    if let Some(news) = self.take(number, event) {
                        return Some((number, news));
                    }
                }
                () = sleep_until(self.say_due.unwrap_or(later)), if self.say_due.is_some() => {
                    self.say_due = None;
                    self.env.board.say_outages((self.env.clock)());
                }
                () = sleep_until(self.look_due) => self.look(),
                () = self.env.stop.told(), if stop_not_seen => {
                    self.deadline = Some(Instant::now() + self.config.shutdown_grace);
                }
                () = sleep_until(self.deadline.unwrap_or(later)), if !stop_not_seen => {
                    self.was_left = true;
                    return None;
                }
            }
        }
    }

    /// Looks at what lasts: says how far it has come, and shows bots as failing that are denied for long.
    fn look(&mut self) {
        self.look_due = Instant::now() + LOOK_EVERY;
        self.progress.line();
        for (row, unfinished) in self.rows.iter().zip(&mut self.unfinished) {
            let denied_for = self.clients.platform.denied_for(&row.series.bot.id);
            let Some(lasted) = denied_for.filter(|lasted| *lasted >= LONGEST_SILENCE) else { continue };
            let Some(window) = unfinished.take() else { continue };
            let failure = Box::new(failure::rate_limited(lasted));
            let event = SeriesEvent::Failed { failure, window, requests: 0 };
            self.env.board.saw(&row.series, &event, (self.env.clock)());
            self.say_due.get_or_insert_with(|| Instant::now() + SAY_AFTER);
        }
    }

    fn take(&mut self, number: usize, event: SeriesEvent) -> Option<News> {
        let row = &mut self.rows[number];
        let bot = Arc::clone(&row.series.bot);
        self.progress.line();
        self.env.board.saw(&row.series, &event, (self.env.clock)());
        if !matches!(event, SeriesEvent::Confirmed(_)) {
            self.unfinished[number] = None;
        }
        match event {
            SeriesEvent::Confirmed(confirmed) => {
                row.add(&confirmed);
                self.windows[number] = self.windows[number].saturating_sub(1);
                self.progress.advance(&bot.id, confirmed.window.days(), confirmed.points);
                Some(News::Confirmed { complete: confirmed.complete, platform_today: confirmed.platform_today })
            }
            SeriesEvent::Done => {
                row.end(Outcome::Complete, 0);
                None
            }
            SeriesEvent::Stopped(requests) => {
                row.end(Outcome::Unfinished, requests);
                None
            }
            SeriesEvent::Failed { failure, requests, .. } => {
                row.end(Outcome::Failed, requests);
                self.say_due.get_or_insert_with(|| Instant::now() + SAY_AFTER);
                self.progress.give_up(&bot.id, self.windows[number]);
                let now = (self.env.clock)();
                let platform_time =
                    failure.clock_ahead.and_then(|ahead| now.checked_sub(SignedDuration::from_secs(ahead)).ok());
                let platform_today = platform_time.map(|time| calendar::today(&bot.time_zone, time));
                Some(News::Failed { platform_today })
            }
        }
    }
}
