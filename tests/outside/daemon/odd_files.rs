//! Files and sockets that are not what one expects: the daemon waits for none of them.

use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::process::Command;
use std::time::Duration;

use crate::support::daemon::{Daemon, EVERY_SECOND, NEVER};
use crate::support::platform::SimulatedPlatform;
use crate::support::server::Reply;
use crate::support::workspace::{Template, Workspace, bots};
use crate::support::{unique, wait_for};

#[test]
fn a_secret_that_has_become_a_pipe_keeps_nothing_else_waiting() {
    let sections = bots(["piped", "well"], "");
    let platform = SimulatedPlatform::start(&sections, |asked, number| {
        (asked.bot_id() == "st-piped" && number > 2).then(|| Reply::errors(401, 4002, "Invalid SDK credentials"))
    });
    let by_file =
        sections.replace("client_secret = \"the secret of piped, long enough\"", "client_secret_file = \"secret\"");
    let template =
        Template { platform_url: platform.url(), schedule: EVERY_SECOND, bots: &by_file, ..Template::default() };
    let workspace = Workspace::with(&template);
    workspace.write("secret", "the secret of piped, long enough");
    let daemon = Daemon::start(&workspace);
    daemon.wait_until_ready();
    std::fs::remove_file(workspace.path("secret")).unwrap();
    assert!(Command::new("mkfifo").arg(workspace.path("secret")).status().unwrap().success());
    wait_for("a refusal", || (daemon.get("/readyz").status == 503).then_some(()));
    let before = platform.asked_of("well").len();
    wait_for("more ticks of the other bot", || (platform.asked_of("well").len() > before + 2).then_some(()));
    assert_eq!(daemon.get("/healthz").status, 200);
    daemon.end();
}

#[test]
fn a_configuration_that_names_something_else_than_a_file_is_refused_at_a_reload() {
    let sections = bots(["support"], "");
    let platform = SimulatedPlatform::well(&sections);
    let template = Template { platform_url: platform.url(), schedule: NEVER, bots: &sections, ..Template::default() };
    let workspace = Workspace::with(&template);
    let daemon = Daemon::start(&workspace);
    daemon.wait_until_ready();
    assert!(Command::new("mkfifo").arg(workspace.path("pipe")).status().unwrap().success());
    for odd in ["pipe", "/dev/zero", "."] {
        let by_file = sections.replace(
            "client_secret = \"the secret of support, long enough\"",
            &format!("client_secret_file = {odd:?}"),
        );
        workspace.configure(&Template { bots: &by_file, ..template });
        assert!(!daemon.reload(), "{odd}");
        workspace.run(&["--check"]).expect_code(78);
    }
    workspace.configure(&template);
    assert!(daemon.reload());
    daemon.end();
}

#[test]
fn a_service_manager_may_listen_at_an_abstract_address() {
    let name = unique("kore-trend-test");
    let socket = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let workspace = Workspace::with(&Template { schedule: NEVER, ..Template::default() });
    let daemon = Daemon::start_with(&workspace, &[], &[("NOTIFY_SOCKET", &format!("@{name}"))]);
    let mut heard = String::new();
    while !heard.contains("READY=1") {
        let mut message = [0; 4096];
        let length = socket.recv(&mut message).unwrap();
        heard.push_str(&String::from_utf8_lossy(&message[..length]));
    }
    daemon.end();
}
