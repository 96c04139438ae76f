//! The shipped units in a system that runs them, with a real InfluxDB.

use std::time::Instant;

use super::service::{BOT, CLIENT_SECRET, DAEMON, ONCE, SECRETS, Service};
use crate::servers::systemd::{SERVICES, UNITS};
use crate::support::platform::SimulatedPlatform;
use crate::support::server::{Gate, Reply};
use crate::support::wait_for;

#[test]
#[ignore = "needs the servers that tests/run brings"]
fn the_service_is_up_when_start_returns_and_stops_in_good_order() {
    let service = Service::started();
    let machine = &service.machine;
    assert_eq!(machine.property(DAEMON, "ActiveState"), "active");
    assert_eq!(service.get("/healthz").status, 200);
    assert!(service.get("/metrics").success().contains("kore_trend_build_info"));
    service.wait_for_points("all");

    let stopping = Instant::now();
    machine.sh(&format!("systemctl stop {DAEMON}"));
    assert!(stopping.elapsed().as_secs() < 20, "longer than shutdown_grace: {:?}", stopping.elapsed());
    let ended = ["ActiveState", "Result", "ExecMainStatus"].map(|name| machine.property(DAEMON, name));
    assert_eq!(ended, ["inactive", "success", "0"]);
}

#[test]
#[ignore = "needs the servers that tests/run brings"]
fn the_service_has_no_privileges() {
    let service = Service::started();
    let machine = &service.machine;
    let status = machine.sh(&format!("cat /proc/{}/status", machine.property(DAEMON, "MainPID")));
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(&format!("{name}:")));
        line.unwrap_or_else(|| panic!("no {name}")).split_whitespace().next().unwrap_or_default().to_owned()
    };
    assert_ne!(field("Uid"), "0");
    assert_eq!(["CapEff", "CapBnd", "CapAmb"].map(field), ["0000000000000000"; 3]);
    assert_eq!(["NoNewPrivs", "Seccomp"].map(field), ["1", "2"]);
    let verified = machine.run(&format!("systemd-analyze verify {}", UNITS.join(" "))).expect_code(0);
    assert_eq!((verified.stdout.as_str(), verified.stderr.as_str()), ("", ""));
    for unit in SERVICES {
        machine.sh(&format!("systemd-analyze security --threshold=10 {unit}"));
    }
}

#[test]
#[ignore = "needs the servers that tests/run brings"]
fn no_other_user_and_no_environment_has_the_secrets() {
    let service = Service::started();
    let machine = &service.machine;
    let credentials = format!("/run/credentials/{DAEMON}/kore-trend-exporter_");
    assert_eq!(machine.sh(&format!("cat {credentials}support.client_secret")).trim_end(), CLIENT_SECRET);
    for secret in [
        format!("{credentials}support.client_secret"),
        format!("{credentials}influxdb.token"),
        format!("{SECRETS}/support.client_secret"),
        format!("{SECRETS}/influxdb.token"),
        "/var/lib/kore-trend-exporter/lock".to_owned(),
    ] {
        let refused = machine.run(&format!("test -e {secret} && runuser -u nobody -- cat {secret}")).expect_code(1);
        assert!(refused.stderr.contains("Permission denied"), "{refused:?}");
    }
    let id = machine.property(DAEMON, "MainPID");
    let told = [
        machine.sh(&format!("cat /proc/{id}/environ /proc/{id}/cmdline")),
        machine.sh(&format!("systemctl show {DAEMON}")),
        machine.journalctl("--output=export"),
    ]
    .concat();
    assert!(told.contains("CREDENTIALS_DIRECTORY="));
    for secret in [CLIENT_SECRET, &service.database.token] {
        assert!(!told.contains(secret), "{secret} in\n{told}");
    }
}

#[test]
#[ignore = "needs the servers that tests/run brings"]
fn a_reload_takes_a_good_configuration_and_refuses_a_bad_one() {
    let service = Service::started();
    let machine = &service.machine;
    let id = machine.property(DAEMON, "MainPID");
    let reload = || machine.sh(&format!("systemctl reload {DAEMON}"));
    service.wait_for_points("all");
    service.wait_for_metric("kore_trend_config_last_reload_successful 1");

    service.configure("channels = [\"all\", \"rtm\"]");
    reload();
    service.wait_for_points("rtm");

    service.configure("channels = [\"all\"]\nchanels = [\"ivr\"]");
    reload();
    service.wait_for_metric("kore_trend_config_last_reload_successful 0");
    machine.wait_for_property(DAEMON, "ActiveState", "active");
    assert!(machine.messages().contains("bots.support.chanels: unknown key"), "{}", machine.messages());
    service.platform.forget();
    wait_for("a tick by the old one", || {
        service.platform.asked().iter().any(|asked| asked.channel() == "rtm").then_some(())
    });

    service.configure("channels = [\"all\", \"ivr\"]");
    reload();
    service.wait_for_metric("kore_trend_config_last_reload_successful 1");
    service.wait_for_points("ivr");
    assert_eq!(machine.property(DAEMON, "MainPID"), id, "it never ended");
}

