//! The page as a whole.

use std::time::{Duration, Instant};

use kore_trend_exporter::observe::endpoint::page::{LIMIT, render};
use kore_trend_exporter::observe::status::condition::Condition;
use kore_trend_exporter::observe::status::view::{FailureView, View};

use super::document::Document;
use crate::support::views;

/// The page as what a browser makes of it; whatever is rendered is short enough and well formed.
#[track_caller]
fn rendered(view: &View, only_bot: Option<&str>) -> Document {
    let page = render(view, only_bot);
    assert!(page.len() < LIMIT, "{} bytes", page.len());
    assert!(page.starts_with("<!DOCTYPE html>\n<html lang=\"en\">"), "{}", &page[..100]);
    let style = page.split_once("<style>").unwrap().1.split_once("</style>").unwrap().0;
    assert!(!style.contains("url(") && !style.contains("@import"), "{style}");
    let document = Document::parse(&page);
    document.links_lead_somewhere();
    document
}

/// That every one of these is in the text that a person reads.
#[track_caller]
fn check(document: &Document, facts: &[&str]) {
    for fact in facts {
        assert!(document.text.contains(fact), "{fact:?} is not in\n{}", document.text);
    }
}

#[test]
fn every_fact_is_told() {
    let view = views::one_failing();
    let document = rendered(&view, None);
    check(&document, &["1 of 12 series failing (support/rtm daily), next tick at 21:57:00 UTC."]);
    check(&document, &["Demonstration: the platform is simulated, the figures are invented."]);
    check(&document, &["Failing ✕ support/rtm daily", "tcp connect error: Connection refused (os error 111)"]);
    check(&document, &["What to do: check platform.url, the name server, the network and the proxy"]);
    check(&document, &["failing since 2026-11-22 19:56 UTC, 2 hours ago; last 1 minute ago; 2 days owed"]);
    check(&document, &["2 bots, 12 series", "Days and hours of UTC · a tick is running"]);
    check(&document, &["Days and hours of Europe/Berlin · rate limited by the platform, paused for another 4 minutes"]);
    check(&document, &["57 of 60 requests, last minute", "301 of 1,800 requests, last hour"]);
    check(&document, &["all hourly ✓ up to date", "rtm daily ✕ failing for 2 hours", "Why error and advice"]);
    check(&document, &["Newest hour 56 minutes old", "Newest day 21 hours old"]);
    check(&document, &["Complete through 2026-11-21", "Owed nothing", "Owed 2 days"]);
    check(&document, &["Last failure 2026-11-22 18:53 UTC, 3 hours ago", "What to do: something else uses this bot"]);
    check(&document, &["Next: 2026-11-22 21:57:00 UTC, in less than a minute (2 bots)"]);
    check(&document, &["Last: 2026-11-22 21:56:00 UTC", "3 ticks skipped since start"]);
    check(&document, &["Nov 22, 21:56:00 1.8 s 2 12 ✕ 1 14,808 36", "Nov 22, 21:47:00 8.4 s 2 12 0 14,808 36"]);
    check(&document, &["running since 2026-11-19 21:56 UTC (3 days)", "as of 2026-11-22 21:56:32 UTC"]);
    check(&document, &[&format!("kore-trend-exporter {}", env!("CARGO_PKG_VERSION"))]);
    check(&document, &["/metrics", "/healthz", "/readyz"]);
    assert_eq!(document.title(), "✕ 1 of 12 series failing – kore-trend-exporter");
    assert_eq!(document.count("svg", "role", "img"), 12);
    assert_eq!(document.of("meter").count(), 4);
}

#[test]
fn one_reason_is_told_once() {
    let document = rendered(&views::all_failing(), None);
    check(&document, &["Newest hour 30 hours old"]);
    check(&document, &["12 of 12 series failing", "Failing ✕ 11 series the platform cannot be reached"]);
    check(&document, &["sales/wfacebook daily failing since", "sales/all hourly the platform answered 401"]);
    assert_eq!(document.text.matches("Connection refused").count(), 1);
    assert_eq!(document.text.matches("error and advice").count(), 12);
    check(&document, &["The state folder cannot be written: no storage space"]);
    check(&document, &["The last reload was refused.", "platform.per_minute"]);
}

