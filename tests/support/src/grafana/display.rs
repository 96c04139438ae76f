//! What Grafana writes in the place of a value that is no figure: the value mappings of a panel.

use serde_json::Value;

use super::frame::{Cell, Field, Frame};
use super::words;

/// The frames with texts where the panel maps values to texts. Panics where a reader would see "NaN" or "∞".
#[track_caller]
pub fn mapped(panel: &Value, mut frames: Vec<Frame>) -> Vec<Frame> {
    for field in frames.iter_mut().flat_map(|frame| &mut frame.fields) {
        let mappings = mappings(panel, field);
        for cell in &mut field.cells {
            if let Some(text) = mappings.iter().find_map(|mapping| text(mapping, cell)) {
                *cell = Cell::Text(text);
            }
            let strange = matches!(cell, Cell::Number(number) if !number.is_finite());
            assert!(!strange, "{} shows {cell:?} in {:?}", panel["title"], field.name);
        }
    }
    frames
}

/// Those of the field, else those of all fields.
fn mappings(panel: &Value, field: &Field) -> Vec<Value> {
    let config = &panel["fieldConfig"];
    let own = config["overrides"].as_array().into_iter().flatten().filter(|one| {
        assert_eq!(one["matcher"]["id"], "byName");
        one["matcher"]["options"] == field.name || one["matcher"]["options"] == *field.shown()
    });
    let own = own.flat_map(|one| one["properties"].as_array().unwrap()).filter(|property| property["id"] == "mappings");
    let mappings = own.map(|property| &property["value"]).next_back().unwrap_or(&config["defaults"]["mappings"]);
    mappings.as_array().cloned().unwrap_or_default()
}

fn text(mapping: &Value, cell: &Cell) -> Option<String> {
    let options = &mapping["options"];
    let number = if let Cell::Number(number) = cell { Some(*number) } else { None };
    let result = match words(&mapping["type"]) {
        "special" => {
            let matches = match words(&options["match"]) {
                "null" => *cell == Cell::Nothing,
                "nan" => number.is_some_and(f64::is_nan),
                "null+nan" => *cell == Cell::Nothing || number.is_some_and(f64::is_nan),
                other => panic!("no such special value: {other}"),
            };
            matches.then_some(&options["result"])
        }
        "value" => {
            // As JavaScript writes a number.
            let name =
                number.map(|number| if number == f64::INFINITY { "Infinity".to_owned() } else { number.to_string() });
            name.and_then(|name| options.get(&name))
        }
        "regex" => return replaced(options, cell),
        other => panic!("no such mapping: {other}"),
    };
    result.map(|result| words(&result["text"]).to_owned())
}

/// What stands behind the part that is there for the order only.
fn replaced(options: &Value, cell: &Cell) -> Option<String> {
    assert_eq!(options["result"]["text"], "$1");
    let Cell::Text(text) = cell else { return None };
    let order = match words(&options["pattern"]) {
        r"^\d{4}-\d{2}-\d{2} (.+)$" => "0000-00-00 ",
        r"^\d (.+)$" => "0 ",
        other => panic!("no such pattern: {other}"),
    };
    let (before, after) = text.split_at_checked(order.len())?;
    let digits = before.chars().map(|c| if c.is_ascii_digit() { '0' } else { c });
    digits.eq(order.chars()).then(|| after.to_owned())
}
