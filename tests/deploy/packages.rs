//! The packages, installed where they belong: the Debian package in a booted Debian, the RPM into a root of its own.
//!
//! `tests/packages` brings them, and groups in which a machine can boot.

use std::process::Command;

use support::from_tests_run;
use support::machine::Machine;
use support::platform::SimulatedPlatform;
use support::process::Running;
use support::wait_for;

const SERVICE: &str = "kore-trend-exporter.service";
const STATE: &str = "/var/lib/private/kore-trend-exporter";
const SECRETS: &str = "/etc/kore-trend-exporter/credentials";
const BOT: &str = "[bots.support]\nid = \"st-support\"\nclient_id = \"cs-support\"\n";

/// Runs a script out here that must succeed.
#[track_caller]
fn sh(script: &str) -> String {
    let mut shell = Command::new("sh");
    shell.args(["-ec", script]);
    Running::start(shell).finish().expect_code(0).stdout
}

#[test]
fn the_debian_package_is_installed_started_upgraded_and_removed() {
    let package = from_tests_run("KORE_TREND_TEST_DEB");
    let folder = tempfile::tempdir().unwrap();
    let previous = folder.path().join("previous.deb");
    // The release before is this one under a lower number.
    sh(&format!(
        "cd {}; dpkg-deb -R {package} p; sed -i 's/^Version: .*/Version: 0.0.9/' p/DEBIAN/control; dpkg-deb -Znone -b p {}",
        folder.path().display(),
        previous.display()
    ));
    let machine = Machine::boot();
    let install = |file: &str| {
        let bytes = std::fs::read(file).unwrap();
        machine.run_with(&bytes, "cat >/tmp/p.deb; dpkg --install /tmp/p.deb 2>&1").expect_code(0)
    };
    install(previous.to_str().unwrap());
    assert_eq!(machine.property(SERVICE, "ActiveState"), "inactive", "there is no configuration yet");
    assert_eq!(machine.sh(&format!("stat -c '%a %U' {SECRETS}")), "700 root\n");

    let secret = "the secret of support, long enough";
    let platform = SimulatedPlatform::well(&format!("{BOT}client_secret = \"{secret}\"\n"));
    let config = format!(
        "[platform]\nurl = \"{}\"\n[file]\npath = \"engagement.lp\"\n[admin]\nlisten = \"\"\n{BOT}",
        platform.url()
    );
    machine.install("/etc/kore-trend-exporter/config.toml", "644", &config);
    machine.install(&format!("{SECRETS}/support.client_secret"), "600", secret);
    machine.sh(&format!("systemctl enable --now {SERVICE}"));
    let watermark = format!("grep -q through.*20 {STATE}/watermarks.json");
    wait_for("a watermark", || (machine.run(&watermark).code == Some(0)).then_some(()));
    let (process, points) = (machine.property(SERVICE, "MainPID"), machine.sh(&format!("cat {STATE}/engagement.lp")));

    install(&package);
    assert_eq!(machine.property(SERVICE, "ActiveState"), "active");
    assert_ne!(machine.property(SERVICE, "MainPID"), process, "the new version runs");
    assert_eq!(machine.sh("cat /etc/kore-trend-exporter/config.toml"), config);
    assert!(machine.sh(&format!("{watermark}; cat {STATE}/engagement.lp")).starts_with(&points));

    machine.sh("dpkg --remove kore-trend-exporter");
    let units =
        machine.sh("systemctl list-units --all --no-legend 'kore-trend*'; ls /etc/systemd/system/*/ | grep kore || :");
    assert_eq!(units, "");
    machine.sh(&format!("test -e {STATE}/watermarks.json -a -e {SECRETS}/support.client_secret"));
    machine.sh("dpkg --purge kore-trend-exporter");
    machine.sh(&format!("test ! -e {STATE} -a ! -e /etc/kore-trend-exporter"));
}

#[test]
fn the_rpm_is_installed_and_removed_and_what_it_wrote_is_what_it_says() {
    let folder = tempfile::tempdir().unwrap();
    let (package, machine) = (from_tests_run("KORE_TREND_TEST_RPM"), from_tests_run("KORE_TREND_TEST_MACHINE"));
    // Its scripts want a shell and its program a C library: the machine's, which stays as it is.
    let script = format!(
        "cd {}; mkdir upper work root; mount -t overlay -o lowerdir={machine},upperdir=upper,workdir=work overlay root\n\
         rpm='rpm --root '$PWD/root; $rpm --initdb\n\
         $rpm --install --nodeps {package}; $rpm --verify --nodeps kore-trend-exporter\n\
         chroot root kore-trend-exporter --demo --once --dry-run --no-progress | grep -c users=\n\
         echo '# changed' >>root/etc/kore-trend-exporter/config.toml\n\
         $rpm --upgrade --force --nodeps {package}; tail -n 1 root/etc/kore-trend-exporter/config.toml\n\
         $rpm --erase kore-trend-exporter; ls root/usr/bin/kore-trend-exporter root/etc/kore-trend-exporter 2>&1 || :",
        folder.path().display()
    );
    let mut unshare = Command::new("unshare");
    unshare.args(["--mount", "sh", "-ec", &script]);
    let output = Running::start(unshare).finish().expect_code(0);
    let said: Vec<&str> = output.stdout.lines().collect();
    assert!(said[0].parse::<u32>().unwrap() > 100, "{output:?}");
    assert_eq!(said[1], "# changed");
    assert_eq!(said.last(), Some(&"config.toml.rpmsave"), "{output:?}");
}
