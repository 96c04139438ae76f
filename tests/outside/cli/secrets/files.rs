//! Whatever the umask it is started with: what the program makes is for its owner, who can use it.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use crate::support::canaries::files;
use crate::support::daemon::{Daemon, NEVER};
use crate::support::platform::{SimulatedPlatform, day};
use crate::support::process::{Output, Running};
use crate::support::server::Reply;
use crate::support::workspace::{Template, Workspace, bots};

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

/// The program with these arguments, started under this mask.
fn masked(workspace: &Workspace, mask: &str, arguments: &[&str]) -> Command {
    let own = workspace.command();
    let mut command = Command::new("sh");
    let script = format!("umask {mask} && exec \"$@\"");
    command.args(["-c", &script, "sh"]).arg(own.get_program()).args(arguments);
    command.current_dir(workspace.path("")).env("KORE_TREND__STATE_DIR", "deep/er/state");
    command.env("KORE_TREND__FILE__PATH", "out/put/engagement.lp").env("KORE_TREND__ADMIN__LISTEN", "127.0.0.1:0");
    command
}

fn run(workspace: &Workspace, mask: &str, arguments: &[&str], code: i32) -> Output {
    Running::start(masked(workspace, mask, arguments)).finish().expect_code(code)
}

/// Files are 0600 and folders 0700, and there are these among them.
#[track_caller]
fn check_modes(workspace: &Workspace, mask: &str, expected: &[&str]) {
    for path in files(&workspace.path("")) {
        if path.ends_with("config.toml") {
            continue;
        }
        assert_eq!(mode(&path), 0o600, "umask {mask}: {}", path.display());
    }
    for folder in ["deep", "deep/er", "deep/er/state", "out", "out/put"] {
        assert_eq!(mode(&workspace.path(folder)), 0o700, "umask {mask}: {folder}");
    }
    for name in expected {
        assert!(workspace.path(name).exists(), "umask {mask}: {name}");
    }
}

#[test]
fn files_are_for_the_owner_whatever_the_umask() {
    let bots = bots(["support"], "channels = [\"all\", \"rtm\"]");
    let failing = day(-40);
    let platform = SimulatedPlatform::start(&bots, move |asked, _| {
        (asked.channel() == "rtm" && asked.asks_for(failing)).then(|| Reply::errors(400, 400, "no"))
    });
    let template = Template { platform_url: platform.url(), schedule: NEVER, bots: &bots, ..Template::default() };
    let range = format!("{failing}..{failing}");
    for mask in ["000", "022", "0277", "0777"] {
        let workspace = Workspace::with(&template);
        run(&workspace, mask, &["--once"], 0);
        run(&workspace, mask, &["--backfill", &range], 1);
        std::fs::write(workspace.path("deep/er/state/watermarks.json"), "no longer what it was").unwrap();
        let daemon = Daemon::launch(masked(&workspace, mask, &[]));
        daemon.wait_until_ready();
        daemon.end();
        let state = ["watermarks.json", "backfill.json", "requests.lock", "lock", "backfill.lock", "recent.json"];
        let state = state.map(|name| format!("deep/er/state/{name}"));
        let expected: Vec<&str> = state.iter().map(String::as_str).chain(["out/put/engagement.lp"]).collect();
        check_modes(&workspace, mask, &expected);
        let all = files(&workspace.path("deep/er/state"));
        assert!(all.iter().any(|path| path.display().to_string().contains("unreadable-")), "{all:?}");
    }
}
