//! The transformations of a panel, one function for each.

use serde_json::Value;

use super::expand::{Chosen, variables};
use super::frame::{Cell, Field, Frame};
use super::{moment, words};

/// The frames as the panel draws them.
#[track_caller]
pub fn transform(panel: &Value, mut frames: Vec<Frame>, chosen: &Chosen) -> Vec<Frame> {
    // Grafana expands variables in the whole list at once.
    let list = variables(&panel["transformations"].to_string(), chosen);
    let list: Vec<Value> = serde_json::from_str(&list).unwrap();
    // Columns that Grafana takes for there, and then finds to have no values at all.
    let mut undefined = false;
    for transformation in &list {
        let id = words(&transformation["id"]);
        assert!(!undefined || id == "filterByValue", "{id} would read what is not there: {}", panel["title"]);
        let pattern = transformation["filter"]["options"]
            .as_str()
            .map(|pattern| pattern.strip_prefix("/^(").and_then(|rest| rest.strip_suffix(")$/")).unwrap().to_owned());
        let (these, others): (Vec<Frame>, Vec<Frame>) = frames
            .into_iter()
            .partition(|frame| pattern.as_ref().is_none_or(|ids| ids.split('|').any(|id| id == frame.ref_id)));
        let several = these.len() > 1;
        frames = one(transformation, these);
        let inner = id == "joinByField" && transformation["options"]["mode"] == "inner";
        undefined = inner && several && frames[0].len() == 0;
        frames.extend(others);
    }
    assert!(!undefined, "{} would draw what is not there", panel["title"]);
    frames
}

fn one(transformation: &Value, frames: Vec<Frame>) -> Vec<Frame> {
    let options = &transformation["options"];
    let each =
        |change: fn(&Value, Frame) -> Frame| frames.clone().into_iter().map(|frame| change(options, frame)).collect();
    match words(&transformation["id"]) {
        "formatTime" => each(format_time),
        "organize" => each(organize),
        "groupBy" => frames.into_iter().filter_map(|frame| group_by(options, frame)).collect(),
        "sortBy" => each(sort_by),
        "limit" => each(limit),
        "filterByValue" => each(filter),
        "calculateField" => each(calculate),
        "extractFields" => each(extract),
        "convertFieldType" => each(convert),
        "groupingToMatrix" if frames.len() == 1 => each(matrix),
        "groupingToMatrix" => frames,
        "joinByField" => join(options, frames),
        other => panic!("no such transformation: {other}"),
    }
}

fn position(frame: &Frame, name: &str) -> Option<usize> {
    frame.fields.iter().position(|field| field.name == name)
}

fn format_time(options: &Value, mut frame: Frame) -> Frame {
    if let Some(at) = position(&frame, words(&options["timeField"])) {
        for cell in &mut frame.fields[at].cells {
            if let Cell::Time(time) = cell {
                *cell = Cell::Text(moment::format(*time, words(&options["timezone"]), words(&options["outputFormat"])));
            }
        }
    }
    frame
}

fn organize(options: &Value, mut frame: Frame) -> Frame {
    frame.fields.retain(|field| options["excludeByName"][&field.name] != true);
    let order = &options["indexByName"];
    if order.as_object().is_some_and(|order| !order.is_empty()) {
        frame.fields.sort_by_key(|field| order[&field.name].as_u64().unwrap());
    }
    for field in &mut frame.fields {
        if let Some(name) = options["renameByName"][&field.name].as_str() {
            field.name = name.to_owned();
            field.display = Some(name.to_owned());
        }
    }
    frame
}

