//! `--once` and `--backfill` under a wrong clock, and under the right one after that.

use std::sync::atomic::{AtomicUsize, Ordering};

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use kore_trend_exporter::domain::series::Interval;

use super::{DAY, HOUR, Scene, steps, zeros_ahead};
use crate::support::platform::{Asked, day, held_lines};
use crate::support::server::{Gate, Reply};
use crate::support::wait_for;
use crate::support::workspace::{Template, bots};

const BOTH: &str = "intervals = [\"hourly\", \"daily\"]";

fn scene(strict: bool) -> Scene {
    Scene::new(&bots(["support"], BOTH), strict, Template::default())
}

/// Everything of the last `days` days that are over.
fn all_of(days: i64) -> Vec<String> {
    [Interval::Hourly, Interval::Daily].iter().flat_map(|it| held_lines("support", "all", *it, -days)).collect()
}

#[test]
#[ignore = "needs the servers that tests/run brings"]
fn a_wrong_clock_moves_no_watermark_and_writes_nothing_that_is_not_over() {
    let (yesterday, steady) = (day(-1).to_string(), format!("{}..{}", day(-2), day(0)));
    for strict in [true, false] {
        let scene = scene(strict);
        scene.run(&["--once"]).expect_code(0);
        for step in steps() {
            scene.clock.set(step);
            let output = scene.run(&["--once"]);
            if strict {
                let side = if step.is_positive() { "ahead of" } else { "behind" };
                let words = format!("s {side} the platform's, which makes tokens invalid");
                assert!(output.stderr.contains(&words), "{step}: {}", output.stderr);
                output.expect_code(1);
            }
            assert_eq!(scene.watermarks(), [yesterday.as_str(); 2], "strict: {strict}, {step}");
            scene.clock.correct();
            scene.windows();
            scene.run(&["--once"]).expect_code(0);
            assert_eq!(scene.windows(), [steady.as_str(); 2], "strict: {strict}, {step}: nothing more is owed");
            scene.check(&all_of(7));
        }
    }
}

#[test]
#[ignore = "needs the servers that tests/run brings"]
fn what_a_first_run_owes_is_not_set_by_a_wrong_clock() {
    for strict in [true, false] {
        for step in steps() {
            let scene = scene(strict);
            scene.clock.set(step);
            scene.run(&["--once"]);
            scene.clock.correct();
            scene.windows();
            scene.run(&["--once"]).expect_code(0);
            let windows = scene.windows();
            // Each series in one request, or in two if a failure is recorded; none from days that a wrong clock chose.
            let (earliest, today) = (day(-9).to_string(), day(0).to_string());
            let is_right = |window: &String| {
                window
                    .split_once("..")
                    .is_some_and(|(first, last)| first >= earliest.as_str() && last <= today.as_str())
            };
            assert!(windows.len() <= 4 && windows.iter().all(is_right), "strict: {strict}, {step}: {windows:?}");
            scene.check(&all_of(7));
        }
    }
}

#[test]
#[ignore = "needs the servers that tests/run brings"]
fn a_date_in_the_answer_is_believed_where_it_can_be_one() {
    for (date, is_believed) in [("Thu, 01 Jan 1970 00:00:07 GMT", false), ("Thu, 01 Oct 2026 12:00:00 GMT", true)] {
        let script = move |asked: &Asked| Some(zeros_ahead(asked).header("date", date));
        let scene = Scene::at(Timestamp::now, &bots(["support"], BOTH), Template::default(), script);
        let output = scene.run(&["--once"]).expect_code(0);
        assert_eq!(output.stderr.contains("ahead of the platform's"), is_believed);
        match is_believed {
            true => assert_eq!(scene.held().len(), 0),
            false => scene.check(&all_of(7)),
        }
    }
}

fn seconds_at(day: Date) -> i64 {
    day.to_zoned(TimeZone::UTC).unwrap().timestamp().as_second()
}

/// One that asks for two days at a time, and lets the clock be set in the middle.
fn backfill(step: SignedDuration, strict: bool, interrupted: bool) {
    let (range, name) = (format!("{}..{}", day(-12), day(-3)), format!("{step}, strict: {strict}, {interrupted}"));
    let template = Template { platform: "max_days_per_request = 2", ..Template::default() };
    let (gate, seen) = (Gate::closed(), AtomicUsize::new(0));
    let closed = gate.clone();
    let scene = Scene::at(Timestamp::now, &bots(["support"], BOTH), template, move |asked| {
        let held_back = interrupted && seen.fetch_add(1, Ordering::Relaxed) == 4;
        let reply = if strict { Reply::own() } else { zeros_ahead(asked) };
        Some(if held_back { reply.behind(&closed) } else { reply })
    });
    if !interrupted {
        scene.clock.set(step);
    }
    let running = scene.start(&["--backfill", &range]);
    if interrupted {
        wait_for("some of the days", || (scene.platform.asked().len() >= 5).then_some(()));
        scene.clock.set(step);
        gate.open();
    }
    let output = running.finish();
    // Days after its own today are wrong usage; the rest is refused where the times in tokens are checked.
    let is_backwards = !interrupted && step < -3 * DAY;
    // Where the clock goes back behind the range on the way, the days that are then to come are left.
    let is_early = interrupted && step < -3 * DAY;
    let expected = if is_backwards { 2 } else { i32::from(strict || is_early) };
    let output = output.expect_code(expected);
    assert!(
        !strict || is_backwards || output.stderr.contains("which makes tokens invalid"),
        "{name}: {}",
        output.stderr
    );
    scene.clock.correct();
    let before = scene.windows();
    scene.run(&["--backfill", &range]).expect_code(0);
    let of_range = |line: &String| line.rsplit(' ').next().unwrap().parse::<i64>().unwrap() < seconds_at(day(-2));
    scene.check(&all_of(12).into_iter().filter(of_range).collect::<Vec<_>>());
    if strict && interrupted {
        let after = scene.windows();
        let requests = before.len() + after.len();
        let log = &output.stderr;
        // Ten succeed, two are refused, and what was asked for as the clock was set may be asked for again.
        assert!((11..=14).contains(&requests), "{name}: {before:?} and {after:?}: {log}");
    }
    assert!(!scene.workspace.path("state/backfill.json").exists(), "{name}");
    assert!(!scene.workspace.path("state/watermarks.json").exists(), "{name}");
}

#[test]
#[ignore = "needs the servers that tests/run brings"]
fn a_backfill_under_a_wrong_clock_is_made_up_for_by_the_same_command() {
    std::thread::scope(|scope| {
        for (number, step) in steps().into_iter().enumerate() {
            scope.spawn(move || backfill(step, number % 2 == 0, false));
            scope.spawn(move || backfill(step, number % 2 == 0, true));
        }
    });
}

#[test]
#[ignore = "needs the servers that tests/run brings"]
fn a_range_through_yesterday_ends_with_the_platforms_yesterday() {
    let scene = scene(false);
    scene.clock.set(26 * HOUR);
    let output = scene.run(&["--backfill", &format!("{}..", day(-3))]).expect_code(1);
    assert!(output.stderr.contains("has not ended yet: run the same command again"), "{}", output.stderr);
    scene.clock.correct();
    scene.run(&["--backfill", &format!("{}..", day(-3))]).expect_code(0);
    scene.check(&all_of(3));
    assert!(!scene.workspace.path("state/backfill.json").exists());
}
