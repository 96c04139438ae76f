//! Opens the files that the configuration names, whatever they turn out to be: nothing waits for a pipe or a device, and
//! nothing reads without an end.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::OFlags;

/// No secret and no key is larger, in bytes.
const LARGEST: u64 = 64 << 10;

/// The text of a file that is read again later.
pub(super) fn read(path: &Path) -> io::Result<String> {
    read_all(open_regular(path, OpenOptions::new().read(true))?, LARGEST)
}

/// Opens a file that is opened again later, which only a regular file can be.
///
/// # Errors
///
/// What the system says, and where it is something else.
pub fn open_regular(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    match is_regular(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    // Between the two questions somebody may have put a pipe in its place.
    let file = options.custom_flags(OFlags::NONBLOCK.bits().cast_signed()).open(path)?;
    regular(&file.metadata()?).map(|()| file)
}

/// Whether a path leads to a regular file; opening something else may change it.
pub(super) fn is_regular(path: &Path) -> io::Result<()> {
    regular(&std::fs::metadata(path)?)
}

fn regular(metadata: &Metadata) -> io::Result<()> {
    if metadata.is_file() { Ok(()) } else { Err(io::Error::other("not a regular file")) }
}

/// The whole text, of at most `largest` bytes.
pub(super) fn read_all(file: File, largest: u64) -> io::Result<String> {
    let mut text = String::new();
    file.take(largest + 1).read_to_string(&mut text)?;
    if text.len() as u64 > largest {
        return Err(io::Error::other(format!("larger than {} KiB", largest >> 10)));
    }
    Ok(text)
}

/// What a message says of a file that cannot be read. The path is not shown: a secret may have been put in its place.
pub(super) fn unreadable(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::Other => error.to_string(),
        _ => format!("the file cannot be read: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn refusal(path: &Path) -> String {
        unreadable(&read(path).unwrap_err())
    }

    #[test]
    fn only_a_regular_file_of_a_sensible_size_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let made = std::process::Command::new("mkfifo").arg(at("pipe")).status().unwrap();
        assert!(made.success());
        std::os::unix::fs::symlink(at("text"), at("link")).unwrap();
        std::fs::write(at("text"), "text\n").unwrap();
        std::fs::write(at("large"), vec![b'x'; (64 << 10) + 1]).unwrap();
        std::fs::write(at("binary"), [0xff, 0xfe]).unwrap();
        assert_eq!(read(&at("link")).unwrap(), "text\n");
        for path in [&at("pipe"), folder.path(), Path::new("/dev/zero"), Path::new("/dev/null")] {
            assert_eq!(refusal(path), "not a regular file", "{}", path.display());
        }
        assert_eq!(refusal(&at("large")), "larger than 64 KiB");
        assert!(refusal(&at("binary")).contains("UTF-8"));
        assert!(refusal(&at("none")).contains("No such file"));
    }

    #[test]
    fn a_document_without_end_is_refused() {
        let (sender, receiver) = std::sync::mpsc::channel();
        std::thread::spawn(move || sender.send(read_all(File::open("/dev/zero").unwrap(), 1000)));
        let read = receiver.recv_timeout(Duration::from_secs(60)).unwrap();
        assert_eq!(read.unwrap_err().to_string(), "larger than 0 KiB");
    }
}
