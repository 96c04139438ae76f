//! Secrets that a test gives the program, and a search for them in everything that the program wrote: for any part of
//! them, and however they are written.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;

use super::platform::SimulatedPlatform;
use super::workspace::Workspace;

/// So many bytes in a row of a secret are as good as the whole.
const PART: usize = 12;

/// Secrets, each with what it is.
#[derive(Clone, Default)]
pub struct Canaries {
    /// Every part of every form, and what it is a part of.
    parts: HashMap<Vec<u8>, String>,
    known: BTreeSet<String>,
}

/// A secret of which no other has a part, with characters that look different in JSON, in an address, in HTML and in
/// Base64.
pub fn secret() -> String {
    let (random, special) = (uuid::Uuid::new_v4().simple().to_string(), ["+", "/", "\"", "\\", "<", "&", "'", "%"]);
    let pieces = random.as_bytes().chunks(4).zip(special);
    let text = pieces.map(|(digits, special)| String::from_utf8_lossy(digits).into_owned() + special);
    text.chain([uuid::Uuid::new_v4().simple().to_string()]).collect()
}

/// As a string in TOML.
pub fn in_toml(secret: &str) -> String {
    serde_json::to_string(secret).unwrap()
}

impl Canaries {
    /// These, however they are written.
    pub fn of(secrets: &[(&str, &str)]) -> Canaries {
        let mut canaries = Canaries::default();
        for (what, secret) in secrets {
            for (form, text) in forms(secret) {
                canaries.add(&format!("{what}, {form}"), &text);
            }
        }
        canaries
    }

    /// The tokens as well that the platform was asked with: their claims and their signatures. The header is the same
    /// in all of them.
    pub fn add_tokens(&mut self, platform: &SimulatedPlatform) {
        for asked in platform.asked() {
            let Some(token) = asked.headers.get("auth") else { continue };
            if !self.known.insert(token.clone()) {
                continue;
            }
            let parts: Vec<&str> = token.split('.').collect();
            assert_eq!(parts.len(), 3, "{token}");
            self.add("the claims of a token", parts[1]);
            self.add("the signature of a token", parts[2]);
        }
    }

    fn add(&mut self, what: &str, text: &str) {
        assert!(text.len() >= PART, "{what} is too short to be found: {text}");
        for part in text.as_bytes().windows(PART) {
            self.parts.entry(part.to_vec()).or_insert_with(|| what.to_owned());
        }
    }

    /// What stands in this text that should not, with what is around it.
    pub fn find(&self, text: &[u8]) -> Option<String> {
        let place = text.windows(PART).position(|part| self.parts.contains_key(part))?;
        let around = &text[place.saturating_sub(200)..(place + 200).min(text.len())];
        Some(format!("{}: … {} …", self.parts[&text[place..place + PART]], String::from_utf8_lossy(around)))
    }

    /// Panics if anything of a secret stands in this text.
    #[track_caller]
    pub fn check(&self, place: &str, text: impl AsRef<[u8]>) {
        assert!(!self.parts.is_empty());
        if let Some(found) = self.find(text.as_ref()) {
            panic!("{place} holds {found}");
        }
    }

    /// The same for every file in the folder, and for its name, but for these, which the test wrote. Returns how many
    /// there are.
    #[track_caller]
    pub fn check_files(&self, workspace: &Workspace, own: &[&str]) -> usize {
        let root = workspace.path("");
        let mut count = 0;
        for path in files(&root) {
            let name = path.strip_prefix(&root).unwrap().display().to_string();
            if own.contains(&name.as_str()) {
                continue;
            }
            count += 1;
            self.check("the name of a file", &name);
            self.check(&name, std::fs::read(&path).unwrap());
        }
        count
    }
}

/// Every file below this folder.
pub fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}

/// The ways in which a text may be written.
fn forms(text: &str) -> Vec<(&'static str, String)> {
    let in_json = serde_json::to_string(text).unwrap();
    let debugged = format!("{text:?}");
    let percent: String = text.bytes().map(percent).collect();
    let html = text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;").replace('\'', "&#39;");
    let mut forms = vec![
        ("as it is", text.to_owned()),
        ("in JSON", in_json[1..in_json.len() - 1].to_owned()),
        ("debugged", debugged[1..debugged.len() - 1].to_owned()),
        ("in an address", percent.clone()),
        ("in a form", percent.replace("%20", "+")),
        ("in HTML", html),
        ("in hexadecimal", text.bytes().map(|byte| format!("{byte:02x}")).collect()),
    ];
    // Wherever it begins in what is encoded; the letters that it shares with what is before and after are left out.
    for before in 0..3 {
        let bytes = [&vec![0; before][..], text.as_bytes()].concat();
        let whole = bytes.len() / 3 * 3;
        let encoded = openssl::base64::encode_block(&bytes[..whole])[if before > 0 { 4 } else { 0 }..].to_owned();
        forms.push(("in the Base64 of addresses", encoded.replace('+', "-").replace('/', "_")));
        forms.push(("in Base64", encoded));
    }
    forms
}

fn percent(byte: u8) -> String {
    match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        other => format!("%{other:02X}"),
    }
}
