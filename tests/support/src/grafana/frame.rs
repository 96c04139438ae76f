//! Answers of a database, as the frames that Grafana makes of them.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use serde_json::Value;

/// One value of a field.
#[derive(Clone, PartialEq)]
pub enum Cell {
    Nothing,
    Number(f64),
    Text(String),
    Time(Timestamp),
}

/// A column.
#[derive(Clone, Debug)]
pub struct Field {
    pub name: String,
    /// What is shown in its place, where the database or a transformation said so.
    pub display: Option<String>,
    pub cells: Vec<Cell>,
}

/// A table, or a curve with its name.
#[derive(Clone, Debug)]
pub struct Frame {
    pub ref_id: String,
    /// Of a curve, the value of its tag.
    pub name: String,
    pub fields: Vec<Field>,
}

impl Field {
    /// A column that is shown by its name.
    pub fn new(name: impl Into<String>, cells: Vec<Cell>) -> Field {
        Field { name: name.into(), display: None, cells }
    }

    /// The name that the reader sees.
    pub fn shown(&self) -> &str {
        self.display.as_deref().unwrap_or(&self.name)
    }
}

impl Frame {
    /// The cells of a column.
    #[track_caller]
    pub fn column(&self, name: &str) -> &[Cell] {
        let field = self.fields.iter().find(|field| field.name == name);
        &field.unwrap_or_else(|| panic!("no column {name:?} in {self:?}")).cells
    }

    /// How many lines it has.
    pub fn len(&self) -> usize {
        self.fields.first().map_or(0, |field| field.cells.len())
    }
}

impl Cell {
    /// The number that it must be.
    #[track_caller]
    pub fn number(&self) -> f64 {
        if let Cell::Number(number) = self { *number } else { panic!("no number: {self:?}") }
    }

    /// The text that it must be.
    #[track_caller]
    pub fn words(&self) -> &str {
        if let Cell::Text(text) = self { text } else { panic!("no text: {self:?}") }
    }

    /// The time that it must be, in seconds.
    #[track_caller]
    pub fn second(&self) -> i64 {
        if let Cell::Time(time) = self { time.as_second() } else { panic!("no time: {self:?}") }
    }
}

impl fmt::Debug for Cell {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Cell::Nothing => write!(f, "–"),
            Cell::Number(number) => write!(f, "{number}"),
            Cell::Text(text) => write!(f, "{text:?}"),
            Cell::Time(time) => write!(f, "{time}"),
        }
    }
}

/// The answer to a query in InfluxQL with times in seconds: one table of all its series, their tags as columns, or a
/// curve for each; a query that asks for no format, as a variable's, has a frame for each.
#[track_caller]
pub fn of_influxql(answer: &Value, target: &Value) -> Vec<Frame> {
    let ref_id = target["refId"].as_str().unwrap();
    let none = Vec::new();
    let series = answer["results"][0]["series"].as_array().unwrap_or(&none);
    let frames: Vec<Frame> = series.iter().map(|series| of_series(series, ref_id)).collect();
    match target["resultFormat"].as_str() {
        Some("table") => {
            assert!(
                series.iter().all(|one| one["tags"].as_object().is_none_or(|tags| tags.len() <= 1)),
                "mixes up tags"
            );
            frames.into_iter().reduce(append).into_iter().collect()
        }
        Some("time_series") => frames.into_iter().map(curve).collect(),
        None => frames,
        other => panic!("no such format: {other:?}"),
    }
}

fn of_series(series: &Value, ref_id: &str) -> Frame {
    let rows = series["values"].as_array().unwrap();
    let mut fields = Vec::new();
    for (index, column) in series["columns"].as_array().unwrap().iter().enumerate() {
        let cell = |row: &Value| match &row[index] {
            Value::Null => Cell::Nothing,
            Value::Number(number) if column == "time" => {
                Cell::Time(Timestamp::from_second(number.as_i64().unwrap()).unwrap())
            }
            Value::Number(number) => Cell::Number(number.as_f64().unwrap()),
            other => Cell::Text(other.as_str().unwrap().to_owned()),
        };
        let name = if column == "time" { "Time" } else { column.as_str().unwrap() };
        let display = (column != "time").then(|| name.to_owned());
        fields.push(Field { name: name.to_owned(), display, cells: rows.iter().map(cell).collect() });
        if index == 0 {
            for (tag, value) in series["tags"].as_object().into_iter().flatten() {
                let cells = vec![Cell::Text(value.as_str().unwrap().to_owned()); rows.len()];
                fields.push(Field { display: Some(tag.clone()), ..Field::new(tag, cells) });
            }
        }
    }
    Frame { ref_id: ref_id.to_owned(), name: String::new(), fields }
}

fn append(mut frame: Frame, more: Frame) -> Frame {
    for (field, more) in frame.fields.iter_mut().zip(more.fields) {
        assert_eq!(field.name, more.name);
        field.cells.extend(more.cells);
    }
    frame
}

/// Time, tag and value, as a curve.
fn curve(frame: Frame) -> Frame {
    let [time, tag, value] = frame.fields.try_into().unwrap();
    Frame {
        ref_id: frame.ref_id,
        name: tag.cells[0].words().to_owned(),
        fields: vec![time, Field { name: "Value".to_owned(), ..value }],
    }
}

/// The answer to a query in Flux, by its tables: one with `_time` and `_value` is a curve, another a table.
#[track_caller]
pub fn of_flux(rows: Vec<BTreeMap<String, String>>, target: &Value) -> Vec<Frame> {
    let ref_id = target["refId"].as_str().unwrap().to_owned();
    let Some(first) = rows.first() else { return Vec::new() };
    if first.contains_key("_value") && first.contains_key("_time") {
        let mut curves: Vec<Frame> = Vec::new();
        for row in &rows {
            let tags: Vec<&String> = row.iter().filter(|(key, _)| !key.starts_with('_')).map(|(_, tag)| tag).collect();
            let [tag] = tags[..] else { panic!("more than a tag: {row:?}") };
            if curves.last().is_none_or(|curve| curve.name != *tag) {
                let field = |name: &str| Field::new(name, Vec::new());
                let fields = vec![field("Time"), field("Value")];
                curves.push(Frame { ref_id: ref_id.clone(), name: tag.clone(), fields });
            }
            let curve = curves.last_mut().unwrap();
            curve.fields[0].cells.push(cell(&row["_time"]));
            curve.fields[1].cells.push(cell(&row["_value"]));
        }
        return curves;
    }
    let field = |name: &String| Field::new(name, rows.iter().map(|row| cell(&row[name])).collect());
    vec![Frame { ref_id, name: String::new(), fields: first.keys().map(field).collect() }]
}

/// CSV does not quote by type; no tag in these tests looks like a number or a time.
fn cell(text: &str) -> Cell {
    if text.is_empty() {
        Cell::Nothing
    } else if let Ok(number) = text.parse() {
        Cell::Number(number)
    } else if let Ok(time) = text.parse() {
        Cell::Time(time)
    } else {
        Cell::Text(text.to_owned())
    }
}
