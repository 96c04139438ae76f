//! Gathers the points of several series into one write, and tells each series what became of its own.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::influxdb::gzip::Packer;
use super::line_protocol::Encoder;
pub use super::parcel::{Parcel, WriteError, Written};
use super::pieces::{self, ENOUGH_LINES, Piece};
use super::wordings::Meaning;
use super::{Sink, WriteFailure};
use crate::domain::backoff::{self, LONGEST_RETRY_DELAY};
use crate::domain::point::Point;
use crate::observe::metrics::{Watch, Write};
use crate::shutdown::Stop;

/// How long points wait for those of other series that are on their way.
const MOMENT: Duration = Duration::from_millis(20);

/// Requests that may be spent on finding the lines that a database refuses.
const MOST_SEARCHES: usize = 64;

/// How long a database that did not take a write counts as away; longer than one tick's series take to find out,
/// shorter than the time to the next tick.
const AWAY: Duration = Duration::from_secs(30);

/// How many answers are asked for or not yet written: so many parcels may still arrive.
pub type Expected = Box<dyn Fn() -> usize + Send + Sync>;

/// Starts the writer. It ends when the last sender is dropped.
pub fn start(sink: Sink, expected: Expected, watch: Watch, stop: Stop) -> mpsc::Sender<Parcel> {
    let (sender, receiver) = mpsc::channel(64);
    let writer = Writer { sink, expected, watch, stop, away_until: None, packer: Packer::default() };
    tokio::spawn(writer.run(receiver));
    sender
}

/// Hands points to the writer, and waits until they are confirmed.
///
/// # Errors
///
/// If they are not, or not all of them.
pub async fn write(
    encoder: &Arc<Encoder>,
    points: Vec<Point>,
    writer: &mpsc::Sender<Parcel>,
) -> Result<Written, WriteError> {
    if points.is_empty() {
        return Ok(Written::default());
    }
    let (reply, told) = oneshot::channel();
    let parcel = Parcel { encoder: Arc::clone(encoder), points, reply };
    let gone = || WriteError::Failed(WriteFailure::Io("the writer has ended".to_owned()));
    writer.send(parcel).await.map_err(|_| gone())?;
    told.await.map_err(|_| gone())?
}

struct Writer {
    sink: Sink,
    expected: Expected,
    watch: Watch,
    stop: Stop,
    /// Until when the database counts as away, because the last write failed in spite of all tries. Until then a write
    /// is tried once, so that many series do not wait one after the other.
    away_until: Option<Instant>,
    packer: Packer,
}

/// What is known of one parcel so far.
#[derive(Debug, Default)]
struct Fate {
    beyond_retention: usize,
    is_doubtful: bool,
    refused: Vec<(Range<usize>, WriteFailure)>,
    failure: Option<WriteFailure>,
}

impl Writer {
    async fn run(mut self, mut parcels: mpsc::Receiver<Parcel>) {
        while let Some(first) = parcels.recv().await {
            let batch = self.gather(first, &mut parcels).await;
            let fates = self.write(&batch).await;
            for (parcel, fate) in batch.into_iter().zip(fates) {
                self.tell(parcel, fate);
            }
        }
    }

    /// What is ready now and what arrives within a moment, as long as anything else can still arrive.
    async fn gather(&self, first: Parcel, parcels: &mut mpsc::Receiver<Parcel>) -> Vec<Parcel> {
        let mut lines = first.points.len();
        let mut batch = vec![first];
        let deadline = Instant::now() + MOMENT;
        while lines < ENOUGH_LINES {
            let next = match parcels.try_recv() {
                Ok(parcel) => Some(parcel),
                Err(_) if batch.len() >= (self.expected)() => None,
                Err(_) => tokio::time::timeout_at(deadline, parcels.recv()).await.ok().flatten(),
            };
            let Some(parcel) = next else { break };
            lines += parcel.points.len();
            batch.push(parcel);
        }
        batch
    }

    /// Writes all pieces, dividing those that are too large or that hold a line which the database refuses.
    async fn write(&mut self, batch: &[Parcel]) -> Vec<Fate> {
        let mut fates: Vec<Fate> = batch.iter().map(|_| Fate::default()).collect();
        let whole = batch.iter().enumerate().map(|(parcel, points)| Piece { parcel, points: 0..points.points.len() });
        let mut queue: VecDeque<Vec<Piece>> = pieces::bounded(whole.collect(), batch).into();
        let mut searches = 0;
        while let Some(pieces) = queue.pop_front() {
            if pieces::count(&pieces) == 0 {
                continue;
            }
            let (tries, sent) = self.send(&pieces, batch).await;
            pieces.iter().for_each(|piece| fates[piece.parcel].is_doubtful |= tries > 1);
            let Err(failure) = sent else { continue };
            let may_search = searches < MOST_SEARCHES;
            match judge(&failure, &pieces, batch, may_search, &mut fates) {
                Next::Nothing => {}
                // Before all others, so that it soon shows whether anything is small enough.
                Next::Smaller(halves) => halves.into_iter().rev().for_each(|half| queue.push_front(half)),
                Next::Search(writes) => {
                    searches += writes.len();
                    queue.extend(writes);
                }
                // What is left would fail in the same way.
                Next::GiveUp => queue.drain(..).for_each(|pieces| fail(&pieces, &failure, &mut fates)),
            }
        }
        fates
    }

