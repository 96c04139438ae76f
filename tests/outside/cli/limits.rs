//! How fast a bot is asked, and how much at once, as the platform counts it.

use std::time::Duration;

use kore_trend_exporter::domain::series::Interval;

use crate::support::platform::{SimulatedPlatform, day, held_lines};
use crate::support::process::Running;
use crate::support::server::{Gate, Reply};
use crate::support::wait_for;
use crate::support::workspace::{Template, Workspace, bots};

const EIGHT: &str = "channels = [\"all\", \"rtm\", \"msteams\", \"ivr\", \"line\", \"slack\", \"email\", \"sms\"]";

/// The series, of those of one bot, whose points have arrived.
fn arrived(workspace: &Workspace, bot: &str) -> usize {
    let lines = workspace.sorted_lines("engagement.lp");
    let channels = ["all", "rtm", "msteams", "ivr", "line", "slack", "email", "sms"];
    let newest = |channel: &&str| held_lines(bot, channel, Interval::Hourly, -1).pop().unwrap();
    channels.iter().map(newest).filter(|line| lines.contains(line)).count()
}

fn end(running: Running) {
    running.signal("TERM");
    running.finish().expect_code(1);
}

#[test]
fn a_minute_never_holds_more_requests_than_allowed_even_over_a_restart() {
    let bots = bots(["limited"], EIGHT) + &bots(["other"], "");
    let platform = SimulatedPlatform::well(&bots);
    let (limited, _) = bots.split_at(bots.find("[bots.other]").unwrap());
    let template = Template { platform_url: platform.url(), platform: "per_minute = 5", ..Template::default() };
    let workspace = Workspace::with(&Template { bots: limited, ..template });
    let running = workspace.start(&["--once"]);
    wait_for("five series", || (arrived(&workspace, "limited") == 5).then_some(()));
    end(running);
    assert_eq!(platform.asked().len(), 5, "all eight could have been asked at once");

    // When the other bot's points are there, the limited one has had its chance.
    workspace.configure(&Template { bots: &bots, ..template });
    let running = workspace.start(&["--once"]);
    wait_for("the other bot", || (arrived(&workspace, "other") == 1).then_some(()));
    end(running);
    assert_eq!(platform.asked_of("limited").len(), 5, "the state folder remembers");
    assert_eq!(platform.asked_of("other").len(), 1, "every bot has a limit of its own");
}

#[test]
fn retries_count() {
    let bots = bots(["limited", "other"], "");
    // The other bot's first retry comes later than the limited one's second would.
    let platform = SimulatedPlatform::start(&bots, |asked, _| {
        let reply = Reply::errors(503, 503, "");
        Some(if asked.bot_id() == "st-other" { reply.header("retry-after", 4) } else { reply })
    });
    let template =
        Template { platform_url: platform.url(), platform: "per_minute = 2", bots: &bots, ..Template::default() };
    let workspace = Workspace::with(&template);
    let running = workspace.start(&["--once"]);
    wait_for("the other bot's retry", || (platform.asked_of("other").len() == 2).then_some(()));
    assert_eq!(platform.asked_of("limited").len(), 2);
    end(running);
    assert_eq!(platform.asked().len(), 4);
}

#[test]
fn a_backfill_keeps_to_its_share_and_leaves_the_rest_to_the_ticks() {
    let bots = bots(["limited"], "");
    let platform = SimulatedPlatform::well(&bots);
    let template = Template {
        platform_url: platform.url(),
        platform: "per_minute = 8\nbackfill_share = 0.5\nmax_days_per_request = 1",
        schedule: "initial_days = 2",
        bots: &bots,
        ..Template::default()
    };
    let workspace = Workspace::with(&template);
    let backfill = workspace.start(&["--backfill", &format!("{}..{}", day(-20), day(-10))]);
    let line = held_lines("limited", "all", Interval::Hourly, -20)[4 * 24 - 1].clone();
    wait_for("four days", || workspace.sorted_lines("engagement.lp").contains(&line).then_some(()));
    workspace.run(&["--once"]).expect_code(0);
    assert_eq!(platform.asked().len(), 4 + 3, "four by the backfill, three by the tick next to it");
    end(backfill);
    assert_eq!(platform.asked().len(), 4 + 3);
}

#[test]
fn no_more_requests_are_in_flight_than_configured() {
    let bots = bots(["one", "two"], EIGHT);
    let gate = Gate::closed();
    let closed = gate.clone();
    let platform = SimulatedPlatform::start(&bots, move |_, number| {
        Some(if number <= 3 { Reply::own().behind(&closed) } else { Reply::own().late(Duration::from_millis(20)) })
    });
    let template =
        Template { platform_url: platform.url(), platform: "concurrency = 3", bots: &bots, ..Template::default() };
    let workspace = Workspace::with(&template);
    let running = workspace.start(&["--once"]);
    wait_for("three requests", || (platform.in_flight().0 == 3).then_some(()));
    gate.open();
    running.finish().expect_code(0);
    assert_eq!(platform.asked().len(), 16);
    assert_eq!(platform.in_flight(), (0, 3));
}

#[test]
fn the_pause_of_a_throttled_bot_is_one_for_all_its_series() {
    let bots = bots(["support"], "channels = [\"all\", \"rtm\", \"msteams\"]");
    let platform = SimulatedPlatform::start(&bots, |_, number| {
        (number == 1).then(|| Reply::errors(429, 429, "").header("retry-after", 1))
    });
    let template =
        Template { platform_url: platform.url(), platform: "concurrency = 1", bots: &bots, ..Template::default() };
    Workspace::with(&template).run(&["--once"]).expect_code(0);
    let asked = platform.asked();
    assert_eq!(asked.len(), 4, "no more than necessary");
    assert!(asked[1].at - asked[0].at >= Duration::from_secs(1), "nor any of them too soon");
}

#[test]
fn a_denied_bot_is_left_alone_for_a_minute() {
    let bots = bots(["support"], "");
    let platform = SimulatedPlatform::start(&bots, |_, _| Some(Reply::errors(400, 400, "rate limit")));
    let template = Template { platform_url: platform.url(), bots: &bots, ..Template::default() };
    let workspace = Workspace::with(&template);
    let mut running = workspace.start(&["--once"]);
    running.wait_for_stderr("rate limited by the platform; pausing for 60 s");
    running.signal("TERM");
    running.finish().expect_code(1);
    assert_eq!(platform.asked().len(), 1);
}
