//! `--verify` against the file sink and the fake database: what differs is told exactly, a repair writes that and nothing
//! else, and what cannot be read is never equal.

use kore_trend_exporter::domain::series::{Interval, Window};
use serde_json::{Value, json};

use crate::support::fake_influxdb::{FakeInfluxDb, Generation, Options};
use crate::support::platform::{SimulatedPlatform, day, held};
use crate::support::process::Output;
use crate::support::server::Reply;
use crate::support::workspace::{Template, Workspace};

const BOT: &str = "[bots.support]\nid = \"st-1\"\nclient_id = \"cs-1\"\nclient_secret = \"0123456789\"\n";
const RANGE: &str = "2026-08-01..2026-08-10";
const SERIES: &str = "user_engagement_hourly,bot=support,bot_id=st-1,channel=all";

fn workspace(platform: &SimulatedPlatform, sink: &str, bots: &str) -> Workspace {
    Workspace::with(&Template { platform_url: platform.url(), sink, bots, ..Template::default() })
}

/// The points of the range: time and users.
fn points() -> Vec<(i64, i64)> {
    let window = Window { first: "2026-08-01".parse().unwrap(), last: "2026-08-10".parse().unwrap() };
    held("st-1", "all", Interval::Hourly, window)
}

fn verify(workspace: &Workspace, more: &[&str], code: i32) -> Output {
    let arguments = [&["--verify", RANGE, "--log-format", "json"], more].concat();
    workspace.run(&arguments).expect_code(code)
}

/// The differences and the series that a run told, as JSON.
fn told(output: &Output) -> (Vec<Value>, Vec<Value>) {
    let lines = output.stdout.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.partition(|line| line.get("difference").is_some())
}

fn counts(output: &Output) -> [u64; 5] {
    let (_, series) = told(output);
    ["equal", "missing", "different", "unexpected", "elsewhere"].map(|name| series[0][name].as_u64().unwrap())
}

fn time(seconds: i64) -> String {
    jiff::Timestamp::from_second(seconds).unwrap().to_string()
}

#[test]
fn each_kind_of_difference_is_told_and_repaired_and_nothing_else_is_touched() {
    let platform = SimulatedPlatform::well(BOT);
    let workspace = workspace(&platform, "[file]\npath = \"engagement.lp\"\n", BOT);
    workspace.run(&["--backfill", RANGE]).expect_code(0);
    let all = points();
    let whole = verify(&workspace, &[], 0);
    let line = "{\"series\":{\"bot\":\"support\",\"channel\":\"all\",\"interval\":\"hourly\"},\"days\":10,\"equal\":240,\
                \"missing\":0,\"different\":0,\"unexpected\":0,\"elsewhere\":0}\n";
    assert_eq!(whole.stdout, line);

    let (lost, changed, retyped) = (all[5], all[50], all[51]);
    let kept = workspace.read("engagement.lp");
    let damaged: String =
        kept.lines().filter(|line| !line.ends_with(&format!(" {}", lost.0))).map(|line| format!("{line}\n")).collect();
    let surplus = all[60].0 + 600;
    let damage = format!(
        "{SERIES} users={}i {}\n{SERIES} users={}.0 {}\n{SERIES} users=7i {surplus}\n{SERIES},team=care users=1i {}\n",
        changed.1 + 1,
        changed.0,
        retyped.1,
        retyped.0,
        all[70].0
    );
    workspace.write("engagement.lp", &(damaged + &damage));

    let output = verify(&workspace, &[], 1);
    assert_eq!(counts(&output), [237, 1, 2, 1, 1], "{}", output.stdout);
    let (differences, _) = told(&output);
    let series = json!({"bot": "support", "channel": "all", "interval": "hourly"});
    let expected = json!({"difference": {"series": series, "time": time(lost.0), "kind": "missing",
        "platform": {"users": lost.1}, "database": null, "late_revision": false}});
    assert_eq!(differences[0], expected);
    let kinds: Vec<&Value> = differences.iter().map(|one| &one["difference"]["kind"]).collect();
    assert_eq!(kinds, ["missing", "different", "different", "unexpected"]);

    let before = workspace.read("engagement.lp");
    let output = verify(&workspace, &["--repair"], 1);
    assert_eq!(counts(&output), [240, 0, 0, 1, 1], "{}", output.stdout);
    let after = workspace.read("engagement.lp");
    assert!(after.starts_with(&before));
    assert_eq!(after[before.len()..].lines().count(), 3, "what was missing or different, and nothing else");
    let text = workspace.run(&["--verify", RANGE]).expect_code(1).stdout;
    for words in ["unexpected", "delete", "other tags"] {
        assert!(text.contains(words), "no {words} in {text}");
    }
}

