//! A bot is never asked too often, as the platform counts it in real time, whatever the clocks of the processes say.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use kore_trend_exporter::domain::series::Interval;

use super::{DAY, HOUR, Scene, steps};
use crate::support::platform::held_lines;
use crate::support::server::Reply;
use crate::support::wait_for;
use crate::support::workspace::{Template, bots};

const EIGHT: &str = "channels = [\"all\", \"rtm\", \"msteams\", \"ivr\", \"line\", \"slack\", \"email\", \"sms\"]";

/// A clock is set back between a process that uses the limit up and another one. The one asks for eight series, of which
/// five may be asked for; when the other bot's points are there, the limited one has had its chance.
fn check(step: SignedDuration) {
    let all = bots(["limited"], EIGHT) + &bots(["other"], "");
    let platform = "per_minute = 5\nper_hour = 5\nbackfill_share = 1.0";
    let scene = Scene::new(&all, false, Template { platform, ..Template::default() });
    let first = scene.start(&["--once", "--bot", "limited"]);
    wait_for("five requests", || (scene.platform.asked().len() == 5).then_some(()));
    first.signal("TERM");
    first.finish().expect_code(1);

    scene.clock.set(step);
    let before = scene.platform.asked_of("other").len();
    let next = scene.start(&["--once"]);
    wait_for("the other bot", || (scene.platform.asked_of("other").len() > before).then_some(()));
    next.signal("TERM");
    next.finish();
    assert_eq!(scene.platform.asked_of("limited").len(), 5, "{step}");
}

#[test]
#[ignore = "needs the servers that tests/run brings"]
fn a_clock_that_is_set_back_between_two_processes_gives_no_bot_another_budget() {
    let steps = steps().into_iter().chain([-HOUR / 3]).filter(|step| step.is_negative());
    std::thread::scope(|scope| {
        for step in steps {
            scope.spawn(move || check(step));
        }
    });
}

#[test]
#[ignore = "needs the servers that tests/run brings"]
fn requests_under_a_clock_that_was_ahead_block_nothing_when_it_is_right() {
    let all = bots(["limited"], EIGHT);
    let scene = Scene::new(&all, false, Template { platform: "per_minute = 24\nper_hour = 24", ..Template::default() });
    scene.clock.set(400 * DAY);
    scene.run(&["--once"]).expect_code(0);
    scene.clock.correct();
    scene.run(&["--once"]).expect_code(0);
    assert_eq!(scene.platform.asked().len(), 24, "the rest of the budget is there");
    scene.check(&held_lines("limited", "ivr", Interval::Hourly, -7));
}

#[test]
#[ignore = "needs the servers that tests/run brings"]
fn a_date_until_which_the_platform_wants_to_be_left_alone_is_one_of_its_clock() {
    let first = AtomicBool::new(true);
    let scene = Scene::at(Timestamp::now, &bots(["support"], ""), Template::default(), move |_| {
        let soon = (Timestamp::now() + SignedDuration::from_secs(2)).strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
        let refused = || Reply::errors(429, 429, "API rate limit exceeded").header("retry-after", soon);
        first.swap(false, Ordering::Relaxed).then(refused)
    });
    // Tokens are accepted, but by this clock the date is in 25 minutes.
    scene.clock.set(SignedDuration::from_mins(-25));
    scene.run(&["--once"]).expect_code(0);
    let asked = scene.platform.asked();
    assert!(asked.len() == 2 && asked[1].at - asked[0].at >= Duration::from_secs(1), "{}", asked.len());
}
