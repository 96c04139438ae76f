//! `--once` and `--backfill` under a wrong clock, and under the right one after that.

use kore_trend_exporter::series::Interval;

use super::{Scene, steps};
use crate::support::platform::{day, held_lines};
use crate::support::workspace::{Template, bots};

const BOTH: &str = "intervals = [\"hourly\", \"daily\"]";

fn scene(strict: bool) -> Scene {
    Scene::new(&bots(["support"], BOTH), strict, Template::default())
}

/// Everything of the last `days` days that are over.
fn all_of(days: i64) -> Vec<String> {
    [Interval::Hourly, Interval::Daily].iter().flat_map(|it| held_lines("support", "all", *it, -days)).collect()
}

fn watermarks(scene: &Scene) -> Vec<String> {
    let state: serde_json::Value = serde_json::from_str(&scene.workspace.read("state/watermarks.json")).unwrap();
    state["series"].as_array().unwrap().iter().map(|series| series["through"].to_string()).collect()
}

#[test]
#[ignore = "needs the servers that tests/run brings"]
fn a_wrong_clock_moves_no_watermark_and_writes_nothing_that_is_not_over() {
    let (yesterday, steady) = (format!("\"{}\"", day(-1)), format!("{}..{}", day(-2), day(0)));
    for strict in [true, false] {
        let scene = scene(strict);
        scene.run(&["--once"]).expect_code(0);
        for step in steps() {
            scene.clock.set(step);
            let output = scene.run(&["--once"]);
            if strict {
                let side = if step.is_positive() { "ahead of" } else { "behind" };
                let words = format!("s {side} the platform's, which alone spoils tokens");
                assert!(output.stderr.contains(&words), "{step}: {}", output.stderr);
                output.expect_code(1);
            }
            assert_eq!(watermarks(&scene), [yesterday.as_str(); 2], "strict: {strict}, {step}");
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
    let initial = format!("{}..{}", day(-7), day(0));
    for strict in [true, false] {
        for step in steps() {
            let scene = scene(strict);
            scene.clock.set(step);
            scene.run(&["--once"]);
            scene.clock.correct();
            scene.windows();
            scene.run(&["--once"]).expect_code(0);
            let windows = scene.windows();
            assert!(windows.len() == 2, "strict: {strict}, {step}: {windows:?} instead of {initial}");
            scene.check(&all_of(7));
        }
    }
}
