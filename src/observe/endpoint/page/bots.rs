//! The bots with their series: all of them in full if there is room, else a table of all and as many in full as fit.

use jiff::Timestamp;
use maud::{Markup, PreEscaped, html};

use super::failures::Failures;
use super::heat_map::{Axes, CLASSES};
use super::series::{card, freshness, is_failing, owed, row};
use super::text::{bot_link, clean};
use super::words::{counted, grouped, rough};
use crate::domain::series::Interval;
use crate::observe::status::view::{BotView, Condition, SeriesView, Used};

/// Bytes kept for what stands around lists: headings, the legend, the sentence on what is left out.
const AROUND: usize = 2000;

/// No card takes less.
const SMALLEST_CARD: usize = 600;

/// So many that turned out too large are enough to stop looking for one that fits.
const MISFITS: usize = 3;

/// All of the bots, in no more than `room` bytes, those that fail first.
pub(super) fn section(bots: &[BotView], now: Timestamp, failures: &Failures, room: usize) -> String {
    let page = Page { bots, now, failures };
    let room = room.saturating_sub(AROUND);
    let series = bots.iter().map(|bot| bot.series.len()).sum::<usize>() as u64;
    let body = match bots {
        [] => html! { p { "This process exports no bots." } },
        [bot] => page.one_bot(bot, room),
        _ => page.many_bots(room),
    };
    let heading = format!("{}, {}", counted(bots.len() as u64, "bot"), counted(series, "series"));
    html! { section { h2 { (heading) } (body) } }.into_string()
}

/// What every part of the section needs to know.
#[derive(Clone, Copy)]
struct Page<'a> {
    bots: &'a [BotView],
    now: Timestamp,
    failures: &'a Failures,
}

impl Page<'_> {
    /// A bot with its series.
    fn one_bot(self, bot: &BotView, room: usize) -> Markup {
        let order = ordered(bot);
        let head = head(bot);
        let room = room.saturating_sub(head.0.len());
        let card = |place: usize, axes: &mut Axes| self.card(0, bot, order[place], axes);
        let (mut cards, left_out) = fit(order.len(), room, card);
        let mut overview = Markup::default();
        if !left_out.is_empty() {
            let rows: Vec<Markup> = order.iter().map(|place| row(bot, &bot.series[*place], self.now)).collect();
            let (rows, left) = first_of(&rows, room);
            let left_out;
            (cards, left_out) = fit(order.len(), room - rows.0.len(), card);
            let series = left_out.iter().map(|place| &bot.series[order[*place]]);
            overview = html! {
                (table("All series of this bot, with the age of their newest hour or day", "Series", &rows))
                p {
                    (counted(left_out.len() as u64, "more series")) " of this bot shown in the table only: "
                    (tally(series)) "."
                    @if left > 0 { " The last " (grouped(left as u64)) " are not listed." }
                }
            };
        }
        html! { (head) (overview) (legend(&cards)) div.cards { (cards) } }
    }

    /// The bots, those that fail first. Where there are too many for a table, there are their names.
    fn many_bots(self, room: usize) -> Markup {
        let mut order: Vec<usize> = (0..self.bots.len()).collect();
        order.sort_by_key(|place| !self.bots[*place].series.iter().any(is_failing));
        let full = |place: usize, axes: &mut Axes| {
            let bot = &self.bots[order[place]];
            let cards = ordered(bot).into_iter().map(|series| self.card(order[place], bot, series, axes));
            let cards: String = cards.map(Markup::into_string).collect();
            html! { (head(bot)) div.cards { (PreEscaped(cards)) } }
        };
        let (bots, left_out) = fit(order.len(), room, full);
        if left_out.is_empty() {
            return html! { (legend(&bots)) (bots) };
        }
        let overview = self.overview(&order, room);
        let (full, left_out) = fit(order.len(), room.saturating_sub(overview.0.len()), full);
        let left_out: Vec<&BotView> = left_out.into_iter().map(|place| &self.bots[order[place]]).collect();
        let series: Vec<&SeriesView> = left_out.iter().flat_map(|bot| &bot.series).collect();
        html! {
            (overview)
            p {
                (counted(series.len() as u64, "more series")) " of " (counted(left_out.len() as u64, "bot"))
                " shown in the table only: " (tally(series)) ". Click a bot's name, or use "
                code { "?bot=NAME" } ", for the details."
            }
            (legend(&full))
            (full)
        }
    }

    /// All bots in a table, or by their names.
    fn overview(self, order: &[usize], room: usize) -> Markup {
        let rows: Vec<Markup> = order.iter().map(|place| self.bot_row(&self.bots[*place])).collect();
        if let (rows, 0) = first_of(&rows, room) {
            return table("All bots, with the age of their newest hour", "Bot", &rows);
        }
        let name = |place: &usize| html! { li { (bot_link(&self.bots[*place].name)) } };
        let (names, left) = first_of(&order.iter().map(name).collect::<Vec<_>>(), room);
        html! {
            ul.names {
                (names)
                @if left > 0 { li { "and " (counted(left as u64, "more bot")) } }
            }
        }
    }

    fn card(self, bot_place: usize, bot: &BotView, series: usize, axes: &mut Axes) -> Markup {
        card(bot, &bot.series[series], self.now, self.failures.explains(bot_place, series), axes)
    }

    /// A bot as a row: how its series are, the least fresh of them, and all that is owed.
    fn bot_row(self, bot: &BotView) -> Markup {
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
            let (what, age) = freshness(bot, series, self.now);
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
}

/// The details of as many of so many things as there is room for, and which are left out.
fn fit(count: usize, room: usize, detail: impl Fn(usize, &mut Axes) -> Markup) -> (Markup, Vec<usize>) {
    let (mut html, mut left_out) = (String::new(), Vec::new());
    let mut axes = Axes::default();
    let mut misfits = 0;
    for place in 0..count {
        let left = room.saturating_sub(html.len());
        if left >= SMALLEST_CARD && misfits < MISFITS {
            // What does not fit draws no axis that others refer to.
            let mut drawn = axes.clone();
            let detail = detail(place, &mut drawn).into_string();
            if detail.len() <= left {
                axes = drawn;
                html += &detail;
                continue;
            }
            misfits += 1;
        }
        left_out.push(place);
    }
    (PreEscaped(html), left_out)
}

/// The first of these that go into `room` bytes, and how many do not.
fn first_of(items: &[Markup], room: usize) -> (Markup, usize) {
    let mut html = String::new();
    let shown = items.iter().take_while(|item| {
        let fits = html.len() + item.0.len() <= room;
        if fits {
            html += &item.0;
        }
        fits
    });
    let shown = shown.count();
    (PreEscaped(html), items.len() - shown)
}

/// The places of a bot's series in the order to show them: pictures of the same shape side by side.
fn ordered(bot: &BotView) -> Vec<usize> {
    let mut order: Vec<usize> = (0..bot.series.len()).collect();
    order.sort_by_key(|place| bot.series[*place].interval);
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
            "Days and hours of " (clean(&bot.zone))
            @if bot.running { " · a tick is running" }
            @if let Some(time) = bot.paused_for {
                " · rate limited by the platform, paused for another " (rough(time.as_secs()))
            }
        }
        p.limits { (limit(bot.minute, "minute")) " " (limit(bot.hour, "hour")) }
    }
}

fn limit(used: Used, window: &str) -> Markup {
    let Used { requests, limit } = used;
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
