//! Gzip that keeps its working memory from one write to the next. To take and return a quarter of a MiB with each write
//! would teach the allocator to hold on to several times as much.

use std::io;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use flate2::{Compress, Compression, FlushCompress, Status};

/// The data is the same few tags over and over: the lowest level shrinks it thirteenfold at a third of the time that
/// the default takes.
const LEVEL: Compression = Compression::fast();

/// 16 KiB, some hundred lines: what repeats is in the line before. More takes more memory and shrinks no better; with less,
/// more time goes into moving the window.
const WINDOW_BITS: u8 = 14;

/// The room for the compressed text grows by this much.
const STEP: usize = 16 << 10;

/// Compresses one text after the other.
#[derive(Debug)]
pub struct Gzip(Mutex<Compress>);

impl Default for Gzip {
    fn default() -> Gzip {
        Gzip(Mutex::new(Compress::new_gzip(LEVEL, WINDOW_BITS)))
    }
}

impl Gzip {
    /// Compresses a text that comes in parts.
    ///
    /// # Errors
    ///
    /// What the compressor says; it has not been seen to say anything.
    pub fn pack(&self, parts: impl Iterator<Item = Vec<u8>>) -> io::Result<Bytes> {
        let mut compress = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        compress.reset();
        let mut packed = Vec::new();
        for part in parts {
            add(&mut compress, &part, FlushCompress::None, &mut packed)?;
        }
        add(&mut compress, &[], FlushCompress::Finish, &mut packed)?;
        Ok(packed.into())
    }
}

fn add(compress: &mut Compress, mut text: &[u8], flush: FlushCompress, packed: &mut Vec<u8>) -> io::Result<()> {
    let is_last = matches!(flush, FlushCompress::Finish);
    loop {
        if packed.capacity() - packed.len() < STEP / 4 {
            packed.reserve(STEP);
        }
        let before = compress.total_in();
        let status = compress.compress_vec(text, packed, flush)?;
        let taken = usize::try_from(compress.total_in() - before).unwrap_or(usize::MAX);
        text = text.get(taken..).unwrap_or_default();
        if if is_last { status == Status::StreamEnd } else { text.is_empty() } {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use flate2::read::GzDecoder;

    use super::*;

    #[test]
    fn each_text_can_be_unpacked_on_its_own() {
        let gzip = Gzip::default();
        // Hardly anything to shrink, so that the room for it must grow.
        let noise: Vec<u8> = (0..300_000_u32).map(|place| (place.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
        for parts in [vec![], vec![b"a 1\n".to_vec()], vec![noise.clone(), b"b 2\n".to_vec(), noise], vec![vec![]]] {
            let packed = gzip.pack(parts.clone().into_iter()).unwrap();
            let mut text = Vec::new();
            GzDecoder::new(&packed[..]).read_to_end(&mut text).unwrap();
            assert!(text == parts.concat(), "{} parts", parts.len());
        }
    }
}
