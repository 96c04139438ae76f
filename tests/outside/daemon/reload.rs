//! Another configuration without a restart: taken over whole or not at all.

use std::net::{TcpListener, TcpStream};

use crate::support::daemon::{Daemon, EVERY_SECOND, NEVER};
use crate::support::platform::SimulatedPlatform;
use crate::support::server::{Gate, Reply};
use crate::support::wait_for;
use crate::support::workspace::{Template, Workspace, bots};

const CHANNELS: &str = "channels = [\"all\", \"rtm\", \"msteams\"]";
const RELOAD: &str = "kore_trend_config_last_reload_successful";

#[test]
fn bots_channels_and_schedules_take_effect_and_what_is_new_is_asked_for_at_once() {
    let all = bots(["old", "new"], CHANNELS);
    let platform = SimulatedPlatform::well(&all);
    let before = bots(["old"], "");
    let template = Template { platform_url: platform.url(), schedule: NEVER, bots: &before, ..Template::default() };
    let workspace = Workspace::with(&template);
    let daemon = Daemon::start(&workspace);
    daemon.wait_until_ready();

    workspace.configure(&Template { bots: &all, ..template });
    assert!(daemon.reload());
    daemon.wait_until_ready();
    let channels =
        |bot: &str| platform.asked_of(bot).iter().map(|asked| asked.channel().to_owned()).collect::<Vec<_>>();
    assert_eq!((channels("old").len(), channels("new").len()), (4, 3), "all of a bot, once: {:?}", channels("old"));

    workspace.configure(&Template { bots: &before, schedule: EVERY_SECOND, ..template });
    assert!(daemon.reload());
    daemon.wait_for_ticks(2);
    assert_eq!(channels("new").len(), 3, "it is gone");
    assert!(channels("old").len() >= 6 && channels("old")[4..].iter().all(|channel| channel == "all"));
    assert!(daemon.logged("next ticks: ").len() == 3, "said with each reload");
    daemon.end();
}

#[test]
fn limits_take_effect_and_what_was_used_stays_used() {
    let (before, after) =
        (bots(["support"], CHANNELS), bots(["support"], &CHANNELS.replace("]", ", \"ivr\", \"sms\"]")));
    let platform = SimulatedPlatform::well(&after);
    let template = Template {
        platform_url: platform.url(),
        platform: "per_minute = 3",
        schedule: NEVER,
        bots: &before,
        ..Template::default()
    };
    let workspace = Workspace::with(&template);
    let daemon = Daemon::start(&workspace);
    daemon.wait_until_ready();

    workspace.configure(&Template { bots: &after, ..template });
    assert!(daemon.reload() && daemon.reload());
    daemon.wait_for_value("kore_trend_budget_used_ratio{bot=\"support\",window=\"minute\"}", 1.0);
    assert_eq!(daemon.get("/readyz").status, 503);
    assert_eq!(platform.asked().len(), 3, "the minute is used up");
    workspace.configure(&Template { bots: &after, platform: "per_minute = 4", ..template });
    assert!(daemon.reload());
    wait_for("one more", || (platform.asked().len() == 4).then_some(()));
    workspace.configure(&Template { bots: &after, platform: "per_minute = 60", ..template });
    assert!(daemon.reload());
    daemon.wait_until_ready();
    assert_eq!(platform.asked().len(), 8);
    let requests = daemon.value("kore_trend_requests_total{bot=\"support\",status=\"200\"}");
    assert_eq!(requests, Some(8.0), "nothing starts at zero again");
    daemon.end();
}

