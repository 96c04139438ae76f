//! What can be seen of a killed process from outside: its writes that the database has not done yet, and what it changed
//! in its folder.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::support::wait_for;

/// Waits until the database at this URL has done what killed processes handed to it: until it has closed every connection
/// whose other end is gone. Says whether it had to wait.
///
/// Without this the next process might write first; [`late`](super::late) shows what comes of that.
pub(super) fn settle(url: &str) -> bool {
    let port: u16 = url.rsplit_once(':').unwrap().1.parse().unwrap();
    let local = format!(":{port:04X}");
    let mut waited = false;
    wait_for("the database to end what a killed process began", || {
        let connections = std::fs::read_to_string("/proc/net/tcp").unwrap_or_default();
        // Local address, remote address, state; 08 is CLOSE_WAIT.
        let left_alone = connections.lines().any(|line| {
            let mut fields = line.split_whitespace().skip(1);
            let (address, state) = (fields.next().unwrap_or_default(), fields.nth(1));
            address.ends_with(&local) && state == Some("08")
        });
        waited |= left_alone;
        (!left_alone).then_some(())
    });
    waited
}

/// What differs after every change in the folder: which files, and which of them were replaced.
pub(super) fn changes(folder: &Path) -> Vec<(std::ffi::OsString, u64)> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut files: Vec<_> =
        entries.map(|entry| (entry.file_name(), entry.metadata().map_or(0, |file| file.ino()))).collect();
    files.sort();
    files
}
