//! A folder of a test's own, with a configuration in it, to run the built program in.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

use jiff::Timestamp;
use tempfile::TempDir;

use super::process::{Output, Running};
use super::program;

/// The parts of a configuration that tests vary. Whatever else they set goes through the environment of the command,
/// as `KORE_TREND__SECTION__KEY`.
#[derive(Clone, Copy)]
pub struct Template<'a> {
    /// Lines before the first section, such as `log_level`.
    pub top: &'a str,
    /// `[admin] listen`.
    pub listen: &'a str,
    /// `[platform] url`.
    pub platform_url: &'a str,
    /// Further lines of `[platform]`.
    pub platform: &'a str,
    /// The lines of `[schedule]`.
    pub schedule: &'a str,
    /// The whole section `[influxdb]` or `[file]`.
    pub sink: &'a str,
    /// The whole sections `[bots.…]`.
    pub bots: &'a str,
}

impl Default for Template<'_> {
    /// One bot called `support` and the file `engagement.lp`; the platform's port is one where nobody listens; no HTTP
    /// endpoint.
    fn default() -> Self {
        Template {
            top: "",
            listen: "",
            platform_url: "http://127.0.0.1:1",
            platform: "",
            schedule: "",
            sink: "[file]\npath = \"engagement.lp\"\n",
            bots: "[bots.support]\nid = \"st-support\"\nclient_id = \"cs-support\"\nclient_secret = \"a secret of 32 characters at least\"\n",
        }
    }
}

/// A section for each of these bots, with an id, a client id and a secret of its own and these further lines.
pub fn bots<'a>(names: impl IntoIterator<Item = &'a str>, lines: &str) -> String {
    let bot = |name| {
        format!(
            "[bots.{name}]\nid = \"st-{name}\"\nclient_id = \"cs-{name}\"\n\
             client_secret = \"the secret of {name}, long enough\"\n{lines}\n\n"
        )
    };
    names.into_iter().map(bot).collect()
}

/// The folder; gone when dropped.
pub struct Workspace {
    folder: TempDir,
}

/// The zones in which tests have a today, and how long before its end none begins: longer than any of them takes.
const ZONES: [&str; 3] = ["UTC", "Asia/Kolkata", "Europe/Berlin"];
const BEFORE_MIDNIGHT: Duration = Duration::from_secs(300);

/// Waits for the next day where this one is about to end, so that a test and the program that it runs speak of the same
/// today from its beginning to its end.
fn wait_for_the_day() {
    let today = |at: Timestamp| ZONES.map(|zone| at.in_tz(zone).unwrap().date());
    let last = today(Timestamp::now() + BEFORE_MIDNIGHT);
    while today(Timestamp::now()) != last {
        sleep(Duration::from_millis(100));
    }
}

impl Workspace {
    /// An empty one.
    pub fn new() -> Workspace {
        wait_for_the_day();
        Workspace { folder: tempfile::Builder::new().prefix("kore-trend-test-").tempdir().unwrap() }
    }

    /// One with a `config.toml`.
    pub fn with(template: &Template) -> Workspace {
        let workspace = Workspace::new();
        workspace.configure(template);
        workspace
    }

    /// Writes `config.toml` from the template. Its state is kept in `state`.
    pub fn configure(&self, template: &Template) {
        let Template { top, listen, platform_url, platform, schedule, sink, bots } = template;
        self.write(
            "config.toml",
            &format!(
                "state_dir = \"state\"\n{top}\n\n[admin]\nlisten = \"{listen}\"\n\n[schedule]\n{schedule}\n\n\
                 [platform]\nurl = \"{platform_url}\"\n{platform}\n\n{sink}\n\n{bots}\n"
            ),
        );
    }

    /// Where a file of this name is in the folder; `""` is the folder itself.
    pub fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file, with the folders it is in.
    pub fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// The text of a file.
    #[track_caller]
    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// The lines of a file, sorted; none where there is no file.
    pub fn sorted_lines(&self, name: &str) -> Vec<String> {
        let text = std::fs::read_to_string(self.path(name)).unwrap_or_default();
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    }

    /// The watermark of the only series of a bot, as the state file has it: a day, or null.
    #[track_caller]
    pub fn watermark(&self, bot: &str) -> serde_json::Value {
        let state: serde_json::Value = serde_json::from_str(&self.read("state/watermarks.json")).unwrap();
        let series = state["series"].as_array().unwrap();
        let of_bot: Vec<_> = series.iter().filter(|series| series["bot"] == bot).collect();
        assert_eq!(of_bot.len(), 1, "{state}");
        of_bot[0]["through"].clone()
    }

    /// The built program, in this folder, with nothing of the caller's environment but the search path and the home.
    pub fn command(&self) -> Command {
        let mut command = Command::new(program());
        command.current_dir(self.folder.path()).env_clear();
        command.envs(["PATH", "HOME"].into_iter().filter_map(|name| Some((name, std::env::var_os(name)?))));
        command
    }

    /// Starts the program with these arguments and does not wait for it.
    pub fn start(&self, arguments: &[&str]) -> Running {
        let mut command = self.command();
        command.args(arguments);
        Running::start(command)
    }

    /// Runs the program with these arguments to its end.
    #[track_caller]
    pub fn run(&self, arguments: &[&str]) -> Output {
        self.start(arguments).finish()
    }
}
