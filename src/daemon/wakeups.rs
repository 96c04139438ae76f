//! Wakes the daemon up at the slots of its schedules. What is then due, the [timetable](super::due) decides: a wake-up
//! too many does no harm.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context;
use tokio::sync::mpsc;
use tokio_cron_scheduler::{Job, JobScheduler, JobSchedulerError};
use uuid::Uuid;

use crate::domain::slots::with_one_day;

/// Messages that the scheduler holds for each of its parts. Schedules are handed over one by one, and of many slots at
/// once one is enough to ring.
const MESSAGES: usize = 16;

/// A scheduler with a job for each cron line, or with two where either of two days is enough.
pub(super) struct Wakeups {
    scheduler: JobScheduler,
    jobs: BTreeMap<String, Vec<Uuid>>,
    wake: mpsc::Sender<()>,
}

impl Wakeups {
    /// Starts it without any jobs. The receiver is told when a slot has come.
    pub(super) async fn start() -> Result<(Wakeups, mpsc::Receiver<()>), anyhow::Error> {
        let scheduler = JobScheduler::new_with_channel_size(MESSAGES).await.context("cannot set up the scheduler")?;
        scheduler.start().await.context("cannot start the scheduler")?;
        let (wake, woken) = mpsc::channel(1);
        Ok((Wakeups { scheduler, jobs: BTreeMap::new(), wake }, woken))
    }

    /// The same after the clock went back: a job waits for the slot that it was made for, and would be silent until the
    /// clock has been there again.
    pub(super) async fn set_anew(&mut self, lines: BTreeSet<&str>) -> Result<(), anyhow::Error> {
        self.set(BTreeSet::new()).await?;
        self.set(lines).await
    }

    /// Wakes the daemon at these schedules only. A line that was there before keeps its job.
    pub(super) async fn set(&mut self, lines: BTreeSet<&str>) -> Result<(), anyhow::Error> {
        let gone: Vec<String> = self.jobs.keys().filter(|line| !lines.contains(line.as_str())).cloned().collect();
        for line in gone {
            for job in self.jobs.remove(&line).unwrap_or_default() {
                self.scheduler.remove(&job).await.with_context(|| format!("cannot end the schedule \"{line}\""))?;
            }
        }
        for line in lines {
            if self.jobs.contains_key(line) {
                continue;
            }
            let mut jobs = Vec::new();
            for line in with_one_day(line) {
                jobs.push(self.add(&line).await.with_context(|| format!("cannot schedule \"{line}\""))?);
            }
            self.jobs.insert(line.to_owned(), jobs);
        }
        Ok(())
    }

    async fn add(&self, line: &str) -> Result<Uuid, JobSchedulerError> {
        let wake = self.wake.clone();
        let job = Job::new(line, move |_, _| {
            // One that is not heard yet is as good as another one.
            let _is_awake_already = wake.try_send(());
        })?;
        self.scheduler.add(job).await
    }
}
