//! The place that the program is run in does what the tests built on it rely on.

use std::process::Command;
use std::time::Duration;

use crate::support::process::Running;
use crate::support::workspace::{Template, Workspace};

fn shell(script: &str) -> Running {
    let mut command = Command::new("sh");
    command.args(["-c", script]);
    Running::start(command)
}

#[test]
fn a_run_gives_exit_code_and_both_outputs() {
    let output = shell("echo out; echo err >&2; exit 3").finish().expect_code(3);
    assert_eq!((output.stdout.as_str(), output.stderr.as_str()), ("out\n", "err\n"));
}

#[test]
#[should_panic(expected = "still running")]
fn a_run_that_does_not_end_is_killed() {
    shell("exec sleep 600").finish_within(Duration::from_millis(50));
}

#[test]
fn a_signal_reaches_the_program() {
    let mut running = shell("trap 'echo stopped; exit 7' TERM; echo ready >&2; while :; do :; done");
    running.wait_for_stderr("ready");
    running.signal("TERM");
    assert_eq!(running.finish().expect_code(7).stdout, "stopped\n");
}

#[test]
fn the_template_is_valid_toml() {
    let workspace = Workspace::with(&Template { schedule: "initial_days = 3", ..Template::default() });
    let config: toml::Table = workspace.read("config.toml").parse().unwrap();
    assert_eq!(config["schedule"]["initial_days"].as_integer(), Some(3));
    assert_eq!(config["bots"]["support"]["id"].as_str(), Some("st-support"));
}

#[test]
fn the_program_sees_nothing_of_the_callers_environment() {
    let command = Workspace::new().command();
    let names: Vec<_> = command.get_envs().map(|(name, _)| name.to_owned()).collect();
    assert!(names.iter().all(|name| name == "PATH" || name == "HOME"), "{names:?}");
}
