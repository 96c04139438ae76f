//! Text from elsewhere, made harmless: as text or attribute value of the page, and as part of an address.

use std::fmt;

/// Shown as it is, whatever characters it has; for text and for attribute values in double quotes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Text<'a>(pub(super) &'a str);

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.0.chars() {
            match character {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                '\n' | '\r' | '\t' => f.write_str(" ")?,
                // No control character may stand in a document, and those of writing direction mislead the reader.
                '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
                    f.write_str("\u{fffd}")?
                }
                control if control.is_control() => f.write_str("\u{fffd}")?,
                plain => write!(f, "{plain}")?,
            }
        }
        Ok(())
    }
}

/// The beginning of a text, escaped; with an ellipsis where something is left out.
pub(super) fn cut(text: &str, characters: usize) -> String {
    match text.char_indices().nth(characters) {
        None => Text(text).to_string(),
        Some((end, _)) => format!("{}…", Text(text[..end].trim_end())),
    }
}

/// A name as it stands in a query.
struct Encoded<'a>(&'a str);

impl fmt::Display for Encoded<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for byte in self.0.bytes() {
            match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => write!(f, "{}", byte as char)?,
                other => write!(f, "%{other:02X}")?,
            }
        }
        Ok(())
    }
}

/// A bot's name, leading to the page of that bot; a name that is too long for a link is cut and leads nowhere.
pub(super) fn bot_link(name: &str) -> String {
    const LONGEST: usize = 100;
    if name.len() > LONGEST {
        return cut(name, LONGEST);
    }
    format!("<a href=\"?bot={}\">{}</a>", Encoded(name), Text(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_text_means_anything_to_a_browser() {
        for (text, expected) in [
            ("plain ü 😀", "plain ü 😀"),
            ("<script>&\"'", "&lt;script&gt;&amp;&quot;&#39;"),
            ("&amp;", "&amp;amp;"),
            ("a\nb\0c\u{202e}d", "a b\u{fffd}c\u{fffd}d"),
        ] {
            assert_eq!(Text(text).to_string(), expected);
        }
    }

    #[test]
    fn a_long_text_is_cut_before_it_is_escaped() {
        assert_eq!(cut("&&&", 3), "&amp;&amp;&amp;");
        assert_eq!(cut("&&&&", 3), "&amp;&amp;&amp;…");
        assert_eq!(cut("ü ü", 2), "ü…");
        assert_eq!(cut("", 2), "");
    }

    #[test]
    fn a_name_is_encoded_in_a_link() {
        assert_eq!(bot_link("odd-1_2"), "<a href=\"?bot=odd-1_2\">odd-1_2</a>");
        assert_eq!(bot_link("a&b ü\""), "<a href=\"?bot=a%26b%20%C3%BC%22\">a&amp;b ü&quot;</a>");
        assert!(!bot_link(&"x".repeat(101)).contains('<'));
    }
}
