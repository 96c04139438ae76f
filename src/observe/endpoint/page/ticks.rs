//! The ticks: which are next, and how the last ones went.

use super::words::{ago, ahead, counted, grouped, second, took};
use crate::observe::status::view::{NextTick, TickView, View};

/// Rows of the table.
const ROWS: usize = 10;

/// Schedules whose next tick is named.
const SCHEDULES: usize = 5;

/// The section.
pub(super) fn section(view: &View) -> String {
    let skipped = match view.skipped {
        0 => String::new(),
        ticks => format!(
            "<p>{} of a bot skipped since the start, because its last one was still running.</p>",
            counted(ticks, "tick")
        ),
    };
    let last = match view.ticks.as_slice() {
        [] => format!("<p>No tick has ended since the start.</p>{skipped}"),
        ticks @ [last, ..] => {
            format!("<p>Last: {}, {}</p>{skipped}{}", second(last.started), ago(last.started, view.now), table(ticks))
        }
    };
    format!("<section><h2>Ticks</h2>{}{last}</section>", next(view))
}

fn next(view: &View) -> String {
    let item = |next: &NextTick| {
        format!("{}, {} ({})", second(next.at), ahead(next.at, view.now), counted(next.bots as u64, "bot"))
    };
    match view.next.as_slice() {
        [] => "<p>No tick is due.</p>".to_owned(),
        [only] => format!("<p>Next: {}</p>", item(only)),
        all => {
            let items: String = all.iter().take(SCHEDULES).map(|next| format!("<li>{}</li>", item(next))).collect();
            let more = match all.len().saturating_sub(SCHEDULES) {
                0 => String::new(),
                more => format!("<li>later: {}</li>", counted(more as u64, "more schedule")),
            };
            format!("<p>Next, by schedule:</p><ul>{items}{more}</ul>")
        }
    }
}

fn table(ticks: &[TickView]) -> String {
    let columns = ["Due (UTC)", "Took", "Bots", "Series", "Failed", "Points", "Requests"];
    let head = columns.map(|name| format!("<th scope=\"col\">{name}</th>")).concat();
    let row = |tick: &TickView| {
        let failed = match tick.failed {
            0 => "<td>0</td>".to_owned(),
            failed => {
                format!("<td class=\"failing\"><span aria-hidden=\"true\">✕</span> {}</td>", grouped(failed as u64))
            }
        };
        format!(
            "<tr><th scope=\"row\">{}</th><td>{}</td><td>{}</td><td>{}</td>{failed}<td>{}</td><td>{}</td></tr>",
            tick.started.strftime("%b %-d, %H:%M:%S"),
            took(tick.took),
            grouped(tick.bots as u64),
            grouped(tick.series as u64),
            grouped(tick.points),
            grouped(tick.requests),
        )
    };
    let rows: String = ticks.iter().take(ROWS).map(row).collect();
    format!(
        "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"The last ticks\"><table class=\"numbers\">\
         <caption>The last ticks</caption><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>"
    )
}
