//! As much of InfluxQL as a reader of the exporter's points needs: `SELECT` of fields or of a first, last or count, over
//! one measurement, between two times, by tags; the databases and the retention. Anything else is answered as a syntax error.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::store::{Fields, Series, Store};

/// The answer to a query, times in seconds.
pub fn answer(store: &Store, databases: &[String], retention: Option<i64>, query: &str) -> Value {
    let results = query.split(';').map(str::trim).filter(|statement| !statement.is_empty()).enumerate();
    let results = results.map(|(number, statement)| {
        let mut result = statement_of(statement, store, databases, retention).unwrap_or_else(
            || json!({ "error": format!("error parsing query: the fake database does not know {statement}") }),
        );
        result["statement_id"] = number.into();
        result
    });
    json!({ "results": results.collect::<Vec<_>>() })
}

/// Over how many days a query reads; 0 where it reads no points.
pub fn days(query: &str) -> i64 {
    let select = tokens(query).and_then(|tokens| {
        let mut words = Words(tokens.into());
        words.takes("SELECT").then(|| Select::parse(&mut words))?
    });
    select.map_or(0, |select| select.times.1.saturating_sub(select.times.0) / 86_400)
}

fn statement_of(statement: &str, store: &Store, databases: &[String], retention: Option<i64>) -> Option<Value> {
    let mut words = Words(tokens(statement)?.into());
    if words.takes("SHOW") {
        if words.takes("DATABASES") {
            let names = databases.iter().map(|name| [name]).collect::<Vec<_>>();
            return Some(json!({ "series": [{ "name": "databases", "columns": ["name"], "values": names }] }));
        }
        return (words.takes("RETENTION") && words.takes("POLICIES")).then(|| policies(retention));
    }
    words.takes("SELECT").then(|| Select::parse(&mut words))?.map(|select| select.answer(store))
}

fn policies(retention: Option<i64>) -> Value {
    let hours = retention.unwrap_or(0) / 3600;
    let duration = if hours == 0 { "0s".to_owned() } else { format!("{hours}h0m0s") };
    let columns = ["name", "duration", "shardGroupDuration", "replicaN", "default"];
    json!({ "series": [{ "columns": columns, "values": [["autogen", duration, "24h0m0s", 1, true]] }] })
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Word(String),
    /// In double quotes.
    Name(String),
    /// In single quotes.
    Text(String),
    Sign(String),
}

fn tokens(text: &str) -> Option<Vec<Token>> {
    let mut tokens = Vec::new();
    let mut rest = text.chars().peekable();
    while let Some(first) = rest.next() {
        match first {
            _ if first.is_whitespace() => {}
            '"' | '\'' => {
                let mut quoted = String::new();
                loop {
                    match rest.next()? {
                        '\\' => quoted.push(rest.next()?),
                        end if end == first => break,
                        other => quoted.push(other),
                    }
                }
                tokens.push(if first == '"' { Token::Name(quoted) } else { Token::Text(quoted) });
            }
            _ if first.is_alphanumeric() || first == '_' || first == '-' => {
                let mut word = first.to_string();
                while let Some(next) = rest.next_if(|next| next.is_alphanumeric() || *next == '_') {
                    word.push(next);
                }
                tokens.push(Token::Word(word));
            }
            _ => {
                let mut sign = first.to_string();
                while let Some(next) = rest.next_if(|next| "=>:".contains(*next) && "<>!:".contains(first)) {
                    sign.push(next);
                }
                tokens.push(Token::Sign(sign));
            }
        }
    }
    Some(tokens)
}

struct Words(std::collections::VecDeque<Token>);

impl Words {
    /// Takes this keyword or sign, if it is the next.
    fn takes(&mut self, what: &str) -> bool {
        let is_it = match self.0.front() {
            Some(Token::Word(word)) => word.eq_ignore_ascii_case(what),
            Some(Token::Sign(sign)) => sign == what,
            _ => false,
        };
        if is_it {
            self.0.pop_front();
        }
        is_it
    }

    /// A name, with what `::` says of its kind left out.
    fn name(&mut self) -> Option<String> {
        let name = match self.0.pop_front()? {
            Token::Word(name) | Token::Name(name) => name,
            _ => return None,
        };
        if self.takes("::") {
            self.0.pop_front()?;
        }
        Some(name)
    }
}

#[derive(Debug)]
enum Column {
    All,
    Field(String),
    /// `first`, `last` or `count` of a field.
    Of(String, String),
}

#[derive(Debug)]
struct Select {
    columns: Vec<Column>,
    measurement: String,
    /// From the first to before the second, in seconds.
    times: (i64, i64),
    /// Tag, whether it is equal, and value.
    tags: Vec<(String, bool, String)>,
    /// `None` is no grouping; `*` is every tag.
    group_by: Option<Vec<String>>,
    descending: bool,
    limit: usize,
}

