//! `--backfill`: the days that were asked for, once each, whatever comes in between.

use kore_trend_exporter::domain::series::{Interval, Window};
use serde_json::{Value, json};

use crate::support::platform::{SimulatedPlatform, held};
use crate::support::server::Reply;
use crate::support::workspace::{Template, Workspace};

const BOT: &str = "[bots.support]\nid = \"st-1\"\nclient_id = \"cs-1\"\nclient_secret = \"0123456789\"\n";
const RANGE: &str = "2026-08-01..2026-08-10";

/// Two days a request.
fn workspace(platform: &SimulatedPlatform, bots: &str) -> Workspace {
    let platform_url = platform.url();
    Workspace::with(&Template { platform_url, platform: "max_days_per_request = 2", bots, ..Template::default() })
}

fn asked(platform: &SimulatedPlatform) -> Vec<String> {
    platform.asked().iter().map(|asked| asked.window().unwrap().to_string()).collect()
}

/// The lines of the bot's hours over these days, sorted.
fn expected_lines(first: &str, last: &str) -> Vec<String> {
    let window = Window { first: first.parse().unwrap(), last: last.parse().unwrap() };
    let line = |(timestamp, users): (i64, i64)| {
        format!("user_engagement_hourly,bot=support,bot_id=st-1,channel=all users={users}i {timestamp}")
    };
    let mut lines: Vec<String> = held("st-1", "all", Interval::Hourly, window).into_iter().map(line).collect();
    lines.sort();
    lines
}

#[test]
fn a_range_includes_both_of_its_ends_and_leaves_the_watermarks_alone() {
    let platform = SimulatedPlatform::well(BOT);
    let workspace = workspace(&platform, BOT);
    let output = workspace.run(&["--backfill", "2026-08-01..2026-08-05"]).expect_code(0);
    assert_eq!(asked(&platform), ["2026-08-01..2026-08-02", "2026-08-03..2026-08-04", "2026-08-05"]);
    assert_eq!(workspace.sorted_lines("engagement.lp"), expected_lines("2026-08-01", "2026-08-05"));
    assert!(!workspace.path("state/backfill.json").exists() && !workspace.path("state/watermarks.json").exists());
    let plan = "backfilling 2026-08-01..2026-08-05: 1 series, 5 days in total, 3 requests; at ";
    assert!(output.stderr.contains(plan), "{}", output.stderr);
    assert!(output.stdout.contains("support  all      hourly       5     120         3  "), "{}", output.stdout);

    workspace.run(&["--once"]).expect_code(0);
    let watermarks = workspace.read("state/watermarks.json");
    workspace.run(&["--backfill", "2026-08-01..2026-08-05"]).expect_code(0);
    assert_eq!(workspace.read("state/watermarks.json"), watermarks);
}

#[test]
fn progress_of_a_newer_release_is_refused_with_78_until_it_is_forgotten() {
    let platform = SimulatedPlatform::well(BOT);
    let workspace = workspace(&platform, BOT);
    let newer = "{\"version\":2,\"series\":\"in another shape\"}";
    workspace.write("state/backfill.json", newer);
    let output = workspace.run(&["--backfill", "2026-08-01..2026-08-05"]).expect_code(78);
    for words in ["backfill.json", "newer release", "--restart"] {
        assert!(output.stderr.contains(words), "no {words} in {}", output.stderr);
    }
    assert_eq!((workspace.read("state/backfill.json").as_str(), platform.asked().len()), (newer, 0));
    workspace.run(&["--backfill", "2026-08-01..2026-08-05", "--restart"]).expect_code(0);
    assert!(!workspace.path("state/backfill.json").exists());
}

