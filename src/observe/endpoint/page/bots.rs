//! The bots with their series: all of them in full if there is room, else a table of all and as many in full as fit.

use jiff::Timestamp;
use maud::{Markup, PreEscaped, html};

use super::failures::Failures;
use super::heat_map::{Axes, CLASSES};
use super::series::{card, freshness, is_failing, owed, row};
use super::text::{bot_link, clean};
use super::words::{counted, grouped, rough};
use crate::domain::series::Interval;
use crate::observe::status::condition::Condition;
use crate::observe::status::view::{BotView, SeriesView};

/// Bytes kept for what stands around lists: headings, the legend, the sentence on what is left out.
const AROUND: usize = 2000;

/// So many that turned out too large are enough to stop looking for one that fits.
const MISFITS: usize = 3;

/// All of the bots, in no more than `room` bytes, those that fail first.
pub(super) fn section(bots: &[BotView], now: Timestamp, failures: &Failures<'_>, room: usize) -> String {
    let room = room.saturating_sub(AROUND);
    let series = bots.iter().map(|bot| bot.series.len()).sum::<usize>() as u64;
    let body = match bots {
        [] => html! { p { "This process exports no bots." } },
        [bot] => one_bot(bot, now, failures, room),
        _ => many_bots(bots, now, failures, room),
    };
    let heading = format!("{}, {}", counted(bots.len() as u64, "bot"), counted(series, "series"));
    html! { section { h2 { (heading) } (body) } }.into_string()
}

fn one_bot(bot: &BotView, now: Timestamp, failures: &Failures<'_>, room: usize) -> Markup {
    let (head, series) = (head(bot), ordered(bot));
    let room = room.saturating_sub(head.0.len());
    let full = |series: &&SeriesView, axes: &mut Axes| card(bot, series, now, failures.explains(series), axes);
    let overview = |room| {
        let (rows, left_out) = fit(&series, room, |series, _| row(bot, series, now));
        html! {
            (table("All series of this bot, with the age of their newest hour or day", "Series", &rows))
            @if !left_out.is_empty() { p { (counted(left_out.len() as u64, "more series")) " not listed." } }
        }
    };
    let rest = |left_out: &[&&SeriesView]| {
        html! {
            p {
                (counted(left_out.len() as u64, "more series")) " of this bot shown in the table only: "
                (tally(left_out.iter().map(|series| **series))) "."
            }
        }
    };
    html! { (head) (in_full_or_overview(&series, room, full, overview, rest, |cards| html! { div.cards { (cards) } })) }
}

/// The bots, those that fail first. Where there are too many for a table, there are their names.
fn many_bots(bots: &[BotView], now: Timestamp, failures: &Failures<'_>, room: usize) -> Markup {
    let mut order: Vec<&BotView> = bots.iter().collect();
    order.sort_by_key(|bot| !bot.series.iter().any(is_failing));
    let full = |bot: &&BotView, axes: &mut Axes| {
        let cards = ordered(bot).into_iter().map(|series| card(bot, series, now, failures.explains(series), axes));
        html! { (head(bot)) div.cards { @for card in cards { (card) } } }
    };
    let overview = |room| {
        if let (rows, left_out) = fit(&order, room, |bot, _| bot_row(bot, now))
            && left_out.is_empty()
        {
            return table("All bots, with the age of their newest hour", "Bot", &rows);
        }
        let (names, left_out) = fit(&order, room, |bot, _| html! { li { (bot_link(&bot.name)) } });
        html! {
            ul.names {
                (names)
                @if !left_out.is_empty() { li { "and " (counted(left_out.len() as u64, "more bot")) } }
            }
        }
    };
    let rest = |left_out: &[&&BotView]| {
        let series: Vec<&SeriesView> = left_out.iter().flat_map(|bot| &bot.series).collect();
        html! {
            p {
                (counted(series.len() as u64, "more series")) " of " (counted(left_out.len() as u64, "bot"))
                " shown in the table only: " (tally(series)) ". Click a bot's name, or use "
                code { "?bot=NAME" } ", for the details."
            }
        }
    };
    in_full_or_overview(&order, room, full, overview, rest, |bots| bots)
}

/// All of these in full if there is room, else an overview, a sentence on the rest, and as many in full as fit.
fn in_full_or_overview<T>(
    items: &[T],
    room: usize,
    full: impl Fn(&T, &mut Axes) -> Markup,
    overview: impl FnOnce(usize) -> Markup,
    rest: impl FnOnce(&[&T]) -> Markup,
    around: impl Fn(Markup) -> Markup,
) -> Markup {
    let (all, left_out) = fit(items, room, &full);
    if left_out.is_empty() {
        return html! { (legend(&all)) (around(all)) };
    }
    let overview = overview(room);
    let (some, left_out) = fit(items, room.saturating_sub(overview.0.len()), &full);
    html! { (overview) (rest(&left_out)) (legend(&some)) (around(some)) }
}

