//! Secrets: by value, by file, by systemd credential; never shown.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use secrecy::SecretString;

use super::layers::Environment;
use super::reader::Reader;

/// The keys and the credential that may bring one secret.
pub(super) struct Places<'a> {
    /// The key that holds the secret itself, if there is one.
    pub(super) value: Option<&'a str>,
    /// The key that names a file.
    pub(super) file: &'a str,
    /// The name of the file in `$CREDENTIALS_DIRECTORY`.
    pub(super) credential: &'a str,
    /// Whether it is for the platform, so that before a simulated one it need not exist yet.
    pub(super) for_platform: bool,
    /// Whether it travels in an HTTP header, which takes no control character.
    pub(super) in_header: bool,
    /// Whether nothing is wrong where it is not given.
    pub(super) optional: bool,
}

/// What stands for a secret that a simulated platform does without.
pub(super) const STAND_IN: &str = "a stand-in for a secret";

impl Places<'_> {
    fn may_be_absent(&self, reader: &mut Reader) -> bool {
        let absent = reader.simulated && self.for_platform;
        if absent {
            reader
                .warnings
                .push(format!("{} does not exist; the simulated platform does not need it", self.credential));
        }
        absent
    }
}

/// The secret, or a problem. What the environment says goes before what the document says.
pub(super) fn read(reader: &mut Reader, places: &Places<'_>, environment: &Environment) -> Option<SecretString> {
    let value = places.value.and_then(|key| Some((key, reader.get_secret(key)?)));
    let file = reader.get_secret(places.file).map(PathBuf::from);
    let has_value = places.value.is_some_and(|key| reader.has(key));
    let (key, text) = match (has_value, reader.has(places.file)) {
        (true, true) => {
            let key = places.value?;
            match (reader.is_from_environment(key), reader.is_from_environment(places.file)) {
                (true, false) => value?,
                (false, true) => (places.file, from_file(reader, places, &file?)?),
                _ => {
                    reader.problem(key, format!("cannot be combined with {}; keep one of them", places.file));
                    return None;
                }
            }
        }
        (true, false) => value?,
        (false, true) => (places.file, from_file(reader, places, &file?)?),
        (false, false) => {
            let folder = environment.get("CREDENTIALS_DIRECTORY").map(PathBuf::from);
            let credential = folder.map(|folder| folder.join(places.credential)).filter(|path| path.exists());
            if credential.is_none() && places.may_be_absent(reader) {
                return Some(SecretString::from(STAND_IN));
            }
            let Some(path) = credential else {
                if places.optional {
                    return None;
                }
                let keys: Vec<&str> = places.value.into_iter().chain([places.file]).collect();
                let message = format!("is missing; set {} or the credential {}", keys.join(" or "), places.credential);
                reader.problem(keys[0], message);
                return None;
            };
            (places.file, from_file(reader, places, &path)?)
        }
    };
    if text.is_empty() {
        reader.problem(key, "the secret is empty");
        return None;
    }
    if places.in_header && text.contains(char::is_control) {
        reader.problem(key, "the secret contains a control character, such as a line break");
        return None;
    }
    Some(SecretString::from(text))
}

/// The text of the file without its trailing newline.
fn from_file(reader: &mut Reader, places: &Places<'_>, path: &Path) -> Option<String> {
    match std::fs::read_to_string(path) {
        Ok(text) => {
            let text = text.strip_suffix('\n').unwrap_or(&text);
            Some(text.strip_suffix('\r').unwrap_or(text).to_owned())
        }
        Err(error) if error.kind() == ErrorKind::NotFound && places.may_be_absent(reader) => Some(STAND_IN.to_owned()),
        Err(error) => {
            // The path is not shown: a secret may have been put in its place.
            reader.problem(places.file, format!("the file cannot be read: {error}"));
            None
        }
    }
}

/// The text of a file that a bot needs and a simulated platform does without: `Some(None)` where it is not there yet.
pub(super) fn optional_file(reader: &mut Reader, key: &str, path: &str) -> Option<Option<String>> {
    match std::fs::read_to_string(path) {
        Ok(text) => Some(Some(text)),
        Err(error) if error.kind() == ErrorKind::NotFound && reader.simulated => Some(None),
        Err(error) => {
            reader.problem(key, format!("the file cannot be read: {error}"));
            None
        }
    }
}
