//! The list of failing series, grouped by reason: one outage is one entry, however many series it hits.

use std::collections::HashMap;

use jiff::Timestamp;
use maud::{Markup, PreEscaped, html};

use super::series::{failure, full_name, is_failing};
use super::words::{ago, counted, minute};
use crate::observe::status::view::{BotView, Condition, FailureView, SeriesView};

/// Series that are named in one entry.
const NAMED: usize = 12;

/// Bytes kept for the sentence on what is left out.
const REST: usize = 300;

/// The section, and which of its entries explains the failure of which series.
#[derive(Debug, Default)]
pub(super) struct Failures {
    /// Empty if nothing fails.
    pub(super) html: String,
    explained: HashMap<(usize, usize), usize>,
}

impl Failures {
    /// The number of the entry that tells why this series fails: the bot's place in the view, and the series' in the bot.
    pub(super) fn explains(&self, bot: usize, series: usize) -> Option<usize> {
        self.explained.get(&(bot, series)).copied()
    }
}

/// A series with its place in the view.
#[derive(Clone, Copy)]
struct Failing<'a> {
    place: (usize, usize),
    bot: &'a BotView,
    series: &'a SeriesView,
}

/// Tells of as many failures as there is room for, those that hit most series first.
pub(super) fn section(bots: &[BotView], now: Timestamp, room: usize) -> Failures {
    let groups = groups(bots);
    if groups.is_empty() {
        return Failures::default();
    }
    let mut explained = HashMap::new();
    let (mut entries, mut told) = (String::new(), 0);
    for (number, (last, group)) in groups.iter().enumerate() {
        let entry = entry(number, *last, group, now).into_string();
        if entries.len() + entry.len() + REST > room {
            break;
        }
        entries += &entry;
        explained.extend(group.iter().map(|failing| (failing.place, number)));
        told += 1;
    }
    let left: usize = groups[told..].iter().map(|(_, group)| group.len()).sum();
    let html = html! {
        section {
            h2 { "Failing" }
            (PreEscaped(entries))
            @if left > 0 {
                p {
                    (counted(left as u64, "more series")) " failing for "
                    (counted((groups.len() - told) as u64, "more reason")) " not shown."
                }
            }
        }
    };
    Failures { html: html.into_string(), explained }
}

/// Failing series by what was said about them, the largest group first.
fn groups(bots: &[BotView]) -> Vec<(Option<&FailureView>, Vec<Failing<'_>>)> {
    let mut groups: Vec<(Option<&FailureView>, Vec<Failing<'_>>)> = Vec::new();
    let mut known = HashMap::new();
    for (bot_place, bot) in bots.iter().enumerate() {
        for (series_place, series) in bot.series.iter().enumerate().filter(|(_, series)| is_failing(series)) {
            let failing = Failing { place: (bot_place, series_place), bot, series };
            let last = series.last_failure.as_ref();
            let reason = last.map(|last| (last.error.as_str(), last.advice.as_str()));
            let group = *known.entry(reason).or_insert_with(|| {
                groups.push((last, Vec::new()));
                groups.len() - 1
            });
            groups[group].1.push(failing);
        }
    }
    groups.sort_by_key(|(_, group)| std::cmp::Reverse(group.len()));
    groups
}

fn entry(number: usize, last: Option<&FailureView>, group: &[Failing<'_>], now: Timestamp) -> Markup {
    html! {
        article.failure id={ "f" (number) } {
            h3 {
                span.failing aria-hidden="true" { "✕" } " "
                @match group {
                    [one] => { (full_name(one.bot, one.series)) },
                    many => { (counted(many.len() as u64, "series")) },
                }
            }
            @match last {
                Some(last) => { (failure(last)) },
                None => { p { "The reason is not known." } },
            }
            @match group {
                [one] => { p.soft { (details(one, now)) } },
                many => { ul {
                    @for failing in many.iter().take(NAMED) {
                        li { (full_name(failing.bot, failing.series)) " " span.soft { (details(failing, now)) } }
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
fn details(failing: &Failing<'_>, now: Timestamp) -> String {
    let Condition::Failing { since } = failing.series.condition else { return String::new() };
    let last = failing.series.last_failure.as_ref().map(|last| format!("; last {}", ago(last.at, now)));
    let owed = match failing.series.owed_days {
        0 => String::new(),
        days => format!("; {} owed", counted(days.into(), "day")),
    };
    format!("failing since {}, {}{}{owed}", minute(since), ago(since, now), last.unwrap_or_default())
}
