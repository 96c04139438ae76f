//! Taking over another configuration while the daemon runs: whole or not at all, without a tick lost or doubled.
//!
//! Counters, watermarks and the limiter's memory stay; a running tick ends with what it began with.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use super::Daemon;
use crate::config::{Config, Problems};
use crate::domain::series::Series;
use crate::observe::endpoint::Serving;
use crate::platform::limits::limiter::{Limiter, Purpose};
use crate::run::job::Means;
use crate::run::{self, Surroundings};
use crate::startup::{LaunchError, Loaded};

/// What live ticks work with under this configuration.
pub(super) fn live_means(
    config: &Config,
    limiter: &Arc<Limiter>,
    around: &Surroundings,
) -> Result<Arc<Means>, anyhow::Error> {
    run::means(config, Arc::clone(limiter), Purpose::Live, around)
}

impl Daemon {
    /// Reads the configuration again. What is new, and what failed, is then asked for at once.
    pub(super) async fn reload(&mut self) {
        self.manager.reloading();
        // What is said in the log, and the part of it that anyone may see.
        let hidden = "something that the log names";
        let taken = match self.launch.load().await {
            Ok(loaded) => self.take_over(loaded).await.map_err(|error| vec![(format!("{error:#}"), hidden.to_owned())]),
            Err(LaunchError::Configuration(Problems(problems))) => Err(problems
                .into_iter()
                .map(|problem| (problem.to_string(), problem.key.unwrap_or_else(|| "the document".to_owned())))
                .collect()),
            Err(error) => Err(vec![(error.to_string(), hidden.to_owned())]),
        };
        match taken {
            Ok(()) => {
                tracing::info!("configuration reloaded");
                self.around.board.reloaded(Vec::new());
                self.say_schedule();
                if self.config.schedule.run_on_start {
                    self.start_unwell();
                }
            }
            Err(problems) => {
                for (problem, _) in &problems {
                    tracing::error!("{problem}");
                }
                tracing::error!(
                    "the configuration is not reloaded: the old one stays in force; correct it and reload again"
                );
                self.around.board.reloaded(problems.into_iter().map(|(_, key)| key).collect());
            }
        }
        let status = self.view().sentence();
        self.manager.ready(status);
    }

    /// A secret was not accepted: it may have been replaced where it is kept. Nothing else of the configuration is
    /// taken over, for nobody asked to.
    pub(super) async fn read_secrets_again(&mut self) {
        if self.around.simulated {
            return;
        }
        let found = match self.launch.load_secrets().await {
            Ok(found) => found,
            Err(problems) => {
                tracing::warn!("credentials were not accepted and cannot be read again: {problems}");
                return;
            }
        };
        let Some(config) = self.config.with_secrets(&found) else { return };
        tracing::info!("credentials were not accepted and have changed where they are kept: using the new ones");
        let series = self.launch.selection.choose(&config);
        let taken = match series {
            Ok(series) => self.take_over(Loaded { config, series }).await,
            Err(error) => Err(error.into()),
        };
        match taken {
            Ok(()) => self.start_unwell(),
            Err(error) => tracing::error!("the new credentials cannot be used: {error:#}"),
        }
    }

    /// Works with this configuration from now on.
    async fn take_over(&mut self, loaded: Loaded) -> Result<(), anyhow::Error> {
        let Loaded { mut config, series } = loaded;
        for warning in &config.warnings {
            tracing::warn!("{warning}");
        }
        if config.state_dir != self.config.state_dir {
            tracing::warn!("state_dir stays {} until the next start", self.config.state_dir.display());
            config.state_dir.clone_from(&self.config.state_dir);
        }
        // What may fail comes before what changes anything.
        let means = live_means(&config, &self.limiter, &self.around)?;
        let serving = match config.admin {
            address if address == self.config.admin => None,
            None => Some(None),
            Some(address) => Some(Some(self.listen_instead(address).await?)),
        };
        if let Some(serving) = serving {
            self.serving = serving;
        }
        self.means = means;
        self.limiter.set_limits(config.platform.limits);
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
        self.around.board.expect(&series);
        for key in series.iter().map(Series::key) {
            if let Some(progress) = self.watermarks.get(&key) {
                self.around.board.set_progress(&key, progress);
            }
        }
        let mut by_bot: BTreeMap<String, Vec<Series>> = BTreeMap::new();
        for series in series {
            by_bot.entry(series.bot.name.clone()).or_default().push(series);
        }
        let bots = by_bot.values().filter_map(|series| Some(series.first()?.bot.as_ref()));
        // What is due up to now is due under the old schedules.
        let now = (self.around.clock)();
        self.ring(now);
        self.agenda.set(bots, &self.config.schedule, now);
        let set = self.alarm.set(self.agenda.lines().collect()).await;
        self.say_alarm(set);
        self.around.board.set_next(self.agenda.next());
        self.series = by_bot;
    }

    /// Says that the alarm will not ring, if so.
    pub(super) fn say_alarm(&self, set: Result<(), anyhow::Error>) {
        if let Err(error) = set {
            // The beat finds what is due as well.
            tracing::warn!("{error:#}: ticks start up to {:?} late", self.heart.every());
        }
    }

    /// Says what is exported, and when the next ticks are.
    pub(super) fn say_schedule(&self) {
        let series: usize = self.series.values().map(Vec::len).sum();
        let next = self.agenda.next();
        let ticks: Vec<String> =
            next.iter().take(3).map(|next| format!("{} for {} bots", next.at, next.bots)).collect();
        let more = if next.len() > 3 { ", …" } else { "" };
        let ticks = if ticks.is_empty() { "none".to_owned() } else { ticks.join(", ") };
        tracing::info!("exporting {series} series of {} bots; next ticks: {ticks}{more}", self.series.len());
    }
}
