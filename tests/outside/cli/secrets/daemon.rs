//! A daemon in trouble on all sides, and everything that can be learnt from it while it runs.

use super::Secrets;
use crate::support::daemon::{Daemon, NEVER};
use crate::support::fake_influxdb::{FakeInfluxDb, Reply};
use crate::support::platform::SimulatedPlatform;
use crate::support::workspace::{Template, Workspace};

#[track_caller]
fn check(format: &str) {
    let mut secrets = Secrets::new();
    let bots = secrets.bot("channels = [\"all\", \"rtm\", \"ivr\"]");
    let platform = SimulatedPlatform::start(&bots, |asked, _| match asked.channel() {
        "rtm" => Some(Reply::errors(401, 4002, &format!("Invalid JWT token {}", asked.headers["auth"]))),
        _ => None,
    });
    let database = FakeInfluxDb::start(|write, _| match write.body.contains("channel=ivr") {
        true => Reply::refused(401, "unauthorized", &format!("no such token: {}", write.headers["authorization"])),
        false => Reply::stored(),
    });
    let sink = secrets.database(database.url());
    let template =
        Template { platform_url: platform.url(), schedule: NEVER, sink: &sink, bots: &bots, ..Template::default() };
    let workspace = Workspace::with(&template);
    let arguments = ["--log-level", "trace", "--log-format", format];
    let daemon = Daemon::start_with(&workspace, &arguments, &[("RUST_LOG", "trace"), ("RUST_BACKTRACE", "full")]);
    daemon.wait_for_log("tick finished", 1);
    assert!(!daemon.logged("the database answered 401").is_empty(), "{}", daemon.log());

    // Refused for several reasons, one of which is the secret itself.
    let shifted = bots.replace("client_id", "algorithm");
    workspace.configure(&Template { platform: "per_minute = 0", bots: &shifted, ..template });
    assert!(!daemon.reload());
    assert!(!daemon.logged("algorithm").is_empty(), "{}", daemon.log());
    let paths = ["/", "/?bot=support", "/metrics", "/healthz", "/readyz", "/nowhere"];
    let answers = paths.map(|path| daemon.get(path));
    let process = format!("/proc/{}", daemon.id());
    let told = ["cmdline", "environ", "comm", "status"].map(|name| std::fs::read(format!("{process}/{name}")).unwrap());
    assert!(String::from_utf8_lossy(&told[1]).contains("KORE_TREND__ADMIN__LISTEN"), "what the test put there");
    let output = daemon.end();
    secrets.check(&output, &workspace, &platform);
    for (path, answer) in paths.iter().zip(answers) {
        secrets.canaries.check(path, answer.head + &answer.body);
    }
    for told in told {
        secrets.canaries.check(&process, told);
    }
    for file in ["watermarks.json", "requests.lock", "recent.json", "lock"] {
        assert!(workspace.path(format!("state/{file}")).exists(), "{file}");
    }
    secrets.check_sent(&platform, &database);
}

#[test]
fn nothing_that_can_be_learnt_from_a_daemon_holds_a_secret() {
    check("text");
    check("json");
}
