//! The ticks: which are next, and how the last ones went.

use maud::{Markup, html};

use super::words::{ago, ahead, counted, grouped, second, took};
use crate::observe::status::view::{NextTick, TickView, View};

/// Schedules whose next tick is named.
const SCHEDULES: usize = 5;

/// The section.
pub(super) fn section(view: &View) -> Markup {
    html! {
        section {
            h2 { "Ticks" }
            (next(view))
            @match view.ticks.first() {
                Some(last) => { p { "Last: " (second(last.started)) ", " (ago(last.started, view.now)) } },
                None => { p { "No tick has finished since start." } },
            }
            @if view.skipped > 0 {
                p { (counted(view.skipped, "tick")) " skipped since start because a bot's previous tick was still running." }
            }
            @if !view.ticks.is_empty() { (table(&view.ticks)) }
        }
    }
}

fn next(view: &View) -> Markup {
    let item = |next: &NextTick| {
        format!("{}, {} ({})", second(next.at), ahead(next.at, view.now), counted(next.bots as u64, "bot"))
    };
    html! {
        @match view.next.as_slice() {
            [] => { p { "No tick is scheduled." } },
            [only] => { p { "Next: " (item(only)) } },
            all => {
                p { "Next, by schedule:" }
                ul {
                    @for next in all.iter().take(SCHEDULES) { li { (item(next)) } }
                    @if all.len() > SCHEDULES {
                        li { "and " (counted((all.len() - SCHEDULES) as u64, "schedule")) " later" }
                    }
                }
            }
        }
    }
}

fn table(ticks: &[TickView]) -> Markup {
    html! {
        div.scroll tabindex="0" role="region" aria-label="The last ticks" {
            table.numbers {
                caption { "The last ticks" }
                thead {
                    tr {
                        @for name in ["Due (UTC)", "Took", "Bots", "Series", "Failed", "Points", "Requests"] {
                            th scope="col" { (name) }
                        }
                    }
                }
                tbody { @for tick in ticks { (row(tick)) } }
            }
        }
    }
}

fn row(tick: &TickView) -> Markup {
    html! {
        tr {
            th scope="row" { (tick.started.strftime("%b %-d, %H:%M:%S")) }
            td { (took(tick.took)) }
            td { (grouped(tick.bots as u64)) }
            td { (grouped(tick.series as u64)) }
            @match tick.failed {
                0 => { td { "0" } },
                failed => { td.failing { span aria-hidden="true" { "✕" } " " (grouped(failed as u64)) } },
            }
            td { (grouped(tick.points)) }
            td { (grouped(tick.requests)) }
        }
    }
}
