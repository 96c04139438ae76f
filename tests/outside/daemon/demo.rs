//! `--demo` as a daemon: everything, with nothing, and with bots that are added while it runs.

use crate::support::daemon::{Daemon, NEVER};
use crate::support::fake_influxdb::FakeInfluxDb;
use crate::support::wait_for;
use crate::support::workspace::{Template, Workspace, bots};

#[test]
fn an_empty_folder_is_enough() {
    let workspace = Workspace::new();
    let daemon = Daemon::start_with(&workspace, &["--demo"], &[]);
    assert!(daemon.logged("exporting 12 series of 2 bots").len() <= 1);
    daemon.wait_until_ready();
    for (bot, channels) in [("support", ["all", "rtm", "msteams"]), ("sales", ["all", "wfacebook", "ivr"])] {
        let lines = workspace.sorted_lines("demo/engagement.lp");
        for channel in channels {
            let of_series = |line: &&String| {
                line.contains(&format!("bot={bot},")) && line.contains(&format!("channel={channel},team="))
            };
            assert!(lines.iter().filter(of_series).count() > 24 * 12, "{bot} {channel}");
        }
        assert!(daemon.get(&format!("/?bot={bot}")).body.contains(bot));
    }
    let page = daemon.get("/");
    assert_eq!((page.status, page.header("content-type")), (200, Some("text/html; charset=utf-8")));
    assert!(page.body.contains("All 12 series up to date") && page.body.contains("simulated"));
    assert_eq!(daemon.value("kore_trend_requests_total{bot=\"sales\",status=\"200\"}"), Some(6.0));
    assert!(daemon.reload());
    let files = std::fs::read_dir(workspace.path("")).unwrap().map(|entry| entry.unwrap().file_name());
    assert_eq!(files.collect::<Vec<_>>(), ["demo"]);
    daemon.end();
}

#[test]
fn a_bot_that_is_added_is_simulated_as_well() {
    let database = FakeInfluxDb::accepting();
    let sink = database.config();
    let (one, two) = (bots(["one"], ""), bots(["one", "two"], ""));
    let template = Template { schedule: NEVER, sink: &sink, bots: &one, ..Template::default() };
    let workspace = Workspace::with(&template);
    let daemon = Daemon::start_with(&workspace, &["--demo", "-c", "config.toml"], &[]);
    daemon.wait_until_ready();
    let of_two = || database.stored().iter().filter(|line| line.contains("bot=two,")).count();
    assert_eq!(of_two(), 0);
    workspace.configure(&Template { bots: &two.replace("client_secret", "# client_secret"), ..template });
    assert!(daemon.reload(), "a secret need not exist yet");
    wait_for("its points", || (of_two() > 150).then_some(()));
    daemon.wait_until_ready();
    assert_eq!(daemon.logged("invented figures").len(), 1, "said once");
    daemon.end();
    assert!(workspace.path("state/demo/watermarks.json").exists() && !workspace.path("state/watermarks.json").exists());
}
