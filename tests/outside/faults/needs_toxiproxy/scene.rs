//! The exporter with a proxy on either side, and everything that is to be looked at.

use super::revised::{Figures, Revised, figures, start_of};
use crate::support::daemon::EVERY_SECOND;
use crate::support::fake_influxdb::FakeInfluxDb;
use crate::support::influxdb::Database;
use crate::support::process::Running;
use crate::support::toxiproxy::Proxy;
use crate::support::wait_for;
use crate::support::workspace::{Template, Workspace, bots};

/// The only bot, and what is known of it.
pub(super) const BOT: &str = "support";

/// Its series.
pub(super) const INTERVALS: [&str; 2] = ["daily", "hourly"];

/// Both sides, each behind a proxy without faults, and the place to run the program in.
pub(super) struct Scene {
    pub(super) platform: Revised,
    pub(super) to_platform: Proxy,
    pub(super) database: Store,
    pub(super) to_database: Proxy,
    pub(super) workspace: Workspace,
}

/// How long requests may take.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Patience {
    /// So long that only a fault uses it up, however busy this machine is.
    Long,
    /// So short that a silent fault is over soon.
    Short,
}

impl Scene {
    /// Ticks every second, asks for today and three days before it, and writes to InfluxDB.
    pub(super) fn new(patience: Patience) -> Scene {
        Scene::with(Store::InfluxDb(Database::fresh(None)), patience, "")
    }

    /// The same with this database and further lines of `[platform]`.
    pub(super) fn with(database: Store, patience: Patience, platform_lines: &str) -> Scene {
        let bots = Scene::bots();
        let platform = Revised::start(&bots);
        let to_platform = Proxy::to(platform.platform.url());
        let to_database = Proxy::to(database.url());
        let scene = Scene { platform, to_platform, database, to_database, workspace: Workspace::new() };
        scene.configure(&scene.to_database, patience, platform_lines);
        scene
    }

    /// Writes the configuration, with this way to the database.
    pub(super) fn configure(&self, to_database: &Proxy, patience: Patience, platform_lines: &str) {
        let (of_platform, of_database) = match patience {
            Patience::Long => ("30s", "30s"),
            Patience::Short => ("500ms", "1s"),
        };
        let limits = "per_minute = 100000\nper_hour = 1000000";
        let sink = self.database.config(&to_database.url());
        self.workspace.configure(&Template {
            top: "log_level = \"debug\"\nshutdown_grace = \"1s\"",
            platform_url: &self.to_platform.url(),
            platform: &format!("timeout = \"{of_platform}\"\n{limits}\n{platform_lines}"),
            schedule: &format!("{EVERY_SECOND}\ninitial_days = 3\nrefresh_days = 3"),
            sink: &format!("{sink}timeout = \"{of_database}\"\n"),
            bots: &Scene::bots(),
            ..Template::default()
        });
    }

    fn bots() -> String {
        bots([BOT], &format!("intervals = {INTERVALS:?}"))
    }

    /// Starts the program with these arguments.
    pub(super) fn start(&self, arguments: &[&str]) -> Running {
        self.workspace.start(arguments)
    }

    /// What the database holds of these days, counted from today.
    #[track_caller]
    pub(super) fn stored(&self, first: i64, last: i64) -> Figures {
        let (start, end) = (start_of(first), start_of(last + 1));
        self.database.figures().into_iter().filter(|((_, time), _)| (start..end).contains(time)).collect()
    }

    /// Whether the database holds, of yesterday and the day before, exactly what the platform holds at this revision. The
    /// day before these is left out for a test that runs over midnight.
    #[track_caller]
    pub(super) fn holds(&self, revision: i64) -> bool {
        self.stored(-2, -1) == figures(revision, -2, -1)
    }

    /// Waits until it does.
    #[track_caller]
    pub(super) fn wait_until_it_holds(&self, revision: i64) {
        wait_for(&format!("the database to hold revision {revision}"), || self.holds(revision).then_some(()));
    }

    /// Panics if a secret, or a part of a token, is in what the program said.
    #[track_caller]
    pub(super) fn keeps_secrets(&self, said: &str) {
        let secrets = [self.database.token().to_owned(), format!("the secret of {BOT}")];
        let asked = self.platform.platform.asked();
        assert!(!asked.is_empty());
        let tokens = asked.iter().flat_map(|asked| asked.headers["auth"].split('.').map(str::to_owned));
        for secret in secrets.into_iter().chain(tokens) {
            assert!(!said.contains(&secret), "{secret} is shown in\n{said}");
        }
    }
}

/// Where points go.
pub(super) enum Store {
    InfluxDb(Database),
    /// Where it is not what a test is about: quick, and it keeps the disk free.
    Simulated(FakeInfluxDb),
}

/// The token to the simulated one.
const TOKEN: &str = "canary-database-token-5e08";

impl Store {
    /// Its base URL.
    pub(super) fn url(&self) -> &str {
        match self {
            Store::InfluxDb(database) => &database.url,
            Store::Simulated(database) => database.url(),
        }
    }

    /// The section that leads there by this way.
    fn config(&self, url: &str) -> String {
        match self {
            Store::InfluxDb(database) => database.config_with(url, &database.token),
            Store::Simulated(database) => database.config().replace(database.url(), url).replace("a token", TOKEN),
        }
    }

    /// The token that it is written with.
    pub(super) fn token(&self) -> &str {
        match self {
            Store::InfluxDb(database) => &database.token,
            Store::Simulated(_) => TOKEN,
        }
    }

    /// Everything it holds.
    #[track_caller]
    fn figures(&self) -> Figures {
        match self {
            Store::InfluxDb(database) => {
                let points = database.points().into_iter();
                let points = points.inspect(|(_, tags, field, ..)| {
                    assert_eq!((tags["bot"].as_str(), tags["channel"].as_str(), field.as_str()), (BOT, "all", "users"));
                });
                points.map(|(measurement, _, _, time, users)| ((measurement, time), users)).collect()
            }
            // A later line of the same bucket replaces the earlier one.
            Store::Simulated(database) => database.stored().iter().map(|line| figure(line)).collect(),
        }
    }
}

/// Measurement, timestamp and users of a line.
#[track_caller]
fn figure(line: &str) -> ((String, i64), i64) {
    let mut parts = line.split(' ');
    let (series, users, time) = (parts.next().unwrap(), parts.next().unwrap(), parts.next().unwrap());
    let (measurement, tags) = series.split_once(',').unwrap();
    assert_eq!(tags, format!("bot={BOT},bot_id=st-{BOT},channel=all"));
    let users = users.strip_prefix("users=").and_then(|users| users.strip_suffix('i')).unwrap();
    ((measurement.to_owned(), time.parse().unwrap()), users.parse().unwrap())
}
