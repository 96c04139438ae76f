//! A small Debian of a test's own, with systemd as its first process. It shares the network with the tests, and forgets
//! everything when it ends.

use std::io::Write;
use std::os::unix::net::UnixDatagram;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use super::process::{Output, Running};
use super::{from_tests_run, repository, wait_for};

/// The machine; killed when dropped. Only the thread that booted it may hold it: it ends with that thread.
pub struct Machine {
    /// The process id, out here, of its systemd.
    systemd: u32,
    _boot: Running,
}

impl Machine {
    /// Boots one from the folder that `tests/run` brings, and waits until it is up.
    pub fn boot() -> Machine {
        let (socket, folder) = ready_socket();
        let mut command = Command::new(repository().join("tests/servers/boot-machine"));
        command.arg(from_tests_run("KORE_TREND_TEST_MACHINE"));
        command.env("KORE_TREND_TEST_CGROUPS", from_tests_run("KORE_TREND_TEST_CGROUPS"));
        command.env("NOTIFY_SOCKET", folder.path().join("notify"));
        let boot = Running::start(command);
        let started = Instant::now();
        let mut datagram = [0; 4096];
        loop {
            let length = socket.recv(&mut datagram).unwrap_or(0);
            if String::from_utf8_lossy(&datagram[..length]).lines().any(|line| line == "READY=1") {
                break;
            }
            assert!(started.elapsed() < Duration::from_secs(60), "no machine: {}{}", boot.stdout(), boot.stderr());
        }
        // The script has become unshare, whose only child is systemd-nspawn, whose only child is the systemd inside.
        let systemd = only_child(only_child(boot.id()));
        Machine { systemd, _boot: boot }
    }

    /// Runs a shell script as root to its end, with this on its standard input.
    #[track_caller]
    pub fn run_with(&self, input: &[u8], script: &str) -> Output {
        let mut command = Command::new("nsenter");
        command.args(["--target", &self.systemd.to_string(), "--all", "sh", "-c", script]);
        command.env_clear().env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(input).unwrap();
        let output = child.wait_with_output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Output { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    /// Runs a shell script as root to its end.
    #[track_caller]
    pub fn run(&self, script: &str) -> Output {
        self.run_with(b"", script)
    }

    /// What a shell script says that must succeed.
    #[track_caller]
    pub fn sh(&self, script: &str) -> String {
        self.run(script).expect_code(0).stdout
    }

    /// Writes a file, with the folders that it is in.
    #[track_caller]
    pub fn install(&self, path: &str, mode: &str, contents: impl AsRef<[u8]>) {
        self.run_with(contents.as_ref(), &format!("install -D -m {mode} /dev/stdin {path}")).expect_code(0);
    }

    /// A property of a unit, as `systemctl show` has it.
    #[track_caller]
    pub fn property(&self, unit: &str, name: &str) -> String {
        self.sh(&format!("systemctl show --value --property {name} {unit}")).trim_end().to_owned()
    }

    /// Waits until a property of a unit has this value.
    #[track_caller]
    pub fn wait_for_property(&self, unit: &str, name: &str, value: &str) {
        wait_for(&format!("{name}={value} of {unit}"), || (self.property(unit, name) == value).then_some(()));
    }

    /// What the journal holds, chosen and shown by these arguments of `journalctl`; everything that was said before is in
    /// it.
    #[track_caller]
    pub fn journalctl(&self, arguments: &str) -> String {
        self.sh(&format!("journalctl --sync && journalctl {arguments}"))
    }

    /// What the program has logged, oldest first. By its name and not by its unit, of which the journal knows nothing
    /// where a process has ended before its lines were read.
    #[track_caller]
    pub fn journal(&self) -> Vec<Value> {
        let lines = self.journalctl("--output=json --all --identifier=kore-trend-exporter");
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The messages among it, one in each line.
    #[track_caller]
    pub fn messages(&self) -> String {
        let entries = self.journal();
        entries.iter().map(|entry| format!("{}\n", entry["MESSAGE"].as_str().unwrap_or_default())).collect()
    }
}

/// Where systemd-nspawn says that the system inside is up.
fn ready_socket() -> (UnixDatagram, TempDir) {
    let folder = tempfile::Builder::new().prefix("kore-trend-test-").tempdir().unwrap();
    let socket = UnixDatagram::bind(folder.path().join("notify")).unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    (socket, folder)
}

#[track_caller]
fn only_child(parent: u32) -> u32 {
    let children = std::fs::read_to_string(format!("/proc/{parent}/task/{parent}/children")).unwrap();
    children.trim().parse().unwrap_or_else(|_| panic!("process {parent} has not one child: {children:?}"))
}