#[test]
fn nothing_known_is_said() {
    let document = rendered(&views::nothing_yet(), None);
    check(&document, &["None of 12 series fetched yet", "… not fetched yet", "Newest hour none since start"]);
    check(&document, &["Complete no day yet", "Owed 7 days", "No tick has finished since start."]);
    assert!(!document.text.contains("Busiest") && !document.text.contains("Failing ✕"), "{}", document.text);
    assert_eq!(document.title(), "… 12 of 12 series not fetched yet – kore-trend-exporter");

    let document = rendered(&views::view(Vec::new()), None);
    check(&document, &["0 bots, 0 series This process exports no bots."]);
    let mut silent = views::demo();
    (silent.simulated, silent.next) = (false, Vec::new());
    silent.bots[0].series.clear();
    let document = rendered(&silent, None);
    check(&document, &["All 6 series up to date.", "No tick is scheduled."]);
    assert!(!document.text.contains("simulated"));
}

#[test]
fn one_bot_is_shown_alone() {
    let view = views::one_failing();
    let document = rendered(&view, Some("sales"));
    check(&document, &["✓ sales: all 6 series up to date.", "All bots: 1 of 12 series failing (support/rtm daily)"]);
    check(&document, &["1 bot, 6 series", "Days and hours of Europe/Berlin"]);
    assert!(!document.text.contains("msteams") && !document.text.contains("Failing ✕"), "{}", document.text);
    assert_eq!(document.title(), "✓ 6 series up to date – kore-trend-exporter");
    let document = rendered(&view, Some("support"));
    check(&document, &["✕ support: 1 of 6 series failing", "Connection refused", "Why error and advice"]);
}

#[test]
fn an_unknown_bot_leads_back() {
    for name in ["nobody", "", "<script>alert(1)</script>", &"x".repeat(10_000)] {
        let document = rendered(&views::demo(), Some(name));
        check(&document, &["There is no bot called “", "All bots"]);
        assert_eq!(document.count("a", "href", "./"), 1);
        assert!(document.of("script").next().is_none());
    }
}

#[test]
fn text_from_elsewhere_is_only_text() {
    let evil = "</style></title><script>alert('&amp;\"')</script>";
    let mut view = views::one_failing();
    view.state_problem = Some(evil.to_owned());
    view.refused_reload = vec![evil.to_owned()];
    for bot in &mut view.bots {
        bot.name = evil.to_owned();
        for series in &mut bot.series {
            series.channel = evil.to_owned();
            let failure = FailureView { at: views::before(9), error: evil.to_owned(), advice: evil.to_owned() };
            views::fail(series, 9, &failure);
        }
    }
    for document in [rendered(&view, None), rendered(&view, Some(evil))] {
        assert!(document.of("script").next().is_none());
        // Sentence, banner, reload, error and advice; zone and channels of the bots; what fails.
        assert!(document.text.matches(evil).count() > 10, "{}", document.text);
        let link = "?bot=%3C%2Fstyle%3E%3C%2Ftitle%3E%3Cscript%3Ealert%28%27%26amp%3B%22%27%29%3C%2Fscript%3E";
        assert!(document.count("a", "href", link) > 1);
    }
}

#[test]
fn nothing_comes_from_elsewhere_and_nothing_runs() {
    let document = rendered(&views::one_failing(), None);
    for element in &document.elements {
        assert!(!["script", "img", "iframe", "object", "form", "base"].contains(&element.name.as_str()));
        for (name, value) in &element.attributes {
            assert!(!name.starts_with("on") && name != "src", "{element:?}");
            let outside = value.contains("//") && !value.starts_with("data:image/svg+xml,");
            assert!(!outside, "{element:?}");
        }
    }
    assert_eq!(document.count("meta", "http-equiv", "refresh"), 1);
}

