//! Where the configuration's document comes from.

use std::path::PathBuf;

use super::files;
use super::problem::{Problem, Problems};

/// No document is larger, in bytes: several times what ten thousand bots need.
const LARGEST: u64 = 16 << 20;

/// Where the TOML document comes from.
#[derive(Clone, Debug)]
pub enum Source {
    /// A file that must exist.
    File(PathBuf),
    /// A document of the program itself, and what to call it.
    BuiltIn(&'static str, &'static str),
    /// No file was found at these places: the environment must bring everything.
    Nowhere(Vec<PathBuf>),
}

impl Source {
    /// The first of the default places that holds a file.
    pub fn default_place() -> Source {
        let places = ["config.toml", "/etc/kore-trend-exporter/config.toml"].map(PathBuf::from);
        match places.iter().find(|place| place.is_file()) {
            Some(found) => Source::File(found.clone()),
            None => Source::Nowhere(places.into()),
        }
    }

    /// What a message calls it.
    pub fn name(&self) -> String {
        match self {
            Source::File(path) => path.display().to_string(),
            Source::BuiltIn(name, _) => (*name).to_owned(),
            Source::Nowhere(_) => "configuration".to_owned(),
        }
    }

    /// Whether it can be read once more: a pipe cannot, and may keep whoever reads it waiting.
    ///
    /// # Errors
    ///
    /// If it is no regular file any more.
    pub fn can_be_read_again(&self) -> Result<(), Problems> {
        let Source::File(path) = self else { return Ok(()) };
        files::is_regular(path).map_err(|error| Problems(vec![self.problem(files::unreadable(&error))]))
    }

    /// The document.
    pub(super) fn read(&self, is_overlaid: bool) -> Result<String, Problem> {
        match self {
            // A pipe will do: a run may get a document that was decrypted on the way.
            Source::File(path) => std::fs::File::open(path)
                .and_then(|file| files::read_all(file, LARGEST))
                .map_err(|error| self.problem(format!("cannot be read: {error}"))),
            Source::BuiltIn(_, text) => Ok((*text).to_owned()),
            Source::Nowhere(places) if !is_overlaid => {
                let places: Vec<String> = places.iter().map(|place| place.display().to_string()).collect();
                let places = places.join(" or ");
                Err(self
                    .problem(format!("no file at {places}; name one with --config, or try --demo, which needs none")))
            }
            Source::Nowhere(_) => Ok(String::new()),
        }
    }

    /// What is wrong with the document as a whole.
    pub(super) fn problem(&self, message: String) -> Problem {
        Problem::of_document(self.name(), message)
    }
}
