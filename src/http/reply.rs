//! An answer as it came: status, headers and a bounded body, whatever coding it is in. What it means, its side decides.

use std::io::Read;

use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use reqwest::Response;
use reqwest::header::{CONTENT_ENCODING, HeaderMap, HeaderName};
use serde_json::Value;

use super::chain;

/// The longest answer that is read, in bytes: decades of hours fit into it.
pub const LONGEST_ANSWER: usize = 16 << 20;

/// Of a refusal, this much is read: enough to see what it says.
pub(super) const LONGEST_REFUSAL: usize = 64 << 10;

/// What came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// All headers.
    pub headers: HeaderMap,
    /// Of a success the whole body, else its beginning; decoded.
    pub body: Vec<u8>,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TransportError {
    /// Connected, and no complete answer within the time of one request.
    TimedOut,
    /// No connection, or one that broke off: what the network said.
    Unreachable(String),
    /// A success whose body is longer than [`LONGEST_ANSWER`].
    TooLarge,
    /// A success in a coding that nobody asked for and that cannot be undone.
    Encoded(String),
}

impl Reply {
    /// Whether the status says success.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// A header, where it is there and is text.
    pub fn header(&self, name: HeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// Whether a part of an answer says nothing, as some servers write it where there is no error.
pub fn says_nothing(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Array(list) => list.is_empty(),
        Value::Object(object) => object.is_empty(),
        Value::String(text) => text.is_empty(),
        Value::Bool(true) | Value::Number(_) => false,
    }
}

/// Reads an answer. A refusal is one by its status: a body that has no end, hangs or breaks off only shortens its words.
///
/// # Errors
///
/// If a success does not come in full, is too long, or is in a coding that is not known.
pub async fn receive(mut response: Response) -> Result<Reply, TransportError> {
    let status = response.status();
    let headers = std::mem::take(response.headers_mut());
    if status.is_success() {
        let body = whole(&mut response).await?;
        let body = decoded(&headers, body, LONGEST_ANSWER)?;
        return Ok(Reply { status: status.as_u16(), headers, body });
    }
    let mut body = Vec::new();
    while body.len() < LONGEST_REFUSAL
        && let Ok(Some(piece)) = response.chunk().await
    {
        body.extend_from_slice(&piece[..piece.len().min(LONGEST_REFUSAL - body.len())]);
    }
    let body = beginning(&headers, body);
    Ok(Reply { status: status.as_u16(), headers, body })
}

/// What a failed request means for the connection.
pub fn transport_error(error: reqwest::Error) -> TransportError {
    if error.is_timeout() && !error.is_connect() {
        return TransportError::TimedOut;
    }
    TransportError::Unreachable(chain(&error.without_url()))
}

/// The whole body, read piece by piece so that it is never too long.
async fn whole(response: &mut Response) -> Result<Vec<u8>, TransportError> {
    let announced = response.content_length().and_then(|length| usize::try_from(length).ok()).unwrap_or(0);
    if announced > LONGEST_ANSWER {
        return Err(TransportError::TooLarge);
    }
    let mut body = Vec::with_capacity(announced);
    while let Some(piece) = response.chunk().await.map_err(|error| match transport_error(error) {
        TransportError::Unreachable(words) => {
            TransportError::Unreachable(format!("connection lost after {} bytes of the answer: {words}", body.len()))
        }
        error => error,
    })? {
        if body.len() + piece.len() > LONGEST_ANSWER {
            return Err(TransportError::TooLarge);
        }
        body.extend_from_slice(&piece);
    }
    Ok(body)
}

/// The body without the coding that some proxies add although none is asked for.
fn decoded(headers: &HeaderMap, body: Vec<u8>, longest: usize) -> Result<Vec<u8>, TransportError> {
    // Some servers name a coding even of nothing.
    let Some(coding) = coding(headers).filter(|_| !body.is_empty()) else { return Ok(without_mark(body)) };
    let Some(decoder) = decoder(&coding, &body) else {
        return Err(TransportError::Encoded(format!("its content-encoding is {coding:?}, which was not asked for")));
    };
    let mut plain = Vec::new();
    match decoder.take(longest as u64 + 1).read_to_end(&mut plain) {
        Ok(length) if length > longest => Err(TransportError::TooLarge),
        Ok(_) => Ok(without_mark(plain)),
        Err(error) => Err(TransportError::Encoded(format!("its content-encoding {coding:?} is broken: {error}"))),
    }
}

/// The body without the byte order mark that some servers begin with.
fn without_mark(mut body: Vec<u8>) -> Vec<u8> {
    const MARK: &[u8] = b"\xef\xbb\xbf";
    if body.starts_with(MARK) {
        body.drain(..MARK.len());
    }
    body
}

/// As much of a refusal as can be decoded, else its bytes as they are.
fn beginning(headers: &HeaderMap, body: Vec<u8>) -> Vec<u8> {
    let Some(decoder) = coding(headers).and_then(|coding| decoder(&coding, &body)) else { return body };
    let mut plain = Vec::new();
    // It may be cut off: what comes before the error is of use.
    let _cut_off = decoder.take(LONGEST_REFUSAL as u64).read_to_end(&mut plain);
    if plain.is_empty() { body } else { plain }
}

/// The codings in the order in which they were applied, but for those that change nothing.
fn coding(headers: &HeaderMap) -> Option<String> {
    let values = headers.get_all(CONTENT_ENCODING).iter().map(|value| String::from_utf8_lossy(value.as_bytes()));
    let all = values.collect::<Vec<_>>().join(",").to_ascii_lowercase();
    let codings: Vec<&str> = all.split(',').map(str::trim).filter(|one| !["", "identity"].contains(one)).collect();
    (!codings.is_empty()).then(|| codings.join(", "))
}

fn decoder<'a>(coding: &str, body: &'a [u8]) -> Option<Box<dyn Read + 'a>> {
    match coding {
        "gzip" | "x-gzip" => Some(Box::new(MultiGzDecoder::new(body))),
        // By the standard with zlib's header; some servers leave it out.
        "deflate" if is_zlib(body) => Some(Box::new(ZlibDecoder::new(body))),
        "deflate" => Some(Box::new(DeflateDecoder::new(body))),
        _ => None,
    }
}

