//! Reloads the configuration: all of it or nothing, without a tick lost or doubled.
//!
//! Counters, watermarks and the limiter's memory stay; a running tick ends with what it began with. Files are read off
//! the loop, and for a bounded time: whatever they turn out to be, neither the loop nor a shutdown waits for them.

use std::collections::{BTreeMap, HashSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::anyhow;
use tokio::task::JoinError;

use super::Daemon;
use crate::config::{self, Config, Problems, Secrets};
use crate::domain::series::{Series, SeriesKey};
use crate::domain::target::Target;
use crate::domain::words::counted;
use crate::limits::limiter::{Limiter, Purpose};
use crate::observe::endpoint::Serving;
use crate::run::job::Clients;
use crate::run::{self, Env};
use crate::startup::{LaunchError, Loaded};

/// How long reading the configuration and what it names may take.
const LONGEST_READ: Duration = Duration::from_secs(10);

const DEFECT: &str = "internal error: reading failed, see the log for the place; please report this line";

/// Read again off the loop.
#[expect(clippy::large_enum_variant, reason = "one at a time, made when something is read again")]
pub(super) enum Reread {
    Configuration(Result<Config, LaunchError>),
    Secrets(Result<Secrets, LaunchError>),
}

/// What live ticks work with under this configuration.
pub(super) fn live_clients(config: &Config, limiter: &Arc<Limiter>, env: &Env) -> Result<Arc<Clients>, anyhow::Error> {
    run::clients(config, Arc::clone(limiter), Purpose::Live, env)
}

async fn off_the_loop<T: Send + 'static>(
    read: impl FnOnce() -> Result<T, Problems> + Send + 'static,
) -> Result<T, LaunchError> {
    let read = tokio::task::spawn_blocking(read);
    let read = tokio::time::timeout(LONGEST_READ, read).await.map_err(|_| LaunchError::TooSlow(LONGEST_READ))?;
    // What it says of a panic may hold a secret.
    Ok(read.map_err(|_| anyhow!(DEFECT))??)
}

/// Says why a configuration is refused. Returns what of that anyone may see.
fn say_refused(error: LaunchError) -> Vec<String> {
    let LaunchError::Configuration(Problems(problems)) = error else {
        tracing::error!("{error}");
        return vec!["see the log".to_owned()];
    };
    problems.iter().for_each(|problem| tracing::error!("{problem}"));
    problems.into_iter().map(|problem| problem.key.unwrap_or_else(|| "the document".to_owned())).collect()
}

impl Daemon {
    /// Begins to read the configuration again.
    pub(super) fn begin_reload(&mut self) {
        self.manager.reloading();
        let read = self.launch.reader();
        self.reading.spawn(async { Reread::Configuration(off_the_loop(read).await) });
    }

    /// Credentials that were not accepted may have been replaced where they are kept: begins to read them again.
    pub(super) fn reread_secrets_if_denied(&mut self) {
        if self.env.simulated || !self.reading.is_empty() || !self.env.board.take_denied() {
            return;
        }
        let (source, environment) = (self.launch.source.clone(), self.launch.environment.clone());
        let read = move || config::load_secrets(&source, &environment);
        self.reading.spawn(async { Reread::Secrets(off_the_loop(read).await) });
    }

    /// Something was read again.
    pub(super) async fn reread(&mut self, reread: Result<Reread, JoinError>) {
        match reread {
            Ok(Reread::Configuration(read)) => self.reload(read).await,
            Ok(Reread::Secrets(Ok(found))) => self.take_over_secrets(&found).await,
            Ok(Reread::Secrets(Err(LaunchError::TooSlow(longest)))) => {
                tracing::warn!("credentials were rejected and could not be re-read within {longest:?}");
            }
            Ok(Reread::Secrets(Err(error))) => {
                tracing::warn!("credentials were rejected and could not be re-read: {error}");
            }
            Err(_) => tracing::error!("{DEFECT}"),
        }
    }

    /// Takes over the configuration that was read. Bots with new or failing series are then started at once.
    async fn reload(&mut self, read: Result<Config, LaunchError>) {
        let loaded = match read {
            Ok(config) => self.launch.select(config).await,
            Err(error) => Err(error),
        };
        let taken = match loaded {
            Ok(loaded) => self.take_over(loaded).await.map_err(LaunchError::from),
            Err(error) => Err(error),
        };
        match taken {
            Ok(()) => {
                tracing::info!("configuration reloaded");
                self.env.board.reloaded(Vec::new());
                self.say_schedule();
                if self.config.schedule.run_on_start {
                    self.start_unwell();
                }
            }
            Err(error) => {
                let for_anyone = say_refused(error);
                tracing::error!("reload refused, keeping the old configuration; fix the errors above and reload again");
                self.env.board.reloaded(for_anyone);
            }
        }
        let status = self.admin.sentence();
        self.manager.ready(status);
    }

