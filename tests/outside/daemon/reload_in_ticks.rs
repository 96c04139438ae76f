//! Reloads while ticks run, or are just due: none is lost, none is doubled.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use jiff::Timestamp;

use crate::support::daemon::{Daemon, NEVER, once_in};
use crate::support::platform::SimulatedPlatform;
use crate::support::server::{Gate, Reply};
use crate::support::wait_for;
use crate::support::workspace::{Template, Workspace, bots};

const TWO: &str = "channels = [\"all\", \"rtm\"]";

#[test]
fn reloads_around_slots_neither_lose_nor_double_a_tick() {
    let bots = bots(["support"], "");
    let platform = SimulatedPlatform::well(&bots);
    // Two ways to say the same, so that each reload replaces the schedule as well.
    let schedules = ["*/2", "0-59/2"].map(|seconds| format!("cron = \"{seconds} * * * * *\"\nspread = \"0s\""));
    let template =
        Template { platform_url: platform.url(), schedule: &schedules[0], bots: &bots, ..Template::default() };
    let workspace = Workspace::with(&template);
    let daemon = Daemon::start(&workspace);
    daemon.wait_until_ready();
    platform.forget();
    let began = Timestamp::now().as_second() / 2 + 1;
    let mut reloads = 0;
    while Timestamp::now().as_second() / 2 < began + 3 {
        workspace.configure(&Template { schedule: &schedules[reloads / 3 % 2], ..template });
        assert!(daemon.reload());
        reloads += 1;
    }
    daemon.end();
    let mut requests: BTreeMap<i64, usize> = (began..began + 3).map(|slot| (slot, 0)).collect();
    for asked in platform.asked() {
        let at = Timestamp::now() - jiff::SignedDuration::try_from(asked.at.elapsed()).unwrap();
        *requests.entry(at.as_second() / 2).or_default() += 1;
    }
    let each_once = requests.range(began..began + 3).all(|(_, requests)| *requests == 1);
    assert!(each_once, "requests by slot, with {reloads} reloads: {requests:?}");
}

#[test]
fn a_tick_that_failed_by_what_a_reload_has_put_right_is_made_up_for_at_once() {
    let old = bots(["support"], "");
    let new = old.replace("the secret of support", "the new secret of support");
    let gate = Gate::closed();
    let closed = gate.clone();
    let platform = SimulatedPlatform::start(&new, move |_, number| match number {
        1 => Some((200, "{\"results\":[]}".to_owned()).into()),
        2 => Some(Reply::own().behind(&closed)),
        _ => None,
    });
    let schedule = once_in(10);
    let template = Template { platform_url: platform.url(), schedule: &schedule, bots: &old, ..Template::default() };
    let workspace = Workspace::with(&template);
    let daemon = Daemon::start(&workspace);
    daemon.wait_until_ready();
    wait_for("the slot", || (platform.asked().len() == 2).then_some(()));
    workspace.configure(&Template { bots: &new, ..template });
    assert!(daemon.reload());
    gate.open();
    wait_for("another try", || (platform.asked().len() == 3).then_some(()));
    daemon.wait_until_ready();
    assert_eq!(daemon.value("kore_trend_requests_total{bot=\"support\",status=\"401\"}"), Some(1.0));
    daemon.end();
}

#[test]
fn a_long_tick_ends_with_what_it_began_with_and_the_next_one_has_the_new() {
    let (before, after) = (bots(["support"], TWO), bots(["support"], "channels = [\"all\", \"ivr\"]"));
    let gate = Gate::closed();
    let closed = gate.clone();
    let is_held = Arc::new(AtomicBool::new(true));
    let held = Arc::clone(&is_held);
    let platform = SimulatedPlatform::start(&after, move |_, _| {
        held.load(Ordering::Relaxed).then(|| Reply::own().behind(&closed))
    });
    let template = Template { platform_url: platform.url(), schedule: NEVER, bots: &before, ..Template::default() };
    let workspace = Workspace::with(&template);
    let daemon = Daemon::start(&workspace);
    wait_for("both requests", || (platform.asked().len() == 2).then_some(()));
    workspace.configure(&Template { bots: &after, ..template });
    assert!(daemon.reload() && daemon.reload());
    assert_eq!(platform.asked().len(), 2, "one tick of a bot at a time");
    is_held.store(false, Ordering::Relaxed);
    gate.open();
    daemon.wait_until_ready();
    let mut channels: Vec<_> = platform.asked()[2..].iter().map(|asked| asked.channel().to_owned()).collect();
    channels.sort();
    assert_eq!(channels, ["all", "ivr"], "the whole bot, once");
    assert!(workspace.read("engagement.lp").contains("channel=rtm"), "what was in hand is written");
    let scrape = daemon.get("/metrics").body;
    assert!(!scrape.contains("channel=\"rtm\"") && scrape.contains("channel=\"ivr\""), "{scrape}");
    daemon.end();
}
