//! A crash leaves no memory behind, and while it runs nobody else of the same user reads the daemon's.

use std::path::Path;
use std::process::Command;

use crate::support::canaries::files;
use crate::support::daemon::{Daemon, NEVER};
use crate::support::platform::SimulatedPlatform;
use crate::support::process::Running;
use crate::support::wait_for;
use crate::support::workspace::{Template, Workspace, bots};

/// Whoever is not root.
const NOBODY: u32 = 65_534;

/// What is in the folder and looks like the memory of a process.
fn dumps(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut found = files(folder);
    found.retain(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("core")));
    found
}

/// The same command by a shell that lets every dump be written, in this folder.
fn dumping(folder: &Path, program: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", &format!("ulimit -c unlimited && exec {program}")]).current_dir(folder);
    command
}

#[test]
fn a_crash_leaves_no_memory_behind() {
    // Here and now a process that does not forbid it leaves one, if the kernel puts them beside the process.
    let pattern = std::fs::read_to_string("/proc/sys/kernel/core_pattern").unwrap();
    let may_be_seen = !pattern.starts_with(['|', '/']) && pattern.starts_with("core");
    let folder = tempfile::tempdir().unwrap();
    let victim = Running::start(dumping(folder.path(), "sleep 600"));
    wait_for("the shell to become what it starts", || {
        std::fs::read_to_string(format!("/proc/{}/comm", victim.id())).ok().filter(|name| name == "sleep\n")
    });
    victim.signal("SEGV");
    assert_eq!(victim.finish().code, None);
    assert_eq!(dumps(folder.path()).len(), usize::from(may_be_seen), "{pattern}");

    let bots = bots(["support"], "");
    let platform = SimulatedPlatform::well(&bots);
    let template = Template { platform_url: platform.url(), schedule: NEVER, bots: &bots, ..Template::default() };
    for signal in ["SEGV", "ABRT", "ILL"] {
        let workspace = Workspace::with(&template);
        let mut command = dumping(&workspace.path(""), env!("CARGO_BIN_EXE_kore-trend-exporter"));
        command.env("KORE_TREND__ADMIN__LISTEN", "127.0.0.1:0");
        let daemon = Daemon::launch(command);
        daemon.wait_until_ready();
        let stat = format!("/proc/{}/stat", daemon.id());
        // The first SEGV that did not come of an access is one that Rust's own handler lets pass.
        wait_for("its end", || {
            daemon.signal(signal);
            std::fs::read_to_string(&stat).unwrap().contains(") Z ").then_some(())
        });
        daemon.wait_for_death();
        assert!(dumps(&workspace.path("")).is_empty(), "{signal}");
        assert!(workspace.path("state/lock").exists(), "that is where it was");
    }
}

#[test]
fn nobody_of_the_same_user_reads_its_memory_or_environment_and_it_still_measures_itself() {
    let bots = bots(["support"], "");
    let platform = SimulatedPlatform::well(&bots);
    let template = Template { platform_url: platform.url(), schedule: NEVER, bots: &bots, ..Template::default() };
    let workspace = Workspace::with(&template);
    // Not root, whom nothing is refused.
    let user = match own_id() {
        0 => NOBODY,
        own => own,
    };
    let as_user = |program: &str, arguments: &[&str]| {
        let mut command = match own_id() {
            0 => {
                let mut command = Command::new("setpriv");
                command.args([&format!("--reuid={user}"), "--clear-groups", program]);
                command
            }
            _ => Command::new(program),
        };
        command.args(arguments).current_dir(workspace.path(""));
        command
    };
    // The program and the folder may lie where others may not go; from within they need not.
    std::fs::copy(env!("CARGO_BIN_EXE_kore-trend-exporter"), workspace.path("program")).unwrap();
    for path in ["", "config.toml", "program"] {
        std::os::unix::fs::chown(workspace.path(path), Some(user), None).unwrap();
    }
    let mut command = as_user("./program", &[]);
    command.env("KORE_TREND__ADMIN__LISTEN", "127.0.0.1:0").env("CANARY", "in the environment");
    let daemon = Daemon::launch(command);
    daemon.wait_until_ready();
    for name in ["process_open_fds", "process_resident_memory_bytes", "process_threads"] {
        assert!(daemon.value(name).unwrap() >= 1.0, "{name}");
    }
    let sleeper = Running::start(as_user("sleep", &["600"]));
    wait_for("the sleeper", || {
        std::fs::read_to_string(format!("/proc/{}/comm", sleeper.id())).ok().filter(|name| name == "sleep\n")
    });
    for (id, may_read) in [(sleeper.id(), true), (daemon.id(), false)] {
        for name in ["environ", "maps"] {
            let output = Running::start(as_user("cat", &[&format!("/proc/{id}/{name}")])).finish();
            assert_eq!(output.code == Some(0), may_read, "{name} of {id}: {output:?}");
        }
    }
    daemon.end();
}

fn own_id() -> u32 {
    std::os::unix::fs::MetadataExt::uid(&std::fs::metadata("/proc/self").unwrap())
}
