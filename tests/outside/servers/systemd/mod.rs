//! The shipped units: what can be seen of them without a system that runs them, and then in one that does.

mod needs_machine;

use std::path::PathBuf;
use std::process::Command;

use crate::support::process::{Output, Running};
use crate::support::workspace::Workspace;

const UNITS: [&str; 3] =
    ["kore-trend-exporter.service", "kore-trend-exporter-once.service", "kore-trend-exporter-once.timer"];
const SERVICES: [&str; 2] = [UNITS[0], UNITS[1]];

fn path(unit: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "systemd", unit].iter().collect()
}

fn text(unit: &str) -> String {
    std::fs::read_to_string(path(unit)).unwrap()
}

/// Nothing where there is no systemd; the tests in a machine that boots bring their own.
fn systemd_analyze(arguments: &[&str], units: impl IntoIterator<Item = PathBuf>) -> Option<Output> {
    if Command::new("systemd-analyze").arg("--version").output().is_err() {
        eprintln!("there is no systemd-analyze here");
        return None;
    }
    let mut command = Command::new("systemd-analyze");
    command.args(arguments).args(units);
    Some(Running::start(command).finish())
}

#[test]
fn both_services_have_the_same_secrets_and_sandbox() {
    let [daemon, once] = SERVICES.map(|unit| {
        let text = text(unit);
        let (_, from_secrets) = text.split_once("# Secrets").unwrap();
        from_secrets.split("[Install]").next().unwrap().trim_end().to_owned()
    });
    assert_eq!(daemon, once);
}

#[test]
fn systemd_understands_every_line_of_the_units() {
    let workspace = Workspace::new();
    for unit in UNITS {
        // Not installed here, the program is nowhere that systemd looks for it.
        let start = format!("\nExecStart={}", env!("CARGO_BIN_EXE_kore-trend-exporter"));
        workspace.write(unit, &text(unit).replace("\nExecStart=kore-trend-exporter", &start));
    }
    if let Some(output) = systemd_analyze(&["verify"], UNITS.map(|unit| workspace.path(unit))) {
        let output = output.expect_code(0);
        assert_eq!((output.stdout.as_str(), output.stderr.as_str()), ("", ""));
    }
}

#[test]
fn the_services_are_exposed_as_little_as_a_program_with_a_network_can_be() {
    for unit in SERVICES {
        // Out of 100, that is 1.0.
        if let Some(output) = systemd_analyze(&["security", "--offline=true", "--threshold=10"], [path(unit)]) {
            output.expect_code(0);
        }
    }
}
