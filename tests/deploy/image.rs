//! The image, run by podman as careful people run it: read-only, without capabilities, as nobody, in 32 MiB.
//!
//! `tests/packages` brings the image, and namespaces in which podman may make what it wants.

use std::process::Command;

use support::from_tests_run;
use support::name_server::{NameServer, Says};
use support::platform::{Options, SimulatedPlatform};
use support::process::{Output, Running};
use support::tls::CERTIFICATES;
use support::workspace::{Template, Workspace};

const BOT: &str = "[bots.support]\nid = \"st-support\"\nclient_id = \"cs-support\"\n\
    client_secret = \"the secret of support, long enough\"\ntime_zone = \"Asia/Kolkata\"\n";

/// The image in a store of its own.
struct Image {
    workspace: Workspace,
    name: String,
}

impl Image {
    fn loaded() -> Image {
        let mut image = Image { workspace: Workspace::new(), name: String::new() };
        let mut load = image.podman();
        load.args(["load", "--quiet", "--input", &from_tests_run("KORE_TREND_TEST_IMAGE")]);
        let said = Running::start(load).finish().expect_code(0).stdout;
        image.name = said.trim().rsplit_once(' ').unwrap().1.to_owned();
        image
    }

    fn podman(&self) -> Command {
        let mut podman = Command::new("podman");
        podman.arg("--root").arg(self.workspace.path("store")).arg("--runroot").arg(self.workspace.path("run"));
        podman.args(["--storage-driver=vfs", "--runtime=runc", "--cgroup-manager=cgroupfs", "--events-backend=none"]);
        podman
    }

    /// Starts a container, given further options of podman and the program's arguments.
    fn start(&self, options: &[&str], arguments: &[&str]) -> Running {
        let mut run = self.podman();
        run.args(["run", "--rm", "--network=host", "--read-only", "--cap-drop=all", "--user=65532:65532"]);
        run.args(["--security-opt=no-new-privileges", "--memory=32m", "--memory-swap=32m", "--ulimit=host"]);
        run.arg("--tmpfs=/var/lib/kore-trend-exporter:rw,mode=0700,U");
        // The folder with the configuration, and what belongs to it.
        run.arg(format!("--volume={}:/etc/kore-trend-exporter:ro", self.workspace.path("etc").display()));
        run.args(options).arg(&self.name).args(arguments);
        self.workspace.write("etc/here", "");
        Running::start(run)
    }

    #[track_caller]
    fn run(&self, options: &[&str], arguments: &[&str]) -> Output {
        self.start(options, arguments).finish()
    }
}

#[test]
fn the_demo_runs_in_a_container_that_may_do_nothing() {
    let once = Image::loaded().run(&[], &["--demo", "--once"]).expect_code(0);
    assert!(once.stdout.contains("support"), "{}", once.stdout);
}

#[test]
fn the_first_process_of_a_container_ends_in_good_order() {
    let image = Image::loaded();
    let mut daemon = image.start(&["--env=KORE_TREND__ADMIN__LISTEN="], &["--demo", "--log-level=debug"]);
    daemon.wait_for_stderr("tick");
    daemon.signal("TERM");
    daemon.finish().expect_code(0);
}

#[test]
fn a_wrong_configuration_is_told_by_the_exit_code_of_the_container() {
    let image = Image::loaded();
    image.workspace.write("etc/config.toml", "[bots.support]\n");
    let ended = image.run(&[], &["--once"]).expect_code(78);
    assert!(ended.stderr.contains("bots.support.id"), "{}", ended.stderr);
}

#[test]
fn names_time_zones_and_certificates_of_a_private_authority_work_without_any_file_of_a_system() {
    let image = Image::loaded();
    let (plain, names) = (SimulatedPlatform::well(BOT), NameServer::start(Says::Address([127, 0, 0, 1].into())));
    image.workspace.write("etc/here", "");
    let secure = Options::new(BOT).tls(&image.workspace.path("etc")).start();
    let configure = |name: &str, url: &str| {
        let config = Workspace::with(&Template { platform_url: url, bots: BOT, ..Template::default() });
        image.workspace.write(name, &config.read("config.toml").replace("state_dir = \"state\"\n", ""));
    };
    configure("etc/config.toml", &secure.url().replace("127.0.0.1", "platform.test"));
    configure("plain.toml", plain.url());

    let arguments = ["--once", "--dry-run", "--log-format=text"];
    let of_authority =
        std::fs::read_dir(image.workspace.path("etc").join(CERTIFICATES)).unwrap().next().unwrap().unwrap();
    std::fs::rename(of_authority.path(), image.workspace.path("etc/ca.crt")).unwrap();
    let certificates = "--env=SSL_CERT_FILE=/etc/kore-trend-exporter/ca.crt";
    let dns = format!("--dns={}", names.address());
    let inside = image.run(&[certificates, &dns], &arguments).expect_code(0);
    let outside = image.workspace.run(&[&["--config=plain.toml"], &arguments[..]].concat()).expect_code(0);
    assert!(inside.stdout.lines().count() >= 24, "{}", inside.stderr);
    assert_eq!(inside.stdout, outside.stdout);
    assert_ne!(names.asked(), 0);

    // Without them nobody is believed.
    let distrustful = image.run(&[&dns], &arguments).expect_code(1);
    assert!(distrustful.stderr.contains("certificate"), "{}", distrustful.stderr);
}
