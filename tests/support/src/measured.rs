//! A process seen from outside: its memory, its processor time, and what it tells the service manager.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{BufRead, BufReader};
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use nix::sys::signal::{self, Signal};
use nix::time::ClockId;
use nix::unistd::Pid;

use super::program;

/// Longer than anything takes that is waited for.
const PATIENCE: Duration = Duration::from_secs(1200);

/// The daemon, running; killed when dropped.
pub struct Daemon {
    child: Child,
    lines: Receiver<String>,
    ready: Receiver<Duration>,
}

/// Memory in KiB.
#[derive(Clone, Copy, Debug)]
pub struct Memory {
    pub resident: u64,
    pub anonymous: u64,
    pub of_files: u64,
    pub most: u64,
}

impl Daemon {
    /// Starts it in a folder with a configuration, under somebody who listens as systemd does.
    pub fn start(folder: &Path, environment: Vec<(&str, String)>) -> Daemon {
        let socket = folder.join("notify");
        let _absent = std::fs::remove_file(&socket);
        let manager = UnixDatagram::bind(&socket).unwrap();
        let mut command = Command::new(program());
        command.current_dir(folder).env("NOTIFY_SOCKET", &socket).envs(environment);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let started = Instant::now();
        let mut child = command.spawn().unwrap();
        let (tell, lines) = channel();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        std::thread::spawn(move || stderr.lines().map_while(Result::ok).try_for_each(|line| tell.send(line)));
        Daemon { child, lines, ready: listen(manager, started) }
    }

    /// Waits until it says that it is ready, and says how long that was after its start.
    pub fn ready(&self) -> Duration {
        self.ready.recv_timeout(PATIENCE).unwrap()
    }

    /// Waits until it has logged this so many times more, and returns the last of the lines.
    pub fn logs(&self, what: &str, times: usize) -> String {
        let mut left = times;
        loop {
            let line = self.lines.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("{what:?}, {left} times more"));
            left -= usize::from(line.contains(what));
            if left == 0 {
                return line;
            }
        }
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    pub fn memory(&self) -> Memory {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id())).unwrap();
        let fields: BTreeMap<&str, &str> = status.lines().filter_map(|line| line.split_once(':')).collect();
        let field = |name| fields[name].split_whitespace().next().unwrap().parse().unwrap();
        Memory {
            resident: field("VmRSS"),
            anonymous: field("RssAnon"),
            of_files: field("RssFile"),
            most: field("VmHWM"),
        }
    }

    /// Tells it to end and waits until it has.
    pub fn end(mut self) {
        let process = Pid::from_raw(i32::try_from(self.id()).unwrap());
        signal::kill(process, Signal::SIGTERM).unwrap();
        assert!(self.child.wait().unwrap().success());
    }

    /// What it has used of a processor since its start.
    pub fn processor(&self) -> Duration {
        let process = Pid::from_raw(i32::try_from(self.id()).unwrap());
        ClockId::pid_cpu_clock_id(process).unwrap().now().unwrap().into()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ended_already = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// Takes everything that the daemon says, so that it never waits for a listener.
fn listen(manager: UnixDatagram, started: Instant) -> Receiver<Duration> {
    let (tell, ready) = channel();
    std::thread::spawn(move || {
        let mut message = [0; 4096];
        while let Ok(length) = manager.recv(&mut message) {
            if message[..length].starts_with(b"READY=1") {
                let _nobody_asks = tell.send(started.elapsed());
            }
        }
    });
    ready
}

impl fmt::Display for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mib = |kib| kib as f64 / 1024.0;
        let Memory { resident, anonymous, of_files, most } = *self;
        let (resident, anonymous, of_files, most) = (mib(resident), mib(anonymous), mib(of_files), mib(most));
        write!(f, "{resident:5.1} MiB: {anonymous:4.1} anonymous, {of_files:4.1} of files; at most {most:.1}")
    }
}