#[test]
fn the_log_level_takes_effect() {
    let (one, two) = (bots(["one"], ""), bots(["one", "two"], ""));
    let platform = SimulatedPlatform::well(&two);
    let template = Template { platform_url: platform.url(), schedule: NEVER, bots: &one, ..Template::default() };
    for (arguments, is_silent) in [(&[][..], true), (&["--log-level", "info"], false)] {
        platform.forget();
        let workspace = Workspace::with(&template);
        let daemon = Daemon::start_with(&workspace, arguments, &[]);
        daemon.wait_until_ready();
        workspace.configure(&Template { top: "log_level = \"error\"", bots: &two, ..template });
        daemon.signal("HUP");
        wait_for("the new bot", || (platform.asked().len() == 2).then_some(()));
        daemon.wait_until_ready();
        assert_eq!(daemon.logged("configuration reloaded").is_empty(), is_silent, "the command line goes before");
        daemon.end();
    }
}

#[test]
fn the_endpoint_moves_to_another_address_of_the_same_port_and_away() {
    let bots = bots(["support"], "");
    let platform = SimulatedPlatform::well(&bots);
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let template = Template { platform_url: platform.url(), schedule: NEVER, bots: &bots, ..Template::default() };
    let workspace = Workspace::with(&Template { listen: "127.0.0.1:0", ..template });
    let daemon = Daemon::launch(workspace.command());
    let first = daemon.address();
    for listen in [format!("127.0.0.1:{port}"), format!("0.0.0.0:{port}"), format!("127.0.0.1:{port}")] {
        workspace.configure(&Template { listen: &listen, ..template });
        assert!(daemon.reload(), "{}", daemon.log());
        assert_eq!(daemon.address().to_string(), listen);
        assert_eq!(daemon.get("/healthz").status, 200);
        assert!(TcpStream::connect(first).is_err(), "the old one is closed");
    }

    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    for listen in [taken.local_addr().unwrap().to_string(), format!("192.0.2.1:{port}")] {
        workspace.configure(&Template { listen: &listen, ..template });
        assert!(!daemon.reload());
        assert!(daemon.log().contains(&format!("cannot listen on {listen}")), "{}", daemon.log());
        assert_eq!(daemon.value(RELOAD), Some(0.0), "the old one goes on");
    }
    workspace.configure(&template);
    let last = daemon.address();
    assert!(daemon.reload());
    wait_for("the endpoint to be closed", || TcpStream::connect(last).is_err().then_some(()));
    daemon.end();
}

#[test]
fn a_wrong_configuration_is_refused_whole_and_every_problem_is_said() {
    let (one, two) = (bots(["one"], ""), bots(["one", "two"], ""));
    let platform = SimulatedPlatform::well(&two);
    let template = Template { platform_url: platform.url(), schedule: EVERY_SECOND, bots: &one, ..Template::default() };
    let workspace = Workspace::with(&template);
    let daemon = Daemon::start(&workspace);
    daemon.wait_until_ready();
    assert_eq!(daemon.value(RELOAD), Some(1.0));

    workspace.configure(&Template { platform: "per_minute = 0\nper_hours = 5", bots: &two, ..template });
    assert!(!daemon.reload());
    for problem in ["platform.per_minute: found 0", "platform.per_hours: unknown key"] {
        let said = daemon.logged(problem);
        assert!(said.len() == 1 && said[0].contains("ERROR"), "{said:?}");
    }
    assert_eq!(daemon.value(RELOAD), Some(0.0));
    daemon.wait_for_ticks(2);
    assert!(platform.asked_of("two").is_empty() && platform.asked_of("one").len() >= 3, "the old one goes on");

    workspace.configure(&Template { bots: &two, ..template });
    assert!(daemon.reload());
    assert_eq!(daemon.value(RELOAD), Some(1.0));
    wait_for("the new bot", || (!platform.asked_of("two").is_empty()).then_some(()));
    daemon.end();
}