/// Grafana drops a frame that has none of the columns to group by.
fn group_by(options: &Value, frame: Frame) -> Option<Frame> {
    let fields = options["fields"].as_object().unwrap();
    let keys: Vec<&Field> = frame
        .fields
        .iter()
        .filter(|field| fields.get(&field.name).is_some_and(|how| how["operation"] == "groupby"))
        .collect();
    if keys.is_empty() {
        return None;
    }
    let mut groups: Vec<(Vec<Cell>, Vec<usize>)> = Vec::new();
    for line in 0..frame.len() {
        let key: Vec<Cell> = keys.iter().map(|field| field.cells[line].clone()).collect();
        match groups.iter_mut().find(|(known, _)| *known == key) {
            Some((_, lines)) => lines.push(line),
            None => groups.push((key, vec![line])),
        }
    }
    let key = |(at, field): (usize, &&Field)| Field {
        cells: groups.iter().map(|(key, _)| key[at].clone()).collect(),
        ..(*field).clone()
    };
    let mut grouped: Vec<Field> = keys.iter().enumerate().map(key).collect();
    for field in &frame.fields {
        for how in fields.get(&field.name).and_then(|how| how["aggregations"].as_array()).into_iter().flatten() {
            let how = words(how);
            let numbers = |lines: &Vec<usize>| lines.iter().map(|line| field.cells[*line].number()).collect::<Vec<_>>();
            let cells = groups.iter().map(|(_, lines)| Cell::Number(reduced(how, &numbers(lines)))).collect();
            grouped.push(Field::new(format!("{} ({how})", field.name), cells));
        }
    }
    Some(Frame { fields: grouped, ..frame })
}

fn reduced(how: &str, numbers: &[f64]) -> f64 {
    let sum: f64 = numbers.iter().sum();
    match how {
        "sum" => sum,
        "mean" => sum / numbers.len() as f64,
        other => panic!("no such calculation: {other}"),
    }
}

fn sort_by(options: &Value, frame: Frame) -> Frame {
    let sort = &options["sort"][0];
    let Some(at) = position(&frame, words(&sort["field"])) else { return frame };
    let cells = &frame.fields[at].cells;
    let mut lines: Vec<usize> = (0..frame.len()).collect();
    lines.sort_by(|a, b| match (&cells[*a], &cells[*b]) {
        (Cell::Number(a), Cell::Number(b)) => a.total_cmp(b),
        (Cell::Text(a), Cell::Text(b)) => a.cmp(b),
        (Cell::Time(a), Cell::Time(b)) => a.cmp(b),
        other => panic!("cannot be sorted: {other:?}"),
    });
    if sort["desc"] == true {
        lines.reverse();
    }
    pick(frame, &lines)
}

fn limit(options: &Value, frame: Frame) -> Frame {
    let lines: Vec<usize> = (0..frame.len()).take(options["limitField"].as_u64().unwrap() as usize).collect();
    pick(frame, &lines)
}

fn pick(mut frame: Frame, lines: &[usize]) -> Frame {
    for field in &mut frame.fields {
        field.cells = lines.iter().map(|line| field.cells[*line].clone()).collect();
    }
    frame
}

/// A condition on a column that is not there is met by no line.
fn filter(options: &Value, frame: Frame) -> Frame {
    assert_eq!((&options["type"], &options["match"]), (&Value::from("include"), &Value::from("all")));
    let met = |filter: &Value, line: usize| {
        assert_eq!(filter["config"]["id"], "isNotNull");
        let field = frame.fields.iter().find(|field| field.shown() == words(&filter["fieldName"]));
        field.is_some_and(|field| field.cells[line] != Cell::Nothing)
    };
    let filters = options["filters"].as_array().unwrap();
    let lines: Vec<usize> = (0..frame.len()).filter(|line| filters.iter().all(|filter| met(filter, *line))).collect();
    pick(frame, &lines)
}

/// As JavaScript calculates, in which what is missing is no number, and so is whatever is made of it.
fn calculate(options: &Value, mut frame: Frame) -> Frame {
    let binary = &options["binary"];
    assert_eq!(options["mode"], "binary");
    // A column, or a number where no column is called so.
    let operand = |side: &str| {
        let matcher = &binary[side]["matcher"];
        let named = if matcher.is_null() { words(&binary[side]["fixed"]) } else { words(&matcher["options"]) };
        assert!(matcher.is_null() || matcher["id"] == "byName");
        match position(&frame, named) {
            Some(at) => Some(frame.fields[at].cells.iter().map(number).collect::<Vec<f64>>()),
            None => named.parse().ok().map(|number| vec![number; frame.len()]),
        }
    };
    let (Some(left), Some(right)) = (operand("left"), operand("right")) else { return frame };
    let cells = left.into_iter().zip(right).map(|(left, right)| match words(&binary["operator"]) {
        "/" => Cell::Number(left / right),
        "-" => Cell::Number(left - right),
        other => panic!("no such operator: {other}"),
    });
    let cells = cells.collect();
    frame.fields.push(Field::new(words(&options["alias"]), cells));
    frame
}

