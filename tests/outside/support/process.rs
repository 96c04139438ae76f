//! A running program: its output as it comes, its end within a deadline, a signal on the way.

use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::{JoinHandle, sleep, spawn};
use std::time::{Duration, Instant};

use super::wait_for;

/// Longer than any run of a test takes, on any machine.
pub(crate) const DEADLINE: Duration = Duration::from_secs(120);

/// What a program that has ended leaves behind.
#[derive(Debug)]
pub(crate) struct Output {
    /// The exit code; `None` after a signal.
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Output {
    /// Panics, with everything that was said, unless the program ended with this code.
    #[track_caller]
    pub(crate) fn expect_code(self, code: i32) -> Output {
        assert_eq!(self.code, Some(code), "\n--- stdout\n{}\n--- stderr\n{}", self.stdout, self.stderr);
        self
    }
}

/// A program that runs; killed when dropped.
pub(crate) struct Running {
    child: Child,
    stdout: Stream,
    stderr: Stream,
}

impl Running {
    /// Starts it, without an input.
    pub(crate) fn start(mut command: Command) -> Running {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let stdout = Stream::read(child.stdout.take().unwrap());
        let stderr = Stream::read(child.stderr.take().unwrap());
        Running { child, stdout, stderr }
    }

    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it has said on stdout so far.
    pub(crate) fn stdout(&self) -> String {
        self.stdout.so_far()
    }

    /// What it has said on stderr so far.
    pub(crate) fn stderr(&self) -> String {
        self.stderr.so_far()
    }

    /// Waits until stderr holds this text; panics if the program ends before.
    #[track_caller]
    pub(crate) fn wait_for_stderr(&mut self, text: &str) {
        wait_for(&format!("{text:?} on stderr"), || {
            let ended = self.child.try_wait().unwrap().is_some();
            let found = self.stderr().contains(text);
            assert!(found || !ended, "ended without saying {text:?}:\n{}", self.stderr());
            found.then_some(())
        });
    }

    /// Sends a signal by its name: `TERM`, `INT`, `HUP`, `STOP`, `CONT`, `KILL`.
    #[track_caller]
    pub(crate) fn signal(&self, name: &str) {
        // The shell's own `kill`: the program of that name is not on every machine, and the standard library has none.
        let status = Command::new("sh").args(["-c", &format!("kill -{name} {}", self.id())]).status().unwrap();
        assert!(status.success());
    }

    /// Waits for its end.
    #[track_caller]
    pub(crate) fn finish(self) -> Output {
        self.finish_within(DEADLINE)
    }

    /// Waits for its end; when it takes longer than this, kills it and panics with everything that it said.
    #[track_caller]
    pub(crate) fn finish_within(mut self, deadline: Duration) -> Output {
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
        Output { code: status.code(), stdout: self.stdout.wait_for_end(), stderr: self.stderr.wait_for_end() }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ended_already = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// One of its outputs, read by a thread so that the program never waits for a reader.
struct Stream {
    text: Arc<Mutex<Vec<u8>>>,
    reader: Option<JoinHandle<()>>,
}

impl Stream {
    fn read(mut pipe: impl Read + Send + 'static) -> Stream {
        let text = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&text);
        let reader = spawn(move || {
            let mut piece = [0; 8192];
            while let Ok(length @ 1..) = pipe.read(&mut piece) {
                kept.lock().unwrap().extend_from_slice(&piece[..length]);
            }
        });
        Stream { text, reader: Some(reader) }
    }

    fn so_far(&self) -> String {
        String::from_utf8_lossy(&self.text.lock().unwrap()).into_owned()
    }

    fn wait_for_end(&mut self) -> String {
        if let Some(reader) = self.reader.take() {
            reader.join().unwrap();
        }
        self.so_far()
    }
}
