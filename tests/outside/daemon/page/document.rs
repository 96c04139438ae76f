//! Reads a page as strictly as a page can be read: a tag that is not closed, closed twice or not quoted is an error.

use std::collections::HashSet;

/// A start tag.
#[derive(Debug)]
pub(super) struct Element {
    pub(super) name: String,
    pub(super) attributes: Vec<(String, String)>,
}

impl Element {
    pub(super) fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// What a page consists of.
#[derive(Debug, Default)]
pub(super) struct Document {
    pub(super) elements: Vec<Element>,
    /// The text of the body with single spaces.
    pub(super) text: String,
    title: String,
}

/// Elements whose text goes on in the same line without a space.
const INLINE: [&str; 6] = ["a", "b", "code", "i", "small", "span"];

/// Elements without an end.
const VOID: [&str; 2] = ["meta", "link"];

impl Document {
    #[track_caller]
    pub(super) fn parse(page: &str) -> Document {
        let mut document = Document::default();
        let mut open: Vec<String> = Vec::new();
        let mut rest = page.strip_prefix("<!DOCTYPE html>").unwrap();
        while let Some(start) = rest.find('<') {
            document.add_text(&rest[..start], &open);
            let tag_and_rest = &rest[start + 1..];
            let end = tag_and_rest.find('>').unwrap();
            let tag = &tag_and_rest[..end];
            let name = tag.trim_start_matches('/').split([' ', '/']).next().unwrap();
            if !INLINE.contains(&name) {
                document.text.push(' ');
            }
            rest = &tag_and_rest[end + 1..];
            if let Some(name) = tag.strip_prefix('/') {
                assert_eq!(open.pop().as_deref(), Some(name), "after {open:?}: {}", &rest[..rest.len().min(80)]);
                continue;
            }
            let element = element(tag.trim_end_matches('/'));
            if !tag.ends_with('/') && !VOID.contains(&element.name.as_str()) {
                open.push(element.name.clone());
            }
            document.elements.push(element);
        }
        assert!(open.is_empty(), "never closed: {open:?}");
        assert_eq!(rest, "\n");
        document.text = document.text.split_whitespace().collect::<Vec<_>>().join(" ");
        document
    }

    fn add_text(&mut self, text: &str, open: &[String]) {
        match open.last().map(String::as_str) {
            Some("style") => {}
            Some("title") => self.title += &decoded(text),
            _ => self.text += &decoded(text),
        }
    }

    pub(super) fn title(&self) -> &str {
        &self.title
    }

    /// The elements of this name.
    pub(super) fn of<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Element> {
        self.elements.iter().filter(move |element| element.name == name)
    }

    /// How many elements of this name have this attribute.
    pub(super) fn count(&self, name: &str, attribute: &str, value: &str) -> usize {
        self.of(name).filter(|element| element.attribute(attribute) == Some(value)).count()
    }

    /// Each `id` is there once, and whatever is referred to within the page is there.
    #[track_caller]
    pub(super) fn links_lead_somewhere(&self) {
        let mut ids = HashSet::new();
        for element in &self.elements {
            if let Some(id) = element.attribute("id") {
                assert!(ids.insert(id), "twice: {id}");
            }
        }
        let links = self.elements.iter().filter_map(|element| element.attribute("href")?.strip_prefix('#'));
        links.for_each(|id| assert!(ids.contains(id), "no {id}"));
    }

    /// One of the first rank, and none that skips a rank.
    #[track_caller]
    pub(super) fn headings_are_in_order(&self) {
        let ranks: Vec<usize> =
            self.elements.iter().filter_map(|element| element.name.strip_prefix('h')?.parse().ok()).collect();
        assert_eq!(ranks.iter().filter(|rank| **rank == 1).count(), 1, "{ranks:?}");
        assert_eq!(ranks[0], 1);
        assert!(ranks.windows(2).all(|pair| pair[1] <= pair[0] + 1), "{ranks:?}");
    }
}

#[track_caller]
fn element(tag: &str) -> Element {
    let (name, mut rest) = tag.split_once(' ').unwrap_or((tag, ""));
    assert!(!name.is_empty() && name.chars().all(|letter| letter.is_ascii_alphanumeric()), "<{tag}>");
    let mut attributes = Vec::new();
    while !rest.trim().is_empty() {
        let (key, after) = rest.trim_start().split_once("=\"").unwrap_or_else(|| panic!("<{tag}>"));
        let (value, after) = after.split_once('"').unwrap_or_else(|| panic!("<{tag}>"));
        attributes.push((key.to_owned(), decoded(value)));
        rest = after;
    }
    Element { name: name.to_owned(), attributes }
}

#[track_caller]
fn decoded(text: &str) -> String {
    let entities = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&amp;", "&")];
    let mut decoded = String::new();
    let mut rest = text;
    while let Some(start) = rest.find('&') {
        decoded += &rest[..start];
        let entity = entities.iter().find(|(entity, _)| rest[start..].starts_with(entity));
        let (entity, meaning) = entity.unwrap_or_else(|| panic!("no entity: {}", &rest[start..]));
        decoded += meaning;
        rest = &rest[start + entity.len()..];
    }
    decoded + rest
}
