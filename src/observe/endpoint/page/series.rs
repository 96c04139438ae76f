//! One series: as a card with all that is known of it, or as a row of a table.

use jiff::{SignedDuration, Timestamp, Zoned};
use maud::{Markup, PreEscaped, Render, html};

use super::heat_map::{Axes, busiest, picture};
use super::text::{bot_link, cut};
use super::words::{ago, counted, minute, rough, seconds_between};
use crate::domain::series::Interval;
use crate::observe::status::condition::Condition;
use crate::observe::status::view::{BotView, FailureView, SeriesView};

/// Characters of a channel's name that are shown.
const CHANNEL: usize = 60;

/// Characters of an error or an advice that are shown.
const WORDS: usize = 300;

/// A condition with its class, its sign and in words.
pub(super) fn condition(condition: Condition, now: Timestamp) -> (&'static str, &'static str, String) {
    match condition {
        Condition::Pending => ("pending", "…", "not fetched yet".to_owned()),
        Condition::Well => ("well", "✓", "up to date".to_owned()),
        Condition::Failing { since } => ("failing", "✕", format!("failing for {}", rough(seconds_between(since, now)))),
    }
}

/// Whether its last tick failed.
pub(super) fn is_failing(series: &SeriesView) -> bool {
    matches!(series.condition, Condition::Failing { .. })
}

/// The name of a series, with its bot.
pub(super) fn full_name(bot: &BotView, series: &SeriesView) -> Markup {
    html! { (bot_link(&bot.name)) "/" (cut(&series.channel, CHANNEL)) " " (series.interval) }
}

/// A failure: what was said, and what to do.
pub(super) fn failure(failure: &FailureView) -> Markup {
    html! {
        p.error { (cut(&failure.error, WORDS)) }
        p { b { "What to do:" } " " (cut(&failure.advice, WORDS)) }
    }
}

/// Everything about one series. `explained` is the anchor of the place that tells why it fails, if there is one.
pub(super) fn card(
    bot: &BotView,
    series: &SeriesView,
    now: Timestamp,
    explained: Option<usize>,
    axes: &mut Axes,
) -> Markup {
    let (class, sign, state) = condition(series.condition, now);
    let (what, age) = freshness(bot, series, now);
    let recent = series.recent();
    html! {
        article {
            h4 { (cut(&series.channel, CHANNEL)) " " small { (series.interval) } }
            p class={ "state " (class) } { span aria-hidden="true" { (sign) } " " (state) }
            (PreEscaped(picture(&recent, series.interval, now.to_zoned(bot.time_zone.clone()).datetime(), axes)))
            dl {
                @if let Some(busiest) = busiest(&recent, series.interval) { (fact("Busiest", busiest)) }
                (fact(&format!("Newest {what}"), age))
                (fact("Complete", series.watermark.map_or("no day yet".to_owned(), |day| format!("through {day}"))))
                (fact("Owed", owed(series.owed_days)))
                @if let Condition::Failing { since } = series.condition {
                    (fact("Failing", format!("since {}", minute(since))))
                }
                @match (&series.last_failure, explained) {
                    (_, Some(place)) => {
                        (fact("Why", html! { a href={ "#f" (place) } { "error and advice" } }))
                    }
                    (Some(last), _) => {
                        (fact("Last failure", html! { (minute(last.at)) ", " (ago(last.at, now)) (failure(last)) }))
                    }
                    (None, _) => {}
                }
            }
        }
    }
}

fn fact(name: &str, value: impl Render) -> Markup {
    html! { dt { (name) } dd { (value) } }
}

/// One series as a row: its name, its state, how fresh it is, what is owed.
pub(super) fn row(bot: &BotView, series: &SeriesView, now: Timestamp) -> Markup {
    let (class, sign, state) = condition(series.condition, now);
    let (_, age) = freshness(bot, series, now);
    html! {
        tr {
            th scope="row" { (cut(&series.channel, CHANNEL)) " " (series.interval) }
            td class=(class) { span aria-hidden="true" { (sign) } " " (state) }
            td { (age.trim_end_matches(" old")) }
            td { (owed(series.owed_days)) }
        }
    }
}

/// What the newest confirmed bucket is, and how old it is, counted from its end.
pub(super) fn freshness(bot: &BotView, series: &SeriesView, now: Timestamp) -> (&'static str, String) {
    let (what, end): (_, fn(Zoned) -> Option<Timestamp>) = match series.interval {
        Interval::Hourly => ("hour", end_of_hour),
        Interval::Daily => ("day", end_of_day),
    };
    let age = match series.newest_point.map(|start| end(start.to_zoned(bot.time_zone.clone())).unwrap_or(start)) {
        None => "none since start".to_owned(),
        Some(end) if end > now => "still filling".to_owned(),
        Some(end) => format!("{} old", rough(seconds_between(end, now))),
    };
    (what, age)
}

/// The days before today that are owed, in words.
pub(super) fn owed(days: u32) -> String {
    if days == 0 { "nothing".to_owned() } else { counted(days.into(), "day") }
}

fn end_of_hour(start: Zoned) -> Option<Timestamp> {
    start.timestamp().saturating_add(SignedDuration::from_hours(1)).ok()
}

fn end_of_day(start: Zoned) -> Option<Timestamp> {
    Some(start.tomorrow().ok()?.start_of_day().ok()?.timestamp())
}
