//! Secrets: by value, by file, by systemd credential; never shown.

use std::io::{self, ErrorKind};
use std::path::Path;

use secrecy::SecretString;

use super::environment::Environment;
use super::files;
use super::reader::Reader;

/// The keys and the credential that may bring one secret.
pub(super) struct Places {
    /// The key that holds the secret itself, if there is one.
    value: Option<String>,
    /// The key that names a file.
    file: String,
    /// The name of the file in `$CREDENTIALS_DIRECTORY`.
    credential: String,
    /// What it is for.
    purpose: Purpose,
}

impl Places {
    /// Of a secret that may stand at `key` itself.
    pub(super) fn of(key: &str, purpose: Purpose) -> Places {
        Places { value: Some(key.to_owned()), ..Places::of_file(key, purpose) }
    }

    /// Of a secret that is always a file.
    pub(super) fn of_file(key: &str, purpose: Purpose) -> Places {
        let credential = key.strip_prefix("bots.").unwrap_or(key).to_owned();
        Places { value: None, file: format!("{key}_file"), credential, purpose }
    }

    fn keys(&self) -> impl Iterator<Item = &str> {
        self.value.as_deref().into_iter().chain([self.file.as_str()])
    }
}

/// What a secret is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// To ask the platform; before a simulated one it need not exist yet.
    Platform,
    /// A token for the database, which travels in an HTTP header.
    Database,
    /// The same, where another token may do.
    OptionalDatabase,
}

/// What stands for a secret that a simulated platform does without.
pub(super) const STAND_IN: &str = "a stand-in for a secret";

/// What systemd puts before the names of files where a whole folder is loaded as credentials.
const FOLDER: &str = concat!(env!("CARGO_PKG_NAME"), "_");

/// The secret, or a problem. What the environment says goes before what the document says.
pub(super) fn read(reader: &mut Reader, places: &Places, environment: &Environment) -> Option<SecretString> {
    let (key, text) = find(reader, places, environment)?;
    let text = trimmed(&text);
    if let Some(problem) = problem_of(text, places.purpose) {
        reader.problem(key, problem);
        return None;
    }
    Some(SecretString::from(text))
}

/// The text of the secret, and the key that brought it.
fn find<'a>(reader: &mut Reader, places: &'a Places, environment: &Environment) -> Option<(&'a str, String)> {
    let mut found: Vec<(&str, Option<String>)> = places.keys().map(|key| (key, reader.get_secret(key))).collect();
    found.retain(|(key, _)| reader.has(key));
    if found.iter().any(|(key, _)| reader.is_from_environment(key)) {
        found.retain(|(key, _)| reader.is_from_environment(key));
    }
    match &found[..] {
        [] => from_credential(reader, places, environment),
        [(key, text)] if *key == places.file => Some((key, from_file(reader, places, Path::new(text.as_ref()?))?)),
        [(key, text)] => Some((key, text.clone()?)),
        [(key, _), ..] => {
            reader.problem(key, format!("cannot be combined with {}; keep one of them", places.file));
            None
        }
    }
}

fn from_credential<'a>(
    reader: &mut Reader,
    places: &'a Places,
    environment: &Environment,
) -> Option<(&'a str, String)> {
    let folder = environment.raw("CREDENTIALS_DIRECTORY").map(Path::new);
    let names = [places.credential.clone(), format!("{FOLDER}{}", places.credential)];
    let found = folder.and_then(|folder| names.iter().map(|name| folder.join(name)).find(|path| path.exists()));
    if let Some(path) = found {
        return Some((&places.file, from_file(reader, places, &path)?));
    }
    if places.purpose == Purpose::OptionalDatabase {
        return None;
    }
    if may_be_absent(reader, places) {
        return Some((&places.file, STAND_IN.to_owned()));
    }
    let keys: Vec<&str> = places.keys().collect();
    let message = format!("is missing; set {} or the credential {}", keys.join(" or "), places.credential);
    reader.missing(&keys, message);
    None
}

fn from_file(reader: &mut Reader, places: &Places, path: &Path) -> Option<String> {
    match files::read(path) {
        Ok(text) => Some(text),
        Err(error) if error.kind() == ErrorKind::NotFound && may_be_absent(reader, places) => Some(STAND_IN.to_owned()),
        Err(error) => {
            reader.problem(&places.file, files::unreadable(&error));
            None
        }
    }
}

fn may_be_absent(reader: &mut Reader, places: &Places) -> bool {
    let absent = reader.simulated && places.purpose == Purpose::Platform;
    if absent {
        let credential = &places.credential;
        reader.warnings.push(format!("{credential} does not exist; the simulated platform does not need it"));
    }
    absent
}

/// The secret without what editors and shells add to a text: a byte order mark, and line ends.
fn trimmed(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text).trim_end_matches(['\n', '\r'])
}

fn problem_of(secret: &str, purpose: Purpose) -> Option<&'static str> {
    // Some cannot be seen, and all of them come from copying.
    let is_blank = |letter: char| {
        letter.is_whitespace()
            || letter.is_control()
            || matches!(letter, '\u{feff}' | '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2060}')
    };
    if secret.is_empty() {
        Some("the secret is empty")
    } else if secret.starts_with(is_blank) || secret.ends_with(is_blank) {
        Some("the secret begins or ends with a blank or control character")
    } else if purpose != Purpose::Platform && secret.contains(char::is_control) {
        Some("the secret contains a control character, such as a line break")
    } else {
        None
    }
}

/// The text of a file that is no secret and that a simulated platform does without.
pub(super) fn public_file(reader: &Reader, path: &str) -> io::Result<Option<String>> {
    match files::read(Path::new(path)) {
        Err(error) if error.kind() == ErrorKind::NotFound && reader.simulated => Ok(None),
        read => read.map(|text| Some(trimmed(&text).to_owned())),
    }
}
