//! Where panels are: rows of lines that are 24 columns wide, so that nothing overlaps and nothing is left out.

use serde_json::{Value, json};

use super::panel::Panel;
use super::query::Language;

/// How wide a dashboard is.
const COLUMNS: usize = 24;

/// Panels side by side, all of the same height.
pub(crate) struct Line {
    height: usize,
    panels: Vec<(usize, Panel)>,
}

/// Lines under a heading.
pub(crate) struct Row {
    title: &'static str,
    lines: Vec<Line>,
}

impl Line {
    /// A line of panels, each with its width.
    pub(crate) fn new(height: usize, panels: Vec<(usize, Panel)>) -> Line {
        assert_eq!(panels.iter().map(|(width, _)| width).sum::<usize>(), COLUMNS, "a line is as wide as the dashboard");
        Line { height, panels }
    }
}

impl Row {
    /// A row.
    pub(crate) fn new(title: &'static str, lines: Vec<Line>) -> Row {
        Row { title, lines }
    }
}

/// The panels of all rows with their places, numbered in reading order.
pub(crate) fn panels(language: Language, rows: Vec<Row>) -> Vec<Value> {
    let mut placed = Vec::new();
    let mut y = 0;
    for row in rows {
        placed.push(json!({
            "id": placed.len() + 1, "type": "row", "title": row.title, "collapsed": false, "panels": [],
            "gridPos": { "x": 0, "y": y, "w": COLUMNS, "h": 1 },
        }));
        y += 1;
        for line in row.lines {
            let mut x = 0;
            for (width, panel) in line.panels {
                let place = json!({ "x": x, "y": y, "w": width, "h": line.height });
                placed.push(panel.json(language, placed.len() + 1, place));
                x += width;
            }
            y += line.height;
        }
    }
    placed
}
