//! The status page: one document for people, made anew for each request.
//!
//! It takes nothing from elsewhere, runs no script and is never longer than [`LIMIT`], however many bots there are:
//! what fails comes first, then the bots in full as long as there is room, then the others in short. Whatever text comes
//! from the configuration or from another service is [cleaned](text), cut, and escaped by the template.

mod bots;
mod failures;
mod heat_map;
mod series;
mod text;
mod ticks;
mod words;

use maud::{DOCTYPE, Markup, PreEscaped, html};

use self::series::is_failing;
use self::text::cut;
use self::words::{counted, minute, rough, second, seconds_between};
use crate::observe::status::condition::Condition;
use crate::observe::status::view::{BotView, View};

/// The page is shorter than so many bytes.
pub const LIMIT: usize = 60 * 1024;

/// Seconds after which the page asks for itself again.
pub const REFRESH: u32 = 20;

const STYLE: &str = include_str!("style.css");

/// Characters of a sentence that are shown.
const SENTENCE: usize = 300;

/// The page, of one bot where its name is given.
pub fn render(view: &View, only_bot: Option<&str>) -> String {
    let Some(name) = only_bot else {
        return document(view, &view.bots, &sentence(&view.sentence()), &Markup::default());
    };
    let Some(bot) = view.bots.iter().find(|bot| bot.name == name) else {
        let body = html! {
            h1 { "There is no bot called “" (cut(name, 60)) "”." }
            p { a href="./" { "All bots" } }
        };
        return page("no such bot", Sign::Failing, &body);
    };
    // What concerns the process as a whole is said of the process, not of the bot.
    let alone = View {
        bots: vec![bot.clone()],
        next: Vec::new(),
        refused_reload: Vec::new(),
        state_problem: None,
        ..view.clone()
    };
    let back = html! { p.back { a href="./" { "All bots" } ": " (cut(&view.sentence(), SENTENCE)) } };
    let sentence = cut(&format!("{}: {}.", bot.name, alone.sentence()), SENTENCE);
    document(view, std::slice::from_ref(bot), &sentence, &back)
}

/// How things are at a glance: the icon of the browser's tab, and the sign before the sentence.
#[derive(Clone, Copy)]
enum Sign {
    Well,
    Pending,
    Failing,
}

impl Sign {
    /// Its class, its character, and its shape in the icon.
    fn parts(self) -> (&'static str, char, &'static str) {
        match self {
            Sign::Well => ("well", '✓', "fill='%23197a3e'/%3E%3Cpath d='M4 8.5l3 3 5-6'"),
            Sign::Pending => ("pending", '…', "fill='%2359636e'/%3E%3Cpath d='M4 8h1m2.5 0h1m2.5 0h1'"),
            Sign::Failing => ("failing", '✕', "fill='%23b3261e'/%3E%3Cpath d='M5 5l6 6m0-6l-6 6'"),
        }
    }
}

/// The document about these bots, its sentence and what leads back from it.
fn document(view: &View, bots: &[BotView], sentence: &str, back: &Markup) -> String {
    let now = view.now;
    let (title, sign) = essence(view, bots);
    let (class, character, _) = sign.parts();
    let top = html! {
        h1 { span class={ "sign " (class) } aria-hidden="true" { (character) } " " (sentence) }
        (back)
        (banners(view))
    };
    let bottom = html! { (ticks::section(view)) (process(view)) };
    let around = page(&title, sign, &html! { (top) (bottom) }).len();
    let mut room = LIMIT.saturating_sub(around + 1);
    let failures = failures::section(bots, now, room / 2);
    room -= failures.html.len();
    let bots = bots::section(bots, now, &failures, room);
    page(&title, sign, &html! { (top) (PreEscaped(&failures.html)) (PreEscaped(bots)) (bottom) })
}

/// Everything around the body.
fn page(title: &str, sign: Sign, body: &Markup) -> String {
    let (_, character, shape) = sign.parts();
    let icon = format!(
        "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16' fill='none' stroke='white' \
         stroke-width='2'%3E%3Ccircle cx='8' cy='8' r='8' stroke='none' {shape}/%3E%3C/svg%3E"
    );
    let html = html! {
        (DOCTYPE) "\n"
        html lang="en" {
            head {
                meta charset="utf-8";
                title { (character) " " (title) " – kore-trend-exporter" }
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="referrer" content="no-referrer";
                meta http-equiv="refresh" content=(REFRESH);
                link rel="icon" href=(icon);
                style { (PreEscaped(STYLE)) }
            }
            body { main { (body) } }
        }
        "\n"
    };
    html.into_string()
}

/// How many series are how, for a tab; and the sign for all of it.
fn essence(view: &View, bots: &[BotView]) -> (String, Sign) {
    let series = || bots.iter().flat_map(|bot| &bot.series);
    let all = counted(series().count() as u64, "series");
    let failing = series().filter(|series| is_failing(series)).count();
    let pending = series().filter(|series| series.condition == Condition::Pending).count();
    if failing > 0 {
        return (format!("{failing} of {all} failing"), Sign::Failing);
    }
    if view.state_problem.is_some() {
        return ("state folder not writable".to_owned(), Sign::Failing);
    }
    if !view.refused_reload.is_empty() {
        return ("reload refused".to_owned(), Sign::Failing);
    }
    match pending {
        0 => (format!("{all} up to date"), Sign::Well),
        pending => (format!("{pending} of {all} not fetched yet"), Sign::Pending),
    }
}

/// A sentence with what makes it one.
fn sentence(words: &str) -> String {
    let mut letters = words.chars();
    let first: String = letters.next().into_iter().flat_map(char::to_uppercase).collect();
    cut(&format!("{first}{}.", letters.as_str()), SENTENCE)
}

/// What concerns everything on the page.
fn banners(view: &View) -> Markup {
    const SHOWN: usize = 5;
    let problems = &view.refused_reload;
    html! {
        @if view.simulated {
            p.banner { b { "Demonstration:" } " the platform is simulated, the figures are invented." }
        }
        @if let Some(problem) = &view.state_problem {
            p.banner.bad { b { "The state folder cannot be written:" } " " (cut(problem, SENTENCE)) }
        }
        @if !problems.is_empty() {
            div.banner.bad {
                p {
                    b { "The last reload was refused." }
                    " The previous configuration stays in force. See the log for details on:"
                }
                ul {
                    @for problem in problems.iter().take(SHOWN) { li { (cut(problem, SENTENCE)) } }
                    @if problems.len() > SHOWN {
                        li { "and " (counted((problems.len() - SHOWN) as u64, "more problem")) "; the log has them all" }
                    }
                }
            }
        }
    }
}

/// The process itself, and where else it tells how it is.
fn process(view: &View) -> Markup {
    html! {
        footer {
            p {
                "kore-trend-exporter " (env!("CARGO_PKG_VERSION")) " · running since " (minute(view.started)) " ("
                (rough(seconds_between(view.started, view.now))) ") · as of " (second(view.now)) "; refreshes every "
                (REFRESH) " seconds"
            }
            p {
                @for (place, path) in ["metrics", "healthz", "readyz"].into_iter().enumerate() {
                    @if place > 0 { " " }
                    a href=(path) { "/" (path) }
                }
            }
        }
    }
}
