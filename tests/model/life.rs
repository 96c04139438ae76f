//! Plays a life: processes come and go, things happen, promises are checked all along and once more at the end.

use std::future::Future;
use std::path::Path;
use std::time::Duration;

use kore_trend_exporter::domain::series::day_after;
use kore_trend_exporter::run::is_complete;
use kore_trend_exporter::run::summary::Row;
use kore_trend_exporter::shutdown::Stop;
use kore_trend_exporter::state::StateError;
use kore_trend_exporter::state::backfill::{Range, path_in};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use crate::history::{DatabaseTrouble, History, Loss, Step, Trouble};
use crate::process::{Chosen, GRACE, Order, backfill, daemon};
use crate::world::{Counts, Shared, World, current, lock};
use crate::{time, truth};

/// How the processes ended.
enum Ended {
    /// Killed, or ended as they were told to; started again so many minutes later.
    ForNow {
        away: i64,
        loss: Loss,
        killed: bool,
    },
    ForGood,
}

/// What outlives the processes.
pub(crate) struct Life {
    pub(crate) world: Shared,
    chosen: Chosen,
    /// A backfill that has not done everything yet.
    unfinished: Option<Range>,
    /// Whether no request fails or is divided.
    is_gentle: bool,
}

/// The processes that run.
pub(crate) struct Running {
    pub(crate) orders: mpsc::UnboundedSender<Order>,
    end: Option<oneshot::Sender<()>>,
    stop: Stop,
    daemon: JoinHandle<()>,
    backfill: Option<JoinHandle<Result<Vec<Row>, StateError>>>,
}

/// Plays a whole life with its state in this folder, which must be empty.
///
/// # Errors
///
/// The first promise that was broken, and what happened before.
pub(crate) fn live(history: &History, folder: &Path) -> Result<Counts, String> {
    fastrand::seed(history.setup.seed);
    let world = World::begin(&history.setup, folder.to_owned());
    let begun = time::true_seconds();
    let chosen = Chosen { series: u32::MAX, max_days: 31, more_limits: false };
    let is_rough = |step: &Step| match step {
        Step::Platform { trouble, .. } => *trouble != Trouble::None,
        Step::Reload { .. } | Step::Clock { .. } | Step::Others { .. } | Step::Deny { .. } => true,
        _ => false,
    };
    let is_gentle = !history.steps.iter().any(is_rough);
    let mut life = Life { world, chosen, unfinished: None, is_gentle };
    let mut steps = history.steps.iter();
    // What is wrong already when the exporter is started for the first time.
    while let Some(step @ (Step::Platform { .. } | Step::Database { .. } | Step::Others { .. } | Step::Deny { .. })) =
        steps.as_slice().first()
    {
        life.trouble(step);
        steps.next();
    }
    loop {
        let ended = life.in_a_runtime(&mut steps);
        lock(&life.world).check_state();
        life.verdict()?;
        match ended {
            Ended::ForNow { away, loss, killed } => {
                life.lose(loss);
                time::skip(away * 60_000);
                lock(&life.world).counts.kills += u64::from(killed);
            }
            Ended::ForGood => break,
        }
    }
    let mut world = lock(&life.world);
    world.counts.virtual_hours = u64::try_from((time::true_seconds() - begun) / 3600).unwrap();
    Ok(world.counts)
}

impl Life {
    /// Whether all promises were kept so far.
    fn verdict(&self) -> Result<(), String> {
        let world = lock(&self.world);
        match &world.broken {
            None => Ok(()),
            Some(promise) => {
                let log: Vec<String> = world.log.iter().cloned().collect();
                Err(format!("{promise}\n{}", log.join("\n")))
            }
        }
    }

    /// Runs processes until they end. What is left of them goes with their runtime, as with a kill.
    fn in_a_runtime(&mut self, steps: &mut std::slice::Iter<'_, Step>) -> Ended {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        let runtime = builder.enable_time().start_paused(true).max_blocking_threads(1).build().unwrap();
        let ended = runtime.block_on(async {
            time::start();
            let ended = self.run(steps).await;
            time::stop();
            ended
        });
        drop(runtime);
        let mut world = lock(&self.world);
        world.watermarks = None;
        world.kill_in = None;
        ended
    }

    async fn run(&mut self, steps: &mut std::slice::Iter<'_, Step>) -> Ended {
        let mut running = self.start();
        // The state is on the disk from the first moment on.
        self.pass(Duration::from_secs(1), &mut running).await;
        for step in steps.by_ref() {
            lock(&self.world).counts.steps += 1;
            lock(&self.world).note(|| format!("{step:?}"));
            if let Some(ended) = self.step(step, &mut running).await {
                return ended;
            }
            if self.verdict().is_err() {
                return Ended::ForGood;
            }
        }
        self.recover(&mut running).await;
        Ended::ForGood
    }

