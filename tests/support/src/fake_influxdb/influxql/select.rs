//! What a `SELECT` asks for.

use jiff::Timestamp;

use super::tokens::{Token, Words};

#[derive(Debug)]
pub(super) enum Column {
    All,
    Field(String),
    /// `first`, `last` or `count` of a field.
    Of(String, String),
}

#[derive(Debug)]
pub(super) struct Select {
    pub(super) columns: Vec<Column>,
    pub(super) measurement: String,
    /// From the first to before the second, in seconds.
    pub(super) times: (i64, i64),
    /// Tag, whether it is equal, and value.
    pub(super) tags: Vec<(String, bool, String)>,
    /// `None` is no grouping; `*` is every tag.
    pub(super) group_by: Option<Vec<String>>,
    pub(super) descending: bool,
    pub(super) limit: usize,
}

impl Select {
    pub(super) fn parse(words: &mut Words) -> Option<Select> {
        let mut columns = Vec::new();
        loop {
            columns.push(Select::column(words)?);
            if !words.takes(",") {
                break;
            }
        }
        words.takes("FROM").then_some(())?;
        let mut measurement = words.name()?;
        // Database and retention policy before it.
        while words.takes(".") {
            measurement = words.name()?;
        }
        let mut select = Select {
            columns,
            measurement,
            times: (i64::MIN, i64::MAX),
            tags: Vec::new(),
            group_by: None,
            descending: false,
            limit: usize::MAX,
        };
        if words.takes("WHERE") {
            select.condition(words)?;
            while words.takes("AND") {
                select.condition(words)?;
            }
        }
        select.rest(words)?;
        words.0.is_empty().then_some(select)
    }

    fn column(words: &mut Words) -> Option<Column> {
        if words.takes("*") {
            if words.takes("::") {
                words.0.pop_front()?;
            }
            return Some(Column::All);
        }
        let name = words.name()?;
        if !words.takes("(") {
            return Some(Column::Field(name));
        }
        let field = words.name()?;
        words.takes(")").then_some(Column::Of(name.to_lowercase(), field))
    }

    fn condition(&mut self, words: &mut Words) -> Option<()> {
        if words.takes("(") {
            self.condition(words)?;
            while words.takes("AND") {
                self.condition(words)?;
            }
            return words.takes(")").then_some(());
        }
        let name = words.name()?;
        let Token::Sign(sign) = words.0.pop_front()? else { return None };
        let value = words.0.pop_front()?;
        if name.eq_ignore_ascii_case("time") {
            let time = match value {
                Token::Text(text) => text.parse::<Timestamp>().ok()?.as_second(),
                Token::Word(word) => seconds(&word)?,
                _ => return None,
            };
            match sign.as_str() {
                ">=" => self.times.0 = time,
                ">" => self.times.0 = time + 1,
                "<" => self.times.1 = time,
                "<=" => self.times.1 = time + 1,
                "=" => self.times = (time, time + 1),
                _ => return None,
            }
            return Some(());
        }
        let Token::Text(value) = value else { return None };
        match sign.as_str() {
            "=" | "!=" | "<>" => self.tags.push((name, sign == "=", value)),
            _ => return None,
        }
        Some(())
    }

    fn rest(&mut self, words: &mut Words) -> Option<()> {
        if words.takes("GROUP") {
            words.takes("BY").then_some(())?;
            let mut tags = Vec::new();
            loop {
                tags.push(if words.takes("*") { "*".to_owned() } else { words.name()? });
                if !words.takes(",") {
                    break;
                }
            }
            self.group_by = Some(tags);
        }
        if words.takes("ORDER") {
            (words.takes("BY") && words.takes("time")).then_some(())?;
            self.descending = words.takes("DESC");
            let _default = words.takes("ASC");
        }
        if words.takes("LIMIT") {
            let Token::Word(limit) = words.0.pop_front()? else { return None };
            self.limit = limit.parse().ok()?;
        }
        Some(())
    }
}

/// A time as a number with a unit, or without one in nanoseconds.
fn seconds(word: &str) -> Option<i64> {
    let end = word.rfind(|letter: char| letter.is_ascii_digit())? + 1;
    let number: i64 = word[..end].parse().ok()?;
    Some(match &word[end..] {
        "" | "ns" => number.div_euclid(1_000_000_000),
        "u" => number.div_euclid(1_000_000),
        "ms" => number.div_euclid(1000),
        "s" => number,
        "m" => 60 * number,
        "h" => 3600 * number,
        "d" => 86_400 * number,
        _ => return None,
    })
}