/// A time is its milliseconds.
fn number(cell: &Cell) -> f64 {
    match cell {
        Cell::Nothing => f64::NAN,
        Cell::Time(time) => time.as_millisecond() as f64,
        cell => cell.number(),
    }
}

/// A text becomes a time, read in the zone of the reader's profile: here UTC, whatever the time picker says.
fn convert(options: &Value, mut frame: Frame) -> Frame {
    let [conversion] = &options["conversions"].as_array().unwrap()[..] else { panic!("one conversion") };
    assert_eq!(conversion["destinationType"], "time");
    assert_eq!(conversion["dateFormat"], "YYYY-MM-DD HH");
    if let Some(at) = position(&frame, words(&conversion["targetField"])) {
        for cell in &mut frame.fields[at].cells {
            let read = jiff::civil::DateTime::strptime("%Y-%m-%d %H", cell.words()).unwrap();
            *cell = Cell::Time(read.to_zoned(jiff::tz::TimeZone::UTC).unwrap().timestamp());
        }
    }
    frame
}

fn extract(options: &Value, mut frame: Frame) -> Frame {
    assert_eq!((&options["format"], &options["replace"]), (&Value::from("json"), &Value::from(false)));
    let source = frame.column(words(&options["source"]));
    let objects: Vec<Value> = source.iter().map(|cell| serde_json::from_str(cell.words()).unwrap()).collect();
    let names: Vec<String> = objects.iter().take(1).flat_map(|one| one.as_object().unwrap().keys().cloned()).collect();
    for name in names {
        let cells = objects.iter().map(|object| Cell::Text(words(&object[&name]).to_owned())).collect();
        frame.fields.push(Field::new(name, cells));
    }
    frame
}

fn matrix(options: &Value, frame: Frame) -> Frame {
    assert_eq!(options["emptyValue"], "null");
    let name = |option: &str| words(&options[option]);
    let (columns, rows) = (frame.column(name("columnField")), frame.column(name("rowField")));
    let values = frame.column(name("valueField"));
    let display = frame.fields[position(&frame, name("valueField")).unwrap()].display.clone();
    let unique = |cells: &[Cell]| {
        let mut unique: Vec<Cell> = Vec::new();
        for cell in cells {
            if !unique.contains(cell) {
                unique.push(cell.clone());
            }
        }
        unique
    };
    let lines = unique(rows);
    let corner = format!("{}\\{}", name("rowField"), name("columnField"));
    let mut fields = vec![Field::new(corner, lines.clone())];
    for column in unique(columns) {
        let value = |line: &Cell| {
            let found = (0..values.len()).rev().find(|at| columns[*at] == column && rows[*at] == *line);
            found.map_or(Cell::Nothing, |at| values[at].clone())
        };
        // Whatever stood over the values stands over every column of theirs.
        fields
            .push(Field { display: display.clone(), ..Field::new(column.words(), lines.iter().map(value).collect()) });
    }
    Frame { fields, ..frame }
}

/// Less than two frames are left as they are; a frame without the column to join by is dropped.
fn join(options: &Value, mut frames: Vec<Frame>) -> Vec<Frame> {
    if frames.len() < 2 {
        return frames;
    }
    let by = words(&options["byField"]);
    frames.retain(|frame| position(frame, by).is_some());
    let inner = options["mode"] == "inner";
    let mut keys: Vec<Cell> = Vec::new();
    for frame in &frames {
        for (at, key) in frame.column(by).iter().enumerate() {
            assert!(!frame.column(by)[..at].contains(key), "a key twice: {key:?}");
            if !keys.contains(key) {
                keys.push(key.clone());
            }
        }
    }
    if inner {
        keys.retain(|key| frames.iter().all(|frame| frame.column(by).contains(key)));
    }
    let mut fields = vec![Field::new(by, keys.clone())];
    for frame in &frames {
        let of_key = |field: &Field, key: &Cell| {
            frame.column(by).iter().position(|known| known == key).map_or(Cell::Nothing, |at| field.cells[at].clone())
        };
        for field in frame.fields.iter().filter(|field| field.name != by) {
            let cells = keys.iter().map(|key| of_key(field, key)).collect();
            fields.push(Field { cells, ..field.clone() });
        }
    }
    vec![Frame { ref_id: String::new(), name: String::new(), fields }]
}