    fn start(&mut self) -> Running {
        let (orders, heard) = mpsc::unbounded_channel();
        let (end, told) = oneshot::channel::<()>();
        let stop = Stop::after(async move { drop(told.await) });
        let mut world = lock(&self.world);
        world.on_their_way = 0;
        world.may_misdate_requests();
        world.backfill_ended = world.backfill_ended.min(time::true_seconds());
        world.counts.starts += 1;
        world.series.iter_mut().for_each(|known| known.healthy = None);
        world.kill = Default::default();
        let (config, series) = world.configure(self.chosen);
        drop(world);
        let daemon = tokio::spawn(daemon(config, series, stop.clone(), heard));
        Running { orders, end: Some(end), stop, daemon, backfill: None }
    }

    async fn step(&mut self, step: &Step, running: &mut Running) -> Option<Ended> {
        match *step {
            Step::Pass { minutes } => self.pass(Duration::from_secs(60 * minutes), running).await,
            Step::Suspend { minutes } => {
                // A packet that is under way arrives, whether its sender sleeps or not; one that a defect gave up may not.
                let arrives = tokio::time::Instant::now() + Duration::from_secs(60);
                while lock(&self.world).on_their_way > 0 && tokio::time::Instant::now() <= arrives {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
                time::skip(minutes * 60_000);
                lock(&self.world).set_healthy(|_| false);
                drop(running.orders.send(Order::Look));
            }
            Step::Clock { seconds } => self.set_clock(seconds, running),
            Step::Platform { .. } | Step::Database { .. } | Step::Others { .. } | Step::Deny { .. } => {
                self.trouble(step)
            }
            Step::Disk { works } => self.set_disk(works),
            Step::Kill { events, away, loss } => {
                let kill = {
                    let mut world = lock(&self.world);
                    world.kill_in = Some(events + 1);
                    world.kill.clone()
                };
                let killed = async { kill.notified().await };
                // With nothing to do for long, it is killed doing nothing.
                let wait = Duration::from_secs(3600 + u64::from(events));
                let _idle = tokio::time::timeout(wait, killed).await;
                return Some(Ended::ForNow { away, loss, killed: true });
            }
            Step::Stop { away } => {
                self.stop(running).await;
                return Some(Ended::ForNow { away, loss: Loss::Nothing, killed: false });
            }
            Step::Reload { series, max_days, more_limits } => {
                // A backfill keeps the limits that it began with.
                let more_limits = if running.backfill.is_some() { self.chosen.more_limits } else { more_limits };
                self.chosen = Chosen { series, max_days, more_limits };
                self.reload(running);
            }
            Step::Backfill { days_ago, days } => self.backfill(days_ago, days, running).await,
            Step::Revise { days_ago } => {
                let (now, mut world) = (time::true_seconds(), lock(&self.world));
                for known in &mut world.series {
                    let day = day_after(truth::local_date(known.zone, time::true_now()), -days_ago);
                    known.figures.recounts.push((now, day));
                }
            }
        }
        None
    }

    /// Lets time go by, and looks now and then.
    async fn pass(&mut self, time: Duration, running: &mut Running) {
        const LOOK: Duration = Duration::from_secs(3600);
        let mut left = time;
        while !left.is_zero() {
            tokio::time::sleep(left.min(LOOK)).await;
            left = left.saturating_sub(LOOK);
            self.look(running).await;
        }
    }

    async fn look(&mut self, running: &mut Running) {
        if running.backfill.as_ref().is_some_and(JoinHandle::is_finished) {
            let rows = running.backfill.take().unwrap().await;
            self.backfilled(rows.unwrap());
        }
        let mut world = lock(&self.world);
        if running.daemon.is_finished() && !running.stop.is_told() {
            world.breaks("the daemon goes on", "it has ended".to_owned());
        }
        world.check_watermarks();
        world.check_state();
        world.check_freshness();
        world.set_healthy(|_| true);
    }

    fn reload(&self, running: &Running) {
        let mut world = lock(&self.world);
        let (config, series) = world.configure(self.chosen);
        world.set_healthy(|_| false);
        drop(running.orders.send(Order::Reload(Box::new(config), series)));
    }

    async fn backfill(&mut self, days_ago: i64, days: i64, running: &mut Running) {
        let is_possible = running.backfill.is_none() && lock(&self.world).state_dir().exists();
        if is_possible {
            running.backfill = Some(self.start_backfill(days_ago, days, running.stop.clone()));
            // It has opened its files before the next thing happens to them.
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    fn start_backfill(&mut self, days_ago: i64, days: i64, stop: Stop) -> JoinHandle<Result<Vec<Row>, StateError>> {
        let today = truth::local_date(0, time::wall_clock());
        let mut world = lock(&self.world);
        let last = day_after(today, -days_ago);
        let range = self.unfinished.unwrap_or(Range { from: day_after(last, 1 - days), to: Some(last) });
        self.unfinished = Some(range);
        world.counts.backfills += 1;
        let limits = world.limits.len();
        let everything = Chosen { series: u32::MAX, ..self.chosen };
        let exported: Vec<bool> = world.series.iter().map(|known| known.is_exported).collect();
        let (config, series) = world.configure(everything);
        world.limits.truncate(limits);
        world.series.iter_mut().zip(exported).for_each(|(known, exported)| known.is_exported = exported);
        world.backfill_ended = i64::MAX;
        world.may_misdate_requests();
        tokio::spawn(async move {
            let rows = backfill(config, series, range, stop).await;
            lock(&current()).backfill_ended = time::true_seconds();
            rows
        })
    }

    /// What a backfill says is done must be there.
    fn backfilled(&mut self, rows: Result<Vec<Row>, StateError>) {
        let mut world = lock(&self.world);
        let state = world.state_dir();
        // What is remembered of it goes when it is done, and not before.
        let is_forgotten = rows.is_ok() && state.exists() && !path_in(&state).exists();
        if !is_forgotten && !rows.is_ok_and(|rows| is_complete(&rows)) {
            return;
        }
        let Some(range) = self.unfinished.take() else { return };
        for number in 0..world.series.len() {
            let yesterday = day_after(truth::local_date(world.series[number].zone, time::true_now()), -1);
            // Started under a wrong clock, it may know of fewer days.
            let by_its_clock = day_after(truth::local_date(world.series[number].zone, time::wall_clock()), -2);
            let last = range.to.unwrap().min(yesterday).min(by_its_clock);
            let wrong = truth::days(range.from, last).find_map(|day| world.missing(number, day, |_| 1));
            if let Some(wrong) = wrong {
                world.breaks("a backfill that is done is done", format!("series {number}: {wrong}"));
            }
        }
    }

    /// Everything is well again: in the end nothing is missing.
    async fn recover(&mut self, running: &mut Running) {
        self.set_disk(true);
        self.set_clock(0, running);
        {
            let (now, mut world) = (time::true_seconds(), lock(&self.world));
            world.database = (DatabaseTrouble::None, 0);
            // Or something would be missing from tick to tick.
            world.series.iter_mut().for_each(|known| known.figures.final_at = now);
        }
        self.trouble_platform(None, Trouble::None, 0);
        self.chosen.series = u32::MAX;
        self.reload(running);
        let period = Duration::from_secs(60 * lock(&self.world).setup.period.unsigned_abs());
        let patience = tokio::time::Instant::now() + Duration::from_secs(10 * 86_400);
        loop {
            self.pass(period, running).await;
            let unfinished = lock(&self.world).unfinished(self.is_gentle);
            match unfinished {
                None if self.unfinished.is_none() => break,
                what if tokio::time::Instant::now() > patience => {
                    let what = what.unwrap_or_else(|| "a backfill does not end".to_owned());
                    return lock(&self.world).breaks("in the end nothing is missing", what);
                }
                None => self.backfill(0, 1, running).await,
                Some(_) => {}
            }
            if self.verdict().is_err() {
                return;
            }
        }
        self.stop(running).await;
    }

    /// A stop is obeyed within its grace.
    async fn stop(&mut self, running: &mut Running) {
        lock(&self.world).series.iter_mut().for_each(|known| known.healthy = None);
        drop(running.end.take());
        let ended = |ended: Result<(), tokio::time::error::Elapsed>, world: &Shared| {
            if ended.is_err() {
                lock(world).breaks("a stop is obeyed", "the process runs on after its grace".to_owned());
            }
        };
        let grace = GRACE + Duration::from_secs(1);
        if let Some(backfill) = running.backfill.take() {
            ended(tokio::time::timeout(grace, drop_result(backfill)).await, &self.world);
        }
        ended(tokio::time::timeout(grace, drop_result(&mut running.daemon)).await, &self.world);
    }
}

async fn drop_result(work: impl Future) {
    let _done = work.await;
}
