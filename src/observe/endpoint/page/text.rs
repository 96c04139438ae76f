//! Text from elsewhere, made fit to be read on the page. The template escapes it.

use maud::{Markup, html};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// A text without what cannot be seen: no control character may stand in a document, and those of writing direction
/// mislead the reader.
pub(super) fn clean(text: &str) -> String {
    let seen = |character: char| match character {
        '\n' | '\r' | '\t' => ' ',
        '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => char::REPLACEMENT_CHARACTER,
        control if control.is_control() => char::REPLACEMENT_CHARACTER,
        plain => plain,
    };
    text.chars().map(seen).collect()
}

/// The beginning of a text, with an ellipsis where something is left out.
pub(super) fn cut(text: &str, characters: usize) -> String {
    match text.char_indices().nth(characters) {
        None => clean(text),
        Some((end, _)) => clean(text[..end].trim_end()) + "…",
    }
}

/// What stands in a query as it is.
const IN_QUERY: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// A bot's name, leading to the page of that bot; a name that is too long for a link is cut and leads nowhere.
pub(super) fn bot_link(name: &str) -> Markup {
    const LONGEST: usize = 100;
    html! {
        @if name.len() > LONGEST {
            (cut(name, LONGEST))
        } @else {
            a href={ "?bot=" (utf8_percent_encode(name, &IN_QUERY)) } { (clean(name)) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_text_means_anything_to_a_browser_or_misleads_a_reader() {
        for (text, expected) in [
            ("plain ü 😀 '", "plain ü 😀 '"),
            ("<script>&\"", "&lt;script&gt;&amp;&quot;"),
            ("&amp;", "&amp;amp;"),
            ("a\nb\0c\u{202e}d", "a b\u{fffd}c\u{fffd}d"),
        ] {
            assert_eq!(html! { (clean(text)) }.into_string(), expected);
        }
    }

    #[test]
    fn a_long_text_is_cut() {
        assert_eq!(cut("&&&", 3), "&&&");
        assert_eq!(cut("&&&&", 3), "&&&…");
        assert_eq!(cut("ü ü", 2), "ü…");
        assert_eq!(cut("", 2), "");
    }

    #[test]
    fn a_name_is_encoded_in_a_link() {
        assert_eq!(bot_link("odd-1_2").into_string(), "<a href=\"?bot=odd-1_2\">odd-1_2</a>");
        assert_eq!(bot_link("a&b ü\"").into_string(), "<a href=\"?bot=a%26b%20%C3%BC%22\">a&amp;b ü&quot;</a>");
        assert!(!bot_link(&"x".repeat(101)).into_string().contains('<'));
    }
}
