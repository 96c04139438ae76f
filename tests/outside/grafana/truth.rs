//! Every query of a dashboard, asked of a real database as Grafana asks it, for several readers at several times.

use std::collections::BTreeSet;

use serde_json::Value;

use super::held::{BOTS, DAYS, ODD, Point, held, within};
use super::panels;
use crate::support::grafana::display::mapped;
use crate::support::grafana::expand::{Chosen, expand};
use crate::support::grafana::frame::{Frame, of_flux, of_influxql};
use crate::support::grafana::transform::transform;
use crate::support::grafana::{self, dashboard, targets, words};
use crate::support::influxdb::Database;
use crate::support::influxdb1::OldDatabase;
use crate::support::workspace::{Template, Workspace};

/// Who answers.
pub(super) enum Source<'a> {
    Flux(&'a Database),
    InfluxQl2(&'a Database),
    InfluxQl1(&'a OldDatabase),
}

impl Source<'_> {
    fn flux(&self) -> bool {
        matches!(self, Source::Flux(_))
    }

    #[track_caller]
    fn ask(&self, target: &Value, chosen: &Chosen, step: i64) -> Vec<Frame> {
        let query = words(&target["query"]);
        match self {
            Source::Flux(database) => {
                let step = format!("{step}m0s");
                of_flux(database.flux(&expand(query, chosen, true, &step, &database.bucket)), target)
            }
            _ => {
                let query = expand(query, chosen, false, &format!("{step}m"), "");
                let answer = match self {
                    Source::InfluxQl1(database) => database.influxql(&query),
                    Source::InfluxQl2(database) | Source::Flux(database) => database.influxql(&query),
                };
                of_influxql(&answer, target)
            }
        }
    }
}

/// The workspace of an exporter that brings to this sink all of [`held`] that it can.
pub(super) fn seed(sink: &str) -> Workspace {
    let platform = crate::support::platform::SimulatedPlatform::well(&bots(""));
    let workspace = Workspace::new();
    let export = |tags: &str, days: &[(&str, &str)]| {
        workspace.configure(&Template { sink, bots: &bots(tags), platform_url: platform.url(), ..Template::default() });
        for (first, last) in days {
            workspace.run(&["--backfill", &format!("{first}..{last}")]).expect_code(0);
        }
    };
    export("", &DAYS);
    // Some days again after the tags of some bots were changed: these days stand there twice.
    export(", team = \"new\"", &[("2026-03-24", "2026-04-01"), ("2026-10-24", "2026-11-02")]);
    workspace
}

/// The sections of the bots, two of them with these further tags.
fn bots(tags: &str) -> String {
    let bot = |(name, zone, channels): (&str, &str, &[&str])| {
        let tags = if ["berlin", "auckland-1"].contains(&name) { tags } else { "" };
        format!(
            "[bots.{name}]\nid = \"st-{name}\"\nclient_id = \"cs-{name}\"\nclient_secret = \"0123456789\"\n\
             time_zone = \"{zone}\"\nintervals = [\"hourly\", \"daily\"]\nchannels = {}\n\
             tags = {{ \"a team\" = \"x y\"{tags} }}\n\n",
            serde_json::to_string(channels).unwrap()
        )
    };
    BOTS.into_iter().map(bot).collect()
}

/// Holds every panel and every variable of this dashboard against what the platform held.
pub(super) fn check(file: &str, source: &Source) {
    let (dashboard, points) = (dashboard(file), held());
    let mut seen: BTreeSet<&str> = BTreeSet::new();
    let mut asked: BTreeSet<&str> = BTreeSet::new();
    for chosen in readers() {
        check_variables(&dashboard, &points, &chosen, source);
        for panel in grafana::panels(&dashboard) {
            let title = words(&panel["title"]);
            if !asks_the_database(panel) {
                continue;
            }
            asked.insert(title);
            // The step, which only curves have, in minutes: the shortest, and one for a long range.
            let steps: &[i64] = match panel["interval"].as_str() {
                None => &[15],
                Some("15m") => &[15, 360],
                Some("1h") => &[60, 360],
                Some(other) => panic!("no such step: {other}"),
            };
            for step in steps {
                let shown = show(panel, &chosen, source, *step);
                if panels::check(title, &shown, &points, &chosen.in_panel(panel), *step) {
                    seen.insert(title);
                }
            }
        }
    }
    assert_eq!(seen, asked, "a panel that was always empty");

    for chosen in incomparable() {
        for panel in grafana::panels(&dashboard) {
            let title = words(&panel["title"]);
            if asks_the_database(panel) {
                let shown = show(panel, &chosen, source, 60);
                let anything = panels::check(title, &shown, &points, &chosen.in_panel(panel), 60);
                let comparing = ["Users by hour, today so far", "Today against a week earlier"].contains(&title);
                assert!(!(comparing && anything), "{title}: there is something to compare: {chosen:?}");
            }
        }
    }
}

/// And not Prometheus, nor nobody.
fn asks_the_database(panel: &Value) -> bool {
    targets(panel).iter().any(|target| target["datasource"]["type"] == "influxdb")
}

/// The frames that a panel draws.
fn show(panel: &Value, chosen: &Chosen, source: &Source, step: i64) -> Vec<Frame> {
    let chosen = chosen.in_panel(panel);
    let frames = targets(panel).iter().flat_map(|target| source.ask(target, &chosen, step)).collect();
    mapped(panel, transform(panel, frames, &chosen))
}

/// The texts, as a choice of several.
fn several(texts: &[&str]) -> Option<Vec<String>> {
    Some(texts.iter().map(|text| (*text).to_owned()).collect())
}

fn reader(bots: Option<Vec<String>>, channels: Option<Vec<String>>, zone: &'static str, to: &str) -> Chosen {
    let to: jiff::Timestamp = to.parse().unwrap();
    let from = to.checked_sub(jiff::Span::new().hours(14 * 24)).unwrap();
    Chosen { bots, channels, zone, from, to }
}

/// Readers in four zones, at times around the changes of clocks, who look at everything, one thing or several.
fn readers() -> Vec<Chosen> {
    let choices = [
        (None, None),
        (several(&["berlin"]), several(&["all"])),
        (several(&["berlin", "kolkata"]), several(&["rtm", ODD])),
        (several(&["plain"]), several(&["it's/a\\b (so|on)"])),
        (several(&["auckland-1", "hono_lulu", "plain"]), None),
    ];
    let times = ["2026-03-29T15:20:00Z", "2026-04-02T09:40:00Z", "2026-10-25T21:10:00Z", "2026-11-01T17:50:00Z"];
    let zones = ["Europe/Berlin", "America/New_York", "utc", "Asia/Kolkata"];
    let mut readers = Vec::new();
    for (turn, (bots, channels)) in choices.into_iter().enumerate() {
        for (at, to) in times.into_iter().enumerate() {
            // Everything in all zones at the clock changes, the rest in one of them in turn.
            for (number, zone) in zones.into_iter().enumerate() {
                if (turn == 0 && at != 1) || (turn + at + number) % 4 == 0 {
                    readers.push(reader(bots.clone(), channels.clone(), zone, to));
                }
            }
        }
    }
    // A range that ends on the hour does not hold that hour, in neither language.
    readers.push(reader(None, None, "Europe/Berlin", "2026-11-03T10:00:00Z"));
    // Half past midnight, some bots having reported an hour of the new day; nobody, last week and now; nobody last week.
    readers.push(reader(None, None, "Europe/Berlin", "2026-11-04T23:31:00Z"));
    readers.push(reader(several(&["quiet"]), None, "Europe/Berlin", "2026-11-03T09:40:00Z"));
    readers.push(reader(several(&["woken", "newcomer"]), None, "utc", "2026-11-03T09:40:00Z"));
    readers
}

/// Readers whose today and whose same day a week earlier have no hour in common, although one of them has some.
fn incomparable() -> [Chosen; 5] {
    [
        // Half past midnight: today has no hour.
        reader(several(&["berlin"]), None, "Europe/Berlin", "2026-11-04T23:31:00Z"),
        reader(several(&["kolkata"]), several(&["all"]), "Asia/Kolkata", "2026-11-04T19:01:00Z"),
        // In a bot's first week: last week has none.
        reader(several(&["newcomer"]), None, "utc", "2026-11-03T09:40:00Z"),
        // Both have some, but not the same.
        reader(several(&["elsewhen"]), None, "utc", "2026-11-04T10:30:00Z"),
        reader(several(&["days-only"]), None, "utc", "2026-11-04T10:30:00Z"),
    ]
}

/// The choices that are offered: those of which the range has a point, in whatever measurement, and none that has had
/// nothing for longer than a shard of the database is long.
fn check_variables(dashboard: &Value, points: &[Point], chosen: &Chosen, source: &Source) {
    const SHARD: i64 = 7 * 86_400;
    for variable in dashboard["templating"]["list"].as_array().unwrap().iter().filter(|one| one["type"] == "query") {
        let name = words(&variable["name"]);
        let everything =
            Chosen { channels: None, bots: if name == "bot" { None } else { chosen.bots.clone() }, ..chosen.clone() };
        let within = |more: i64| -> BTreeSet<&str> {
            let (from, to) = (chosen.from.as_second() - more, chosen.to.as_second() + more);
            let found = [false, true].into_iter().flat_map(|daily| within(points, &everything, daily, from, to));
            found.map(|point| if name == "bot" { point.bot } else { point.channel }).collect()
        };
        // Grafana asks for no format, and takes the values of all frames.
        let target = serde_json::json!({ "refId": "A", "query": variable["query"]["query"] });
        let column = if source.flux() { "_value" } else { "value" };
        let found = source.ask(&target, chosen, 15);
        let found: BTreeSet<&str> =
            found.iter().flat_map(|frame| frame.column(column).iter().map(|cell| cell.words())).collect();
        assert!(found.is_superset(&within(0)), "{chosen:?}: {found:?}");
        // InfluxDB 1 takes the time and pays no heed to it.
        if !matches!(source, Source::InfluxQl1(_)) {
            assert!(found.is_subset(&within(SHARD)), "{chosen:?}: {found:?}");
        }
    }
}
