//! Tables for standard output: a series a row.

use std::fmt::Write;

use crate::domain::series::Series;

/// Columns that name a series, aligned at the left; those after them are figures.
const NAMES: usize = 3;

/// A row: its cells, as many as in the others, and a remark that needs no column.
pub(super) struct Row {
    cells: Vec<String>,
    remark: String,
}

impl Row {
    /// The first row; what the columns of figures hold, and the remark.
    pub(super) fn heading(figures: &[&str], remark: &str) -> Row {
        let cells = ["bot", "channel", "interval"].iter().chain(figures);
        Row { cells: cells.map(|cell| (*cell).to_owned()).collect(), remark: remark.to_owned() }
    }

    /// The row of a series.
    pub(super) fn of(series: &Series, figures: &[u64], remark: String) -> Row {
        let names = [series.bot.name.to_string(), series.channel.to_string(), series.interval.to_string()];
        Row { cells: names.into_iter().chain(figures.iter().map(u64::to_string)).collect(), remark }
    }
}

/// The rows with their columns aligned.
pub(super) fn aligned(rows: &[Row]) -> String {
    let columns = rows.first().map_or(0, |row| row.cells.len());
    let width = |column: usize| rows.iter().map(|row| row.cells[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for Row { cells, remark } in rows {
        for (column, (cell, width)) in cells.iter().zip(&widths).enumerate() {
            let gap = if column == 0 { "" } else { "  " };
            let _infallible = match column < NAMES {
                true => write!(text, "{gap}{cell:<width$}"),
                false => write!(text, "{gap}{cell:>width$}"),
            };
        }
        let gap = if remark.is_empty() { "" } else { "  " };
        let _infallible = writeln!(text, "{gap}{remark}");
    }
    text
}
