//! What the other side says, made fit to be shown: it may hold what it was asked with. A service, or a proxy before it,
//! may echo the request with its token, whole, cut short, or a part of it alone.

use std::collections::HashSet;

/// Of a long foreign text, so many characters of its beginning are shown.
const BEGINNING: usize = 300;

/// And so many of its end.
const END: usize = 100;

/// Of a foreign text, this many characters are looked at. Of a token that is cut off there the part is found, too.
const LOOKED_AT: usize = 5000;

/// So many bytes in a row tell a part of a secret from other words; what is shorter gives nothing away.
const PART: usize = 12;

/// The beginning of what the other side said, without this secret and without a name and password for a proxy.
pub fn shown(text: &str, secret: &str) -> String {
    let text = text.trim();
    let text = text.char_indices().nth(LOOKED_AT).map_or(text, |(end, _)| &text[..end]);
    shorten(without_passwords(&without(text, secret)).trim())
}

/// The beginning, and the end, where many programs name the cause. In one line: whoever sends a text must not write
/// lines into a log.
fn shorten(text: &str) -> String {
    let letters: Vec<char> = text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect();
    match letters.len() > BEGINNING + END {
        true => letters[..BEGINNING].iter().chain(&['…']).chain(&letters[letters.len() - END..]).collect(),
        false => letters.iter().collect(),
    }
}

/// The text without the secret and without any long part of it.
fn without(text: &str, secret: &str) -> String {
    let whole = text.replace(secret, HIDDEN);
    let parts: HashSet<&[u8]> = secret.as_bytes().windows(PART).collect();
    let bytes = whole.as_bytes();
    let mut shown = Vec::with_capacity(bytes.len());
    let mut hidden_to: Option<usize> = None;
    for (start, window) in bytes.windows(PART).enumerate() {
        if !parts.contains(window) {
            continue;
        }
        if hidden_to.is_none_or(|end| end < start) {
            shown.extend_from_slice(&bytes[hidden_to.unwrap_or(0)..start]);
            shown.extend_from_slice(HIDDEN.as_bytes());
        }
        hidden_to = Some(start + PART);
    }
    shown.extend_from_slice(&bytes[hidden_to.unwrap_or(0)..]);
    String::from_utf8_lossy(&shown).into_owned()
}

const HIDDEN: &str = "(the token)";

/// The text without what follows the word by which HTTP introduces a name and a password in Base64.
fn without_passwords(text: &str) -> String {
    const SCHEME: &str = "basic ";
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    // Lower case in ASCII has the same length.
    while let Some(place) = rest.to_ascii_lowercase().find(SCHEME) {
        let (before, after) = rest.split_at(place + SCHEME.len());
        let is_base64 = |letter: char| letter.is_ascii_alphanumeric() || "+/=-_".contains(letter);
        let end = after.find(|letter| !is_base64(letter)).unwrap_or(after.len());
        let holds_a_colon = openssl::base64::decode_block(&after[..end]).is_ok_and(|bytes| bytes.contains(&b':'));
        shown.push_str(before);
        shown.push_str(if holds_a_colon { "(a password)" } else { &after[..end] });
        rest = &after[end..];
    }
    shown + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "eyJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJjcy0xIn0xyz.c2lnbmF0dXJlLW9mLWl0";

    #[test]
    fn an_echo_is_hidden_whole_or_in_part_and_the_rest_is_shown() {
        let (head, signature) = (&TOKEN[..30], &TOKEN[TOKEN.len() - 20..]);
        for (text, expected) in [
            (format!(" Invalid JWT {TOKEN}, sorry\n"), "Invalid JWT (the token), sorry".to_owned()),
            (format!("{TOKEN}{TOKEN}"), "(the token)(the token)".to_owned()),
            (format!("{head}…"), "(the token)…".to_owned()),
            (format!("from {signature} and {head} on"), "from (the token) and (the token) on".to_owned()),
            (format!("é{signature}é"), "é(the token)é".to_owned()),
            ("no token in it".to_owned(), "no token in it".to_owned()),
            (String::new(), String::new()),
            ("x".repeat(500) + "the cause", "x".repeat(300) + "…" + &"x".repeat(91) + "the cause"),
            ("GET /\n<3>a line of its own\u{1b}[31m".to_owned(), "GET / <3>a line of its own [31m".to_owned()),
        ] {
            assert_eq!(shown(&text, TOKEN), expected);
        }
    }

    #[test]
    fn no_part_of_an_echo_is_shown_wherever_the_text_is_cut() {
        for before in (0..LOOKED_AT + 10).step_by(7) {
            let text = shown(&("x".repeat(before) + &TOKEN.repeat(100)), TOKEN);
            let bytes: Vec<&[u8]> = TOKEN.as_bytes().windows(PART).collect();
            assert!(!text.as_bytes().windows(PART).any(|part| bytes.contains(&part)), "{before}: {text}");
            assert!(text.chars().count() <= BEGINNING + END + 1);
        }
    }

    #[test]
    fn a_short_secret_is_hidden_where_it_is_whole() {
        assert_eq!(shown("no such token: a:b", "a:b"), "no such token: (the token)");
    }

    #[test]
    fn a_password_for_a_proxy_is_hidden() {
        for (text, expected) in [
            ("proxy-authorization: Basic dXNlcjpwYXNz, via", "proxy-authorization: Basic (a password), via"),
            (r#"{"a":"BASIC dXNlcjpwYXNz"}"#, r#"{"a":"BASIC (a password)"}"#),
            ("basic authentication failed: Basic auth", "basic authentication failed: Basic auth"),
        ] {
            assert_eq!(shown(text, "a token"), expected);
        }
    }
}
