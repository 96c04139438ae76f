//! Small files that survive a crash: replaced as a whole, with a format version, readable by the owner only.

use std::ffi::OsString;
use std::fs::{self, DirBuilder, File};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Serialize};

/// What came of reading a state file.
#[derive(Debug)]
pub enum Loaded<T> {
    /// There is none.
    Absent,
    /// It holds what it should.
    Found(T),
    /// It is not what it should be: why.
    Unreadable(String),
    /// A later release wrote it, in this format version.
    Newer(u64),
}

#[derive(Serialize, Deserialize)]
struct Document<T> {
    version: u64,
    #[serde(flatten)]
    content: T,
}

/// Reads a file that [`replace`] wrote.
///
/// # Errors
///
/// Where the file is there and the system does not let it be read.
pub fn load<T: DeserializeOwned>(path: &Path, version: u64) -> io::Result<Loaded<T>> {
    let text = match fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Loaded::Absent),
        Err(error) => return Err(error),
    };
    if let Ok(found) = serde_json::from_slice::<Document<IgnoredAny>>(&text)
        && found.version > version
    {
        return Ok(Loaded::Newer(found.version));
    }
    Ok(match serde_json::from_slice::<Document<T>>(&text) {
        Ok(document) if document.version == version => Loaded::Found(document.content),
        Ok(document) => Loaded::Unreadable(format!("its format version is {}", document.version)),
        Err(error) => Loaded::Unreadable(error.to_string()),
    })
}

/// Replaces the file atomically: whoever reads it, also after a power cut, finds the old content or the new. One process
/// at a time may do so, which its lock sees to.
///
/// # Errors
///
/// Where the disk is full or the folder cannot be written; the old content then stands.
pub fn replace<T: Serialize>(path: &Path, version: u64, content: &T) -> io::Result<()> {
    let temporary = temporary(path);
    let replaced = write_anew(&temporary, &Document { version, content }).and_then(|()| fs::rename(&temporary, path));
    if replaced.is_err() {
        // It is in nobody's way; the disk may want its space.
        let _not_there = fs::remove_file(&temporary);
    }
    replaced?;
    sync_name(path)
}

/// Removes the file, for good: it is not back after a power cut. One that is not there is no failure.
///
/// # Errors
///
/// Where the folder cannot be written.
pub fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Ok(()) => sync_name(path),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

/// Always the same name, so that a process that was killed leaves one file and not one more each time.
fn temporary(path: &Path) -> PathBuf {
    let mut name = OsString::from(".new-");
    name.push(path.file_name().unwrap_or_default());
    path.with_file_name(name)
}

/// Writes a file that is not there, or that a killed process left, and waits until it is on the disk. The text is never
/// in memory as a whole: of many series it is large.
fn write_anew(path: &Path, document: &impl Serialize) -> io::Result<()> {
    if let Err(error) = fs::remove_file(path)
        && error.kind() != io::ErrorKind::NotFound
    {
        return Err(error);
    }
    let mut file = BufWriter::new(File::options().write(true).create_new(true).mode(0o600).open(path)?);
    serde_json::to_writer_pretty(&mut file, document)?;
    file.write_all(b"\n")?;
    file.into_inner()?.sync_all()
}

/// Waits until it is on the disk that a file of this name was made, renamed or removed.
///
/// # Errors
///
/// Where the folder that it is in cannot be read, or what the disk said.
pub fn sync_name(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

/// Moves a file that cannot be read out of the way and says where it is now.
///
/// # Errors
///
/// Where the folder cannot be written.
pub fn set_aside(path: &Path, now: jiff::Timestamp) -> io::Result<PathBuf> {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".unreadable-{}", now.as_second()));
    fs::rename(path, &name)?;
    Ok(name.into())
}