#[test]
#[ignore = "needs the servers that tests/run brings"]
fn the_watchdog_waits_for_a_slow_platform_and_replaces_a_process_that_is_stuck() {
    let gate = Gate::closed();
    let held_back = gate.clone();
    let platform = SimulatedPlatform::start(BOT, move |asked, _| {
        (asked.channel() == "rtm").then(|| Reply::own().behind(&held_back))
    });
    let service = Service::installed(platform);
    let machine = &service.machine;
    service.drop_in(DAEMON, "RestartSec=100ms\nWatchdogSec=3s");
    service.configure("channels = [\"all\", \"rtm\"]");
    machine.sh(&format!("systemctl start {DAEMON}"));
    wait_for("a request without an answer", || (service.platform.in_flight().0 > 0).then_some(()));
    let fed = || machine.property(DAEMON, "WatchdogTimestampMonotonic").parse::<u64>().unwrap();
    let before = fed();
    wait_for("a watchdog that is fed meanwhile", || (fed() > before + 3_000_000).then_some(()));
    assert_eq!(machine.property(DAEMON, "NRestarts"), "0");

    let id = machine.property(DAEMON, "MainPID");
    machine.sh(&format!("kill -STOP {id}"));
    machine.wait_for_property(DAEMON, "NRestarts", "1");
    machine.wait_for_property(DAEMON, "ActiveState", "active");
    assert_ne!(machine.property(DAEMON, "MainPID"), id);
    assert!(machine.journalctl(&format!("--unit={DAEMON}")).contains("Watchdog timeout"));
    gate.open();
    service.wait_for_points("all");
    service.wait_for_points("rtm");
    assert_eq!(machine.property(DAEMON, "NRestarts"), "1");
}

#[test]
#[ignore = "needs the servers that tests/run brings"]
fn a_wrong_configuration_is_not_tried_again() {
    let service = Service::installed(SimulatedPlatform::well(BOT));
    let machine = &service.machine;
    service.configure("time_zone = \"Europe/Berlim\"");
    machine.run(&format!("systemctl start {DAEMON}")).expect_code(1);
    let ended = ["ActiveState", "Result", "ExecMainStatus", "NRestarts"].map(|name| machine.property(DAEMON, name));
    assert_eq!(ended, ["failed", "exit-code", "78", "0"]);
    assert!(machine.messages().contains("bots.support.time_zone"), "{}", machine.messages());
}

#[test]
#[ignore = "needs the servers that tests/run brings"]
fn the_last_words_are_the_services_also_where_the_journal_is_slow() {
    let service = Service::installed(SimulatedPlatform::well(BOT));
    let machine = &service.machine;
    service.configure("time_zone = \"Europe/Berlim\"");
    machine.sh("systemctl kill --signal=STOP systemd-journald");
    machine.run(&format!("systemctl start {DAEMON}")).expect_code(1);
    machine.sh("systemctl kill --signal=CONT systemd-journald");
    let told = machine.journalctl(&format!("--unit={DAEMON} --output=json"));
    let problem = told.lines().find(|line| line.contains("bots.support.time_zone")).unwrap_or_else(|| panic!("{told}"));
    assert!(problem.contains("\"PRIORITY\":\"3\""), "{problem}");
}

#[test]
#[ignore = "needs the servers that tests/run brings"]
fn a_bot_is_added_by_its_secret_and_a_restart() {
    let sales = "[bots.sales]\nid = \"st-sales\"\nclient_id = \"cs-sales\"\n";
    let secret = "the secret of sales, long enough";
    let platform = SimulatedPlatform::well(&format!("{BOT}{sales}client_secret = \"{secret}\"\n"));
    let service = Service::installed(platform);
    let machine = &service.machine;
    machine.sh(&format!("systemctl start {DAEMON}"));
    service.wait_for_points("all");
    machine.install(&format!("{SECRETS}/sales.client_secret"), "600", secret);
    service.configure(&format!("channels = [\"all\"]\n{sales}"));
    machine.sh(&format!("systemctl restart {DAEMON}"));
    let is_there = || service.database.points().iter().any(|(_, tags, ..)| tags["bot"] == "sales").then_some(());
    wait_for("the points of the bot that was added", is_there);
}