impl Select {
    fn parse(words: &mut Words) -> Option<Select> {
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

    fn answer(&self, store: &Store) -> Value {
        let all_tags = store.tags_of(&self.measurement);
        let mut groups: BTreeMap<Vec<(String, String)>, Vec<(i64, &Series, &Fields)>> = BTreeMap::new();
        for (series, points) in store.series.iter().filter(|(series, _)| self.wants(series)) {
            let tag = |name: &str| series.1.get(name).cloned().unwrap_or_default();
            let key = match &self.group_by {
                None => Vec::new(),
                Some(names) if names.iter().any(|name| name == "*") => {
                    all_tags.iter().map(|name| (name.clone(), tag(name))).collect()
                }
                Some(names) => names.iter().map(|name| (name.clone(), tag(name))).collect(),
            };
            let within = points.iter().filter(|(time, _)| (self.times.0..self.times.1).contains(*time));
            groups.entry(key).or_default().extend(within.map(|(time, fields)| (*time, series, fields)));
        }
        let is_grouped = self.group_by.is_some();
        let series = groups.into_iter().filter_map(|(tags, points)| self.series(store, tags, points, is_grouped));
        let series: Vec<Value> = series.collect();
        if series.is_empty() { json!({}) } else { json!({ "series": series }) }
    }

    fn wants(&self, (measurement, tags): &Series) -> bool {
        let is_so = |(name, equal, value): &(String, bool, String)| {
            (tags.get(name).map_or("", String::as_str) == value) == *equal
        };
        *measurement == self.measurement && self.tags.iter().all(is_so)
    }

    fn series(
        &self,
        store: &Store,
        tags: Vec<(String, String)>,
        mut points: Vec<(i64, &Series, &Fields)>,
        is_grouped: bool,
    ) -> Option<Value> {
        points.sort_by_key(|(time, ..)| *time);
        let (columns, rows) = match self.columns.as_slice() {
            [Column::Of(..), ..] => self.aggregate(&points)?,
            _ => self.rows(store, &points),
        };
        if rows.is_empty() {
            return None;
        }
        let mut series = json!({ "name": self.measurement, "columns": columns, "values": rows });
        if is_grouped {
            let tags = tags.into_iter().map(|(name, value)| (name, value.into()));
            series["tags"] = Value::Object(tags.collect::<Map<_, _>>());
        }
        Some(series)
    }

    fn rows(&self, store: &Store, points: &[(i64, &Series, &Fields)]) -> (Vec<String>, Vec<Value>) {
        let mut names: Vec<String> = Vec::new();
        for column in &self.columns {
            match column {
                Column::All => {
                    let mut all = store.fields_of(&self.measurement);
                    if self.group_by.is_none() {
                        all.extend(store.tags_of(&self.measurement));
                    }
                    names.extend(all);
                }
                Column::Field(name) | Column::Of(_, name) => names.push(name.clone()),
            }
        }
        names.retain(|name| !name.eq_ignore_ascii_case("time"));
        let fields = store.fields_of(&self.measurement);
        let row = |(time, series, values): &(i64, &Series, &Fields)| {
            // A point is there if one of the fields that are asked for is.
            names.iter().any(|name| fields.contains(name) && values.contains_key(name)).then(|| {
                let of =
                    |name: &String| values.get(name).cloned().or_else(|| Some(series.1.get(name)?.as_str().into()));
                let cells = names.iter().map(|name| of(name).unwrap_or(Value::Null));
                std::iter::once(json!(time)).chain(cells).collect::<Value>()
            })
        };
        let mut rows: Vec<Value> = points.iter().filter_map(row).collect();
        if self.descending {
            rows.reverse();
        }
        rows.truncate(self.limit);
        (std::iter::once("time".to_owned()).chain(names).collect(), rows)
    }

    /// `None` for a function that is not known.
    fn aggregate(&self, points: &[(i64, &Series, &Fields)]) -> Option<(Vec<String>, Vec<Value>)> {
        let (mut columns, mut row, mut time) = (vec!["time".to_owned()], Vec::new(), 0);
        for column in &self.columns {
            let Column::Of(function, field) = column else { return None };
            let mut values = points.iter().filter_map(|(time, _, fields)| Some((*time, fields.get(field)?)));
            let found = match function.as_str() {
                "first" => values.next().map(|(time, value)| (time, value.clone())),
                "last" => values.last().map(|(time, value)| (time, value.clone())),
                "count" => {
                    Some((0, values.count())).filter(|(_, count)| *count > 0).map(|(at, count)| (at, count.into()))
                }
                _ => return None,
            };
            let Some((at, value)) = found else { return Some((columns, Vec::new())) };
            columns.push(function.clone());
            row.push(value);
            // Where several are asked for, none of their times is told.
            time = if self.columns.len() == 1 { at } else { 0 };
        }
        let row = std::iter::once(json!(time)).chain(row).collect::<Value>();
        Some((columns, vec![row]))
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
