//! How far a one-shot run has come: a bar on a terminal, a line a minute elsewhere.

use std::collections::HashMap;
use std::io::IsTerminal;
use std::sync::Arc;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::config::Limits;
use crate::limits::limiter::Purpose;
use crate::observe::console::Console;
use crate::run::job::SeriesJob;

/// How much is shown while jobs run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Show {
    /// A bar, if standard error is a terminal, else lines.
    Bar,
    /// A line a minute.
    Lines,
    /// Nothing, for jobs that nobody waits for.
    Nothing,
}

/// What is shown while jobs run.
#[derive(Debug)]
pub struct ProgressReport {
    show: Show,
    bar: Option<ProgressBar>,
    console: Console,
    started: Instant,
    line_due: Instant,
    /// Requests still to make, by the platform's bot id, for which the limits hold.
    owed: HashMap<Arc<str>, u64>,
    all: u64,
    days: u64,
    points: u64,
    limits: Limits,
    purpose: Purpose,
}

const LINE_EVERY: Duration = Duration::from_secs(60);

impl ProgressReport {
    /// Begins to show what is wanted.
    pub fn start(
        jobs: &[SeriesJob],
        console: &Console,
        show: Show,
        limits: Limits,
        purpose: Purpose,
    ) -> ProgressReport {
        let mut owed: HashMap<Arc<str>, u64> = HashMap::new();
        for job in jobs {
            *owed.entry(job.series.bot.id.clone()).or_default() += job.windows.len() as u64;
        }
        let all = owed.values().sum();
        let bar = (show == Show::Bar && std::io::stderr().is_terminal()).then(|| {
            let style = ProgressStyle::with_template("{bar:24} {pos}/{len} requests  {msg}");
            let bar = ProgressBar::with_draw_target(Some(all), ProgressDrawTarget::stderr());
            bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
        });
        if show != Show::Nothing {
            console.show(bar.clone());
        }
        let now = Instant::now();
        let line_due = now + LINE_EVERY;
        ProgressReport {
            show,
            bar,
            console: console.clone(),
            started: now,
            line_due,
            owed,
            all,
            days: 0,
            points: 0,
            limits,
            purpose,
        }
    }

    /// A window of this bot is done.
    pub fn advance(&mut self, bot_id: &str, days: u32, points: usize) {
        if let Some(owed) = self.owed.get_mut(bot_id) {
            *owed = owed.saturating_sub(1);
        }
        self.days += u64::from(days);
        self.points += points as u64;
        if let Some(bar) = &self.bar {
            bar.set_position(self.done());
            bar.set_message(self.message());
        }
    }

    /// The series of this bot ended early with so many windows left.
    pub fn give_up(&mut self, bot_id: &str, windows: u64) {
        if let Some(owed) = self.owed.get_mut(bot_id) {
            *owed = owed.saturating_sub(windows);
        }
    }

    /// Writes a line where there is no bar, once a minute however often it is called.
    pub fn line(&mut self) {
        let now = Instant::now();
        if self.show != Show::Nothing && self.bar.is_none() && now >= self.line_due {
            self.line_due = now + LINE_EVERY;
            tracing::info!("{} of {} requests done, {}", self.done(), self.all, self.message());
        }
    }

    fn done(&self) -> u64 {
        self.all.saturating_sub(self.owed.values().sum())
    }

    fn message(&self) -> String {
        let elapsed = self.started.elapsed().as_secs_f64().max(0.001);
        let rate = self.done() as f64 / elapsed;
        let by_rate = if rate > 0.0 { (self.all - self.done()) as f64 / rate } else { 0.0 };
        let by_limits = self.owed.values().filter_map(|owed| self.limits.least_time(*owed, self.purpose)).max();
        let left = by_rate.max(by_limits.unwrap_or_default().as_secs_f64()).round();
        let left = jiff::SignedDuration::try_from_secs_f64(left).unwrap_or_default();
        format!("{} days, {} points, {rate:.1} requests/s, {left:#} left", self.days, self.points)
    }
}

impl Drop for ProgressReport {
    fn drop(&mut self) {
        if self.show != Show::Nothing {
            self.console.show(None);
        }
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
