//! Where points go. A sink takes whole lines and says whether they are safe; [`writer`] decides which points go into
//! one write and what a refusal means for each series.

pub mod file;
pub mod gzip;
pub mod influxdb;
pub mod writer;

use std::io::Write;
use std::pin::Pin;
use std::time::Duration;

use anyhow::Context;
use bytes::Bytes;

use self::file::LineFile;
use self::influxdb::InfluxDbSink;
use crate::config::Destination;

/// A place that takes line protocol.
#[derive(Debug)]
pub enum Sink {
    /// A database that speaks InfluxDB's v2 write API.
    InfluxDb(Box<InfluxDbSink>),
    /// A file of lines.
    File(LineFile),
    /// Anything else that takes whole lines, such as [`standard output`](Sink::stdout).
    Other(fn(Bytes) -> Writing),
}

/// Lines on their way.
pub type Writing = Pin<Box<dyn Future<Output = Result<(), WriteFailure>> + Send>>;

/// Opens the configured destination.
///
/// # Errors
///
/// Only where the database's client cannot be set up.
pub fn open(destination: &Destination) -> Result<Sink, anyhow::Error> {
    Ok(match destination {
        Destination::File(path) => Sink::File(LineFile::new(path.clone())),
        Destination::InfluxDb(database) => {
            let tls = crate::http::connector().context("cannot set up TLS")?;
            let opened = InfluxDbSink::new(database, tls).context("cannot set up the database's client")?;
            Sink::InfluxDb(Box::new(opened))
        }
    })
}

/// Why lines were not taken.
#[derive(Clone, Debug, PartialEq)]
pub enum WriteFailure {
    /// No connection, or one that broke off.
    Unreachable(String),
    /// No answer within the configured time.
    TimedOut(Duration),
    /// The database answered something else than a success.
    Refused {
        /// The HTTP status.
        status: u16,
        /// The database's words.
        message: String,
    },
    /// The file or standard output cannot be written.
    Io(String),
}

impl Sink {
    /// Standard output, for `--dry-run`.
    pub fn stdout() -> Sink {
        Sink::Other(|lines| {
            Box::pin(blocking(move || {
                let mut stdout = std::io::stdout().lock();
                stdout.write_all(&lines).and_then(|()| stdout.flush())
            }))
        })
    }

    /// The time that one write may take.
    pub fn timeout(&self) -> Duration {
        match self {
            Sink::InfluxDb(database) => database.timeout(),
            Sink::File(_) | Sink::Other(_) => DISK_TIMEOUT,
        }
    }

    /// Whole lines, which come in parts, as [`write`](Sink::write) takes them: once for all tries.
    ///
    /// # Errors
    ///
    /// If they cannot be compressed.
    pub fn pack(&self, lines: impl Iterator<Item = Vec<u8>>) -> Result<Bytes, WriteFailure> {
        match self {
            Sink::InfluxDb(database) => database.pack(lines).map_err(|error| WriteFailure::Io(error.to_string())),
            Sink::File(_) | Sink::Other(_) => Ok(plain(lines)),
        }
    }

    /// Writes packed lines, all or none as far as the sink can: a database may keep the good ones of a refused write,
    /// and taking the same line twice does no harm.
    ///
    /// # Errors
    ///
    /// What the other side said.
    pub async fn write(&self, lines: Bytes) -> Result<(), WriteFailure> {
        match self {
            Sink::InfluxDb(database) => database.write(lines).await,
            Sink::File(file) => {
                let file = file.clone();
                blocking(move || file.append(&lines)).await
            }
            Sink::Other(write) => write(lines).await,
        }
    }
}

/// The time that a disk gets; nothing but a watchdog waits for it.
const DISK_TIMEOUT: Duration = Duration::from_secs(60);

fn plain(lines: impl Iterator<Item = Vec<u8>>) -> Bytes {
    let mut all = Vec::new();
    lines.for_each(|part| all.extend_from_slice(&part));
    all.into()
}

/// A disk, or a reader of standard output, may take its time.
async fn blocking(write: impl FnOnce() -> std::io::Result<()> + Send + 'static) -> Result<(), WriteFailure> {
    let written = tokio::task::spawn_blocking(write).await;
    written.map_err(std::io::Error::other).flatten().map_err(|error| WriteFailure::Io(error.to_string()))
}

impl WriteFailure {
    /// A status, or a word for what came instead.
    pub fn label(&self) -> String {
        match self {
            WriteFailure::Unreachable(_) => "unreachable".to_owned(),
            WriteFailure::TimedOut(_) => "timeout".to_owned(),
            WriteFailure::Refused { status, .. } => status.to_string(),
            WriteFailure::Io(_) => "io".to_owned(),
        }
    }

    /// Whether the same write may well succeed a moment later.
    pub fn is_passing(&self) -> bool {
        match self {
            WriteFailure::Unreachable(_) | WriteFailure::TimedOut(_) => true,
            WriteFailure::Refused { status, .. } => matches!(status, 408 | 429 | 500..=599),
            WriteFailure::Io(_) => false,
        }
    }

    /// The next step for the person on call.
    pub fn advice(&self) -> &'static str {
        match self {
            WriteFailure::Unreachable(_) => {
                "check influxdb.url, the name server, the network and whether the database runs"
            }
            WriteFailure::TimedOut(_) => {
                "check the network and the load of the database; where they are only slow, raise influxdb.timeout"
            }
            WriteFailure::Refused { status: 401 | 403, .. } => {
                "check influxdb.token: it must be valid and may write to the bucket"
            }
            WriteFailure::Refused { status: 404, .. } => "check influxdb.org and influxdb.bucket: both must exist",
            WriteFailure::Refused { status: 400 | 422, .. } => {
                "another program may have written a field of the same name with another type; see the database's words"
            }
            WriteFailure::Refused { status: 300..=399, .. } => {
                "redirects are not followed, for they would carry the token: set influxdb.url to the new address"
            }
            WriteFailure::Refused { status: 413, .. } => "raise the size of a request that the proxy or database takes",
            WriteFailure::Refused { .. } => "see the database's log",
            WriteFailure::Io(_) => "check the space on the disk and the permissions of the file",
        }
    }
}

impl std::fmt::Display for WriteFailure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            WriteFailure::Unreachable(error) => write!(f, "the database cannot be reached: {error}"),
            WriteFailure::TimedOut(limit) => write!(f, "the database did not answer within {limit:?}"),
            WriteFailure::Refused { status, message } => write!(f, "the database answered {status}: {message:?}"),
            WriteFailure::Io(error) => write!(f, "the points cannot be written: {error}"),
        }
    }
}

impl std::error::Error for WriteFailure {}
