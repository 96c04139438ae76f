//! The list of failing series, grouped by reason: one outage is one entry, however many series it hits.

use std::collections::HashMap;

use jiff::Timestamp;
use maud::{Markup, PreEscaped, html};

use super::series::{failure, full_name, is_failing};
use super::words::{ago, counted, minute};
use crate::observe::status::condition::Condition;
use crate::observe::status::view::{BotView, FailureView, SeriesView};

/// Series that are named in one entry.
const NAMED: usize = 12;

/// Bytes kept for the sentence on what is left out.
const REST: usize = 300;

/// The section, and the failures that its entries tell, in their order.
#[derive(Debug, Default)]
pub(super) struct Failures<'a> {
    /// Empty if nothing fails.
    pub(super) html: String,
    told: Vec<&'a FailureView>,
}

impl Failures<'_> {
    /// The number of the entry that tells why this series fails.
    pub(super) fn explains(&self, series: &SeriesView) -> Option<usize> {
        let last = series.last_failure.as_ref().filter(|_| is_failing(series))?;
        self.told.iter().position(|told| reason(told) == reason(last))
    }
}

/// What makes two failures the same.
fn reason(failure: &FailureView) -> (&str, &str) {
    (&failure.error, &failure.advice)
}

/// A series with its bot.
type Failing<'a> = (&'a BotView, &'a SeriesView);

/// Tells of as many failures as there is room for, those that hit most series first.
pub(super) fn section(bots: &[BotView], now: Timestamp, room: usize) -> Failures<'_> {
    let groups = groups(bots);
    if groups.is_empty() {
        return Failures::default();
    }
    let (mut entries, mut told) = (String::new(), Vec::new());
    for (number, (last, group)) in groups.iter().enumerate() {
        let entry = entry(number, last, group, now).into_string();
        if entries.len() + entry.len() + REST > room {
            break;
        }
        entries += &entry;
        told.push(*last);
    }
    let left: usize = groups[told.len()..].iter().map(|(_, group)| group.len()).sum();
    let html = html! {
        section {
            h2 { "Failing" }
            (PreEscaped(entries))
            @if left > 0 {
                p {
                    (counted(left as u64, "more series")) " failing for "
                    (counted((groups.len() - told.len()) as u64, "more reason")) " not shown."
                }
            }
        }
    };
    Failures { html: html.into_string(), told }
}

/// Failing series by what was said about them, the largest group first.
fn groups(bots: &[BotView]) -> Vec<(&FailureView, Vec<Failing<'_>>)> {
    let mut groups: Vec<(&FailureView, Vec<Failing<'_>>)> = Vec::new();
    let mut known = HashMap::new();
    for (bot, series) in bots.iter().flat_map(|bot| bot.series.iter().map(move |series| (bot, series))) {
        let Some(last) = series.last_failure.as_ref().filter(|_| is_failing(series)) else { continue };
        let group = *known.entry(reason(last)).or_insert_with(|| {
            groups.push((last, Vec::new()));
            groups.len() - 1
        });
        groups[group].1.push((bot, series));
    }
    groups.sort_by_key(|(_, group)| std::cmp::Reverse(group.len()));
    groups
}

fn entry(number: usize, last: &FailureView, group: &[Failing<'_>], now: Timestamp) -> Markup {
    html! {
        article.failure id={ "f" (number) } {
            h3 {
                span.failing aria-hidden="true" { "✕" } " "
                @match group {
                    [(bot, series)] => { (full_name(bot, series)) },
                    many => { (counted(many.len() as u64, "series")) },
                }
            }
            (failure(last))
            @match group {
                [(_, series)] => { p.soft { (details(series, now)) } },
                many => { ul {
                    @for (bot, series) in many.iter().take(NAMED) {
                        li { (full_name(bot, series)) " " span.soft { (details(series, now)) } }
                    }
                    @if many.len() > NAMED {
                        li { "and " (counted((many.len() - NAMED) as u64, "more series")) }
                    }
                } },
            }
        }
    }
}

/// Since when a series fails, when it did last, and what it owes.
fn details(series: &SeriesView, now: Timestamp) -> String {
    let Condition::Failing { since } = series.condition else { return String::new() };
    let last = series.last_failure.as_ref().map(|last| format!("; last {}", ago(last.at, now)));
    let owed = match series.owed_days {
        0 => String::new(),
        days => format!("; {} owed", counted(days.into(), "day")),
    };
    format!("failing since {}, {}{}{owed}", minute(since), ago(since, now), last.unwrap_or_default())
}