    /// Only secrets are re-read; everything else waits for SIGHUP.
    async fn take_over_secrets(&mut self, found: &Secrets) {
        let Some(mut config) = self.config.with_secrets(found) else { return };
        // They were said when the configuration was read.
        config.warnings.clear();
        tracing::info!("credentials were rejected; loaded the changed ones");
        let taken = match self.launch.selection.choose(&config) {
            Ok(series) => self.take_over(Loaded { config, series }).await,
            Err(error) => Err(error.into()),
        };
        match taken {
            Ok(()) => self.start_unwell(),
            Err(error) => tracing::error!("the changed credentials cannot be used: {error:#}"),
        }
    }

    /// Works with this configuration from now on.
    async fn take_over(&mut self, loaded: Loaded) -> Result<(), anyhow::Error> {
        let Loaded { mut config, series } = loaded;
        for warning in &config.warnings {
            tracing::warn!("{warning}");
        }
        if config.state_dir != self.config.state_dir {
            tracing::warn!(
                "a changed state_dir takes effect at the next start; still using {}",
                self.config.state_dir.display()
            );
            config.state_dir.clone_from(&self.config.state_dir);
        }
        // What may fail comes before what changes anything.
        let clients = live_clients(&config, &self.admin.limiter, &self.env)?;
        let serving = match config.admin {
            address if address == self.config.admin => None,
            None => Some(None),
            Some(address) => Some(Some(self.listen_instead(address).await?)),
        };
        if let Some(serving) = serving {
            self.serving = serving;
        }
        self.clients = clients;
        self.admin.limiter.set_limits(config.platform.limits);
        self.log.set_level(config.log_level.as_deref());
        self.config = Arc::new(config);
        self.export_these(series).await;
        Ok(())
    }

    /// Listens on another address. The old one may be in its way, as that of one interface is in the way of all of them
    /// on the same port: it is then given up first, and taken again if that did not help.
    async fn listen_instead(&mut self, address: SocketAddr) -> Result<Serving, anyhow::Error> {
        let listened = self.listen(address).await;
        let Some(old) = self.config.admin.filter(|old| listened.is_err() && old.port() == address.port()) else {
            return listened;
        };
        if let Some(serving) = self.serving.take() {
            serving.end().await;
        }
        let listened = self.listen(address).await;
        if listened.is_err() {
            self.serving = self.listen(old).await.inspect_err(|error| tracing::error!("{error:#}")).ok();
        }
        listened
    }

    /// Exports these series from now on, and no others.
    pub(super) async fn export_these(&mut self, series: Vec<Series>) {
        self.env.board.expect(&series);
        run::targets::say_changes(&self.config, &series, &self.watermarks, (self.env.clock)());
        let identity = self.config.destination.identity();
        for one in &series {
            if let Some(progress) = self.watermarks.get(&one.key(), &Target::new(&identity, &one.bot)) {
                self.env.board.set_progress(&one.key(), progress);
            }
        }
        let keys: HashSet<SeriesKey> = series.iter().map(Series::key).collect();
        self.env.stored.keep_only(|key| keys.contains(key));
        let mut by_bot: BTreeMap<Arc<str>, Vec<Series>> = BTreeMap::new();
        for series in series {
            by_bot.entry(series.bot.name.clone()).or_default().push(series);
        }
        let bots = by_bot.values().filter_map(|series| Some(series.first()?.bot.as_ref()));
        // What is due up to now is due under the old schedules.
        let now = (self.env.clock)();
        self.begin_due(now);
        self.timetable.set(bots, &self.config.schedule, now);
        let set = self.wakeups.set(self.timetable.lines().collect()).await;
        self.say_wakeups(set);
        self.env.board.set_next(self.timetable.next());
        self.series = by_bot;
    }

    /// Says that nothing will wake the daemon at its slots, if so.
    pub(super) fn say_wakeups(&self, set: Result<(), anyhow::Error>) {
        if let Err(error) = set {
            // The beat finds what is due as well.
            tracing::warn!("{error:#}: ticks start up to {:?} late", self.admin.liveness.every());
        }
    }

    /// Says what is exported, and when the next ticks are.
    pub(super) fn say_schedule(&self) {
        let series: usize = self.series.values().map(Vec::len).sum();
        let next = self.timetable.next();
        let ticks: Vec<String> =
            next.iter().take(3).map(|next| format!("{} for {}", next.at, counted(next.bots as u64, "bot"))).collect();
        let more = if next.len() > 3 { ", …" } else { "" };
        let ticks = if ticks.is_empty() { "none".to_owned() } else { ticks.join(", ") };
        let bots = counted(self.series.len() as u64, "bot");
        tracing::info!("exporting {series} series of {bots}; next ticks: {ticks}{more}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_while_something_is_read_is_no_reading_that_takes_too_long() {
        let panicked = off_the_loop::<()>(|| panic!("a bug")).await.unwrap_err();
        assert_eq!(panicked.to_string(), DEFECT);
    }
}
