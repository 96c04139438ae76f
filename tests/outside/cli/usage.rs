//! The command line and the configuration, when they are right and when they are not: exit codes, and what goes where.

use serde_json::Value;

use crate::support::platform::SimulatedPlatform;
use crate::support::process::Output;
use crate::support::workspace::{Template, Workspace};

const TWO_BOTS: &str = "[bots.support]\nid = \"st-1\"\nclient_id = \"cs-1\"\nclient_secret = \"0123456789\"\n\
    channels = [\"all\", \"rtm\"]\n\
    [bots.sales]\nid = \"st-2\"\nclient_id = \"cs-2\"\nclient_secret = \"0123456789\"\nchannels = [\"sms\"]\n";

/// Wrong usage: 2, the reason on stderr, nothing on stdout, nothing done.
#[track_caller]
fn check_wrong(workspace: &Workspace, arguments: &[&str], words: &[&str]) {
    let output = workspace.run(arguments);
    assert_eq!((output.code, output.stdout.as_str()), (Some(2), ""), "{arguments:?}\n{}", output.stderr);
    for word in words {
        assert!(output.stderr.contains(word), "{arguments:?}: no {word:?} in\n{}", output.stderr);
    }
    assert!(!workspace.path("state").exists(), "{arguments:?}");
    assert!(!workspace.path("engagement.lp").exists(), "{arguments:?}");
}

#[test]
fn wrong_usage_exits_with_2_and_says_why() {
    let workspace = Workspace::with(&Template { bots: TWO_BOTS, ..Template::default() });
    for (arguments, words) in [
        (&["--unknown"][..], &["--unknown"][..]),
        (&["--onc"], &["--once"]),
        (&["once"], &["once"]),
        (&["--once", "--once"], &["--once"]),
        (&["--once", "--check"], &["--once", "--check", "cannot be used"]),
        (&["--once", "--backfill", "2026-01-01.."], &["--once", "--backfill"]),
        (&["--check", "--backfill", "2026-01-01.."], &["--check", "--backfill"]),
        (&["--dry-run"], &["--once", "--backfill"]),
        (&["--check", "--dry-run"], &["--dry-run"]),
        (&["--once", "--restart"], &["--restart requires --backfill"]),
        (&["--backfill"], &["--backfill"]),
        (&["--backfill", "2026-01-01"], &["FROM..TO"]),
        (&["--backfill", "2026-02-30.."], &["2026-02-30", "is not a date such as"]),
        (&["--backfill", "yesterday..today"], &["yesterday", "YYYY-MM-DD"]),
        (&["--backfill", "2026-01-02..2026-01-01"], &["2026-01-02..2026-01-01", "ends before it begins"]),
        (&["--backfill", "2026-01-02..9999-12-31"], &["9999-12-31", "after today"]),
        (&["--backfill", "9999-01-02.."], &["begins after it ends"]),
        (&["--once", "--verify", "2026-01-01.."], &["--once", "--verify", "cannot be used"]),
        (&["--verify", "2026-01-01..", "--dry-run"], &["--dry-run", "--once", "--backfill"]),
        (&["--verify", "2026-01-01..", "--restart"], &["--restart", "--backfill"]),
        (&["--verify", "2026-01-02..9999-12-31"], &["--verify 2026-01-02..9999-12-31", "after today"]),
        (&["--verify", "2026-01-01..", "--bot", "x"], &["--bot x"]),
        (&["--once", "--repair"], &["--repair requires --verify"]),
        (&["--backfill", "2026-01-01..", "--strict"], &["--strict requires --verify"]),
        (&["--strict"], &["--verify"]),
        (&["--once", "--shard", "2/2"], &["2/2", "I from 0 to N-1"]),
        (&["--once", "--shard", "1"], &["I/N"]),
        (&["--once", "--log-format", "xml"], &["xml", "json"]),
        (&["--once", "--log-level", "info=loud"], &["info=loud", "must be error, warn, info"]),
        (&["--once", "--log-level", "inof"], &["unknown log level \"inof\"", "must be error, warn, info"]),
        (&["--completions", "tcsh"], &["tcsh", "bash", "fish", "zsh"]),
        (&["--once", "--config"], &["--config"]),
        (&["--once", "--bot", "suport"], &["--bot suport", "sales, support"]),
        (&["--once", "--channel", "msteams"], &["--channel msteams", "all, rtm, sms"]),
        (&["--once", "--bot", "sales", "--channel", "rtm"], &["--channel rtm", "sms"]),
        (&["--check", "--bot", "x"], &["--bot x"]),
        (&["--backfill", "2026-01-01..", "--bot", "x"], &["--bot x"]),
    ] {
        check_wrong(&workspace, arguments, words);
    }
}

