//! Builds what to export from the command line and the configuration, at the start and at every reload alike.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use jiff::Timestamp;
use reqwest::Url;

use crate::cli::{Selection, UsageError};
use crate::config::{self, Config, Destination, Environment, Problems, Source};
use crate::demo::tokens::own_key;
use crate::demo::{Behaviour, Platform};
use crate::domain::bot::Bot;
use crate::domain::series::Series;
use crate::state::StateError;

/// Where the configuration comes from, and which part of it is exported.
pub struct Launch {
    /// The TOML document.
    pub source: Source,
    /// The environment variables that overlay it.
    pub environment: Environment,
    /// The series to export.
    pub selection: Selection,
    /// Whether the platform is simulated.
    pub demo: bool,
    was_loaded: bool,
    simulated: Option<(Platform, Url)>,
}

/// A configuration and its series that are exported.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// All of the configuration.
    pub config: Config,
    /// The selected series.
    pub series: Vec<Series>,
}

/// Why the program cannot do its work.
#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    /// The configuration is wrong.
    #[error("{0}")]
    Configuration(#[from] Problems),
    /// The command line names what the configuration does not have.
    #[error("{0}")]
    Usage(#[from] UsageError),
    /// A run could not begin, or what it did could not be recorded.
    #[error("{0}")]
    State(#[from] StateError),
    /// A file that the configuration names takes too long to read.
    #[error("reading the configuration and the files that it names took longer than {0:?}")]
    TooSlow(Duration),
    /// Anything else.
    #[error("{0:#}")]
    Other(#[from] anyhow::Error),
}

const NO_SIMULATION: &str = "the simulated platform cannot be started";

impl Launch {
    /// Nothing is read yet.
    pub fn new(source: Source, environment: Environment, selection: Selection, demo: bool) -> Launch {
        Launch { source, environment, selection, demo, was_loaded: false, simulated: None }
    }

    /// Reads the configuration, secrets included.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with it.
    pub async fn load(&mut self) -> Result<Loaded, LaunchError> {
        let config = self.reader()()?;
        self.select(config).await
    }

    /// What reads the configuration, wherever that may take its time.
    pub fn reader(&self) -> impl FnOnce() -> Result<Config, Problems> + Send + 'static {
        let load = if self.demo { config::load_simulated } else { config::load };
        let (source, environment) = (self.source.clone(), self.environment.clone());
        let again = self.was_loaded;
        move || {
            if again {
                source.can_be_read_again()?;
            }
            load(&source, &environment)
        }
    }

    /// The series of a configuration that was read, which is exported from now on.
    ///
    /// # Errors
    ///
    /// If the command line names what the configuration does not have, or the simulated platform cannot be started.
    pub async fn select(&mut self, mut config: Config) -> Result<Loaded, LaunchError> {
        if self.demo {
            encrypt_to_simulation(&mut config.bots).context(NO_SIMULATION)?;
        }
        let series = self.selection.choose(&config)?;
        if self.demo {
            self.simulate(&mut config).await.context(NO_SIMULATION)?;
        }
        self.was_loaded = true;
        Ok(Loaded { config, series })
    }

    /// Puts the simulated platform in the place of the real one.
    async fn simulate(&mut self, config: &mut Config) -> io::Result<()> {
        let (platform, url) = match &self.simulated {
            Some(simulated) => simulated,
            None => {
                let platform = Platform::new(&config.bots, Behaviour::LIVELY, Timestamp::now);
                let address = platform.clone().start().await?;
                let url = format!("http://{address}").parse().map_err(io::Error::other)?;
                &*self.simulated.insert((platform, url))
            }
        };
        platform.set_bots(&config.bots);
        if config.bots.iter().any(|bot| bot.encryption.is_some()) {
            platform.decrypt_with(own_key()?.clone());
        }
        config.platform.url = url.clone();
        if let Source::BuiltIn(..) = self.source {
            return Ok(());
        }
        // Invented figures must not move the watermarks of the real ones.
        config.state_dir.push("demo");
        if !self.was_loaded {
            let destination = match &config.destination {
                Destination::InfluxDb(database) => format!("the bucket {} at {}", database.bucket, database.url),
                Destination::File(path) => path.display().to_string(),
            };
            tracing::warn!(
                "demo: invented figures, for {destination}; their state is kept in {}",
                config.state_dir.display()
            );
        }
        Ok(())
    }
}

/// Bots that encrypt their tokens do so to the key of the simulated platform.
fn encrypt_to_simulation(bots: &mut [Arc<Bot>]) -> io::Result<()> {
    for bot in bots.iter_mut().filter(|bot| bot.encryption.is_some()) {
        if let Some(key) = &mut Arc::make_mut(bot).encryption {
            (key.public_key, key.id) = (own_key()?.public_key()?, None);
        }
    }
    Ok(())
}
