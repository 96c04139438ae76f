//! Secrets that are replaced where they are kept: read with a reload, and as soon as one is not accepted.

use openssl::rsa::Rsa;

use crate::support::daemon::{Daemon, NEVER, once_in};
use crate::support::fake_influxdb::FakeInfluxDb;
use crate::support::platform::SimulatedPlatform;
use crate::support::server::{Gate, Reply};
use crate::support::wait_for;
use crate::support::workspace::{Template, Workspace, bots};

const DENIED: &str = "kore_trend_requests_total{bot=\"support\",status=\"401\"}";
const ASKED: &str = "kore_trend_requests_total{bot=\"support\",status=\"200\"}";
/// Requests of a series of which a failure is recorded and nothing else: its live days, and those that are owed.
const AFTER_A_FAILURE: f64 = 2.0;
const SAID: &str = "credentials were rejected; loaded the changed ones";

/// A bot with this id that signs with what these lines name.
fn bot(lines: &str) -> String {
    format!("[bots.support]\nid = \"st-support\"\nclient_id = \"cs-support\"\n{lines}\n")
}

/// The daemon asks with the old secret, whose refusal it gets only when the file holds the new one.
fn check(lines: &str, file: &str, [old, new]: [&str; 2], variables: &[(&str, &str)]) {
    let keys = Workspace::new();
    keys.write("new", new);
    let path = keys.path("new").display().to_string();
    let known = if lines.contains("RS512") { "private_key_file" } else { "client_secret_file" };
    let platform_bot = bot(&format!("{}\n{known} = \"{path}\"", lines.lines().next().unwrap()));
    let gate = Gate::closed();
    let closed = gate.clone();
    let platform =
        SimulatedPlatform::start(&platform_bot, move |_, number| (number == 1).then(|| Reply::own().behind(&closed)));
    let bots = bot(lines);
    let template = Template { platform_url: platform.url(), schedule: NEVER, bots: &bots, ..Template::default() };
    let workspace = Workspace::with(&template);
    workspace.write(file, old);
    let daemon = Daemon::start_with(&workspace, &[], variables);
    wait_for("the question", || (platform.asked().len() == 1).then_some(()));
    workspace.write(file, new);
    gate.open();
    daemon.wait_until_ready();
    assert_eq!((daemon.value(DENIED), daemon.value(ASKED)), (Some(1.0), Some(AFTER_A_FAILURE)), "{}", daemon.log());
    assert_eq!((daemon.logged(SAID).len(), daemon.logged("recovered").len()), (1, 1), "{}", daemon.log());
    assert_eq!(daemon.logged("bots.support.id is").len(), 1, "warnings are those of a reading: {}", daemon.log());
    daemon.end();
}

#[test]
fn a_new_secret_is_used_as_soon_as_the_old_one_is_refused() {
    let pem = || String::from_utf8(Rsa::generate(2048).unwrap().private_key_to_pem().unwrap()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let credential = folder.path().join("support.client_secret").display().to_string();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            check("algorithm = \"HS256\"\nclient_secret_file = \"s\"", "s", ["the old one", "the new one"], &[])
        });
        scope.spawn(|| check("algorithm = \"RS512\"\nprivate_key_file = \"s\"", "s", [&pem(), &pem()], &[]));
        let variables = [("CREDENTIALS_DIRECTORY", folder.path().to_str().unwrap())];
        check("algorithm = \"HS512\"", &credential, ["the old credential\n", "the new credential\n"], &variables);
    });
}

