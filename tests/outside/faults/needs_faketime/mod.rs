//! A clock that is wrong, is set, or stands still with its machine: the figures stay right, and so do the limits.
//!
//! Runs with libfaketime, which `tests/run` brings. The platform has the true time.

mod daemon;
mod limits;
mod once;
mod random;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use kore_trend_exporter::demo::figures;
use serde_json::Value;

use crate::support::clock::Clock;
use crate::support::daemon::Daemon;
use crate::support::fake_influxdb::FakeInfluxDb;
use crate::support::platform::{Asked, Options, SimulatedPlatform, answer};
use crate::support::process::{Output, Running};
use crate::support::server::Reply;
use crate::support::wait_for;
use crate::support::workspace::{Template, Workspace};

const HOUR: SignedDuration = SignedDuration::from_hours(1);
const DAY: SignedDuration = SignedDuration::from_hours(24);

/// Steps that a clock may make: it is corrected, its zone is taken for UTC, its battery is empty.
fn steps() -> [SignedDuration; 7] {
    let since_1970 = SignedDuration::from_secs(Timestamp::now().as_second() - 86_400);
    [3 * HOUR, -3 * HOUR, 26 * HOUR, -26 * HOUR, 400 * DAY, -400 * DAY, -since_1970]
}

/// The exporter with a clock of its own, between a platform and a database that know the true time.
struct Scene {
    platform: SimulatedPlatform,
    database: FakeInfluxDb,
    too_early: Arc<Mutex<Vec<String>>>,
    workspace: Workspace,
    clock: Clock,
}

impl Scene {
    /// Where the platform checks the times in tokens as the real one does, if it is `strict`, or else none, and says zero
    /// for what has not begun.
    fn new(bots: &str, strict: bool, template: Template) -> Scene {
        Scene::at(Timestamp::now, bots, template, move |asked| if strict { None } else { Some(zeros_ahead(asked)) })
    }

    /// Where this clock tells the true time, and the platform answers itself unless the script does.
    fn at(
        now: fn() -> Timestamp,
        bots: &str,
        template: Template,
        script: impl Fn(&Asked) -> Option<Reply> + Send + Sync + 'static,
    ) -> Scene {
        let platform = Options::new(bots).by_clock(now).script(move |asked, _| script(asked)).start();
        let too_early: Arc<Mutex<Vec<String>>> = Arc::default();
        let found = Arc::clone(&too_early);
        let database = FakeInfluxDb::start(move |write, _| {
            let now = now();
            found.lock().unwrap().extend(write.body.lines().filter(|line| is_open(line, now)).map(str::to_owned));
            Reply::stored()
        });
        let sink = database.config();
        let workspace = Workspace::with(&Template { platform_url: platform.url(), sink: &sink, bots, ..template });
        Scene { platform, database, too_early, workspace, clock: Clock::right() }
    }

    /// Runs the program to its end.
    #[track_caller]
    fn run(&self, arguments: &[&str]) -> Output {
        self.start(arguments).finish()
    }

    fn start(&self, arguments: &[&str]) -> Running {
        let mut command = self.clock.on(self.workspace.command());
        command.args(arguments);
        Running::start(command)
    }

    /// Starts the daemon, which looks at its clock at least every so many seconds: by itself five, where it has a
    /// watchdog a third of its time.
    #[track_caller]
    fn daemon(&self, watchdog_seconds: Option<u64>) -> Daemon {
        let mut variables = self.clock.variables();
        let watchdog = watchdog_seconds.map(|seconds| ("WATCHDOG_USEC".to_owned(), format!("{seconds}000000")));
        variables.extend(watchdog);
        let variables: Vec<_> = variables.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        Daemon::start_with(&self.workspace, &[], &variables)
    }

    /// Waits until the platform was asked so many times more.
    #[track_caller]
    fn wait_for_requests(&self, more: usize) {
        let until = self.platform.asked().len() + more;
        wait_for("requests", || (self.platform.asked().len() >= until).then_some(()));
    }

    /// The windows that were asked for since the last time.
    fn windows(&self) -> Vec<String> {
        let windows = self.platform.asked().iter().map(|asked| asked.window().unwrap().to_string()).collect();
        self.platform.forget();
        windows
    }

    /// The watermarks of all series.
    fn watermarks(&self) -> Vec<String> {
        let state: Value = serde_json::from_str(&self.workspace.read("state/watermarks.json")).unwrap();
        state["series"]
            .as_array()
            .unwrap()
            .iter()
            .map(|series| series["through"].as_str().unwrap().to_owned())
            .collect()
    }

    /// What the database holds: the last that was written of each point.
    fn held(&self) -> BTreeMap<String, String> {
        let lines = self.database.stored();
        lines
            .iter()
            .map(|line| {
                let [series, fields, timestamp] = line.splitn(3, ' ').collect::<Vec<_>>().try_into().unwrap();
                (format!("{series} {timestamp}"), fields.to_owned())
            })
            .collect()
    }

    /// No bucket was ever written before it was over, and those of these lines are there as they are on the platform.
    #[track_caller]
    fn check(&self, lines: &[String]) {
        assert_eq!(*self.too_early.lock().unwrap(), [""; 0], "written before they were over");
        let held = self.held();
        assert!(!lines.is_empty());
        for line in lines {
            let [series, fields, timestamp] = line.splitn(3, ' ').collect::<Vec<_>>().try_into().unwrap();
            assert_eq!(held.get(&format!("{series} {timestamp}")).map(String::as_str), Some(fields), "{line}");
        }
    }
}

/// Whether the bucket of this line is not over.
fn is_open(line: &str, now: Timestamp) -> bool {
    let start: i64 = line.rsplit(' ').next().unwrap().parse().unwrap();
    let length = if line.starts_with("user_engagement_daily") { 86_400 } else { 3600 };
    start + length > now.as_second()
}

/// The answer of a platform that sends every bucket that it is asked for, whatever the token says of the time: in UTC,
/// one user in what is open, and none in what is to come.
fn zeros_ahead(asked: &Asked) -> Reply {
    let (now, window) = (Timestamp::now(), asked.window().unwrap());
    let users = |day: Date, hour: Option<i8>| {
        let start = day.at(hour.unwrap_or(0), 0, 0, 0).to_zoned(TimeZone::UTC).unwrap().timestamp();
        let length = if hour.is_some() { HOUR } else { DAY };
        match hour {
            _ if day < figures::FIRST_DAY || start > now => Some(0),
            _ if start + length > now => Some(1),
            Some(hour) => figures::hourly(asked.bot_id(), asked.channel(), day, hour, false),
            None => figures::daily(asked.bot_id(), asked.channel(), day, false),
        }
    };
    (200, answer::v1(window, asked.interval(), users)).into()
}
