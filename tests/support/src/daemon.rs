//! A daemon that runs: what it answers, what it counts, and being told things.

use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::http::{Response, exchange};
use super::process::{Output, Running};
use super::wait_for;
use super::workspace::Workspace;

/// A schedule with a slot every second, for all bots together.
pub const EVERY_SECOND: &str = "cron = \"* * * * * *\"\nspread = \"0s\"";

/// A schedule without a slot while a test runs: what is asked is asked for another reason.
pub const NEVER: &str = "cron = \"0 0 0 29 2 *\"\nspread = \"0s\"";

/// A schedule with one slot, so many seconds from now, for all bots together. It must not be over before the daemon knows
/// of it: more seconds than that takes on the busiest machine.
pub fn once_in(seconds: i64) -> String {
    let slot = Timestamp::now() + SignedDuration::from_secs(seconds);
    format!("cron = \"{}\"\nspread = \"0s\"", slot.strftime("%-S %-M %-H %-d %-m *"))
}

/// The daemon; killed when dropped.
pub struct Daemon {
    running: Running,
}

impl Daemon {
    /// Starts it in this folder, with its endpoint on a free port, and waits until it listens.
    #[track_caller]
    pub fn start(workspace: &Workspace) -> Daemon {
        Daemon::start_with(workspace, &[], &[])
    }

    /// The same with these arguments and environment variables.
    #[track_caller]
    pub fn start_with(workspace: &Workspace, arguments: &[&str], variables: &[(&str, &str)]) -> Daemon {
        let mut command = workspace.command();
        command.args(arguments).env("KORE_TREND__ADMIN__LISTEN", "127.0.0.1:0").envs(variables.iter().copied());
        Daemon::launch(command)
    }

    /// Starts it by this command and waits until it listens.
    #[track_caller]
    pub fn launch(command: Command) -> Daemon {
        let mut running = Running::start(command);
        running.wait_for_stderr("listening on http://");
        Daemon { running }
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.running.id()
    }

    /// Where it listens, as it said last.
    pub fn address(&self) -> SocketAddr {
        let log = self.log();
        let (_, after) = log.rsplit_once("listening on http://").unwrap();
        after.split_once(": ").unwrap().0.parse().unwrap()
    }

    /// Everything that it has logged so far.
    pub fn log(&self) -> String {
        self.running.stderr()
    }

    /// The logged lines that hold this text.
    pub fn logged(&self, text: &str) -> Vec<String> {
        lines_with(&self.log(), text)
    }

    /// Waits until so many lines that hold this text are logged.
    #[track_caller]
    pub fn wait_for_log(&self, text: &str, times: usize) {
        wait_for(&format!("{times} times {text:?} in\n{}", self.log()), || {
            (self.logged(text).len() >= times).then_some(())
        });
    }

    /// `GET` of this path.
    #[track_caller]
    pub fn get(&self, path: &str) -> Response {
        self.try_get(path).expect("an answer")
    }

    /// The same, or nothing if the connection ends without an answer.
    #[track_caller]
    pub fn try_get(&self, path: &str) -> Option<Response> {
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
        exchange(self.address(), request.as_bytes()).unwrap()
    }

    /// The value of a sample, named as it is written, such as `kore_trend_throttled_total{bot="support"}`.
    #[track_caller]
    pub fn value(&self, sample: &str) -> Option<f64> {
        let text = self.get("/metrics").body;
        text.lines().find_map(|line| line.strip_prefix(sample)?.strip_prefix(' ')?.parse().ok())
    }

    /// Waits until a sample has this value.
    #[track_caller]
    pub fn wait_for_value(&self, sample: &str, value: f64) {
        wait_for(&format!("{sample} {value}"), || (self.value(sample) == Some(value)).then_some(()));
    }

    /// Waits until every series is well.
    #[track_caller]
    pub fn wait_until_ready(&self) {
        wait_for("/readyz to be ready", || (self.get("/readyz").status == 200).then_some(()));
    }

    /// The ticks that have ended.
    #[track_caller]
    pub fn ticks(&self) -> u64 {
        self.value("kore_trend_tick_duration_seconds_count").unwrap() as u64
    }

    /// Waits until so many more ticks have ended.
    #[track_caller]
    pub fn wait_for_ticks(&self, more: u64) {
        let until = self.ticks() + more;
        wait_for("ticks", || (self.ticks() >= until).then_some(()));
    }

    /// Sends a signal by its name.
    #[track_caller]
    pub fn signal(&self, name: &str) {
        self.running.signal(name);
    }

    /// Tells it to read its configuration again and waits for its verdict: whether it took it over.
    #[track_caller]
    pub fn reload(&self) -> bool {
        const VERDICTS: [&str; 2] = ["configuration reloaded", "reload refused"];
        let verdicts = || VERDICTS.map(|verdict| self.logged(verdict).len());
        let before = verdicts();
        self.signal("HUP");
        wait_for("the verdict of a reload", || {
            let now = verdicts();
            (now != before).then_some(now[0] > before[0])
        })
    }

    /// Tells it to end and waits until it has, with 0.
    #[track_caller]
    pub fn end(self) -> Output {
        self.signal("TERM");
        self.finish(0)
    }

    /// Waits until a signal has killed it.
    #[track_caller]
    pub fn wait_for_death(self) -> Output {
        let output = self.running.finish_within(Duration::from_secs(60));
        assert_eq!(output.code, None, "{}", output.stderr);
        output
    }

    /// Waits until it has ended, with this code.
    #[track_caller]
    pub fn finish(self, code: i32) -> Output {
        self.running.finish_within(Duration::from_secs(60)).expect_code(code)
    }
}

/// The lines of a log that hold this text.
pub fn lines_with(log: &str, text: &str) -> Vec<String> {
    log.lines().filter(|line| line.contains(text)).map(str::to_owned).collect()
}
