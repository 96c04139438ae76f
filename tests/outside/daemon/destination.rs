//! What the database has: watermarks belong to a destination, and what it confirmed is not written again.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use jiff::civil::Date;
use jiff::tz::TimeZone;
use kore_trend_exporter::domain::series::{Interval, Window};
use serde_json::json;

use crate::support::daemon::{Daemon, EVERY_SECOND, NEVER};
use crate::support::fake_influxdb::FakeInfluxDb;
use crate::support::platform::{Asked, SimulatedPlatform, day, held_lines};
use crate::support::server::Reply;
use crate::support::wait_for;
use crate::support::workspace::{Template, Workspace, bots};

fn write_watermark(workspace: &Workspace, since: Date, through: Date) {
    let progress = json!({
        "bot": "support", "bot_id": "st-support", "channel": "all", "interval": "hourly",
        "since": since, "through": through,
    });
    workspace.write("state/watermarks.json", &json!({"version": 1, "series": [progress]}).to_string());
}

#[test]
fn another_destination_starts_as_on_the_first_day_and_the_log_says_how_to_bring_the_rest() {
    let bots = bots(["support"], "");
    let platform = SimulatedPlatform::well(&bots);
    let template = Template { platform_url: platform.url(), bots: &bots, ..Template::default() };
    let workspace = Workspace::with(&template);
    write_watermark(&workspace, day(-40), day(-1));
    let windows = || platform.asked().iter().map(Asked::window).collect::<Vec<_>>();
    let output = workspace.run(&["--once"]).expect_code(0);
    assert!(!output.stderr.contains("the watermarks"), "a file of an older release is taken over: {}", output.stderr);
    assert_eq!(windows(), [Some(Window { first: day(-2), last: day(0) })]);

    platform.forget();
    workspace.configure(&Template { sink: "[file]\npath = \"other.lp\"", ..template });
    let output = workspace.run(&["--once"]).expect_code(0);
    let said = format!(
        "belong to another destination: starting from initial_days; for older days run --backfill {}..{}",
        day(-40),
        day(-8)
    );
    assert!(output.stderr.contains(&said), "{}", output.stderr);
    assert_eq!(windows(), [Some(Window { first: day(-7), last: day(0) })]);
    let lines = workspace.sorted_lines("other.lp");
    assert!(held_lines("support", "all", Interval::Hourly, -7).iter().all(|line| lines.contains(line)));
    let output = workspace.run(&["--once"]).expect_code(0);
    assert!(!output.stderr.contains("another destination"), "said once: {}", output.stderr);
    let state = workspace.read("state/watermarks.json");
    assert!(!state.contains("other.lp") && !state.contains("engagement.lp"), "only a fingerprint: {state}");
}

#[test]
fn a_destination_and_tags_that_change_with_a_reload_are_said() {
    let bots_before = bots(["support"], "");
    let bots_after = bots(["support"], "tags = { team = \"care\" }");
    let platform = SimulatedPlatform::well(&bots_before);
    let template =
        Template { platform_url: platform.url(), schedule: NEVER, bots: &bots_before, ..Template::default() };
    let workspace = Workspace::with(&template);
    let daemon = Daemon::start(&workspace);
    daemon.wait_until_ready();
    workspace.configure(&Template { bots: &bots_after, ..template });
    assert!(daemon.reload());
    assert_eq!(daemon.logged("the tags of bot support changed").len(), 1, "{}", daemon.log());
    workspace.configure(&Template { bots: &bots_after, sink: "[file]\npath = \"other.lp\"", ..template });
    assert!(daemon.reload());
    let said = daemon.logged("the watermarks belong to another destination: starting from initial_days");
    assert!(said.len() == 1 && said[0].contains("run --backfill FROM.."), "nothing older is known: {said:?}");
    daemon.end();
}