#[test]
fn a_wrong_time_zone_is_told_by_how_much() {
    let platform = SimulatedPlatform::well(BOT);
    let india = format!("{BOT}time_zone = \"Asia/Kolkata\"\n");
    let workspace = workspace(&platform, "[file]\npath = \"engagement.lp\"\n", &india);
    workspace.run(&["--backfill", RANGE]).expect_code(0);
    let config = workspace.read("config.toml").replace("Asia/Kolkata", "UTC");
    workspace.write("config.toml", &config);
    let output = workspace.run(&["--verify", RANGE]).expect_code(1);
    assert!(output.stdout.contains("5 h 30 min earlier"), "{}", output.stdout);
    assert!(output.stdout.contains("time_zone"), "{}", output.stdout);
}

#[test]
fn a_late_revision_fails_nothing_unless_strict() {
    let platform = SimulatedPlatform::well(BOT);
    let workspace = workspace(&platform, "[file]\npath = \"engagement.lp\"\n", BOT);
    let range = format!("{}..{}", day(-6), day(-1));
    workspace.run(&["--backfill", &range]).expect_code(0);
    let window = Window { first: day(-1), last: day(-1) };
    let (time, users) = held("st-1", "all", Interval::Hourly, window)[3];
    let file = workspace.read("engagement.lp");
    workspace.write("engagement.lp", &format!("{file}{SERIES} users={}i {time}\n", users + 1));
    let output = workspace.run(&["--verify", &range]).expect_code(0);
    assert!(output.stdout.contains("late revision"), "{}", output.stdout);
    workspace.run(&["--verify", &range, "--strict"]).expect_code(1);
    workspace.run(&["--verify", &range, "--strict", "--repair"]).expect_code(0);
    workspace.run(&["--verify", &range, "--strict"]).expect_code(0);
}

#[test]
fn what_cannot_be_read_is_never_equal() {
    let platform = SimulatedPlatform::well(BOT);
    for (options, words) in [
        (Options::new(Generation::Core3).most_days_per_query(3), "--query-file-limit"),
        (Options::new(Generation::Core3).without("/query"), "404"),
    ] {
        let database = options.start();
        let workspace = workspace(&platform, &database.config(), BOT);
        workspace.run(&["--once"]).expect_code(0);
        let output = verify(&workspace, &[], 1);
        assert!(output.stderr.contains(words), "no {words} in {}", output.stderr);
        assert_eq!(told(&output).1[0]["complete"], false, "{}", output.stdout);
        let text = workspace.run(&["--verify", RANGE]).expect_code(1).stdout;
        assert!(!text.contains("equals"), "{text}");
    }
}

#[test]
fn a_platform_that_fails_in_the_middle_is_never_equal() {
    let database = FakeInfluxDb::accepting();
    let fails = |_: &_, number| (number > 2).then(|| Reply::errors(400, 4002, "no"));
    let platform = SimulatedPlatform::start(BOT, fails);
    let sink = format!("{}read = \"influxql\"\n", database.config());
    let workspace = workspace(&platform, &sink, BOT);
    let config = workspace.read("config.toml").replace("[platform]", "[platform]\nmax_days_per_request = 5");
    workspace.write("config.toml", &config);
    workspace.run(&["--backfill", RANGE]).expect_code(0);
    let output = verify(&workspace, &[], 1);
    assert_eq!(told(&output).1[0]["complete"], false, "{}", output.stdout);
}

#[test]
fn a_database_that_speaks_influxql_is_compared_and_repaired() {
    for generation in [Generation::Core3, Generation::New1] {
        let platform = SimulatedPlatform::well(BOT);
        let database = Options::new(generation).most_days_per_query(7).start();
        let workspace = workspace(&platform, &database.config(), BOT);
        workspace.run(&["--backfill", RANGE]).expect_code(0);
        assert_eq!(counts(&verify(&workspace, &[], 0)), [240, 0, 0, 0, 0], "{generation:?}");
        let changed = points()[7];
        database.damage(|store| {
            drop(store.take(&format!("{SERIES} users={}i {}\n", changed.1 + 5, changed.0), None));
            drop(store.take(&format!("{SERIES},team=care users=1i {}\n", changed.0), None));
        });
        assert_eq!(counts(&verify(&workspace, &[], 1)), [239, 0, 1, 0, 1], "{generation:?}");
        let before = database.stored().len();
        assert_eq!(counts(&verify(&workspace, &["--repair"], 0)), [240, 0, 0, 0, 1], "{generation:?}");
        assert_eq!(database.stored().len(), before + 1, "{generation:?}: nothing else is written");
    }
}
