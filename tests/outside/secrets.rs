//! No secret and no token in anything that the program writes, at any log level, whatever the other side echoes.

use crate::support::fake_influxdb::{FakeInfluxDb, Reply};
use crate::support::platform::SimulatedPlatform;
use crate::support::workspace::{Template, Workspace};

const CLIENT_SECRET: &str = "canary-client-secret-7f3a";
const DATABASE_TOKEN: &str = "canary-database-token-9c41";

fn bots() -> String {
    format!("[bots.support]\nid = \"st-1\"\nclient_id = \"cs-1\"\nclient_secret = \"{CLIENT_SECRET}\"\n")
}

/// Everything that the program left behind: both outputs, and every file but the configuration.
fn everything(workspace: &Workspace, arguments: &[&str]) -> String {
    let output = workspace.run(&[arguments, &["--log-level", "trace"]].concat());
    let mut text = output.stdout + &output.stderr;
    for entry in std::fs::read_dir(workspace.path("state")).into_iter().flatten() {
        text += &String::from_utf8_lossy(&std::fs::read(entry.unwrap().path()).unwrap());
    }
    text
}

#[track_caller]
fn check(platform: &SimulatedPlatform, database: &FakeInfluxDb) {
    let bots = bots();
    let sink = database.config().replace("a token", DATABASE_TOKEN);
    let template = Template { platform_url: platform.url(), sink: &sink, bots: &bots, ..Template::default() };
    let workspace = Workspace::with(&template);
    for arguments in
        [&["--once"][..], &["--check"], &["--backfill", "2026-08-01..2026-08-02"], &["--once", "--dry-run"]]
    {
        let text = everything(&workspace, arguments);
        assert!(text.len() > 200, "{arguments:?} wrote next to nothing: {text}");
        for secret in [CLIENT_SECRET, DATABASE_TOKEN] {
            assert!(!text.contains(secret), "{arguments:?} shows {secret}");
        }
        for asked in platform.asked() {
            let token = &asked.headers["auth"];
            for part in token.split('.') {
                assert!(!text.contains(part), "{arguments:?} shows a part of a token");
            }
        }
    }
    assert!(!platform.asked().is_empty());
}

#[test]
fn where_all_is_well_no_secret_is_shown() {
    check(&SimulatedPlatform::well(&bots()), &FakeInfluxDb::accepting());
}

#[test]
fn a_platform_that_echoes_the_token_does_not_spread_it() {
    let platform = SimulatedPlatform::start(&bots(), |asked, number| {
        let token = &asked.headers["auth"];
        Some(match number % 4 {
            1 => Reply::errors(200, 4002, &format!("Invalid JWT token {token}")),
            3 => (200, format!("{{\"results\":\"{token}\"}}")).into(),
            0 => Reply::errors(401, 4002, &format!("Invalid JWT token {token}")),
            _ => (400, format!("bad request\r\nauth: {token}\r\n{}", "x".repeat(400))).into(),
        })
    });
    check(&platform, &FakeInfluxDb::accepting());
}

#[test]
fn a_database_that_refuses_does_not_spread_it() {
    let database = FakeInfluxDb::start(|write, _| {
        let echo = &write.headers["authorization"];
        Reply::refused(401, "unauthorized", &format!("{} {echo}", "x".repeat(250)))
    });
    check(&SimulatedPlatform::well(&bots()), &database);
}
