//! Where points go: line protocol, InfluxDB in all its generations, a file, and what a refusal means. It uses the domain,
//! the HTTP client that both services share, and metrics. It never asks the platform, and never decides what is owed.
//!
//! A [`Sink`] takes whole lines and says whether they are safe; [`writer`] decides which points go into one write, and
//! what its failure means for each series.

mod failure;
pub mod file;
mod found;
pub mod influxdb;
pub mod line_protocol;
mod parcel;
mod pieces;
pub mod read;
pub mod wordings;
pub mod writer;

use std::io::Write;
use std::pin::Pin;
use std::time::Duration;

use anyhow::Context;
use bytes::Bytes;

pub use self::failure::{Refusal, WriteFailure};
use self::file::LineFile;
use self::influxdb::InfluxDbSink;
use self::influxdb::gzip::Packer;
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
            let opened = InfluxDbSink::new(database).context("cannot set up the database's client")?;
            Sink::InfluxDb(Box::new(opened))
        }
    })
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
    pub fn pack(&self, lines: impl Iterator<Item = Vec<u8>>, packer: &mut Packer) -> Result<Bytes, WriteFailure> {
        match self {
            Sink::InfluxDb(database) => database.pack(lines, packer),
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
