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
    collapsed: bool,
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
        Row { title, lines, collapsed: false }
    }

    /// A row that is rarely needed: it asks nothing until it is opened.
    pub(crate) fn collapsed(title: &'static str, lines: Vec<Line>) -> Row {
        Row { title, lines, collapsed: true }
    }
}

/// The panels of all rows with their places, numbered in reading order.
pub(crate) fn panels(language: Language, rows: Vec<Row>) -> Vec<Value> {
    let mut placed = Vec::new();
    let (mut id, mut y) = (0, 0);
    let mut next = || {
        id += 1;
        id
    };
    for row in rows {
        let heading = (next(), y);
        let mut panels = Vec::new();
        y += 1;
        let mut below = y;
        for line in row.lines {
            let mut x = 0;
            for (width, panel) in line.panels {
                let place = json!({ "x": x, "y": below, "w": width, "h": line.height });
                panels.push(panel.json(language, next(), place));
                x += width;
            }
            below += line.height;
        }
        // A collapsed row holds its panels itself, and the next row follows at once.
        let (inside, after) = if row.collapsed { (panels, Vec::new()) } else { (Vec::new(), panels) };
        placed.push(json!({
            "id": heading.0, "type": "row", "title": row.title, "collapsed": row.collapsed, "panels": inside,
            "gridPos": { "x": 0, "y": heading.1, "w": COLUMNS, "h": 1 },
        }));
        if !row.collapsed {
            y = below;
        }
        placed.extend(after);
    }
    placed
}