#[test]
fn a_configuration_without_a_bot_that_was_chosen_is_refused() {
    let (both, other) = (bots(["chosen", "other"], ""), bots(["other"], ""));
    let platform = SimulatedPlatform::well(&both);
    let template = Template { platform_url: platform.url(), schedule: NEVER, bots: &both, ..Template::default() };
    let workspace = Workspace::with(&template);
    let daemon = Daemon::start_with(&workspace, &["--bot", "chosen"], &[]);
    daemon.wait_until_ready();
    workspace.configure(&Template { bots: &other, ..template });
    assert!(!daemon.reload());
    assert!(daemon.log().contains("--bot chosen: not configured; configured: other"), "{}", daemon.log());
    assert_eq!((daemon.value(RELOAD), daemon.get("/readyz").status), (Some(0.0), 200));
    daemon.end();
    assert!(platform.asked_of("other").is_empty());
}

/// The samples of this bot.
fn samples(daemon: &Daemon, bot: &str) -> Vec<String> {
    let label = format!("bot=\"{bot}\"");
    daemon.get("/metrics").body.lines().filter(|line| line.contains(&label)).map(str::to_owned).collect()
}

#[test]
fn a_bot_that_is_removed_takes_its_samples_along_also_from_a_running_tick() {
    let (all, one) = (bots(["stays", "gone", "busy"], ""), bots(["stays"], ""));
    let gate = Gate::closed();
    let closed = gate.clone();
    let platform = SimulatedPlatform::start(&all, move |asked, _| {
        (asked.bot_id() == "st-busy").then(|| Reply::errors(400, 400, "").behind(&closed))
    });
    let template = Template { platform_url: platform.url(), schedule: NEVER, bots: &all, ..Template::default() };
    let workspace = Workspace::with(&template);
    let daemon = Daemon::start(&workspace);
    wait_for("all requests", || (platform.asked().len() == 3).then_some(()));
    daemon.wait_for_value("kore_trend_requests_total{bot=\"gone\",status=\"200\"}", 1.0);

    workspace.configure(&Template { bots: &one, ..template });
    assert!(daemon.reload());
    let is_gone = |bot| samples(&daemon, bot).is_empty();
    assert!(is_gone("gone") && is_gone("busy") && samples(&daemon, "stays").len() >= 8);
    daemon.wait_until_ready();
    gate.open();
    daemon.wait_for_log("tick finished", 1);
    assert!(is_gone("busy"), "{:?}", samples(&daemon, "busy"));
    daemon.end();
}

#[test]
fn a_bot_whose_id_is_corrected_keeps_its_samples_also_when_a_tick_of_the_old_one_ends() {
    let right = bots(["support"], "");
    let wrong = right.replace("st-support", "st-suport");
    let gate = Gate::closed();
    let closed = gate.clone();
    let platform = SimulatedPlatform::start(&right, move |asked, number| match asked.bot_id() {
        "st-suport" if number == 3 => Some(Reply::own().behind(&closed)),
        _ => None,
    });
    let template = Template { platform_url: platform.url(), schedule: NEVER, bots: &wrong, ..Template::default() };
    let workspace = Workspace::with(&Template { bots: &right, ..template });
    workspace.run(&["--once"]).expect_code(0);
    workspace.configure(&template);
    let daemon = Daemon::start(&workspace);
    daemon.wait_for_log("Invalid StreamId", 1);
    let has_all = || {
        ["points_written_total", "last_point_timestamp_seconds", "watermark_timestamp_seconds", "series_failing"].map(
            |name| {
                let sample = format!("kore_trend_{name}{{bot=\"support\",channel=\"all\",interval=\"hourly\"}}");
                daemon.value(&sample).is_some()
            },
        ) == [true; 4]
    };
    assert!(daemon.reload());
    wait_for("the wrong one again", || (platform.asked().len() == 3).then_some(()));
    workspace.configure(&Template { bots: &right, ..template });
    assert!(daemon.reload());
    assert_eq!(platform.asked().len(), 3, "one tick of a bot at a time");
    gate.open();
    daemon.wait_until_ready();
    assert!(has_all(), "{:?}", samples(&daemon, "support"));
    daemon.end();
}
