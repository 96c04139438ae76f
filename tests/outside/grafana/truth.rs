//! Every query of a dashboard, asked of a real database as Grafana asks it, for several readers at several times.

use std::collections::BTreeSet;

use serde_json::Value;

use super::held::{BOTS, DAYS, ODD, Point, held};
use super::panels;
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

/// The workspace of an exporter that brings all of [`held`] to this sink.
pub(super) fn seed(sink: &str) -> Workspace {
    let mut bots = String::new();
    for (name, zone, channels) in BOTS {
        bots += &format!(
            "[bots.{name}]\nid = \"st-{name}\"\nclient_id = \"cs-{name}\"\nclient_secret = \"0123456789\"\n\
             time_zone = \"{zone}\"\nintervals = [\"hourly\", \"daily\"]\nchannels = {}\ntags = {{ \"a team\" = \"x y\" }}\n\n",
            serde_json::to_string(channels).unwrap()
        );
    }
    let platform = crate::support::platform::SimulatedPlatform::well(&bots);
    let workspace =
        Workspace::with(&Template { sink, bots: &bots, platform_url: platform.url(), ..Template::default() });
    for (first, last) in DAYS {
        workspace.run(&["--backfill", &format!("{first}..{last}")]).expect_code(0);
    }
    workspace
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
            if targets(panel).is_empty() {
                continue;
            }
            asked.insert(title);
            // The step, which only curves have, in minutes: the shortest, and one for a long range.
            let steps: &[i64] = if panel["interval"] == "15m" { &[15, 360] } else { &[15] };
            for step in steps {
                let shown = show(panel, &chosen, source, *step);
                if panels::check(title, &shown, &points, &chosen.in_panel(panel), *step) {
                    seen.insert(title);
                }
            }
        }
    }
    assert_eq!(seen, asked, "a panel that was always empty");
}

/// The frames that a panel draws.
fn show(panel: &Value, chosen: &Chosen, source: &Source, step: i64) -> Vec<Frame> {
    let chosen = chosen.in_panel(panel);
    let frames = targets(panel).iter().flat_map(|target| source.ask(target, &chosen, step)).collect();
    transform(panel, frames, &chosen)
}

/// Readers in four zones, at times around the changes of clocks, who look at everything, one thing or several.
fn readers() -> Vec<Chosen> {
    let texts = |texts: &[&str]| Some(texts.iter().map(|text| (*text).to_owned()).collect::<Vec<String>>());
    let choices = [
        (None, None),
        (texts(&["berlin"]), texts(&["all"])),
        (texts(&["berlin", "kolkata"]), texts(&["rtm", ODD])),
        (texts(&["plain"]), texts(&["it's/a\\b (so|on)"])),
        (texts(&["auckland-1", "hono_lulu", "plain"]), None),
    ];
    let times = ["2026-03-29T15:20:00Z", "2026-04-02T09:40:00Z", "2026-10-25T21:10:00Z", "2026-11-01T17:50:00Z"];
    let zones = ["Europe/Berlin", "America/New_York", "utc", "Asia/Kolkata"];
    let mut readers = Vec::new();
    for (turn, (bots, channels)) in choices.into_iter().enumerate() {
        for (at, to) in times.into_iter().enumerate() {
            // Everything in all zones, the rest in two of them in turn.
            for (number, zone) in zones.into_iter().enumerate() {
                if turn == 0 || (turn + at + number) % 2 == 0 {
                    let to: jiff::Timestamp = to.parse().unwrap();
                    let from = to.checked_sub(jiff::Span::new().hours(14 * 24)).unwrap();
                    readers.push(Chosen { bots: bots.clone(), channels: channels.clone(), zone, from, to });
                }
            }
        }
    }
    readers
}

/// The choices that are offered.
fn check_variables(dashboard: &Value, points: &[Point], chosen: &Chosen, source: &Source) {
    for variable in dashboard["templating"]["list"].as_array().unwrap().iter().filter(|one| one["type"] == "query") {
        let of_bot = |point: &&Point| chosen.bots.as_ref().is_none_or(|bots| bots.iter().any(|bot| bot == point.bot));
        let expected: BTreeSet<&str> = match words(&variable["name"]) {
            "bot" => points.iter().map(|point| point.bot).collect(),
            "channel" => points.iter().filter(of_bot).map(|point| point.channel).collect(),
            other => panic!("no such variable: {other}"),
        };
        let target = serde_json::json!({
            "refId": "A", "resultFormat": "table", "query": variable["query"]["query"],
        });
        let column = if source.flux() { "_value" } else { "value" };
        let found = source.ask(&target, chosen, 15);
        let found: BTreeSet<&str> =
            found.iter().flat_map(|frame| frame.column(column).iter().map(|cell| cell.words())).collect();
        assert_eq!(found, expected, "{chosen:?}");
    }
}
