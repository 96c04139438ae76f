//! Gathers the points of several series into one write, and tells each series what became of its own.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::{Sink, WriteFailure};
use crate::domain::backoff;
use crate::domain::point::{Encoder, Point};
use crate::domain::series::SeriesKey;
use crate::observe::metrics::{Watch, Write};
use crate::platform::limits::in_flight::InFlight;
use crate::shutdown::Stop;

/// Lines that make a write worth sending; InfluxDB wants about so many.
const ENOUGH_LINES: usize = 5_000;

/// Bytes of line protocol that no write exceeds, but for a single line.
const MOST_BYTES: usize = 4 << 20;

/// Lines that are encoded at a time.
const LINES_OF_A_PART: usize = 128;

/// How long points wait for those of other series that are on their way.
const MOMENT: Duration = Duration::from_millis(20);

/// Requests that may be spent on finding the lines that a database refuses.
const MOST_SEARCHES: usize = 64;

/// How long a database that did not take a write counts as away; longer than one tick's series take to find out,
/// shorter than the time to the next tick.
const AWAY: Duration = Duration::from_secs(30);

/// The points of one answer, and whom to tell.
#[derive(Debug)]
pub struct Parcel {
    /// Whose points they are.
    pub key: SeriesKey,
    /// Writes the series' lines.
    pub encoder: Arc<Encoder>,
    /// In the order of time; not empty.
    pub points: Vec<Point>,
    /// Told what became of them.
    pub reply: oneshot::Sender<Result<Written, WriteError>>,
}

/// Points that the database confirmed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Stored.
    pub points: usize,
    /// Not stored, for they are older than what the bucket retains; asking again cannot help.
    pub beyond_retention: usize,
}

/// Why the points of a series are not confirmed.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum WriteError {
    /// The write failed as a whole.
    #[error("{0}")]
    Failed(WriteFailure),
    /// The database refused some of the lines and has the rest.
    #[error("the database refused {count} points of this series ({message}), the first one: {example}")]
    LinesRefused {
        /// How many.
        count: usize,
        /// The first of them.
        example: String,
        /// The database's words.
        message: String,
    },
}

/// Starts the writer. It ends when the last sender is dropped.
pub fn start(sink: Sink, in_flight: InFlight, watch: Watch, stop: Stop) -> mpsc::Sender<Parcel> {
    let (sender, receiver) = mpsc::channel(64);
    let writer = Writer { sink, in_flight, watch, stop, away_until: None };
    tokio::spawn(writer.run(receiver));
    sender
}

struct Writer {
    sink: Sink,
    in_flight: InFlight,
    watch: Watch,
    stop: Stop,
    /// Until when the database counts as away, because the last write failed in spite of all tries. Until then a write
    /// is tried once, so that many series do not wait one after the other.
    away_until: Option<Instant>,
}

/// Some points of one parcel.
#[derive(Clone, Debug)]
struct Piece {
    parcel: usize,
    points: Range<usize>,
}

/// What is known of one parcel so far.
#[derive(Debug, Default)]
struct Fate {
    beyond_retention: usize,
    refused: Vec<(Range<usize>, String)>,
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
                Err(_) if batch.len() >= self.in_flight.answers() => None,
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
        let mut queue: VecDeque<Vec<Piece>> = bounded(whole.collect(), batch).into();
        let mut searches = 0;
        while let Some(pieces) = queue.pop_front() {
            let count: usize = pieces.iter().map(|piece| piece.points.len()).sum();
            let Err(failure) = self.send(&pieces, batch).await else { continue };
            match Refusal::of(&failure, count) {
                Refusal::TooOld(dropped) => drop_oldest(dropped, &pieces, batch, &mut fates),
                Refusal::TooLarge if count > 1 => queue.extend(halves(&pieces)),
                Refusal::SomeLines if count > 1 && searches < MOST_SEARCHES => {
                    searches += 2;
                    queue.extend(halves(&pieces));
                }
                Refusal::SomeLines if count > 1 => fail(&pieces, &failure, &mut fates),
                Refusal::SomeLines | Refusal::EveryLine => {
                    for piece in pieces {
                        fates[piece.parcel].refused.push((piece.points, failure.to_string()));
                    }
                }
                Refusal::TooLarge | Refusal::Everything => {
                    // What is left would fail in the same way.
                    for pieces in std::iter::once(pieces).chain(queue.drain(..)) {
                        fail(&pieces, &failure, &mut fates);
                    }
                }
            }
        }
        fates
    }

    async fn send(&mut self, pieces: &[Piece], batch: &[Parcel]) -> Result<(), WriteFailure> {
        let lines = self.sink.pack(encode(pieces, batch))?;
        let is_away = self.away_until.is_some_and(|until| Instant::now() < until);
        let mut pauses = backoff::pauses(if is_away { 1 } else { backoff::TRIES });
        loop {
            let operation = self.watch.pulse.begin("a write to the database", self.sink.timeout());
            let written = self.sink.write(lines.clone()).await;
            drop(operation);
            let Err(failure) = written else {
                self.watch.metrics.wrote(Write::Success);
                self.away_until = None;
                return Ok(());
            };
            self.watch.metrics.wrote(if failure.is_passing() { Write::Failure } else { Write::Refused });
            tracing::debug!("a write failed: {failure}");
            self.away_until = failure.is_passing().then(|| Instant::now() + AWAY);
            let pause = if failure.is_passing() { pauses.next() } else { None };
            match pause {
                Some(pause) if self.stop.or(tokio::time::sleep(pause)).await.is_ok() => {}
                _ => return Err(failure),
            }
        }
    }

    fn tell(&mut self, parcel: Parcel, fate: Fate) {
        let count: usize = fate.refused.iter().map(|(points, _)| points.len()).sum();
        let result = match (fate.failure, fate.refused.first()) {
            (Some(failure), _) => Err(WriteError::Failed(failure)),
            (None, Some((points, message))) => {
                let first = Piece { parcel: 0, points: points.start..points.start + 1 };
                let line: Vec<u8> = encode(&[first], std::slice::from_ref(&parcel)).flatten().collect();
                let example = String::from_utf8_lossy(&line).trim_end().to_owned();
                Err(WriteError::LinesRefused { count, example, message: message.clone() })
            }
            (None, None) => Ok(Written {
                points: parcel.points.len().saturating_sub(fate.beyond_retention),
                beyond_retention: fate.beyond_retention,
            }),
        };
        // Nobody listens any more where a series was ended by a stop.
        let _unheard = parcel.reply.send(result);
    }
}