#[test]
fn headings_labels_and_tables_are_in_order() {
    let views = [views::one_failing(), views::all_failing(), views::nothing_yet(), views::many(50), views::giant(true)];
    for view in &views {
        for only_bot in [None, Some(view.bots[0].name.as_str())] {
            let document = rendered(view, only_bot);
            document.headings_are_in_order();
            for svg in document.of("svg") {
                assert!(svg.attribute("role") == Some("img") && svg.attribute("aria-label").is_some(), "{svg:?}");
            }
            assert_eq!(document.of("meter").count(), document.of("label").count());
            assert_eq!(document.of("table").count(), document.of("caption").count());
            for heading in document.of("th") {
                assert!(heading.attribute("scope").is_some(), "{heading:?}");
            }
        }
    }
}

#[test]
fn many_bots_are_a_table_and_as_many_in_full_as_fit() {
    let document = rendered(&views::many(50), None);
    check(
        &document,
        &[
            "50 bots, 100 series All bots, with the age of their newest hour Bot State Age Owed customer-049 ✕ 1 failing, 1 up to date",
        ],
    );
    check(&document, &["customer-048 ✓ 2 up to date 56 minutes nothing"]);
    check(&document, &["Click a bot's name, or use ?bot=NAME, for the details."]);
    let in_full = document.of("svg").count() / 2;
    assert!(in_full >= 12, "{in_full} bots in full");
    let (series, bots) = (2 * (50 - in_full), 50 - in_full);
    check(&document, &[&format!("{series} more series of {bots} bots shown in the table only: {series} up to date.")]);
}

#[test]
fn a_bot_with_too_many_series_has_a_table_of_them() {
    let channels: Vec<String> = (0..40).map(|number| format!("channel-{number}")).collect();
    let channels: Vec<&str> = channels.iter().map(String::as_str).collect();
    let mut view = views::view(vec![views::bot("wide", "UTC", &channels)]);
    for only_bot in [None, Some("wide")] {
        let document = rendered(&view, only_bot);
        check(&document, &["newest hour or day Series State Age Owed", "channel-39 daily ✓ up to date 21"]);
        check(&document, &["of this bot shown in the table only:"]);
        assert!(document.of("svg").count() > 20);
    }
    view.bots.push(views::bot("narrow", "UTC", &["all"]));
    check(&rendered(&view, None), &["80 more series of 1 bot shown in the table only", "narrow Days and hours of UTC"]);
}

#[test]
fn no_view_makes_the_page_too_long() {
    let started = Instant::now();
    let document = rendered(&views::giant(false), None);
    check(&document, &["8000 of 8000 series failing", "more series failing for 7,9", "1,000 bots, 8,000 series"]);
    check(&document, &["8,000 more series of 1,000 bots shown in the table only: 8,000 failing.", "more bots"]);
    check(&document, &["and 45 more problems", "and 194 schedules later"]);
    let document = rendered(&views::giant(true), None);
    check(&document, &["✕ 8,000 series", "and 7,988 more series"]);
    rendered(&views::giant(false), Some("bot-0999"));
    assert!(render(&views::demo(), None).len() < 24 << 10, "a usual page is far from it");
    // Without a failure there is room for every name.
    let mut well = views::giant(false);
    (well.state_problem, well.refused_reload) = (None, Vec::new());
    for series in well.bots.iter_mut().flat_map(|bot| &mut bot.series) {
        series.condition = Condition::Well;
    }
    let document = rendered(&well, None);
    assert_eq!(document.of("a").filter(|link| link.attribute("href").unwrap().starts_with("?bot=")).count(), 1000);
    for bots in [2, 10, 20, 30, 100, 200, 300, 400, 700] {
        well.bots.truncate(bots.max(2));
        rendered(&well, None);
    }
    assert!(started.elapsed() < Duration::from_secs(60), "{:?}", started.elapsed());
}