#[test]
fn only_what_is_new_or_different_is_written_until_a_write_fails() {
    let bots = bots(["support"], "");
    let (users, fails) = (Arc::new(AtomicI64::new(5)), Arc::new(AtomicBool::new(false)));
    let (users_now, fails_now) = (Arc::clone(&users), Arc::clone(&fails));
    let yesterday = day(-1).strftime("%b %d %Y").to_string();
    let platform = SimulatedPlatform::start(&bots, move |_, _| {
        let users = users_now.load(Ordering::Relaxed);
        let body = format!("{{\"results\":[{{\"date\":\"{yesterday}\",\"1 - 2\":7,\"2 - 3\":{users}}}]}}");
        Some((200, body).into())
    });
    let database = FakeInfluxDb::start(move |_, _| match fails_now.load(Ordering::Relaxed) {
        true => Reply::refused(404, "not found", "no bucket"),
        false => Reply::stored(),
    });
    let sink = database.config();
    let template = Template { platform_url: platform.url(), schedule: EVERY_SECOND, ..Template::default() };
    let workspace = Workspace::with(&Template { sink: &sink, bots: &bots, ..template });
    let daemon = Daemon::start(&workspace);
    daemon.wait_until_ready();
    let today = day(0);
    daemon.wait_for_ticks(2);
    let writes = || database.requests().iter().map(|write| write.body.lines().count()).collect::<Vec<_>>();
    let first = writes();
    users.store(8, Ordering::Relaxed);
    let has_written = |users: i64| {
        let requests = database.requests();
        requests.iter().any(|write| write.body.contains(&format!(" users={users}i "))).then_some(())
    };
    wait_for("the revision", || has_written(8));
    let with_revision = writes();
    fails.store(true, Ordering::Relaxed);
    users.store(9, Ordering::Relaxed);
    wait_for("a failed write", || has_written(9));
    wait_for("the failure", || (daemon.get("/readyz").status == 503).then_some(()));
    let failed_writes = database.requests().iter().filter(|write| write.body.contains(" users=9i ")).count();
    fails.store(false, Ordering::Relaxed);
    let again = || database.requests().iter().filter(|write| write.body.contains(" users=9i ")).count() > failed_writes;
    wait_for("a write after the failure", || again().then_some(()));
    let all = writes();
    daemon.end();
    // The first tick of a UTC day writes everything.
    if day(0) == today {
        assert_eq!((first, with_revision), (vec![2], vec![2, 1]));
        assert_eq!(all.last(), Some(&2), "{all:?}");
    }
}

#[test]
fn what_is_live_is_written_whole_as_long_as_a_write_of_owed_days_fails() {
    let bots = bots(["support"], "");
    let platform = SimulatedPlatform::well(&bots);
    let today = day(0);
    let live_from = day(-2).to_zoned(TimeZone::UTC).unwrap().timestamp().as_second();
    let is_live = move |body: &str| {
        body.lines().all(|line| line.rsplit(' ').next().unwrap().parse::<i64>().unwrap() >= live_from)
    };
    let fails = Arc::new(AtomicBool::new(true));
    let fails_now = Arc::clone(&fails);
    let database =
        FakeInfluxDb::start(move |write, _| match is_live(&write.body) || !fails_now.load(Ordering::Relaxed) {
            true => Reply::stored(),
            false => Reply::refused(404, "not found", "no bucket"),
        });
    let sink = database.config();
    let template = Template { platform_url: platform.url(), schedule: EVERY_SECOND, ..Template::default() };
    let workspace = Workspace::with(&Template { sink: &sink, bots: &bots, ..template });
    write_watermark(&workspace, day(-40), day(-10));
    let daemon = Daemon::start(&workspace);
    // How many lines each write had, and whether all of them were live.
    let writes = || {
        let of_write = |body: &str| (body.lines().count(), is_live(body));
        database.requests().iter().map(|write| of_write(&write.body)).collect::<Vec<_>>()
    };
    let live = || writes().into_iter().filter_map(|(lines, is_live)| is_live.then_some(lines)).collect::<Vec<_>>();
    let while_it_fails = wait_for("three writes of what is live", || Some(live()).filter(|live| live.len() >= 3));
    fails.store(false, Ordering::Relaxed);
    let has_owed = || database.stored().iter().any(|line| !is_live(line));
    wait_for("the owed days", || has_owed().then_some(()));
    daemon.wait_for_ticks(3);
    let all = writes();
    daemon.end();
    // The first tick of a UTC day writes everything.
    if day(0) == today {
        assert!(while_it_fails[0] >= 48 && while_it_fails.is_sorted(), "{while_it_fails:?}");
        let owed = all.iter().rposition(|(_, is_live)| !is_live).unwrap();
        assert!(all[owed + 1..].iter().all(|(lines, _)| *lines <= 1), "{all:?}");
    }
}