#[test]
fn the_least_time_follows_from_the_limits_and_the_share() {
    let platform = SimulatedPlatform::start(BOT, |_, _| Some(Reply::errors(400, 400, "Invalid StreamId")));
    let workspace = workspace(&platform, BOT);
    for (range, words) in [
        (
            "2026-08-01..2026-08-02",
            ": 1 series, 2 days in total, 1 request; at 30 requests a minute and 900 an hour per bot",
        ),
        ("2026-01-01..2026-03-31", "45 requests; at least 1m"),
    ] {
        let output = workspace.run(&["--backfill", range, "--restart"]).expect_code(1);
        assert!(output.stderr.contains(words), "{words}: {}", output.stderr);
    }
    workspace.configure(&Template {
        platform_url: platform.url(),
        platform: "backfill_share = 0",
        bots: BOT,
        ..Template::default()
    });
    let output = workspace.run(&["--backfill", RANGE, "--restart"]).expect_code(1);
    assert!(output.stderr.contains("raise it above 0"), "{}", output.stderr);
}

#[test]
fn an_open_range_ends_yesterday() {
    let platform = SimulatedPlatform::well(BOT);
    let workspace = workspace(&platform, BOT);
    let today = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date();
    let from = kore_trend_exporter::domain::series::day_after(today, -3);
    let yesterday = kore_trend_exporter::domain::series::day_after(today, -1);
    workspace.run(&["--backfill", &format!("{from}..")]).expect_code(0);
    let now = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date();
    let last = platform.asked().last().unwrap().window().unwrap().last;
    assert!(last == yesterday || now != today, "{last}");
    assert!(!workspace.path("state/backfill.json").exists());
}

#[test]
fn the_same_command_continues_after_a_failure_and_asks_nothing_twice() {
    let refused = |number| (number == 3).then(|| Reply::errors(400, 400, "Invalid StreamId"));
    let platform = SimulatedPlatform::start(BOT, move |_, number| refused(number));
    let workspace = workspace(&platform, BOT);
    let output = workspace.run(&["--backfill", RANGE]).expect_code(1);
    assert!(output.stderr.contains("Invalid StreamId"), "{}", output.stderr);
    assert_eq!(asked(&platform).len(), 3);
    assert!(workspace.path("state/backfill.json").exists());
    assert_eq!(workspace.sorted_lines("engagement.lp"), expected_lines("2026-08-01", "2026-08-04"));

    for (range, arguments) in [("another range", "2026-08-01..2026-08-09"), ("an open one", "2026-08-01..")] {
        let output = workspace.run(&["--backfill", arguments]).expect_code(2);
        let words = format!(
            "a backfill of {RANGE} was interrupted: finish it with --backfill {RANGE}, or forget it with --restart"
        );
        assert!(output.stderr.contains(&words), "{range}: {}", output.stderr);
    }
    assert_eq!(asked(&platform).len(), 3, "a refused range asks nothing");

    workspace.run(&["--backfill", RANGE]).expect_code(0);
    assert_eq!(asked(&platform)[3..], ["2026-08-05..2026-08-06", "2026-08-07..2026-08-08", "2026-08-09..2026-08-10"]);
    assert_eq!(workspace.sorted_lines("engagement.lp"), expected_lines("2026-08-01", "2026-08-10"), "each line once");
    assert!(!workspace.path("state/backfill.json").exists());
}

#[test]
fn restart_forgets_the_interrupted_range() {
    let platform = SimulatedPlatform::start(BOT, |_, number| (number == 2).then(|| Reply::errors(400, 400, "Invalid")));
    let workspace = workspace(&platform, BOT);
    workspace.run(&["--backfill", RANGE]).expect_code(1);
    platform.forget();
    // The second request of the other range is the second one again.
    workspace.run(&["--backfill", "2026-08-03..2026-08-06", "--restart"]).expect_code(1);
    assert_eq!(asked(&platform), ["2026-08-03..2026-08-04", "2026-08-05..2026-08-06"]);
    let output = workspace.run(&["--backfill", RANGE]).expect_code(2);
    assert!(output.stderr.contains("2026-08-03..2026-08-06 was interrupted"), "{}", output.stderr);
    workspace.run(&["--backfill", "2026-08-03..2026-08-06"]).expect_code(0);
    assert_eq!(asked(&platform)[2..], ["2026-08-05..2026-08-06"]);
}

