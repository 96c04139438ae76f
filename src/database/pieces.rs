//! Parts of a write: how several series' points are divided among writes, and halved in search of a line.

use std::ops::Range;

use super::parcel::Parcel;

/// Lines that make a write worth sending; InfluxDB wants about so many.
pub(super) const ENOUGH_LINES: usize = 5_000;

/// Bytes of line protocol that no write exceeds, but for a single line.
const MOST_BYTES: usize = 4 << 20;

/// Lines that are encoded at a time.
const LINES_OF_A_PART: usize = 128;

/// Some points of one parcel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) parcel: usize,
    pub(super) points: Range<usize>,
}

pub(super) fn count(pieces: &[Piece]) -> usize {
    pieces.iter().map(|piece| piece.points.len()).sum()
}

/// The lines of these points, in parts of a size that costs the allocator nothing.
pub(super) fn encode(pieces: &[Piece], batch: &[Parcel]) -> impl Iterator<Item = Vec<u8>> {
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
pub(super) fn bounded(pieces: Vec<Piece>, batch: &[Parcel]) -> Vec<Vec<Piece>> {
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
pub(super) fn halves(pieces: &[Piece]) -> [Vec<Piece>; 2] {
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

/// The parcel and the point of each line of a write, in order.
pub(super) fn lines(pieces: &[Piece]) -> impl Iterator<Item = (usize, usize)> {
    pieces.iter().flat_map(|piece| piece.points.clone().map(|point| (piece.parcel, point)))
}

/// The parcels of the `dropped` oldest points: the database drops by age.
pub(super) fn oldest(dropped: usize, pieces: &[Piece], batch: &[Parcel]) -> impl Iterator<Item = usize> {
    let mut points: Vec<(i64, usize)> =
        lines(pieces).map(|(parcel, point)| (batch[parcel].points[point].timestamp, parcel)).collect();
    points.sort_unstable();
    points.into_iter().take(dropped).map(|(_, parcel)| parcel)
}

/// The piece without its points before this time, in Unix seconds.
pub(super) fn since(oldest: i64, piece: &Piece, batch: &[Parcel]) -> Piece {
    let points = &batch[piece.parcel].points[piece.points.clone()];
    let older = points.partition_point(|point| point.timestamp < oldest);
    Piece { parcel: piece.parcel, points: piece.points.start + older..piece.points.end }
}

/// The pieces without these lines, by their places in the write.
pub(super) fn without(refused: &[usize], pieces: &[Piece]) -> Vec<Piece> {
    let mut rest: Vec<Piece> = Vec::new();
    for (place, (parcel, point)) in lines(pieces).enumerate() {
        if refused.contains(&place) {
            continue;
        }
        match rest.last_mut() {
            Some(last) if last.parcel == parcel && last.points.end == point => last.points.end += 1,
            _ => rest.push(Piece { parcel, points: point..point + 1 }),
        }
    }
    rest
}
