//! `--check`: a line for each question, what to do where it fails, and nothing written.

use crate::support::fake_influxdb::{FakeInfluxDb, Reply};
use crate::support::platform::SimulatedPlatform;
use crate::support::process::Output;
use crate::support::workspace::{Template, Workspace};

const SECRET: &str = "canary-secret-of-support";
const TOKEN: &str = "canary-token-of-influxdb";
const NOWHERE: &str = "http://127.0.0.1:1";

fn bots(id: &str, secret: &str) -> String {
    let support = format!("[bots.support]\nid = \"{id}\"\nclient_id = \"cs-1\"\nclient_secret = \"{secret}\"\n");
    format!(
        "{support}channels = [\"all\", \"rtm\"]\n[bots.sales]\nid = \"st-2\"\nclient_id = \"cs-2\"\nclient_secret = \"{SECRET}\"\n"
    )
}

fn known_bots() -> String {
    bots("st-1", SECRET)
}

fn influxdb(url: &str) -> String {
    format!("[influxdb]\nurl = \"{url}\"\norg = \"sre\"\nbucket = \"engagement\"\ntoken = \"{TOKEN}\"\n")
}

/// Runs `--check`, which writes nothing, and shows no secret, whatever comes of it.
#[track_caller]
fn run(template: &Template, code: i32) -> Output {
    run_in(&Workspace::with(template), code)
}

#[track_caller]
fn run_in(workspace: &Workspace, code: i32) -> Output {
    let files = || {
        let entries = std::fs::read_dir(workspace.path("")).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    };
    let before = files();
    let output = workspace.run(&["--check"]).expect_code(code);
    assert_eq!(files(), before, "it leaves nothing behind");
    let said = format!("{}{}", output.stdout, output.stderr);
    assert!(!said.contains("canary"), "{said}");
    output
}

/// Exactly these lines fail, each with its words; all others are well.
#[track_caller]
fn check(template: &Template, failing: &[(&str, &[&str])]) {
    let output = run(template, i32::from(!failing.is_empty()));
    check_lines(&output, failing);
}

#[track_caller]
fn check_lines(output: &Output, failing: &[(&str, &[&str])]) {
    let failed: Vec<&str> = output.stdout.lines().filter(|line| line.starts_with("FAIL  ")).collect();
    assert_eq!(failed.len(), failing.len(), "{}", output.stdout);
    assert!(
        output.stdout.lines().all(|line| ["ok    ", "note  ", "FAIL  "].iter().any(|word| line.starts_with(word))),
        "{}",
        output.stdout
    );
    for (subject, words) in failing {
        let line = failed.iter().find(|line| line.starts_with(&format!("FAIL  {subject}: ")));
        let line = line.unwrap_or_else(|| panic!("no {subject} in\n{}", output.stdout));
        for word in *words {
            assert!(line.contains(word), "no {word:?} in {line}");
        }
    }
}

#[test]
fn all_well_is_0_and_a_line_for_each_question() {
    let bots = known_bots();
    let platform = SimulatedPlatform::well(&bots);
    let database = FakeInfluxDb::accepting();
    let output = run(
        &Template { platform_url: platform.url(), sink: &influxdb(database.url()), bots: &bots, ..Template::default() },
        0,
    );
    let subjects: Vec<&str> =
        output.stdout.lines().filter_map(|line| line.strip_prefix("ok    ")?.split(": ").next()).collect();
    let expected = [
        "configuration",
        "state folder",
        "schedule of sales",
        "schedule of support",
        "platform for sales",
        "platform for support",
        "database",
        "write access",
        "retention",
    ];
    assert_eq!(subjects, expected, "{}", output.stdout);
    assert!(output.stdout.contains("config.toml: 2 bots, 3 series"), "{}", output.stdout);
    assert_eq!(platform.asked().len(), 2, "one real request for each bot");
    let written: Vec<String> = database.stored().into_iter().filter(|line| !line.starts_with('#')).collect();
    assert!(written.is_empty(), "{written:?}");

    check(&Template { platform_url: platform.url(), bots: &bots, ..Template::default() }, &[]);
}