#[test]
fn a_new_token_of_the_database_is_used_as_soon_as_the_old_one_is_refused() {
    let bots = bots(["one", "two"], "");
    let platform = SimulatedPlatform::well(&bots);
    let gate = Gate::closed();
    let closed = gate.clone();
    let database = FakeInfluxDb::start(move |write, _| match write.headers["authorization"].as_str() {
        "Token the new one" => Reply::stored(),
        _ => Reply::refused(401, "unauthorized", "unauthorized access").behind(&closed),
    });
    let sink = database.config().replace("token = \"a token\"", "token_file = \"token\"");
    let template =
        Template { platform_url: platform.url(), schedule: NEVER, sink: &sink, bots: &bots, ..Template::default() };
    let workspace = Workspace::with(&template);
    workspace.write("token", "the old one");
    let daemon = Daemon::start(&workspace);
    wait_for("the write", || (!database.requests().is_empty()).then_some(()));
    workspace.write("token", "the new one\n");
    gate.open();
    daemon.wait_until_ready();
    assert!(daemon.value("kore_trend_writes_total{result=\"refused\"}").unwrap() >= 1.0);
    assert_eq!(daemon.logged(SAID).len(), 1);
    assert!(!database.stored().is_empty());
    daemon.end();
}

#[test]
fn nothing_but_the_secret_is_taken_over_when_one_is_refused() {
    let known = bots(["support"], "").replace("the secret", "the new secret") + &bots(["other"], "");
    let platform = SimulatedPlatform::well(&known);
    let old = bots(["support"], "");
    let schedule = once_in(10);
    let template = Template { platform_url: platform.url(), schedule: NEVER, bots: &old, ..Template::default() };
    let workspace = Workspace::with(&Template { schedule: &schedule, ..template });
    let daemon = Daemon::start(&workspace);
    daemon.wait_for_log("tick finished", 1);
    assert_eq!(daemon.get("/readyz").status, 503);
    assert_eq!(platform.asked().len(), 1, "as long as it is the same, once a tick");
    workspace.configure(&Template { bots: &known, ..template });
    daemon.wait_until_ready();
    assert_eq!(platform.asked().len(), 3);
    assert!(platform.asked_of("other").is_empty(), "nobody asked for another bot");
    daemon.end();
}

#[test]
fn of_a_configuration_that_is_wrong_by_then_the_secret_is_taken_over_and_nothing_else() {
    let known = bots(["support"], "").replace("the secret", "the new secret");
    let gate = Gate::closed();
    let closed = gate.clone();
    let platform =
        SimulatedPlatform::start(&known, move |_, number| (number == 1).then(|| Reply::own().behind(&closed)));
    let old = bots(["support"], "");
    let template = Template { platform_url: platform.url(), schedule: NEVER, bots: &old, ..Template::default() };
    let workspace = Workspace::with(&template);
    let daemon = Daemon::start(&workspace);
    wait_for("the question", || (platform.asked().len() == 1).then_some(()));
    workspace.configure(&Template { platform: "per_minute = 0", bots: &known, ..template });
    gate.open();
    daemon.wait_until_ready();
    assert_eq!((daemon.value(DENIED), daemon.value(ASKED)), (Some(1.0), Some(AFTER_A_FAILURE)), "{}", daemon.log());
    assert_eq!(daemon.value("kore_trend_config_last_reload_successful"), Some(1.0), "there was no reload");
    assert_eq!(daemon.logged("ERROR").len(), 1, "the refusal alone: {}", daemon.log());
    daemon.end();
}

#[test]
fn a_new_secret_is_read_with_a_reload() {
    let known = bots(["support"], "").replace("the secret", "the new secret");
    let platform = SimulatedPlatform::well(&known);
    let bots = bot("client_secret_file = \"secret\"");
    let template = Template { platform_url: platform.url(), schedule: NEVER, bots: &bots, ..Template::default() };
    let workspace = Workspace::with(&template);
    workspace.write("secret", "the secret of support, long enough");
    let daemon = Daemon::start(&workspace);
    daemon.wait_for_log("tick finished", 1);
    workspace.write("secret", "the new secret of support, long enough");
    assert!(daemon.reload());
    daemon.wait_until_ready();
    // By the reload, or by the changed secret before it, but not by both.
    assert_eq!((daemon.value(DENIED), daemon.value(ASKED)), (Some(1.0), Some(AFTER_A_FAILURE)), "{}", daemon.log());
    daemon.end();
}