#[test]
#[ignore = "needs the servers that tests/run brings"]
fn a_folder_of_secrets_that_is_missing_is_waited_for() {
    let service = Service::installed(SimulatedPlatform::well(BOT));
    let machine = &service.machine;
    machine.sh(&format!("mv {SECRETS} /root"));
    machine.run(&format!("systemctl start {DAEMON}")).expect_code(1);
    assert!(machine.journalctl(&format!("--unit={DAEMON}")).contains("status=243/CREDENTIALS"));
    machine.sh(&format!("mv /root/credentials {SECRETS}"));
    service.wait_for_points("all");
}

#[test]
#[ignore = "needs the servers that tests/run brings"]
fn the_journal_has_levels_and_fields() {
    let service = Service::installed(SimulatedPlatform::well(BOT));
    let machine = &service.machine;
    machine.install(&format!("{SECRETS}/support.client_secret"), "600", "another secret, just as long");
    machine.sh(&format!("systemctl start {DAEMON}"));
    let refused =
        wait_for("a refusal in the journal", || machine.journal().into_iter().find(|entry| entry["PRIORITY"] == "3"));
    assert_eq!((&refused["BOT"], &refused["CHANNEL"]), (&"support".into(), &"all".into()), "{refused}");
    assert!(refused["MESSAGE"].as_str().unwrap().starts_with("the platform answered 401"), "{refused}");

    assert_eq!(refused["_TRANSPORT"], "journal");

    let entries = machine.journal();
    let levels: Vec<&str> = entries.iter().filter_map(|entry| entry["PRIORITY"].as_str()).collect();
    // The bot's id looks like none, which is warned about.
    assert!(["3", "4", "6"].iter().all(|level| levels.contains(level)), "{entries:#?}");
    for entry in &entries {
        let message = entry["MESSAGE"].as_str().unwrap();
        let first = message.split_whitespace().next().unwrap_or_default();
        assert!(!["ERROR", "WARN", "INFO"].contains(&first), "{message}");
        assert!(!message.starts_with("20") && !message.contains('\u{1b}'), "{message}");
    }
}

#[test]
#[ignore = "needs the servers that tests/run brings"]
fn a_single_run_exports_and_the_timer_is_its_other_half() {
    let service = Service::installed(SimulatedPlatform::well(BOT));
    let machine = &service.machine;
    machine.sh(&format!("systemctl start {ONCE}"));
    service.wait_for_points("all");
    let ended = ["ActiveState", "Result", "ExecMainStatus"].map(|name| machine.property(ONCE, name));
    assert_eq!(ended, ["inactive", "success", "0"]);

    let timer = ONCE.replace(".service", ".timer");
    machine.sh(&format!("systemctl enable --now {timer}"));
    assert_eq!(machine.property(&timer, "ActiveState"), "active");
    assert_ne!(machine.property(&timer, "NextElapseUSecRealtime"), "");
}

#[test]
#[ignore = "needs the servers that tests/run brings"]
fn daemon_and_timer_exclude_each_other_and_a_backfill_runs_beside() {
    let service = Service::started();
    let machine = &service.machine;
    service.wait_for_points("all");
    machine.run(&format!("systemctl start {ONCE}")).expect_code(1);
    assert!(machine.messages().contains("another exporter"), "{}", machine.messages());
    assert_eq!(machine.property(DAEMON, "ActiveState"), "active");

    // Here is no terminal.
    let command = documented("systemd-run ").replace("--pty", "--pipe");
    let checked = machine.sh(&command);
    assert!(checked.contains("token and scope accepted"), "{checked}");
    machine.sh(&command.replace("--check", "--backfill 2026-01-01..2026-01-31"));
    let stored = service.database.points();
    assert!(stored.iter().filter(|(.., time, _)| *time < 1_769_904_000).count() >= 31 * 24 - 1);

    let timer = ONCE.replace(".service", ".timer");
    machine.sh(&format!("systemctl start {timer}"));
    machine.wait_for_property(DAEMON, "ActiveState", "inactive");
    machine.sh(&format!("systemctl start {DAEMON}"));
    machine.wait_for_property(&timer, "ActiveState", "inactive");
}

/// The command in the documentation that begins like this.
fn documented(beginning: &str) -> String {
    let page = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/deployment.md"));
    let (_, block) = page.split_once(&format!("```sh\n{beginning}")).unwrap();
    format!("{beginning}{}", block.split("```").next().unwrap())
}
