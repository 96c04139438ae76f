//! What a service manager hears of the daemon.

use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use crate::support::daemon::{Daemon, EVERY_SECOND, NEVER};
use crate::support::manager::Manager;
use crate::support::platform::SimulatedPlatform;
use crate::support::process::Running;
use crate::support::server::{Gate, Reply};
use crate::support::wait_for;
use crate::support::workspace::{Template, Workspace, bots};

const WATCHDOG: Duration = Duration::from_millis(300);

fn start(workspace: &Workspace, manager: &Manager) -> Daemon {
    let variables = manager.variables(WATCHDOG);
    let variables = variables.each_ref().map(|(name, value)| (name.as_str(), value.as_str()));
    Daemon::start_with(workspace, &[], &variables)
}

#[test]
fn it_is_ready_when_it_listens_and_not_before() {
    let bots = bots(["one", "two"], "");
    let platform = SimulatedPlatform::well(&bots);
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let listen = address.to_string();
    let template = Template { platform_url: platform.url(), schedule: NEVER, bots: &bots, ..Template::default() };
    let workspace = Workspace::with(&Template { listen: &listen, ..template });
    let manager = Manager::start(&workspace);
    let run = || {
        let mut command = workspace.command();
        command.envs(manager.variables(WATCHDOG));
        Running::start(command)
    };
    let taken = TcpListener::bind(address).unwrap();
    let output = run().finish().expect_code(1);
    assert!(output.stderr.contains(&format!("cannot listen on {listen}: ")), "{}", output.stderr);
    assert!(output.stderr.contains("set admin.listen to a free address, or to \"\" for none"), "{}", output.stderr);
    drop(taken);
    workspace.configure(&Template { platform: "per_minute = 0", ..template });
    run().finish().expect_code(78);
    assert!(manager.heard().is_empty(), "{:?}", manager.heard());
    assert!(platform.asked().is_empty());

    workspace.configure(&Template { listen: &listen, ..template });
    let running = run();
    let ready = manager.wait_for("READY=1\n", 1);
    assert!(TcpStream::connect(address).is_ok(), "at once");
    assert!(ready.contains("\nSTATUS=none of 2 series fetched yet, next tick at 2"), "{ready}");
    manager.wait_for("STATUS=all 2 series up to date, next tick at ", 1);
    running.signal("TERM");
    running.finish().expect_code(0);
    let said = manager.said();
    let stopping = said.last().unwrap();
    assert_eq!(stopping, "STOPPING=1\nSTATUS=shutting down, finishing requests in flight\n");
    assert_eq!(said.iter().filter(|message| message.contains("READY=1")).count(), 1, "{said:?}");
}

#[test]
fn the_watchdog_is_fed_while_a_tick_lasts_and_while_it_ends() {
    let bots = bots(["support"], "");
    let gate = Gate::closed();
    let closed = gate.clone();
    let platform = SimulatedPlatform::start(&bots, move |_, _| Some(Reply::own().behind(&closed)));
    let template = Template { platform_url: platform.url(), schedule: NEVER, bots: &bots, ..Template::default() };
    let workspace = Workspace::with(&template);
    let manager = Manager::start(&workspace);
    let daemon = start(&workspace, &manager);
    wait_for("the question", || (!platform.asked().is_empty()).then_some(()));
    manager.wait_for_watchdog(6);
    daemon.signal("TERM");
    manager.wait_for("STOPPING=1", 1);
    manager.wait_for_watchdog(6);
    gate.open();
    daemon.finish(0);
}

#[test]
fn a_reload_is_announced_and_over_also_when_it_is_refused() {
    let bots = bots(["support"], "");
    let platform = SimulatedPlatform::well(&bots);
    let template = Template { platform_url: platform.url(), schedule: NEVER, bots: &bots, ..Template::default() };
    let workspace = Workspace::with(&template);
    let manager = Manager::start(&workspace);
    let daemon = start(&workspace, &manager);
    daemon.wait_until_ready();
    let mut last_time = 0;
    for (platform_lines, accepted) in [("", true), ("per_minute = 0", false), ("", true)] {
        workspace.configure(&Template { platform: platform_lines, ..template });
        let before = manager.said().len();
        assert_eq!(daemon.reload(), accepted);
        let ready = wait_for("it to be ready again", || {
            manager.said()[before..].iter().find(|message| message.starts_with("READY=1\nSTATUS=")).cloned()
        });
        assert_eq!(ready.contains("last reload refused"), !accepted, "{ready}");
        let said = manager.said()[before..].to_vec();
        let place = |text: &str| said.iter().position(|message| message.contains(text));
        assert!(place("RELOADING=1") < place("READY=1"), "{said:?}");
        let time = said[place("RELOADING=1").unwrap()].trim().strip_prefix("RELOADING=1\nMONOTONIC_USEC=").unwrap();
        let time: u64 = time.parse().unwrap();
        assert!(time > last_time);
        last_time = time;
    }
    daemon.end();
}

#[test]
fn the_watchdog_is_not_fed_while_the_loop_is_stuck() {
    let bots = bots(["support"], "");
    let platform = SimulatedPlatform::well(&bots);
    let template = Template { platform_url: platform.url(), schedule: NEVER, bots: &bots, ..Template::default() };
    let workspace = Workspace::with(&template);
    let manager = Manager::start(&workspace);
    let daemon = start(&workspace, &manager);
    daemon.wait_until_ready();
    daemon.signal("STOP");
    wait_for("silence", || (manager.silence() > 4 * WATCHDOG).then_some(()));
    daemon.signal("CONT");
    manager.wait_for_watchdog(3);
    daemon.end();
}

#[test]
fn the_status_says_which_series_fails() {
    let bots = bots(["one", "two"], "");
    let platform = SimulatedPlatform::start(&bots, |asked, number| {
        (asked.bot_id() == "st-two" && number <= 2).then(|| Reply::errors(400, 400, ""))
    });
    let template =
        Template { platform_url: platform.url(), schedule: EVERY_SECOND, bots: &bots, ..Template::default() };
    let workspace = Workspace::with(&template);
    let manager = Manager::start(&workspace);
    let daemon = start(&workspace, &manager);
    manager.wait_for("STATUS=1 of 2 series failing (two/all hourly), next tick at ", 1);
    manager.wait_for("STATUS=all 2 series up to date", 1);
    daemon.end();
}