#[test]
fn a_progress_file_that_is_garbage_is_refused_until_restart() {
    let platform = SimulatedPlatform::well(BOT);
    let workspace = workspace(&platform, BOT);
    workspace.write("state/backfill.json", "garbage");
    let output = workspace.run(&["--backfill", RANGE]).expect_code(1);
    assert!(output.stderr.contains("backfill.json cannot be read"), "{}", output.stderr);
    assert!(output.stderr.contains("--restart") && platform.asked().is_empty(), "{}", output.stderr);
    workspace.run(&["--backfill", RANGE, "--restart"]).expect_code(0);
}

#[test]
fn a_dry_run_prints_every_line_and_writes_nothing() {
    let platform = SimulatedPlatform::well(BOT);
    let workspace = workspace(&platform, BOT);
    let output = workspace.run(&["--backfill", "2026-08-01..2026-08-04", "--dry-run"]).expect_code(0);
    let mut lines: Vec<&str> = output.stdout.lines().collect();
    lines.sort_unstable();
    assert_eq!(lines, expected_lines("2026-08-01", "2026-08-04"));
    let files: Vec<_> =
        std::fs::read_dir(workspace.path("")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(files, ["config.toml"]);
}

/// An answer for one day on which hour `h` has `h + 1` users, and the day 100.
fn one_day(date: &str, daily: bool) -> Value {
    let mut result = json!({ "date": date });
    match daily {
        true => result["users"] = 100.into(),
        false => (0..24).for_each(|hour| result[format!("{hour} - {}", (hour + 1) % 24)] = (hour + 1).into()),
    }
    json!({ "results": [result], "totalResults": 1 })
}

/// Hours of `day` in `zone`: every hour from `hour` on begins at `second`, until the next one that is listed.
#[track_caller]
fn check_clock_change(zone: &str, day: &str, in_words: &'static str, hours: &[(i64, Option<i64>)], first_instant: i64) {
    let bots = format!("{BOT}time_zone = \"{zone}\"\nintervals = [\"hourly\", \"daily\"]\n");
    let platform = SimulatedPlatform::start(&bots, move |asked, _| {
        let daily = asked.query["aggregation_type"].eq_ignore_ascii_case("daily");
        Some((200, one_day(in_words, daily).to_string()).into())
    });
    let workspace = workspace(&platform, &bots);
    let output = workspace.run(&["--backfill", &format!("{day}..{day}")]).expect_code(0);

    let tags = "bot=support,bot_id=st-1,channel=all";
    let mut expected = vec![format!("user_engagement_daily,{tags} users=100i {first_instant}")];
    for hour in 0..24 {
        let (from, second) = hours.iter().rev().find(|(from, _)| *from <= hour).unwrap();
        match second {
            Some(second) => {
                let second = second + 3600 * (hour - from);
                expected.push(format!("user_engagement_hourly,{tags} users={}i {second}", hour + 1));
            }
            None => {
                let words = format!("the hour {hour}, skipped by daylight saving in {zone}: not written");
                assert!(output.stderr.contains(&words), "{words}: {}", output.stderr);
                assert!(output.stdout.contains("1 in hours skipped by daylight saving"), "{}", output.stdout);
            }
        }
    }
    expected.sort();
    assert_eq!(workspace.sorted_lines("engagement.lp"), expected, "{zone} {day}");
}

#[test]
fn on_days_with_a_clock_change_each_hour_is_where_it_begins() {
    let spring = [(0, Some(1_774_738_800)), (2, None), (3, Some(1_774_746_000))];
    check_clock_change("Europe/Berlin", "2026-03-29", "Mar 29 2026", &spring, 1_774_738_800);
    let autumn = [(0, Some(1_761_429_600)), (3, Some(1_761_444_000))];
    check_clock_change("Europe/Berlin", "2025-10-26", "Oct 26 2025", &autumn, 1_761_429_600);
    let no_midnight = [(0, None), (1, Some(1_788_667_200))];
    check_clock_change("America/Santiago", "2026-09-06", "Sep 06 2026", &no_midnight, 1_788_667_200);
}