/// The lines of these points, in parts of a size that costs the allocator nothing.
fn encode(pieces: &[Piece], batch: &[Parcel]) -> impl Iterator<Item = Vec<u8>> {
    pieces.iter().flat_map(|piece| {
        let parcel = &batch[piece.parcel];
        let points = &parcel.points[piece.points.clone()];
        points.chunks(LINES_OF_A_PART).map(|points| {
            let mut lines = Vec::with_capacity(points.len() * parcel.encoder.line_length());
            points.iter().for_each(|point| parcel.encoder.write(point, &mut lines));
            lines
        })
    })
}

/// Divides pieces into writes that keep to the bounds.
fn bounded(pieces: Vec<Piece>, batch: &[Parcel]) -> Vec<Vec<Piece>> {
    let mut writes: Vec<Vec<Piece>> = Vec::new();
    let (mut lines, mut bytes) = (usize::MAX, usize::MAX);
    for piece in pieces {
        let line_length = batch[piece.parcel].encoder.line_length();
        let most = (MOST_BYTES / line_length).clamp(1, ENOUGH_LINES);
        for start in piece.points.clone().step_by(most) {
            let points = start..piece.points.end.min(start + most);
            let (more_lines, more_bytes) = (points.len(), points.len() * line_length);
            if lines.saturating_add(more_lines) > ENOUGH_LINES || bytes.saturating_add(more_bytes) > MOST_BYTES {
                (lines, bytes) = (0, 0);
                writes.push(Vec::new());
            }
            (lines, bytes) = (lines + more_lines, bytes + more_bytes);
            if let Some(write) = writes.last_mut() {
                write.push(Piece { parcel: piece.parcel, points });
            }
        }
    }
    writes
}

/// Two halves: by series while there are several, by points after that.
fn halves(pieces: &[Piece]) -> [Vec<Piece>; 2] {
    match pieces {
        [one] => {
            let middle = one.points.start + one.points.len() / 2;
            [one.points.start..middle, middle..one.points.end].map(|points| vec![Piece { parcel: one.parcel, points }])
        }
        several => {
            let (first, second) = several.split_at(several.len() / 2);
            [first.to_vec(), second.to_vec()]
        }
    }
}

/// The database drops by age, so those it dropped are the oldest.
fn drop_oldest(dropped: usize, pieces: &[Piece], batch: &[Parcel], fates: &mut [Fate]) {
    let timestamp = |parcel: usize, point: usize| batch[parcel].points[point].timestamp;
    let mut points: Vec<(i64, usize)> = pieces
        .iter()
        .flat_map(|piece| piece.points.clone().map(|point| (timestamp(piece.parcel, point), piece.parcel)))
        .collect();
    points.sort_unstable();
    for (_, parcel) in points.into_iter().take(dropped) {
        fates[parcel].beyond_retention += 1;
    }
}

fn fail(pieces: &[Piece], failure: &WriteFailure, fates: &mut [Fate]) {
    for piece in pieces {
        fates[piece.parcel].failure = Some(failure.clone());
    }
}

/// What a failed write means for its lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refusal {
    /// So many were beyond retention, the rest is stored.
    TooOld(usize),
    /// The write is longer than the database takes.
    TooLarge,
    /// At least one line is not to its liking.
    SomeLines,
    /// No line is.
    EveryLine,
    /// The write as such failed.
    Everything,
}

impl Refusal {
    fn of(failure: &WriteFailure, count: usize) -> Refusal {
        let WriteFailure::Refused { status, message } = failure else { return Refusal::Everything };
        match status {
            422 if message.contains("outside retention policy") => {
                Refusal::TooOld(number_after(message, "dropped ").unwrap_or(1).min(count))
            }
            400 | 422 if number_after(message, "dropped=") == Some(count) => Refusal::EveryLine,
            400 | 422 => Refusal::SomeLines,
            413 => Refusal::TooLarge,
            _ => Refusal::Everything,
        }
    }
}

fn number_after(text: &str, word: &str) -> Option<usize> {
    let rest = &text[text.find(word)? + word.len()..];
    let digits = rest.find(|character: char| !character.is_ascii_digit()).unwrap_or(rest.len());
    rest[..digits].parse().ok()
}

#[cfg(test)]
#[path = "writer_tests.rs"]
mod tests;