#[test]
fn what_the_platform_refuses_is_told_with_what_to_do() {
    let platform = SimulatedPlatform::well(&known_bots());
    let url = platform.url();
    let wrong_secret = bots("st-1", "canary-of-another-app");
    let unknown_bot = bots("st-3", SECRET);
    for (platform_url, bots, words) in [
        (url, &wrong_secret, &["401", "Invalid SDK credentials", "check that client_id"][..]),
        (url, &unknown_bot, &["400", "Invalid StreamId", "check the bot's id"]),
    ] {
        check(&Template { platform_url, bots, ..Template::default() }, &[("platform for support", words)]);
    }
    let away: &[&str] = &["cannot reach the platform", "check platform.url"];
    let template = Template { platform_url: NOWHERE, bots: &known_bots(), ..Template::default() };
    check(&template, &[("platform for support", away), ("platform for sales", away)]);
}

#[test]
fn a_missing_scope_is_told_with_what_to_do() {
    let bots = known_bots();
    let refuse = |_: &_, _| Some(Reply::errors(401, 4002, "Permission denied. Scope is incorrect!"));
    let platform = SimulatedPlatform::start(&bots, refuse);
    let words: &[&str] = &["Scope is incorrect", "User Engagement Trend", "publish the bot"];
    let template = Template { platform_url: platform.url(), bots: &bots, ..Template::default() };
    check(&template, &[("platform for support", words), ("platform for sales", words)]);
}

#[test]
fn what_the_database_refuses_is_told_with_what_to_do() {
    let bots = known_bots();
    let platform = SimulatedPlatform::well(&bots);
    let forbidding = FakeInfluxDb::start(|_, _| Reply::refused(403, "forbidden", "insufficient permissions for write"));
    let without_bucket =
        FakeInfluxDb::start(|_, _| Reply::refused(404, "not found", "bucket \"engagement\" not found"));
    let away: &[&str] = &["cannot reach the database", "check influxdb.url"];
    for (url, failing) in [
        (NOWHERE, &[("database", away)][..]),
        (forbidding.url(), &[("write access", &["403", "insufficient permissions", "check the influxdb token"])]),
        (without_bucket.url(), &[("write access", &["404", "not found", "check influxdb.org and influxdb.bucket"])]),
    ] {
        let sink = influxdb(url);
        check(&Template { platform_url: platform.url(), sink: &sink, bots: &bots, ..Template::default() }, failing);
    }
}

#[test]
fn a_schedule_beyond_the_limits_is_told_with_what_to_do() {
    let bots = known_bots();
    let platform = SimulatedPlatform::well(&bots);
    for (schedule, limits, found) in [
        ("cron = \"* * * * * *\"", "", "2 requests a tick, at most 7200 an hour, but the limit is 1800"),
        ("cron = \"0 * * * * *\"", "per_minute = 60\nper_hour = 119", "at most 120 an hour, but the limit is 119"),
        ("cron = \"*/30 * * * * *\"", "per_minute = 1\nper_hour = 1800", "one tick takes at least"),
    ] {
        let template =
            Template { platform_url: platform.url(), platform: limits, schedule, bots: &bots, ..Template::default() };
        let output = run(&template, 1);
        let words = format!("FAIL  schedule of support: {found}");
        let line =
            output.stdout.lines().find(|line| line.starts_with("FAIL  schedule of support: ")).unwrap_or_default();
        assert!(line.contains(found), "{words}\n{}", output.stdout);
        assert!(line.ends_with("tick less often or export fewer series"), "{line}");
    }
}

#[test]
fn a_place_that_cannot_be_written_is_told_with_what_to_do() {
    let bots = known_bots();
    let platform = SimulatedPlatform::well(&bots);
    let workspace = Workspace::with(&Template { platform_url: platform.url(), bots: &bots, ..Template::default() });
    workspace.write("state", "a file in the way");
    std::fs::create_dir(workspace.path("engagement.lp")).unwrap();
    let words: &[&str] = &["state cannot be created: another file is in the way"];
    let file: &[&str] = &["engagement.lp cannot be written", "it is not a regular file"];
    check_lines(&run_in(&workspace, 1), &[("state folder", words), ("file", file)]);
}

