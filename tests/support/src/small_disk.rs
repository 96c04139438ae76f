//! A state folder on a disk of its own, which a test fills up or makes read-only.

use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use super::daemon::Daemon;
use super::namespace::{Namespace, fill};
use super::process::{Output, Running};
use super::workspace::Workspace;

/// More than any state of a test, and soon full.
const KIBIBYTES: usize = 128;

/// The folder `state` of a workspace, as the programs see it that are started from here.
pub struct SmallDisk<'a> {
    workspace: &'a Workspace,
    namespace: Namespace,
}

impl<'a> SmallDisk<'a> {
    /// An empty one.
    #[track_caller]
    pub fn new(workspace: &'a Workspace) -> SmallDisk<'a> {
        let state = workspace.path("state");
        std::fs::create_dir(&state).unwrap();
        SmallDisk { workspace, namespace: Namespace::with_disk(&state, KIBIBYTES) }
    }

    /// A file on it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.namespace.path(&self.workspace.path("state").join(name))
    }

    /// The watermark of the only series of a bot, as the file has it.
    #[track_caller]
    pub fn watermark(&self, bot: &str) -> String {
        let state: Value = serde_json::from_slice(&std::fs::read(self.path("watermarks.json")).unwrap()).unwrap();
        let series = state["series"].as_array().unwrap().iter();
        let through: Vec<&Value> = series.filter(|series| series["bot"] == bot).map(|one| &one["through"]).collect();
        assert_eq!(through.len(), 1, "{state}");
        through[0].as_str().unwrap_or("none").to_owned()
    }

    /// The names of the files on it.
    pub fn files(&self) -> Vec<String> {
        let files = std::fs::read_dir(self.path("")).unwrap();
        let mut files: Vec<String> = files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
        files.sort();
        files
    }

    /// Fills it to the last byte, also the last block of the requests on record.
    #[track_caller]
    pub fn fill(&self) {
        fill(&self.path("filler"));
        let Ok(lock) = File::open(self.path("requests.lock")) else { return };
        lock.lock().unwrap();
        for name in self.files().into_iter().filter(|name| name.starts_with("requests.") && name != "requests.lock") {
            let mut records = File::options().append(true).open(self.path(&name)).unwrap();
            // To the program, a request of nobody at the beginning of time, or a part of one.
            while records.write_all(&[0]).is_ok() {}
        }
    }

    /// Gives all of it free again that the state does not need.
    pub fn free(&self) {
        std::fs::remove_file(self.path("filler")).unwrap();
    }

    /// Makes it read-only for whoever opens a file from now on. For those that are open the kernel refuses to.
    pub fn make_read_only(&self) {
        let state = self.workspace.path("state").display().to_string();
        self.namespace.sh(&format!("mount --bind '{state}' '{state}'\nmount -o remount,bind,ro '{state}'"));
    }

    /// Makes it writable again.
    pub fn make_writable(&self) {
        self.namespace.sh(&format!("umount '{}'", self.workspace.path("state").display()));
    }

    /// The built program with this disk.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.workspace.command();
        command.args(arguments).env("KORE_TREND__ADMIN__LISTEN", "127.0.0.1:0");
        self.namespace.enter(&command)
    }

    /// A daemon with this disk.
    #[track_caller]
    pub fn daemon(&self) -> Daemon {
        Daemon::launch(self.command(&[]))
    }

    /// Runs the program with these arguments to its end.
    #[track_caller]
    pub fn run(&self, arguments: &[&str]) -> Output {
        Running::start(self.command(arguments)).finish()
    }
}