#[test]
fn a_range_that_lies_after_the_today_of_every_bot_is_wrong_usage() {
    let bots = TWO_BOTS.replace("client_secret", "time_zone = \"Etc/GMT+12\"\nclient_secret");
    let workspace = Workspace::with(&Template { bots: &bots, ..Template::default() });
    // Where it is so late already is the day after the bots' today.
    let today = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::get("Etc/GMT-14").unwrap()).date();
    for flag in ["--backfill", "--verify"] {
        check_wrong(&workspace, &[flag, &format!("{today}..{today}")], &["the range ends after today"]);
        check_wrong(&workspace, &[flag, &format!("2026-01-01..{today}")], &["the range ends after today"]);
    }
}

#[test]
fn half_a_shard_in_the_environment_is_wrong_usage() {
    let workspace = Workspace::with(&Template::default());
    for (variables, words) in [
        (&[("KORE_TREND_SHARDS", "2")][..], "JOB_COMPLETION_INDEX is not"),
        (&[("KORE_TREND_SHARDS", "2"), ("JOB_COMPLETION_INDEX", "2")], "2/2"),
        (&[("KORE_TREND_SHARDS", "many"), ("JOB_COMPLETION_INDEX", "0")], "0/many"),
    ] {
        let output = with_variables(&workspace, variables, &["--once"]).expect_code(2);
        assert!(output.stderr.contains(words), "{}", output.stderr);
    }
}

fn with_variables(workspace: &Workspace, variables: &[(&str, &str)], arguments: &[&str]) -> Output {
    let mut command = workspace.command();
    command.args(arguments).envs(variables.iter().copied());
    crate::support::process::Running::start(command).finish()
}

#[test]
fn a_wrong_configuration_exits_with_78_and_names_every_problem() {
    let workspace = Workspace::with(&Template {
        platform: "per_minute = 0\nper_hours = 5",
        schedule: "cron = \"61 * * * *\"",
        bots: "[bots.support]\nid = \"st-1\"\nclient_secret = \"\"\ntags = { bot = \"x\" }\n",
        ..Template::default()
    });
    for mode in [&["--once"][..], &["--check"], &["--backfill", "2026-01-01.."], &["--once", "--dry-run"], &[]] {
        let variables = [("KORE_TREND__PLATFORM__BACKFILL_SHARE", "2")];
        let output = with_variables(&workspace, &variables, mode).expect_code(78);
        assert_eq!(output.stdout, "");
        for words in [
            "config.toml: platform.per_minute: found 0",
            "config.toml: platform.per_hours: unknown key; did you mean platform.per_hour?",
            "config.toml: schedule.cron: found \"61 * * * *\"",
            "KORE_TREND__PLATFORM__BACKFILL_SHARE: platform.backfill_share: found \"2\"",
            "config.toml: bots.support.client_id: is missing",
            "config.toml: bots.support.client_secret: the secret is empty",
            "config.toml: bots.support.tags.bot: the tag \"bot\"",
        ] {
            assert!(output.stderr.contains(words), "no {words:?} in\n{}", output.stderr);
        }
        assert!(!workspace.path("state").exists());
    }
}

#[test]
fn a_configuration_that_is_not_there_exits_with_78() {
    let workspace = Workspace::new();
    for (arguments, words) in
        [(&["--once", "-c", "other.toml"][..], "other.toml: cannot be read"), (&["--once"], "try --demo")]
    {
        let output = workspace.run(arguments).expect_code(78);
        assert!(output.stderr.contains(words), "{}", output.stderr);
    }
    workspace.write("config.toml", "state_dir = \"a\nclient_secret = \"canary\"\n");
    let output = workspace.run(&["--once"]).expect_code(78);
    assert!(output.stderr.contains("config.toml: is not valid TOML in line 1 column "), "{}", output.stderr);
    assert!(!output.stderr.contains("canary"));
}

#[test]
fn the_configuration_may_be_named_by_flag_or_environment() {
    let platform = SimulatedPlatform::well(TWO_BOTS);
    let workspace = Workspace::with(&Template { platform_url: platform.url(), bots: TWO_BOTS, ..Template::default() });
    std::fs::rename(workspace.path("config.toml"), workspace.path("other.toml")).unwrap();
    workspace.run(&["--once", "--dry-run", "--config", "other.toml"]).expect_code(0);
    with_variables(&workspace, &[("KORE_TREND_CONFIG", "other.toml")], &["--once", "--dry-run"]).expect_code(0);
    std::fs::rename(workspace.path("other.toml"), workspace.path("config.toml")).unwrap();
    with_variables(&workspace, &[("KORE_TREND_CONFIG", "")], &["--once", "--dry-run"]).expect_code(0);
}