fn is_zlib(body: &[u8]) -> bool {
    matches!(body, [first, second, ..] if first & 0x0f == 8 && u16::from_be_bytes([*first, *second]).is_multiple_of(31))
}

#[cfg(test)]
mod tests {
    use flate2::Compression;
    use flate2::read::{DeflateEncoder, GzEncoder, ZlibEncoder};
    use reqwest::header::HeaderValue;

    use super::*;

    fn headers(codings: &[&'static str]) -> HeaderMap {
        codings.iter().map(|coding| (CONTENT_ENCODING, HeaderValue::from_static(coding))).collect()
    }

    fn all(mut reader: impl Read) -> Vec<u8> {
        let mut bytes = Vec::new();
        reader.read_to_end(&mut bytes).unwrap();
        bytes
    }

    const TEXT: &[u8] = br#"{"results":[],"totalResults":0}"#;

    #[test]
    fn a_coding_that_nobody_asked_for_is_undone() {
        for (coding, body) in [
            ("gzip", all(GzEncoder::new(TEXT, Compression::fast()))),
            ("X-GZIP", all(GzEncoder::new(TEXT, Compression::fast()))),
            ("deflate", all(ZlibEncoder::new(TEXT, Compression::fast()))),
            ("deflate", all(DeflateEncoder::new(TEXT, Compression::fast()))),
            ("identity", TEXT.to_vec()),
        ] {
            assert_eq!(decoded(&headers(&[coding]), body.clone(), 1000).unwrap(), TEXT, "{coding}");
            assert_eq!(beginning(&headers(&[coding]), body), TEXT, "{coding}");
        }
        assert_eq!(decoded(&HeaderMap::new(), TEXT.to_vec(), 1000).unwrap(), TEXT);
    }

    #[test]
    fn nothing_needs_no_decoding_and_a_byte_order_mark_is_no_part_of_the_text() {
        for coding in ["gzip", "br", "deflate"] {
            assert_eq!(decoded(&headers(&[coding]), Vec::new(), 1000), Ok(Vec::new()), "{coding}");
        }
        let marked = [b"\xef\xbb\xbf", TEXT].concat();
        assert_eq!(decoded(&HeaderMap::new(), marked.clone(), 1000).unwrap(), TEXT);
        let packed = all(GzEncoder::new(marked.as_slice(), Compression::fast()));
        assert_eq!(decoded(&headers(&["gzip"]), packed, 1000).unwrap(), TEXT);
    }

    #[test]
    fn a_coding_that_cannot_be_undone_is_named() {
        for (codings, body, words) in [
            (&["br"][..], TEXT, r#""br", which was not asked for"#),
            (&["gzip", "gzip"], TEXT, r#""gzip, gzip", which"#),
            (&["gzip"], TEXT, r#""gzip" is broken"#),
        ] {
            match decoded(&headers(codings), body.to_vec(), 1000) {
                Err(TransportError::Encoded(problem)) => assert!(problem.contains(words), "{problem}"),
                other => panic!("{codings:?}: {other:?}"),
            }
        }
        assert_eq!(beginning(&headers(&["br"]), TEXT.to_vec()), TEXT);
    }

    #[test]
    fn what_is_unpacked_is_bounded() {
        let packed = all(GzEncoder::new(vec![b' '; 1 << 20].as_slice(), Compression::fast()));
        assert_eq!(decoded(&headers(&["gzip"]), packed.clone(), 1 << 20).unwrap().len(), 1 << 20);
        assert_eq!(decoded(&headers(&["gzip"]), packed.clone(), (1 << 20) - 1), Err(TransportError::TooLarge));
        assert_eq!(beginning(&headers(&["gzip"]), packed.clone()).len(), LONGEST_REFUSAL);
        let cut_off = packed[..packed.len() / 2].to_vec();
        assert!(beginning(&headers(&["gzip"]), cut_off).iter().all(|byte| *byte == b' '));
    }
}