/// Makes the folder with its parents, all for the owner only.
///
/// # Errors
///
/// Where the system refuses, or something else than a folder is in the way.
pub fn make_folder(folder: &Path) -> io::Result<()> {
    let is_new = |folder: &&Path| !folder.as_os_str().is_empty() && !folder.exists();
    let made: Vec<&Path> = folder.ancestors().take_while(is_new).collect();
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    // What is kept in a folder is only as safe as the folder's name in the one above it.
    for folder in made {
        match sync_name(folder) {
            // A folder may be entered and not be read; it is the disk's own time then.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {}
            synced => synced?,
        }
    }
    Ok(())
}

/// Takes the lock in `path` for this process, until the file is dropped; `None` if another process holds it.
///
/// # Errors
///
/// Where the file cannot be made.
pub fn lock(path: &Path) -> io::Result<Option<File>> {
    let mut options = File::options();
    let mut file = options.create(true).truncate(false).write(true).mode(0o600).open(path)?;
    for _ in 0..5 {
        match file.try_lock() {
            Ok(()) => {
                file.set_len(0)?;
                writeln!(file, "{}", std::process::id())?;
                return Ok(Some(file));
            }
            // Who merely looks whether it is held has it for a moment.
            Err(fs::TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(5)),
            Err(fs::TryLockError::Error(error)) => return Err(error),
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Content {
        series: Vec<u32>,
    }

    #[test]
    fn what_was_written_is_read_back_and_nobody_else_reads_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b/state.json");
        make_folder(path.parent().unwrap()).unwrap();
        replace(&path, 1, &Content { series: vec![1] }).unwrap();
        replace(&path, 1, &Content { series: vec![1, 2] }).unwrap();
        assert!(matches!(load::<Content>(&path, 1).unwrap(), Loaded::Found(found) if found.series == [1, 2]));
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(path.parent().unwrap()), mode(&folder.path().join("a"))), (0o600, 0o700, 0o700));
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "no temporary file stays behind");
    }

    #[test]
    fn what_a_killed_process_left_is_written_over_and_nothing_adds_up() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.json");
        let left = folder.path().join(".new-state.json");
        fs::write(&left, "half of it").unwrap();
        fs::set_permissions(&left, fs::Permissions::from_mode(0o444)).unwrap();
        replace(&path, 1, &Content { series: vec![1] }).unwrap();
        assert!(matches!(load::<Content>(&path, 1).unwrap(), Loaded::Found(found) if found.series == [1]));
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_failure_leaves_the_old_content_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.json");
        fs::create_dir(&path).unwrap();
        assert!(replace(&path, 1, &Content { series: vec![1] }).is_err());
        assert!(path.is_dir() && fs::read_dir(folder.path()).unwrap().count() == 1);
    }

    #[test]
    fn what_is_removed_is_gone_and_may_be_gone_before() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.json");
        replace(&path, 1, &Content { series: vec![1] }).unwrap();
        remove(&path).unwrap();
        remove(&path).unwrap();
        assert!(matches!(load::<Content>(&path, 1).unwrap(), Loaded::Absent));
    }

    #[test]
    fn what_is_not_a_state_file_is_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.json");
        assert!(matches!(load::<Content>(&path, 1).unwrap(), Loaded::Absent));
        for (text, newer) in [
            ("", false),
            ("{\"version\":1,\"series\":[1", false),
            ("{\"version\":1}", false),
            ("{\"version\":0,\"series\":[]}", false),
            ("{\"series\":[]}", false),
            ("\u{0}\u{0}", false),
            ("[2]", false),
            ("{\"version\":2,\"other\":true}", true),
        ] {
            fs::write(&path, text).unwrap();
            match load::<Content>(&path, 1).unwrap() {
                Loaded::Newer(2) => assert!(newer, "{text}"),
                Loaded::Unreadable(_) => assert!(!newer, "{text}"),
                other => panic!("{text}: {other:?}"),
            }
        }
        let aside = set_aside(&path, jiff::Timestamp::UNIX_EPOCH).unwrap();
        assert!(aside.exists() && !path.exists());
    }

    #[test]
    fn a_lock_is_held_until_it_is_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let held = lock(&path).unwrap().unwrap();
        assert!(lock(&path).unwrap().is_none());
        drop(held);
        assert!(lock(&path).unwrap().is_some());
    }
}
