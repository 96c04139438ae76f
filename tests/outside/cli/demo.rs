//! `--demo`: everything, with nothing.

use std::process::Command;

use influxdb_line_protocol::{FieldValue, parse_lines};

use crate::support::fake_influxdb::FakeInfluxDb;
use crate::support::process::Running;
use crate::support::workspace::{Template, Workspace};
use crate::support::{program, repository};

/// Whether an independent parser takes every line as a point of this program.
#[track_caller]
fn points_in(lines: &str) -> usize {
    let mut count = 0;
    for line in parse_lines(lines) {
        let line = line.unwrap_or_else(|error| panic!("{error}"));
        let measurement = line.series.measurement.as_str();
        assert!(["user_engagement_hourly", "user_engagement_daily"].contains(&measurement), "{measurement}");
        let tags = ["bot", "bot_id", "channel"].map(|tag| line.tag_value(tag).is_some());
        assert_eq!(tags, [true; 3], "{line:?}");
        assert!(line.field_set.iter().all(|(_, value)| matches!(value, FieldValue::I64(0..))), "{line:?}");
        assert!(line.timestamp.is_some_and(|seconds| (1_400_000_000..4_000_000_000).contains(&seconds)), "{line:?}");
        count += 1;
    }
    count
}

fn files_in(workspace: &Workspace) -> Vec<String> {
    let entries = std::fs::read_dir(workspace.path("")).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn an_empty_folder_is_enough() {
    let workspace = Workspace::new();
    let output = workspace.run(&["--demo", "--once"]).expect_code(0);
    assert!(output.stdout.contains(['▁', '▅', '█']), "{}", output.stdout);
    for bot in ["support", "sales"] {
        assert_eq!(output.stdout.lines().filter(|line| line.starts_with(bot)).count(), 6, "{}", output.stdout);
    }
    assert!(output.stdout.contains("12 of 12 series complete"), "{}", output.stdout);
    for words in ["demo/engagement.lp", "next: --demo --backfill", "--demo --verify", "-c config.toml"] {
        assert!(output.stderr.contains(words), "no {words:?} in\n{}", output.stderr);
    }
    let first = points_in(&workspace.read("demo/engagement.lp"));
    assert!(first > 6 * 24 * 13, "{first} points");
    assert_eq!(files_in(&workspace), ["demo"]);
    assert!(workspace.read("demo/watermarks.json").contains("\"version\": 1"));

    workspace.run(&["--demo", "--once"]).expect_code(0);
    let both = points_in(&workspace.read("demo/engagement.lp"));
    assert!(both > first && both < first + 6 * 24 * 4, "a steady run asks for the refreshed days only: {both}");
}

/// The session in the documentation, command by command, with what it says of each.
#[test]
fn the_documented_verification_is_what_happens() {
    let page = std::fs::read_to_string(repository().join("docs/operations.md")).unwrap();
    let session = page.split("```console\n").skip(1).find(|block| block.contains("--verify")).unwrap();
    let session = session.split("```").next().unwrap();
    let workspace = Workspace::new();
    let commands: Vec<(&str, &str)> = session.split("$ ").skip(1).map(|step| step.split_once('\n').unwrap()).collect();
    assert_eq!(commands.len(), 4);
    for (command, told) in commands {
        let mut shell = Command::new("sh");
        let program = program().display().to_string();
        shell.args(["-c", &command.replace("kore-trend-exporter", &program)]).current_dir(workspace.path(""));
        let output = Running::start(shell).finish().expect_code(0);
        assert_eq!(output.stdout.trim(), told.trim(), "{command}");
    }
}

#[test]
fn any_mode_can_be_tried() {
    let workspace = Workspace::new();
    let output = workspace.run(&["--demo", "--check"]).expect_code(0);
    assert!(
        output.stdout.lines().all(|line| line.starts_with("ok    ") || line.starts_with("note  ")),
        "{}",
        output.stdout
    );
    assert!(output.stdout.contains("2 bots, 12 series"), "{}", output.stdout);
    let output = workspace.run(&["--demo", "--once", "--dry-run"]).expect_code(0);
    assert!(points_in(&output.stdout) > 6 * 24 * 13);
    assert!(files_in(&workspace).is_empty(), "neither writes");

    let output = workspace.run(&["--demo", "--backfill", "2026-01-01..2026-01-31"]).expect_code(0);
    assert!(output.stdout.contains("12 of 12 series complete"), "{}", output.stdout);
    assert!(points_in(&workspace.read("demo/engagement.lp")) > 6 * 24 * 30);
    assert!(!workspace.path("demo/backfill.json").exists() && !workspace.path("demo/watermarks.json").exists());
    let output = workspace.run(&["--demo", "--once", "--bot", "nobody"]).expect_code(2);
    assert!(output.stderr.contains("sales, support"), "{}", output.stderr);
}

#[test]
fn the_configured_bots_go_to_the_configured_database() {
    let database = FakeInfluxDb::accepting();
    let sink = database.config();
    let bots = "[bots.mine]\nid = \"st-mine\"\nclient_id = \"cs-mine\"\nclient_secret = \"0123456789\"\n\
                channels = [\"all\", \"slack\"]\ntime_zone = \"Asia/Kolkata\"\ntags = { team = \"a b\" }\n";
    let workspace = Workspace::with(&Template { sink: &sink, bots, ..Template::default() });
    for api in ["v1", "v2"] {
        let mut command = workspace.command();
        command.args(["--demo", "-c", "config.toml", "--once"]).env("KORE_TREND__PLATFORM__API", api);
        let output = crate::support::process::Running::start(command).finish().expect_code(0);
        assert!(output.stdout.contains("2 of 2 series complete"), "{}", output.stdout);
        assert!(!output.stderr.contains("next: --demo"), "{}", output.stderr);
    }
    let stored = database.stored();
    for channel in ["all", "slack"] {
        let prefix = format!("user_engagement_hourly,bot=mine,bot_id=st-mine,channel={channel},team=a\\ b users=");
        assert!(stored.iter().filter(|line| line.starts_with(&prefix)).count() > 150, "{channel}");
    }
    assert!(stored.iter().any(|line| line.contains("new_users=")), "v2 tells new users");
    points_in(&stored.join("\n"));
    assert!(workspace.path("state/demo/watermarks.json").exists(), "invented figures move no real watermark");
    assert!(!workspace.path("state/watermarks.json").exists() && !workspace.path("demo").exists());
}

#[test]
fn a_wrong_configuration_is_wrong_in_the_demo_too() {
    let workspace = Workspace::with(&Template { platform: "per_minute = 0", ..Template::default() });
    workspace.run(&["--demo", "-c", "config.toml", "--once"]).expect_code(78);
    workspace.run(&["--demo", "--once"]).expect_code(0);
}

/// Bots whose credentials somebody still has to get.
const WITHOUT_CREDENTIALS: &str = "[bots.support]\nid = \"st-1\"\nclient_id = \"cs-1\"\n\n\
    [bots.signed]\nid = \"st-2\"\nclient_id = \"cs-2\"\nalgorithm = \"RS256\"\nprivate_key_file = \"not-there.pem\"\n";

#[test]
fn a_dashboard_can_be_tried_before_credentials_exist() {
    let database = FakeInfluxDb::accepting();
    let sink = database.config();
    let template = Template { sink: &sink, bots: WITHOUT_CREDENTIALS, ..Template::default() };
    let workspace = Workspace::with(&template);
    let output = workspace.run(&["--demo", "-c", "config.toml", "--once"]).expect_code(0);
    assert!(output.stdout.contains("2 of 2 series complete"), "{}", output.stdout);
    assert!(points_in(&database.stored().join("\n")) > 2 * 24 * 6);
    let output = workspace.run(&["--once"]).expect_code(78);
    for key in ["bots.support.client_secret", "bots.signed.private_key_file"] {
        assert!(output.stderr.contains(key), "{}", output.stderr);
    }
}

#[test]
fn the_variables_of_real_services_do_not_disturb_it() {
    let workspace = Workspace::new();
    let mut command = workspace.command();
    command.args(["--demo", "--once", "--dry-run"]);
    command.env("KORE_TREND__INFLUXDB__TOKEN", "real").env("KORE_TREND__BOTS__OTHER__ID", "st-9");
    Running::start(command).finish().expect_code(0);
}
