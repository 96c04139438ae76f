//! The clock that a program under test reads, set by the test while the program runs: libfaketime in front of the C
//! library. Only the time of day is set, as `settimeofday` does; the monotonic clock goes on. The test, and the platform
//! and the database that it makes up, keep the true time.

use std::path::PathBuf;
use std::process::Command;

use jiff::SignedDuration;
use tempfile::TempDir;

use super::from_tests_run;

/// The clock of one program, or of several after each other.
pub struct Clock {
    folder: TempDir,
}

impl Clock {
    /// One that is right.
    pub fn right() -> Clock {
        Clock::ahead(SignedDuration::ZERO)
    }

    /// One that is ahead of the true time by this much; behind it where that is negative.
    pub fn ahead(by: SignedDuration) -> Clock {
        let clock = Clock { folder: tempfile::Builder::new().prefix("kore-trend-clock-").tempdir().unwrap() };
        clock.set(by);
        clock
    }

    /// Sets it ahead of the true time by this much.
    pub fn set(&self, by: SignedDuration) {
        let new = self.folder.path().join("new");
        std::fs::write(&new, format!("{:+}\n", by.as_secs())).unwrap();
        // Whoever reads the clock sees the old time or the new one.
        std::fs::rename(new, self.file()).unwrap();
    }

    /// Sets it right.
    pub fn correct(&self) {
        self.set(SignedDuration::ZERO);
    }

    /// The environment variables of a program that reads this clock.
    pub fn variables(&self) -> Vec<(String, String)> {
        let file = self.file().display().to_string();
        [
            ("LD_PRELOAD", from_tests_run("KORE_TREND_TEST_FAKETIME")),
            ("FAKETIME_TIMESTAMP_FILE", file),
            ("FAKETIME_NO_CACHE", "1".to_owned()),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .to_vec()
    }

    /// Lets this command read the clock.
    pub fn on(&self, mut command: Command) -> Command {
        command.envs(self.variables());
        command
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("offset")
    }
}