#[test]
fn what_explains_the_program_exits_with_0_and_goes_to_stdout() {
    let workspace = Workspace::new();
    for (arguments, words) in [
        (&["--help"][..], &["--backfill <FROM..TO>", "--demo", "KORE_TREND_CONFIG", "--completions <SHELL>"][..]),
        (&["--version"], &[concat!("kore-trend-exporter ", env!("CARGO_PKG_VERSION"))]),
        (&["--man"], &[".TH kore-trend-exporter 1", "EXIT STATUS"]),
        (&["--completions", "bash"], &["complete -F", "--backfill"]),
        (&["--completions", "zsh"], &["#compdef kore-trend-exporter", "--backfill"]),
        (&["--completions", "fish"], &["complete -c kore-trend-exporter", "backfill"]),
    ] {
        let output = workspace.run(arguments).expect_code(0);
        for word in words {
            assert!(output.stdout.contains(word), "{arguments:?}: no {word:?} in\n{}", output.stdout);
        }
        assert_eq!(output.stderr, "", "{arguments:?}");
        let in_half_a_shard = with_variables(&workspace, &[("KORE_TREND_SHARDS", "2")], arguments).expect_code(0);
        assert_eq!(in_half_a_shard.stdout, output.stdout, "{arguments:?}");
    }
}

#[test]
fn stdout_carries_only_what_was_asked_for() {
    let platform = SimulatedPlatform::well(TWO_BOTS);
    let workspace = Workspace::with(&Template { platform_url: platform.url(), bots: TWO_BOTS, ..Template::default() });
    let output = workspace.run(&["--once", "--dry-run"]).expect_code(0);
    assert!(output.stdout.lines().all(|line| line.starts_with("user_engagement_hourly,bot=")), "{}", output.stdout);
    assert!(!workspace.path("state").exists() && !workspace.path("engagement.lp").exists());

    let output =
        workspace.run(&["--once", "--log-level", "warn,kore_trend_exporter=trace", "--bot", "sales"]).expect_code(0);
    let lines: Vec<&str> = output.stdout.lines().collect();
    assert!(lines[0].starts_with("bot    channel  interval  days  points  requests  users by day"), "{lines:?}");
    assert!(lines[1].starts_with("sales  sms      hourly       8 ") && lines[1].contains(['▁', '█']), "{lines:?}");
    assert!(lines[2].starts_with("1 of 1 series complete") && lines.len() == 3, "{lines:?}");
}

#[test]
fn log_lines_are_json_when_asked_for_and_as_many_as_asked_for() {
    let platform = SimulatedPlatform::well(TWO_BOTS);
    let workspace = Workspace::with(&Template { platform_url: platform.url(), bots: TWO_BOTS, ..Template::default() });
    let backfill = ["--backfill", "2026-08-01..2026-08-02", "--log-format", "json"];
    let output = workspace.run(&backfill).expect_code(0);
    let lines: Vec<Value> = output.stderr.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let said = |level: &str, words: &str| {
        let has =
            |line: &&Value| line["level"] == level && line["message"].as_str().is_some_and(|text| text.contains(words));
        lines.iter().filter(has).count()
    };
    assert_eq!(said("INFO", "backfilling 2026-08-01..2026-08-02: 3 series"), 1, "{lines:#?}");
    assert_eq!(said("WARN", "bots.sales.id is \"st-2\""), 1, "{lines:#?}");

    let output = workspace.run(&[&backfill[..], &["--log-level", "warn"]].concat()).expect_code(0);
    assert!(!output.stderr.contains("INFO") && output.stderr.contains("WARN"), "{}", output.stderr);
    assert_eq!(workspace.run(&[&backfill[..], &["--log-level", "off"]].concat()).expect_code(0).stderr, "");
    let with_blanks = workspace.run(&[&backfill[..], &["--log-level", " off, info "]].concat()).expect_code(0);
    assert!(with_blanks.stderr.contains("INFO"), "{}", with_blanks.stderr);

    workspace.configure(&Template { platform: "per_minute = 0", bots: TWO_BOTS, ..Template::default() });
    let output = workspace.run(&["--once", "--log-format", "json"]).expect_code(78);
    let line: Value = serde_json::from_str(output.stderr.trim_end()).unwrap();
    assert_eq!(line["level"], "ERROR");
}
