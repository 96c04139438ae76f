//! Accepts a JSON object only; serde would also accept a list for a struct. The first byte tells them apart.

use serde::Deserialize;
use serde::de::Error;

/// Reads a JSON object by the names of its fields.
///
/// # Errors
///
/// What is wrong and where.
pub fn from_slice<'a, T: Deserialize<'a>>(text: &'a [u8]) -> Result<T, serde_json::Error> {
    let first = text.iter().find(|byte| !byte.is_ascii_whitespace());
    if first == Some(&b'[') {
        return Err(serde_json::Error::custom("expected an object, found a list"));
    }
    serde_json::from_slice(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    struct Inner {
        number: u32,
    }

    #[test]
    fn a_list_is_no_object() {
        let read = |text: &str| from_slice::<Inner>(text.as_bytes()).map_err(|error| error.to_string());
        assert_eq!(read(r#" {"number":7}"#), Ok(Inner { number: 7 }));
        assert_eq!(read("\n[7]"), Err("expected an object, found a list".to_owned()));
        assert_eq!(read("{}"), Err("missing field `number` at line 1 column 2".to_owned()));
    }
}
