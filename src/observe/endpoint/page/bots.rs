//! The bots with their series: all of them in full if there is room, else a table of all and as many in full as fit.

use jiff::Timestamp;

use super::escape::bot_link;
use super::failures::Failures;
use super::heat_map::{Axes, CLASSES};
use super::series::{card, freshness, is_failing, owed, row, zone_name};
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
        [] => "<p>No bot is configured for this process.</p>".to_owned(),
        [bot] => page.one_bot(bot, room),
        _ => page.many_bots(room),
    };
    let bots = counted(bots.len() as u64, "bot");
    format!("<section><h2>{bots}, {}</h2>{body}</section>", counted(series, "series"))
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
    fn one_bot(self, bot: &BotView, room: usize) -> String {
        let order = ordered(bot);
        let head = head(bot);
        let room = room.saturating_sub(head.len());
        let card = |place: usize, axes: &mut Axes| self.card(0, bot, order[place], axes);
        let (mut cards, left_out) = fit(order.len(), room, card);
        let mut overview = String::new();
        if !left_out.is_empty() {
            let rows: Vec<String> = order.iter().map(|place| row(bot, &bot.series[*place], self.now)).collect();
            let (rows, left) = first_of(&rows, room);
            overview = table("All series of this bot, with the age of their newest hour or day", "Series", &rows);
            let left_out;
            (cards, left_out) = fit(order.len(), room - rows.len(), card);
            let series = left_out.iter().map(|place| &bot.series[order[*place]]);
            let (count, tally) = (counted(left_out.len() as u64, "more series"), tally(series));
            let beyond =
                if left > 0 { format!(" The table lacks the last {}.", grouped(left as u64)) } else { String::new() };
            overview += &format!("<p>{count} of this bot not shown in full: {tally}.{beyond}</p>");
        }
        format!("{head}{overview}{}<div class=\"cards\">{cards}</div>", legend(&cards))
    }

    /// The bots, those that fail first. Where there are too many for a table, there are their names.
    fn many_bots(self, room: usize) -> String {
        let mut order: Vec<usize> = (0..self.bots.len()).collect();
        order.sort_by_key(|place| !self.bots[*place].series.iter().any(is_failing));
        let full = |place: usize, axes: &mut Axes| {
            let bot = &self.bots[order[place]];
            let series = ordered(bot).into_iter();
            let cards: String = series.map(|series| self.card(order[place], bot, series, axes)).collect();
            format!("{}<div class=\"cards\">{cards}</div>", head(bot))
        };
        let (bots, left_out) = fit(order.len(), room, full);
        if left_out.is_empty() {
            return legend(&bots) + &bots;
        }
        let rows: Vec<String> = order.iter().map(|place| self.bot_row(&self.bots[*place])).collect();
        let overview = match first_of(&rows, room) {
            (rows, 0) => table("All bots, with the age of their newest hour", "Bot", &rows),
            _ => {
                let name = |place: &usize| format!("<li>{}</li>", bot_link(&self.bots[*place].name));
                let (mut names, left) = first_of(&order.iter().map(name).collect::<Vec<_>>(), room);
                if left > 0 {
                    names += &format!("<li>and {}</li>", counted(left as u64, "more bot"));
                }
                format!("<ul class=\"names\">{names}</ul>")
            }
        };
        let (full, left_out) = fit(order.len(), room.saturating_sub(overview.len()), full);
        let left_out: Vec<&BotView> = left_out.into_iter().map(|place| &self.bots[order[place]]).collect();
        let series: Vec<&SeriesView> = left_out.iter().flat_map(|bot| &bot.series).collect();
        format!(
            "{overview}<p>{} of {} not shown one by one: {}. See one bot by its name, or with \
             <code>?bot=NAME</code>.</p>{}{full}",
            counted(series.len() as u64, "more series"),
            counted(left_out.len() as u64, "bot"),
            tally(series),
            legend(&full)
        )
    }

    fn card(self, bot_place: usize, bot: &BotView, series: usize, axes: &mut Axes) -> String {
        card(bot, &bot.series[series], self.now, self.failures.explains(bot_place, series), axes)
    }

    /// A bot as a row: how its series are, the least fresh of them, and all that is owed.
    fn bot_row(self, bot: &BotView) -> String {
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
        format!(
            "<tr><th scope=\"row\">{}</th><td class=\"{class}\"><span aria-hidden=\"true\">{sign}</span> {}</td>\
             <td>{}</td><td>{}</td></tr>",
            bot_link(&bot.name),
            tally(&bot.series),
            oldest.map_or("–".to_owned(), |series| {
                let (what, age) = freshness(bot, series, self.now);
                let age = age.trim_end_matches(" old");
                if hourly { age.to_owned() } else { format!("{age} ({what})") }
            }),
            owed(bot.series.iter().map(|series| series.owed_days).max().unwrap_or(0)),
        )
    }
}

