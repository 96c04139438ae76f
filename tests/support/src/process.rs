//! A running program: its output as it comes, its end within a deadline, a signal on the way.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::wait_for;

/// Longer than any run of a test takes, on any machine.
pub const DEADLINE: Duration = Duration::from_secs(120);

/// What a program that has ended leaves behind.
#[derive(Debug)]
pub struct Output {
    /// The exit code; `None` after a signal.
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Output {
    /// Panics, with everything that was said, unless the program ended with this code.
    #[track_caller]
    pub fn expect_code(self, code: i32) -> Output {
        assert_eq!(self.code, Some(code), "\n--- stdout\n{}\n--- stderr\n{}", self.stdout, self.stderr);
        self
    }
}

/// A program that runs; killed when dropped.
pub struct Running {
    child: Child,
    stdout: Stream,
    stderr: Stream,
}

impl Running {
    /// Starts it, without an input.
    pub fn start(mut command: Command) -> Running {
        let ((stdout, stdout_end), (stderr, stderr_end)) = (Stream::new(), Stream::new());
        command.stdin(Stdio::null()).stdout(stdout_end).stderr(stderr_end);
        let child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        Running { child, stdout, stderr }
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it has said on stdout so far.
    pub fn stdout(&self) -> String {
        self.stdout.so_far()
    }

    /// What it has said on stderr so far.
    pub fn stderr(&self) -> String {
        self.stderr.so_far()
    }

    /// Waits until stderr holds this text; panics if the program ends before.
    #[track_caller]
    pub fn wait_for_stderr(&mut self, text: &str) {
        wait_for(&format!("{text:?} on stderr"), || {
            let ended = self.child.try_wait().unwrap().is_some();
            let found = self.stderr().contains(text);
            assert!(found || !ended, "ended without saying {text:?}:\n{}", self.stderr());
            found.then_some(())
        });
    }

    /// Sends a signal by its name: `TERM`, `INT`, `HUP`, `STOP`, `CONT`, `KILL`.
    #[track_caller]
    pub fn signal(&self, name: &str) {
        // The shell's own `kill`: the program of that name is not on every machine, and the standard library has none.
        let status = Command::new("sh").args(["-c", &format!("kill -{name} {}", self.id())]).status().unwrap();
        assert!(status.success());
    }

    /// Whether it has ended.
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Kills it, as `kill -9` does, and does not wait for its end.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
    }

    /// Waits for its end.
    #[track_caller]
    pub fn finish(self) -> Output {
        self.finish_within(DEADLINE)
    }

    /// Waits for its end; when it takes longer than this, kills it and panics with everything that it said.
    #[track_caller]
    pub fn finish_within(mut self, deadline: Duration) -> Output {
        let started = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            if started.elapsed() > deadline {
                let (stdout, stderr) = (self.stdout(), self.stderr());
                panic!("still running after {deadline:?}\n--- stdout\n{stdout}\n--- stderr\n{stderr}");
            }
            sleep(Duration::from_millis(2));
        };
        Output { code: status.code(), stdout: self.stdout(), stderr: self.stderr() }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ended_already = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// One of its outputs, in a file: what was written before an event that a test has seen is there at once, and the program
/// never waits for a reader.
struct Stream(File);

impl Stream {
    /// An empty one, and the end to write to.
    fn new() -> (Stream, Stdio) {
        let file = tempfile::tempfile().unwrap();
        let end = file.try_clone().unwrap();
        (Stream(file), end.into())
    }

    fn so_far(&self) -> String {
        let mut text = vec![0; usize::try_from(self.0.metadata().unwrap().len()).unwrap()];
        // The place where the program writes is not moved.
        self.0.read_exact_at(&mut text, 0).unwrap();
        String::from_utf8_lossy(&text).into_owned()
    }
}