#[test]
fn everything_that_fails_is_told_in_one_run() {
    let bots = bots("st-1", "canary-of-another-app");
    let platform = SimulatedPlatform::well(&known_bots());
    let template = Template {
        platform_url: platform.url(),
        schedule: "cron = \"* * * * * *\"",
        sink: &influxdb(NOWHERE),
        bots: &bots,
        ..Template::default()
    };
    let failing = ["schedule of sales", "schedule of support", "platform for support", "database"];
    check(&template, &failing.map(|subject| (subject, &[][..])));
}

/// Against the database that answers as no fake can.
mod needs_influxdb2 {
    use std::time::Duration;

    use super::*;
    use crate::support::influxdb::Database;

    #[track_caller]
    fn check_database(database: &Database, token: &str, schedule: &str, failing: &[(&str, &[&str])]) {
        let bots = known_bots();
        let platform = SimulatedPlatform::well(&bots);
        let sink = database.config_with(&database.url, token);
        let workspace = Workspace::with(&Template {
            platform_url: platform.url(),
            schedule,
            sink: &sink,
            bots: &bots,
            ..Template::default()
        });
        let output = workspace.run(&["--check"]).expect_code(i32::from(!failing.is_empty()));
        check_lines(&output, failing);
        assert!(!format!("{}{}", output.stdout, output.stderr).contains(token), "{}", output.stdout);
        assert!(database.points().is_empty() && !workspace.path("state").exists());
    }

    const DAY: Duration = Duration::from_secs(86_400);

    #[test]
    #[ignore = "needs the servers that tests/run brings"]
    fn all_well_is_0() {
        let database = Database::fresh(None);
        check_database(&database, &database.token, "", &[]);
        check_database(&database, &database.new_token(&["read", "write"]), "", &[]);
        let database = Database::fresh(Some(10 * DAY));
        check_database(&database, &database.new_token(&["read", "write"]), "", &[]);
    }

    #[test]
    #[ignore = "needs the servers that tests/run brings"]
    fn a_token_that_may_not_write_is_told() {
        let database = Database::fresh(None);
        let other = Database::fresh(None);
        for (token, words) in [
            (database.new_token(&["read"]), &["403", "check the influxdb token"][..]),
            (other.token.clone(), &["403", "check the influxdb token"]),
            ("canary-no-token".to_owned(), &["401", "unauthorized", "check the influxdb token"]),
        ] {
            check_database(&database, &token, "", &[("write access", words)]);
        }
    }

    #[test]
    #[ignore = "needs the servers that tests/run brings"]
    fn a_bucket_or_organization_that_is_not_there_is_told() {
        let mut database = Database::fresh(None);
        let operator = database.operator_token.clone();
        let bucket = std::mem::replace(&mut database.bucket, "none".to_owned());
        let words: &[&str] = &["404", "check influxdb.org and influxdb.bucket"];
        check_away(&database, &operator, words);
        database.bucket = bucket;
        database.org = "none".to_owned();
        check_away(&database, &operator, words);
    }

    #[track_caller]
    fn check_away(database: &Database, token: &str, words: &[&str]) {
        let bots = known_bots();
        let platform = SimulatedPlatform::well(&bots);
        let sink = database.config_with(&database.url, token);
        check(
            &Template { platform_url: platform.url(), sink: &sink, bots: &bots, ..Template::default() },
            &[("write access", words)],
        );
    }

    #[test]
    #[ignore = "needs the servers that tests/run brings"]
    fn a_retention_shorter_than_the_first_run_is_told() {
        let database = Database::fresh(Some(3 * DAY));
        let token = database.new_token(&["read", "write"]);
        let words: &[&str] =
            &["keeps points for 3 days", "the first run exports 7 days", "raise the bucket's retention"];
        check_database(&database, &token, "", &[("retention", words)]);
        check_database(&database, &token, "initial_days = 2", &[]);
    }
}
