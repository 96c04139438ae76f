//! Redacts text from the other side: it may hold what it was asked with. A service, or a proxy before it, may echo the
//! request with its token, whole, cut short, or a part of it alone; of such a text nothing is shown.

use std::collections::HashSet;

/// Of a long foreign text, so many characters of its beginning are shown.
const BEGINNING: usize = 300;

/// And so many of its end.
const END: usize = 100;

/// Of a foreign text, this many characters are looked at. Of a token that is cut off there the part is found, too.
const LOOKED_AT: usize = 5000;

/// So many bytes in a row tell a part of a secret from other words; what is shorter gives nothing away.
const PART: usize = 12;

const HIDDEN: &str = "(hidden: it repeats a secret)";

/// The beginning and the end of what the other side said, in one line; nothing of it where it holds this secret, a part
/// of it, or a name and password for a proxy.
pub fn shown(text: &str, secret: &str) -> String {
    let text = text.trim();
    let text = text.char_indices().nth(LOOKED_AT).map_or(text, |(end, _)| &text[..end]);
    if repeats(text.as_bytes(), secret.as_bytes()) || holds_password(text) {
        return HIDDEN.to_owned();
    }
    shorten(text)
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

/// Whether the text holds a long part of the secret, or the whole of a short one.
fn repeats(text: &[u8], secret: &[u8]) -> bool {
    let length = secret.len().min(PART);
    if length == 0 {
        return false;
    }
    let parts: HashSet<&[u8]> = secret.windows(length).collect();
    text.windows(length).any(|window| parts.contains(window))
}

/// Whether a name and a password in Base64 follow the word by which HTTP introduces them.
fn holds_password(text: &str) -> bool {
    const SCHEME: &str = "basic ";
    // Lower case in ASCII has the same length.
    text.to_ascii_lowercase().match_indices(SCHEME).any(|(place, _)| {
        let after = &text[place + SCHEME.len()..];
        let is_base64 = |letter: char| letter.is_ascii_alphanumeric() || "+/=-_".contains(letter);
        let end = after.find(|letter| !is_base64(letter)).unwrap_or(after.len());
        openssl::base64::decode_block(&after[..end]).is_ok_and(|bytes| bytes.contains(&b':'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "eyJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJjcy0xIn0xyz.c2lnbmF0dXJlLW9mLWl0";

    #[test]
    fn what_repeats_a_secret_whole_or_in_part_is_hidden_and_the_rest_is_shown() {
        let (head, signature) = (&TOKEN[..30], &TOKEN[TOKEN.len() - 12..]);
        for text in [
            format!(" Invalid JWT {TOKEN}, sorry\n"),
            format!("{head}…"),
            format!("é{signature}é"),
            "x".repeat(LOOKED_AT - 12) + TOKEN,
        ] {
            assert_eq!(shown(&text, TOKEN), HIDDEN, "{text}");
        }
        for (text, expected) in [
            (format!("eleven of them: {}", &TOKEN[..11]), format!("eleven of them: {}", &TOKEN[..11])),
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
    fn a_short_secret_hides_the_text_where_it_is_whole() {
        assert_eq!(shown("no such token: a:b", "a:b"), HIDDEN);
        assert_eq!(shown("no such token: a:", "a:b"), "no such token: a:");
        assert_eq!(shown("no secret at all", ""), "no secret at all");
    }

    #[test]
    fn a_password_for_a_proxy_is_hidden() {
        for text in ["proxy-authorization: Basic dXNlcjpwYXNz, via", r#"{"a":"BASIC dXNlcjpwYXNz"}"#] {
            assert_eq!(shown(text, "a token"), HIDDEN);
        }
        let harmless = "basic authentication failed: Basic auth";
        assert_eq!(shown(harmless, "a token"), harmless);
    }
}
