//! What fails for longer than a run: an outage of either side, and a day that the platform cannot give.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use kore_trend_exporter::domain::series::{Interval, Window};

use crate::support::platform::{Asked, SimulatedPlatform, day, held_lines};
use crate::support::server::Reply;
use crate::support::workspace::{Template, Workspace, bots};

fn refused(status: u16, message: &str) -> Option<Reply> {
    Some(Reply::errors(status, status, message))
}

fn has_arrived(workspace: &Workspace, bot: &str, first: i64) -> bool {
    let lines = workspace.sorted_lines("engagement.lp");
    held_lines(bot, "all", Interval::Hourly, first).iter().all(|line| lines.contains(line))
}

#[test]
fn where_nobody_listens_five_tries_are_made() {
    let workspace = Workspace::new();
    workspace.configure(&Template::default());
    let output = workspace.run(&["--once"]).expect_code(1);
    let error = output.stderr.lines().find(|line| line.contains("ERROR") && line.contains("bot=\"support\"")).unwrap();
    assert!(error.contains("cannot reach the platform") && error.contains("check platform.url"), "{error}");
    let row = output.stdout.lines().nth(1).unwrap();
    assert_eq!(row.split_whitespace().collect::<Vec<_>>()[..6], ["support", "all", "hourly", "0", "0", "5"]);
}

#[test]
fn where_no_database_listens_everything_stays_owed() {
    let bots = bots(["support"], "");
    let platform = SimulatedPlatform::well(&bots);
    let sink = "[influxdb]\nurl = \"http://127.0.0.1:1\"\norg = \"o\"\nbucket = \"b\"\ntoken = \"t\"\n";
    let template = Template { platform_url: platform.url(), bots: &bots, sink, ..Template::default() };
    let workspace = Workspace::with(&template);
    let output = workspace.run(&["--once"]).expect_code(1);
    assert!(output.stderr.contains("cannot reach the database"), "{}", output.stderr);
    assert!(workspace.watermark("support").is_null());
    assert_eq!(platform.asked().len(), 1);
}

#[test]
fn a_day_that_keeps_failing_keeps_nothing_else_from_being_exported() {
    let names = ["e500", "e503", "hang-up", "malformed", "e412", "well"];
    let bots = bots(names, "");
    let well_again = Arc::new(AtomicBool::new(false));
    let (is_well, bad) = (Arc::clone(&well_again), day(-5));
    let platform = SimulatedPlatform::start(&bots, move |asked, _| {
        let fails = asked.asks_for(bad) && !is_well.load(Ordering::Relaxed);
        fails.then(|| match asked.bot_id() {
            "st-e500" => refused(500, ""),
            "st-e503" => refused(503, ""),
            "st-hang-up" => Some(Reply::hang_up()),
            "st-malformed" => Some((200, "{}".to_owned()).into()),
            "st-e412" => refused(412, ""),
            _ => None,
        })?
    });
    let workspace = Workspace::with(&Template { platform_url: platform.url(), bots: &bots, ..Template::default() });
    workspace.run(&["--once"]).expect_code(1);
    std::fs::remove_file(workspace.path("engagement.lp")).unwrap();
    workspace.run(&["--once"]).expect_code(1);
    for bot in &names[..5] {
        assert!(has_arrived(&workspace, bot, -2), "the live days of {bot}");
        assert!(workspace.watermark(bot).is_null(), "{bot}");
    }
    assert_eq!(workspace.watermark("well"), day(-1).to_string());
    assert_eq!(platform.asked_of("well").len(), 2);

    well_again.store(true, Ordering::Relaxed);
    workspace.run(&["--once"]).expect_code(0);
    platform.forget();
    workspace.run(&["--once"]).expect_code(0);
    for bot in names {
        assert!(bot == "well" || has_arrived(&workspace, bot, -7), "all days of {bot}");
        assert_eq!(workspace.watermark(bot), day(-1).to_string());
        let asked: Vec<_> = platform.asked_of(bot).iter().map(Asked::window).collect();
        assert_eq!(asked, [Some(Window { first: day(-2), last: day(0) })], "a steady run again");
    }
}

#[test]
fn an_outage_of_the_platform_is_made_up_for_after_the_live_days() {
    let names = ["e500", "e503", "hang-up"];
    let bots = bots(names, "");
    let well_again = Arc::new(AtomicBool::new(false));
    let is_well = Arc::clone(&well_again);
    let platform = SimulatedPlatform::start(&bots, move |asked, _| match asked.bot_id() {
        _ if is_well.load(Ordering::Relaxed) => None,
        "st-e500" => refused(500, ""),
        "st-e503" => refused(503, ""),
        _ => Some(Reply::hang_up()),
    });
    let workspace = Workspace::with(&Template { platform_url: platform.url(), bots: &bots, ..Template::default() });
    workspace.run(&["--once"]).expect_code(1);
    platform.forget();
    well_again.store(true, Ordering::Relaxed);
    workspace.run(&["--once"]).expect_code(0);
    for bot in names {
        assert!(has_arrived(&workspace, bot, -7), "{bot}");
    }
    let requests = |bot: &str| platform.asked_of(bot).len();
    assert_eq!(names.map(requests), [2, 2, 2]);
}
