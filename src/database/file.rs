//! A file of line protocol: whole lines only, on the disk before anything counts as written.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use influxdb_line_protocol::{FieldValue, parse_lines};

use super::found::{Found, Span};
use super::line_protocol::{Encoder, measurement};
use crate::config::open_regular;
use crate::domain::compare::Value;
use crate::domain::series::Series;
use crate::state::atomic;

/// A file that lines are appended to. It is opened for each write, so it may be moved away at any time.
#[derive(Clone, Debug)]
pub struct LineFile {
    path: PathBuf,
}

impl LineFile {
    /// The file and its folders are made with the first write.
    pub fn new(path: PathBuf) -> LineFile {
        LineFile { path }
    }

    /// Appends the lines and waits until they are on the disk. After a failure the file ends where it ended before.
    ///
    /// # Errors
    ///
    /// If the file or its folder cannot be written.
    pub fn append(&self, lines: &[u8]) -> io::Result<()> {
        if let Some(folder) = self.path.parent() {
            atomic::make_folder(folder)?;
        }
        let is_new = !self.path.exists();
        let options = &mut File::options();
        let mut file = open_regular(&self.path, options.create(true).read(true).append(true).mode(0o600))?;
        // A backfill may write to the same file as the daemon.
        file.lock()?;
        if is_new {
            atomic::sync_name(&self.path)?;
        }
        let end = end_of_last_line(&mut file)?;
        let appended = file.write_all(lines).and_then(|()| file.sync_data());
        if let Err(error) = appended {
            file.set_len(end)?;
            return Err(error);
        }
        Ok(())
    }
}

/// No line of a file that is read may be longer, in bytes.
const LONGEST_LINE: u64 = 1 << 20;

impl LineFile {
    /// What the file has of the series in a span of time; of several lines of one point the last one counts.
    pub(super) fn read(&self, series: &Series, span: &Span) -> io::Result<Found> {
        let mut found = Found::of(series);
        let file = match open_regular(&self.path, File::options().read(true)) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(found),
            Err(error) => return Err(error),
        };
        let (mut file, mut line) = (BufReader::new(file), Vec::new());
        loop {
            line.clear();
            (&mut file).take(LONGEST_LINE).read_until(b'\n', &mut line)?;
            if line.len() as u64 == LONGEST_LINE {
                return Err(io::Error::other(format!("{} has a line that is too long", self.path.display())));
            }
            // What has no end yet was never confirmed.
            if line.pop() != Some(b'\n') {
                return Ok(found);
            }
            if time_of(&line).is_some_and(|time| span.contains(&time)) {
                take_in(&line, series, &mut found);
            }
        }
    }

    /// What to do to delete the lines of the series in a span of time.
    pub(super) fn deletion(&self, series: &Series, span: &Span) -> String {
        let prefix = Encoder::new(series).prefix();
        format!(
            "delete the lines of {prefix} with times from {} to {} from {}",
            span.start,
            span.end - 1,
            self.path.display()
        )
    }
}

/// The time at a line's end, in Unix seconds; cheaper than to read the line.
fn time_of(line: &[u8]) -> Option<i64> {
    let start = line.iter().rposition(|byte| *byte == b' ')? + 1;
    std::str::from_utf8(&line[start..]).ok()?.parse().ok()
}

fn take_in(line: &[u8], series: &Series, found: &mut Found) {
    let Ok(text) = std::str::from_utf8(line) else { return };
    for line in parse_lines(text).flatten() {
        let Some(time) = line.timestamp else { continue };
        let tags: BTreeMap<String, String> =
            line.series.tag_set.iter().flatten().map(|(key, value)| (key.to_string(), value.to_string())).collect();
        let is = |key: &str, wanted: &str| tags.get(key).is_some_and(|value| value == wanted);
        let is_wanted = line.series.measurement.as_str() == measurement(series.interval)
            && is("channel", &series.channel)
            && is("bot", &series.bot.name);
        if is_wanted {
            found.replace(&tags, time);
            for (field, value) in &line.field_set {
                found.add(tags.clone(), time, field.to_string(), value_of(value));
            }
        }
    }
}

fn value_of(value: &FieldValue<'_>) -> Value {
    match value {
        FieldValue::I64(value) => Value::Integer(*value),
        FieldValue::U64(value) => Value::Unsigned(*value),
        FieldValue::F64(value) => Value::Float(*value),
        FieldValue::String(value) => Value::Text(value.to_string()),
        FieldValue::Boolean(value) => Value::Boolean(*value),
    }
}

/// Where the file ends, after cutting off a line that a crash left unfinished: it was never confirmed.
fn end_of_last_line(file: &mut File) -> io::Result<u64> {
    const STEP: u64 = 64 << 10;
    let length = file.seek(SeekFrom::End(0))?;
    let mut from = length;
    while from > 0 {
        let start = from.saturating_sub(STEP);
        file.seek(SeekFrom::Start(start))?;
        let mut bytes = Vec::new();
        (&mut *file).take(from - start).read_to_end(&mut bytes)?;
        if let Some(newline) = bytes.iter().rposition(|byte| *byte == b'\n') {
            from = start + newline as u64 + 1;
            break;
        }
        from = start;
    }
    if from < length {
        file.set_len(from)?;
    }
    Ok(from)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::path::Path;
    use std::sync::Arc;

    use super::*;
    use crate::domain::bot::test_bot;

    #[test]
    fn lines_are_appended_and_folders_made() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out/engagement.lp");
        let file = LineFile::new(path.clone());
        file.append(b"a 1\n").unwrap();
        file.append(b"b 2\n").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"a 1\nb 2\n");
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_line_that_a_crash_left_unfinished_is_cut_off() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("engagement.lp");
        let long = "x".repeat(200_000);
        for (before, after) in [("a 1\nb 2", "a 1\nc 3\n"), ("b", "c 3\n"), ("a 1\n", "a 1\nc 3\n"), (&*long, "c 3\n")]
        {
            std::fs::write(&path, before).unwrap();
            LineFile::new(path.clone()).append(b"c 3\n").unwrap();
            assert_eq!(std::fs::read_to_string(&path).unwrap(), after);
        }
    }

    #[test]
    fn what_is_no_regular_file_is_neither_written_nor_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let series = Arc::new(test_bot("support")).series().next().unwrap();
        for path in [&pipe, folder.path(), Path::new("/dev/full")] {
            let file = LineFile::new(path.to_owned());
            let refusals = [file.append(b"a 1\n").unwrap_err(), file.read(&series, &(0..1)).unwrap_err()];
            assert_eq!(refusals.map(|error| error.to_string()), ["not a regular file"; 2], "{}", path.display());
        }
    }
}
