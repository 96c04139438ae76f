//! Services that echo what they were asked with, whole or in part, in every place of an answer, and services that lead
//! elsewhere: what they were told goes no further.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::http::StatusCode;

use super::{Secrets, run_loudly};
use crate::support::fake_influxdb::{FakeInfluxDb, Reply};
use crate::support::platform::{Asked, SimulatedPlatform};
use crate::support::server::Server;
use crate::support::workspace::{Template, Workspace};

/// Ways in which a platform may echo a token, one for each channel.
const ECHOES: [&str; 12] =
    ["all", "rtm", "msteams", "facebook", "slack", "skype", "twitter", "kore", "email", "sms", "line", "ivr"];

fn echo(asked: &Asked) -> Reply {
    let token = &asked.headers["auth"];
    let (_, signature) = token.rsplit_once('.').unwrap();
    let headers = asked.headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect::<String>();
    match asked.channel() {
        "all" => Reply::errors(200, 4002, &format!("Invalid JWT token {token}")),
        "rtm" => Reply::errors(401, 4002, &format!("Invalid JWT token {token}")),
        "msteams" => (400, format!("bad request\r\n{headers}{}", "x".repeat(400))).into(),
        "facebook" => (200, format!("{{\"results\":\"{token}\"}}")).into(),
        "slack" => (200, format!("{{\"results\":[{{\"date\":\"{token}\"}}]}}")).into(),
        "skype" => (200, format!("{{\"results\":[{{\"date\":\"Aug 06 2020\",\"5 {token}\":1}}]}}")).into(),
        "twitter" => Reply::errors(403, 4003, &format!("half of it: {}…", &token[..token.len() / 2 + 40])),
        "kore" => Reply::errors(400, 4004, &format!("its signature: {signature}")),
        "email" => {
            // Every character as JSON may write it.
            let escaped: String = token.chars().map(|letter| format!("\\u{:04x}", u32::from(letter))).collect();
            (401, format!("{{\"errors\":[{{\"msg\":\"{escaped}\",\"code\":\"{token}\"}}]}}")).into()
        }
        "sms" => Reply::errors(400, 1, "no").header("date", token).header("retry-after", token),
        "line" => (400, format!("{}{token}", "x".repeat(280))).into(),
        _ => (404, format!("{}{token}", "\u{1f600}".repeat(280))).into(),
    }
}

#[test]
fn a_platform_that_echoes_the_token_does_not_spread_it() {
    let mut secrets = Secrets::new();
    let bots = secrets.bot(&format!("channels = {ECHOES:?}"));
    let platform = SimulatedPlatform::start(&bots, |asked, _| Some(echo(asked)));
    let database = FakeInfluxDb::accepting();
    let sink = secrets.database(database.url());
    let template = Template { platform_url: platform.url(), sink: &sink, bots: &bots, ..Template::default() };
    let workspace = Workspace::with(&template);
    for (mode, format) in [
        (&["--once"][..], "text"),
        (&["--once", "--dry-run"], "json"),
        (&["--backfill", "2026-08-01..2026-08-02"], "json"),
        (&["--check"], "text"),
    ] {
        let output = run_loudly(&workspace, mode, format, &[]).expect_code(1);
        secrets.check(&output, &workspace, &platform);
        let hidden = output.stderr.matches("(hidden: it repeats a secret)").count()
            + output.stdout.matches("(hidden: it repeats a secret)").count();
        let expected = if mode[0] == "--check" { 1 } else { 11 };
        assert!(hidden >= expected, "{hidden} are told of, without the token:\n{}", output.stderr);
    }
}

#[test]
fn a_database_that_echoes_the_token_does_not_spread_it() {
    let mut secrets = Secrets::new();
    let bots = secrets.bot("");
    let platform = SimulatedPlatform::well(&bots);
    let token = secrets.database_token.clone();
    let database = FakeInfluxDb::start(move |write, number| {
        let whole = &write.headers["authorization"];
        match number % 6 {
            0 => Reply::refused(401, "unauthorized", &format!("{} {whole}", "x".repeat(250))),
            1 => Reply::refused(403, "forbidden", &format!("no such token: {}", &token[5..60])),
            2 => (404, format!("authorization: {whole}\r\n{}", "x".repeat(400))).into(),
            3 => (404, serde_json::json!({ "error": whole }).to_string()).into(),
            4 => (404, serde_json::json!({ "no": whole, "message": 5 }).to_string()).into(),
            _ => (401, format!("{{\"message\":\"{}\"}}", whole.replace('\\', "\\\\").replace('"', "\\u0022"))).into(),
        }
    });
    let sink = secrets.database(database.url());
    let template = Template { platform_url: platform.url(), sink: &sink, bots: &bots, ..Template::default() };
    let workspace = Workspace::with(&template);
    for round in 0..6 {
        let mode = if round % 2 == 0 { "--once" } else { "--check" };
        let output = run_loudly(&workspace, &[mode], ["text", "json"][round / 2 % 2], &[]).expect_code(1);
        secrets.check(&output, &workspace, &platform);
        assert!(format!("{}{}", output.stdout, output.stderr).contains("(hidden: it repeats a secret)"), "{output:?}");
    }
    secrets.check_sent(&platform, &database);
    assert!(database.requests().len() >= 6, "every kind of echo");
}

#[test]
fn a_service_that_leads_elsewhere_is_not_followed() {
    let mut secrets = Secrets::new();
    let visits = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&visits);
    let elsewhere = Server::start(Router::new().fallback(move || {
        counted.fetch_add(1, Ordering::Relaxed);
        async { (StatusCode::OK, "{\"results\":[]}") }
    }));
    let bots = secrets.bot("");
    for status in [301_u16, 302, 303, 307, 308] {
        let target = format!("{}/api/v2/write", elsewhere.url());
        let location = target.clone();
        let platform = SimulatedPlatform::start(&bots, move |_, _| {
            Some(Reply::from((status, String::new())).header("location", &location))
        });
        let answer = move || async move {
            (StatusCode::from_u16(status).unwrap(), [("location", target)], "the database has moved")
        };
        let database = Server::start(Router::new().fallback(answer));
        let sink = secrets.database(database.url());
        let template = Template { platform_url: platform.url(), sink: &sink, bots: &bots, ..Template::default() };
        let workspace = Workspace::with(&template);
        let output = run_loudly(&workspace, &["--check"], "text", &[]).expect_code(1);
        secrets.check(&output, &workspace, &platform);
        assert!(output.stdout.matches(&status.to_string()).count() >= 2, "{}", output.stdout);
        assert!(output.stdout.contains("redirects are not followed"), "{}", output.stdout);
        assert!(!platform.asked().is_empty());
    }
    assert_eq!(visits.load(Ordering::Relaxed), 0, "nobody went there");
}