/// As many of so many things as there is room for, and which are left out.
fn fit<T>(items: &[T], room: usize, detail: impl Fn(&T, &mut Axes) -> Markup) -> (Markup, Vec<&T>) {
    let (mut html, mut left_out) = (String::new(), Vec::new());
    let mut axes = Axes::default();
    for item in items {
        if left_out.len() < MISFITS {
            // What does not fit draws no axis that others refer to.
            let mut drawn = axes.clone();
            let detail = detail(item, &mut drawn).into_string();
            if html.len() + detail.len() <= room {
                axes = drawn;
                html += &detail;
                continue;
            }
        }
        left_out.push(item);
    }
    (PreEscaped(html), left_out)
}

/// A bot as a row: how its series are, the least fresh of them, and all that is owed.
fn bot_row(bot: &BotView, now: Timestamp) -> Markup {
    let failing = bot.series.iter().filter(|series| is_failing(series)).count();
    let (class, sign) = match failing {
        0 if bot.series.iter().all(|series| series.condition == Condition::Well) => ("well", "✓"),
        0 => ("pending", "…"),
        _ => ("failing", "✕"),
    };
    // A day is always older than an hour, which says nothing.
    let hourly = bot.series.iter().any(|series| series.interval == Interval::Hourly);
    let compared = bot.series.iter().filter(|series| !hourly || series.interval == Interval::Hourly);
    let oldest = compared.min_by_key(|series| series.newest_point);
    let age = oldest.map_or("–".to_owned(), |series| {
        let (what, age) = freshness(bot, series, now);
        let age = age.trim_end_matches(" old");
        if hourly { age.to_owned() } else { format!("{age} ({what})") }
    });
    html! {
        tr {
            th scope="row" { (bot_link(&bot.name)) }
            td class=(class) { span aria-hidden="true" { (sign) } " " (tally(&bot.series)) }
            td { (age) }
            td { (owed(bot.series.iter().map(|series| series.owed_days).max().unwrap_or(0))) }
        }
    }
}

/// A bot's series in the order to show them: pictures of the same shape side by side.
fn ordered(bot: &BotView) -> Vec<&SeriesView> {
    let mut order: Vec<&SeriesView> = bot.series.iter().collect();
    order.sort_by_key(|series| series.interval);
    order
}

/// How many series are in which condition.
fn tally<'a>(series: impl IntoIterator<Item = &'a SeriesView>) -> String {
    let (mut well, mut failing, mut pending) = (0, 0, 0);
    for series in series {
        match series.condition {
            Condition::Well => well += 1,
            Condition::Failing { .. } => failing += 1,
            Condition::Pending => pending += 1,
        }
    }
    let counts = [(failing, "failing"), (well, "up to date"), (pending, "not fetched yet")];
    let words = counts.into_iter().filter(|(count, _)| *count > 0);
    words.map(|(count, words)| format!("{} {words}", grouped(count))).collect::<Vec<_>>().join(", ")
}

/// A bot's name, its zone, what it is doing, and how much of its limits is used.
fn head(bot: &BotView) -> Markup {
    html! {
        h3 { (bot_link(&bot.name)) }
        p.soft {
            "Days and hours of " (clean(bot.time_zone.iana_name().unwrap_or("UTC")))
            @if bot.running { " · a tick is running" }
            @if let Some(time) = bot.budget.paused_for {
                " · rate limited by the platform, paused for another " (rough(time.as_secs()))
            }
        }
        p.limits {
            (limit(bot.budget.minute, bot.limits.per_minute, "minute")) " "
            (limit(bot.budget.hour, bot.limits.per_hour, "hour"))
        }
    }
}

fn limit(requests: u32, limit: u32, window: &str) -> Markup {
    html! {
        label {
            meter max=(limit.max(1)) high=(f64::from(limit) * 0.8) optimum="0" value=(requests) {}
            " " (grouped(requests.into())) " of " (grouped(limit.into())) " requests, last " (window)
        }
    }
}

fn table(caption: &str, first: &str, rows: &Markup) -> Markup {
    html! {
        div.scroll tabindex="0" role="region" aria-label=(caption) {
            table {
                caption { (caption) }
                thead { tr { @for name in [first, "State", "Age", "Owed"] { th scope="col" { (name) } } } }
                tbody { (rows) }
            }
        }
    }
}

/// What the shades mean, where there are any.
fn legend(pictures: &Markup) -> Markup {
    let words = ["no users", "up to ¼", "up to ½", "up to ¾", "up to all"];
    html! {
        @if !pictures.0.is_empty() {
            p.legend {
                "Share of the series’ busiest hour or day: "
                @for (class, words) in CLASSES.iter().zip(words) {
                    span { i class={ "k " (class) } {} " " (words) } " "
                }
                span { i class="k u" {} " no data" }
            }
        }
    }
}