    /// Returns the number of tries, too: all but the last may have left something behind.
    async fn send(&mut self, pieces: &[Piece], batch: &[Parcel]) -> (u32, Result<(), WriteFailure>) {
        let lines = match self.sink.pack(pieces::encode(pieces, batch), &mut self.packer) {
            Ok(lines) => lines,
            Err(failure) => return (0, Err(failure)),
        };
        let is_away = self.away_until.is_some_and(|until| Instant::now() < until);
        let mut pauses = backoff::pauses(if is_away { 1 } else { backoff::TRIES });
        let mut tries = 0;
        loop {
            tries += 1;
            let operation = self.watch.liveness.begin("a write to the database", self.sink.timeout());
            let written = self.sink.write(lines.clone()).await;
            drop(operation);
            let Err(failure) = written else {
                self.watch.metrics.wrote(Write::Success);
                self.away_until = None;
                return (tries, Ok(()));
            };
            self.watch.metrics.wrote(if failure.is_passing() { Write::Failure } else { Write::Refused });
            tracing::debug!("a write failed: {failure}");
            self.away_until = failure.is_passing().then(|| Instant::now() + AWAY);
            let asked = failure.retry_after().unwrap_or_default().min(LONGEST_RETRY_DELAY);
            let pause = if failure.is_passing() { pauses.next().map(|pause| pause.max(asked)) } else { None };
            match pause {
                Some(pause) if self.stop.or(tokio::time::sleep(pause)).await.is_ok() => {}
                _ => return (tries, Err(failure)),
            }
        }
    }

    fn tell(&mut self, parcel: Parcel, fate: Fate) {
        let count: usize = fate.refused.iter().map(|(points, _)| points.len()).sum();
        let result = match (fate.failure, fate.refused.first()) {
            (Some(failure), _) => Err(WriteError::Failed(failure)),
            (None, Some((points, failure))) => {
                let first = Piece { parcel: 0, points: points.start..points.start + 1 };
                let line: Vec<u8> = pieces::encode(&[first], std::slice::from_ref(&parcel)).flatten().collect();
                let example = String::from_utf8_lossy(&line).trim_end().to_owned();
                Err(WriteError::LinesRefused { count, example, failure: failure.clone() })
            }
            (None, None) => Ok(Written {
                points: parcel.points.len().saturating_sub(fate.beyond_retention),
                beyond_retention: fate.beyond_retention,
                is_doubtful: fate.is_doubtful,
            }),
        };
        // Nobody listens any more where a series was ended by a stop.
        let _unheard = parcel.reply.send(result);
    }
}

/// What is still to be written after a failure.
enum Next {
    /// Nothing of this write.
    Nothing,
    /// It in smaller pieces.
    Smaller([Vec<Piece>; 2]),
    /// Pieces of it, to find the lines that the database refuses; there is an end to that.
    Search(Vec<Vec<Piece>>),
    /// Nothing of the whole batch.
    GiveUp,
}

/// Tells the parcels of a failed write what it means for them, and decides what is still to be written.
fn judge(failure: &WriteFailure, pieces: &[Piece], batch: &[Parcel], may_search: bool, fates: &mut [Fate]) -> Next {
    let count = pieces::count(pieces);
    let meaning = match failure {
        WriteFailure::Refused(refusal) => &refusal.meaning,
        _ => &Meaning::Other,
    };
    match meaning {
        Meaning::Retention(dropped) => {
            let dropped = dropped.unwrap_or(1).min(count);
            pieces::oldest(dropped, pieces, batch).for_each(|parcel| fates[parcel].beyond_retention += 1);
            Next::Nothing
        }
        Meaning::OlderThan(oldest) if may_search => {
            let young: Vec<Piece> = pieces.iter().map(|piece| pieces::since(*oldest, piece, batch)).collect();
            if pieces::count(&young) == count {
                fail(pieces, failure, fates);
                return Next::Nothing;
            }
            for (all, young) in pieces.iter().zip(&young) {
                fates[all.parcel].beyond_retention += all.points.len() - young.points.len();
            }
            Next::Search(vec![young])
        }
        Meaning::NumberedLines { refused, beyond_retention, rest_is_stored } if may_search || *rest_is_stored => {
            let places: Vec<(usize, usize)> = pieces::lines(pieces).collect();
            for (place, message) in refused {
                if let Some((parcel, point)) = places.get(*place) {
                    fates[*parcel].refused.push((*point..*point + 1, failure.with_message(message)));
                }
            }
            for (parcel, _) in beyond_retention.iter().filter_map(|place| places.get(*place)) {
                fates[*parcel].beyond_retention += 1;
            }
            let numbers: Vec<usize> = refused.iter().map(|(place, _)| *place).chain(beyond_retention.clone()).collect();
            let rest = pieces::without(&numbers, pieces);
            // Numbers of lines that are not in this write tell nothing of it.
            if pieces::count(&rest) == count {
                fail(pieces, failure, fates);
            }
            if *rest_is_stored || pieces::count(&rest) == count { Next::Nothing } else { Next::Search(vec![rest]) }
        }
        Meaning::TooLarge if count > 1 => Next::Smaller(pieces::halves(pieces)),
        Meaning::Lines(refused) if *refused == Some(count) || count == 1 => {
            for piece in pieces {
                fates[piece.parcel].refused.push((piece.points.clone(), failure.clone()));
            }
            Next::Nothing
        }
        Meaning::Lines(_) if may_search => Next::Search(pieces::halves(pieces).into()),
        Meaning::Lines(_) | Meaning::OlderThan(_) | Meaning::NumberedLines { .. } => {
            fail(pieces, failure, fates);
            Next::Nothing
        }
        _ => {
            fail(pieces, failure, fates);
            Next::GiveUp
        }
    }
}

fn fail(pieces: &[Piece], failure: &WriteFailure, fates: &mut [Fate]) {
    for piece in pieces {
        fates[piece.parcel].failure = Some(failure.clone());
    }
}

#[cfg(test)]
#[path = "writer_tests.rs"]
mod tests;