/// The details of as many of so many things as there is room for, and which are left out.
fn fit(count: usize, room: usize, detail: impl Fn(usize, &mut Axes) -> String) -> (String, Vec<usize>) {
    let (mut html, mut left_out) = (String::new(), Vec::new());
    let mut axes = Axes::default();
    let mut misfits = 0;
    for place in 0..count {
        let left = room.saturating_sub(html.len());
        if left >= SMALLEST_CARD && misfits < MISFITS {
            // What does not fit draws no axis that others refer to.
            let mut drawn = axes.clone();
            let detail = detail(place, &mut drawn);
            if detail.len() <= left {
                axes = drawn;
                html += &detail;
                continue;
            }
            misfits += 1;
        }
        left_out.push(place);
    }
    (html, left_out)
}

/// The first of these that go into `room` bytes, and how many do not.
fn first_of(items: &[String], room: usize) -> (String, usize) {
    let mut html = String::new();
    let shown = items.iter().take_while(|item| {
        let fits = html.len() + item.len() <= room;
        if fits {
            html += item;
        }
        fits
    });
    let shown = shown.count();
    (html, items.len() - shown)
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
    let counts = [(failing, "failing"), (well, "up to date"), (pending, "not asked for yet")];
    let words = counts.into_iter().filter(|(count, _)| *count > 0);
    words.map(|(count, words)| format!("{} {words}", grouped(count))).collect::<Vec<_>>().join(", ")
}

/// A bot's name, its zone, what it is doing, and how much of its limits is used.
fn head(bot: &BotView) -> String {
    let running = if bot.running { " · a tick is running" } else { "" };
    let paused = bot.paused_for.map(|time| {
        format!(" · left alone for {} more: the platform said it was asked too often", rough(time.as_secs()))
    });
    format!(
        "<h3>{}</h3><p class=\"soft\">Days and hours of {}{running}{}</p><p class=\"limits\">{} {}</p>",
        bot_link(&bot.name),
        zone_name(bot),
        paused.unwrap_or_default(),
        limit(bot.minute, "minute"),
        limit(bot.hour, "hour"),
    )
}

fn limit(used: Used, window: &str) -> String {
    let Used { requests, limit } = used;
    format!(
        "<label><meter max=\"{}\" high=\"{}\" optimum=\"0\" value=\"{requests}\"></meter> {} of {} requests, last \
         {window}</label>",
        limit.max(1),
        f64::from(limit) * 0.8,
        grouped(requests.into()),
        grouped(limit.into()),
    )
}

fn table(caption: &str, first: &str, rows: &str) -> String {
    format!(
        "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"{caption}\"><table><caption>{caption}</caption>\
         <thead><tr><th scope=\"col\">{first}</th><th scope=\"col\">State</th><th scope=\"col\">Age</th>\
         <th scope=\"col\">Owed</th></tr></thead><tbody>{rows}</tbody></table></div>"
    )
}

/// What the shades mean, where there are any.
fn legend(pictures: &str) -> String {
    if pictures.is_empty() {
        return String::new();
    }
    let words = ["no users", "up to ¼", "up to ½", "up to ¾", "up to all of the series’ busiest"];
    let shades = CLASSES.iter().zip(words);
    let shades: String =
        shades.map(|(class, words)| format!("<span><i class=\"k {class}\"></i> {words}</span> ")).collect();
    format!("<p class=\"legend\">Shades: {shades}<span><i class=\"k u\"></i> nothing known</span></p>")
}
