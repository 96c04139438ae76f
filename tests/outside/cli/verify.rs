//! `--verify` against the file sink and the fake database: what differs is told exactly, a repair writes that and nothing
//! else, and what cannot be read is never equal.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use kore_trend_exporter::domain::series::{Interval, Window};
use serde_json::{Value, json};

use crate::support::fake_influxdb::{FakeInfluxDb, Generation, Options};
use crate::support::platform::{SimulatedPlatform, day, held};
use crate::support::process::Output;
use crate::support::reverse_proxy::behind_a_path;
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
    let (differences, _) = told(&workspace.run(&["--verify", &range, "--log-format", "json"]).expect_code(0));
    let late: Vec<&Value> = differences.iter().map(|one| &one["difference"]["late_revision"]).collect();
    assert_eq!(late, [true], "{differences:?}");
    workspace.run(&["--verify", &range, "--strict"]).expect_code(1);
    workspace.run(&["--verify", &range, "--strict", "--repair"]).expect_code(0);
    workspace.run(&["--verify", &range, "--strict"]).expect_code(0);
}

#[test]
fn what_lies_beyond_the_retention_is_not_compared() {
    let platform = SimulatedPlatform::well(BOT);
    for generation in [Generation::New1, Generation::Core3] {
        let database = Options::new(generation).retention_days(10).start();
        let workspace = workspace(&platform, &database.config(), BOT);
        let range = format!("{}..{}", day(-20), day(-1));
        workspace.run(&["--backfill", &range]).expect_code(0);
        let output = workspace.run(&["--verify", &range]).expect_code(0);
        for words in ["points not compared", "the database equals the platform"] {
            assert!(output.stdout.contains(words), "no {words} in {}", output.stdout);
        }
    }
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
fn a_database_that_fails_in_the_middle_is_never_equal() {
    let platform = SimulatedPlatform::well(BOT);
    let database = Options::new(Generation::Core3).answered_queries(1).start();
    let workspace = workspace(&platform, &database.config(), BOT);
    workspace.run(&["--backfill", RANGE]).expect_code(0);
    for more in [&[][..], &["--repair"]] {
        let output = verify(&workspace, more, 1);
        assert!(output.stderr.contains("the query was refused"), "{}", output.stderr);
        assert_eq!(told(&output).1[0]["complete"], false, "{}", output.stdout);
    }
}

#[test]
fn both_sides_that_fail_are_told_and_never_equal() {
    let bots = BOT.to_owned() + &BOT.replace("support", "sales").replace("st-1", "st-2");
    let has_failed = Arc::new(AtomicBool::new(false));
    let fails = Arc::clone(&has_failed);
    let platform = SimulatedPlatform::start(&bots, move |asked, _| {
        let is_refused = asked.bot_id() == "st-2" && fails.load(Ordering::Relaxed);
        is_refused.then(|| Reply::errors(400, 4002, "no such bot"))
    });
    let database = Options::new(Generation::Core3).answered_queries(1).start();
    let workspace = workspace(&platform, &database.config(), &bots);
    workspace.run(&["--backfill", RANGE]).expect_code(0);
    has_failed.store(true, Ordering::Relaxed);
    let output = verify(&workspace, &[], 1);
    for words in ["no such bot", "the query was refused"] {
        assert!(output.stderr.contains(words), "no {words} in {}", output.stderr);
    }
    let (_, series) = told(&output);
    assert!(series.len() == 2 && series.iter().all(|series| series["complete"] == false), "{}", output.stdout);
}

#[test]
fn every_kind_is_told_for_hours_and_days_of_both_versions() {
    for api in ["v1", "v2"] {
        let bot = format!("{BOT}intervals = [\"hourly\", \"daily\"]\n");
        let platform = SimulatedPlatform::well(&bot);
        let workspace = workspace(&platform, "[file]\npath = \"engagement.lp\"\n", &bot);
        let config = workspace.read("config.toml").replace("[platform]", &format!("[platform]\napi = \"{api}\""));
        workspace.write("config.toml", &config);
        workspace.run(&["--backfill", RANGE]).expect_code(0);
        let day = "2026-08-04T00:00:00Z".parse::<jiff::Timestamp>().unwrap().as_second();
        let mut lines: Vec<String> = workspace.read("engagement.lp").lines().map(str::to_owned).collect();
        for measurement in ["user_engagement_hourly", "user_engagement_daily"] {
            let of = |days: i64| format!(" {}", day + 86_400 * days);
            lines.retain(|line| !(line.starts_with(measurement) && line.ends_with(&of(0))));
            let different = lines.iter().find(|line| line.starts_with(measurement) && line.ends_with(&of(1))).unwrap();
            // A field more, which no version of the platform tells.
            lines.push(different.replace(" users=", " others=1i,users="));
            lines.push(format!("{measurement},bot=support,bot_id=st-1,channel=all users=1i {}", day + 1));
            lines.push(format!("{measurement},bot=support,bot_id=st-0,channel=all users=1i {}", day));
        }
        workspace.write("engagement.lp", &(lines.join("\n") + "\n"));
        for (more, expected) in
            [(&[][..], [(238, 1, 1, 1, 1), (8, 1, 1, 1, 1)]), (&["--repair"], [(240, 0, 0, 1, 1), (10, 0, 0, 1, 1)])]
        {
            let (_, series) = told(&verify(&workspace, more, 1));
            for (series, (equal, missing, different, unexpected, elsewhere)) in series.iter().zip(expected) {
                let found = ["equal", "missing", "different", "unexpected", "elsewhere"].map(|name| &series[name]);
                assert_eq!(found, [equal, missing, different, unexpected, elsewhere], "{api} {more:?}: {series}");
            }
        }
    }
}

#[test]
fn what_is_unexpected_can_be_deleted_however_much_else_differs() {
    let platform = SimulatedPlatform::well(BOT);
    let workspace = workspace(&platform, "[file]\npath = \"engagement.lp\"\n", BOT);
    let last = points().last().unwrap().0 + 60;
    workspace.write("engagement.lp", &format!("{SERIES} users=7i {last}\n"));
    let text = workspace.run(&["--verify", RANGE]).expect_code(1).stdout;
    let delete = format!("delete the lines of {SERIES} with times from {last} to {last}");
    for words in ["and 221 more", "missing or different: 240", "unexpected: 1", &delete] {
        assert!(text.contains(words), "no {words} in {text}");
    }
    let first = points()[0].0;
    let shown: Vec<String> = text.lines().filter(|line| line.contains("missing: ")).map(str::to_owned).collect();
    assert_eq!(shown.len(), 20, "{text}");
    assert!(shown[0].contains(&time(first)) && shown[19].contains(&time(first + 19 * 3600)), "in order: {text}");
}

#[test]
fn damage_drawn_by_lot_is_found_in_full_and_repaired_and_nothing_else_is_touched() {
    let platform = SimulatedPlatform::well(BOT);
    let workspace = workspace(&platform, "[file]\npath = \"engagement.lp\"\n", BOT);
    workspace.run(&["--backfill", RANGE]).expect_code(0);
    let whole = workspace.read("engagement.lp");
    for seed in 0..5 {
        let mut lot = fastrand::Rng::with_seed(seed);
        let (mut lines, mut counts_expected) = (String::new(), [0; 5]);
        for (line, (time, users)) in whole.lines().zip(points()) {
            let (kind, damaged) = match lot.u8(..40) {
                0 => (1, String::new()),
                1 => (2, format!("{SERIES} users={}i {time}\n", users + lot.i64(1..9))),
                2 => (2, format!("{SERIES} users={users}u {time}\n")),
                3 => (2, format!("{SERIES} users=\"{users}\" {time}\n")),
                4 => (0, format!("{line}\n{SERIES} users=1i {}\n", time + lot.i64(1..3600))),
                5 => (0, format!("{line}\n{SERIES},team=care users=1i {time}\n")),
                _ => (0, format!("{line}\n")),
            };
            counts_expected[kind] += 1;
            counts_expected[3] += u64::from(damaged.lines().count() == 2 && !damaged.contains("team"));
            counts_expected[4] += u64::from(damaged.contains("team"));
            lines += &damaged;
        }
        workspace.write("engagement.lp", &lines);
        let [equal, missing, different, unexpected, elsewhere] = counts_expected;
        let code = i32::from(missing + different + unexpected > 0);
        assert_eq!(counts(&verify(&workspace, &[], code)), counts_expected, "seed {seed}");
        let repaired = [equal + missing + different, 0, 0, unexpected, elsewhere];
        assert_eq!(counts(&verify(&workspace, &["--repair"], i32::from(unexpected > 0))), repaired, "seed {seed}");
        let after = workspace.read("engagement.lp");
        assert!(after.starts_with(&lines), "seed {seed}");
        assert_eq!(after[lines.len()..].lines().count() as u64, missing + different, "seed {seed}");
    }
}

#[test]
fn a_healthy_database_of_150_000_points_is_equal() {
    let bot = format!("{BOT}channels = [\"all\", \"rtm\", \"msteams\"]\n");
    let platform = SimulatedPlatform::well(&bot);
    let workspace = workspace(&platform, "[file]\npath = \"engagement.lp\"\n", &bot);
    let config = workspace.read("config.toml").replace("[platform]", "[platform]\nmax_days_per_request = 400");
    workspace.write("config.toml", &config);
    // 2,084 days of 24 hours in three channels.
    let range = "2020-01-01..2025-09-14";
    workspace.run(&["--backfill", range]).expect_code(0);
    let output = workspace.run(&["--verify", range, "--log-format", "json"]).expect_code(0);
    let (differences, series) = told(&output);
    assert_eq!(differences, [Value::Null; 0]);
    let equal: Vec<u64> = series.iter().map(|series| series["equal"].as_u64().unwrap()).collect();
    assert_eq!(equal, [2084 * 24; 3], "{}", output.stdout);
}

#[test]
fn a_database_behind_a_path_is_compared_and_repaired_in_influxql() {
    let platform = SimulatedPlatform::well(BOT);
    let database = Options::new(Generation::New2).start();
    let proxy = behind_a_path("/metrics/db", database.url());
    let sink =
        database.config().replace(database.url(), &format!("{}/metrics/db", proxy.url())) + "read = \"influxql\"\n";
    let workspace = workspace(&platform, &sink, BOT);
    workspace.run(&["--check"]).expect_code(0);
    workspace.run(&["--backfill", RANGE]).expect_code(0);
    assert_eq!(counts(&verify(&workspace, &[], 0)), [240, 0, 0, 0, 0]);
    let (time, users) = points()[7];
    database.damage(|store| drop(store.take(&format!("{SERIES} users={}i {time}\n", users + 5), None)));
    assert_eq!(counts(&verify(&workspace, &[], 1)), [239, 0, 1, 0, 0]);
    assert_eq!(counts(&verify(&workspace, &["--repair"], 0)), [240, 0, 0, 0, 0]);
}

#[test]
fn tags_that_flux_would_lose_are_read_in_influxql() {
    for tag in ["table", "result", "_start", "_stop", "_time", "_value"] {
        let bot = format!("{BOT}tags = {{ {tag} = \"care\" }}\n");
        let (platform, database) = (SimulatedPlatform::well(&bot), Options::new(Generation::New2).start());
        let workspace = workspace(&platform, &database.config(), &bot);
        workspace.run(&["--backfill", RANGE]).expect_code(0);
        assert_eq!(counts(&verify(&workspace, &[], 0)), [240, 0, 0, 0, 0], "{tag}");
    }
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
