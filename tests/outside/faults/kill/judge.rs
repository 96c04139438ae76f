//! What is left after a kill, held against what was there before, and against what the platform told.

use std::collections::BTreeMap;
use std::path::Path;

use jiff::civil::Date;
use kore_trend_exporter::domain::series::{Interval, Window};
use serde_json::Value;

use super::platform::{Bucket, RevisedPlatform, Series, buckets_of};
use super::tally::Tally;
use crate::support::influxdb::Database;
use crate::support::platform::answer;
use crate::support::platform::day;

/// Every file that may stand in the state folder.
const NAMES: [&str; 6] = ["lock", "backfill.lock", "requests.lock", "watermarks.json", "backfill.json", "recent.json"];

/// What the state folder says.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct State {
    /// The first day and the last one that is confirmed.
    watermarks: BTreeMap<Series, (Date, Option<Date>)>,
    /// The days of an unfinished backfill, and the last one done by series.
    backfill: Option<(Window, BTreeMap<Series, Option<Date>>)>,
    half_replaced: bool,
}

/// Figures by bucket.
pub(super) type Figures = BTreeMap<Bucket, i64>;

/// What was seen last, and what can never go again.
#[derive(Default)]
pub(super) struct Judge {
    figures: Figures,
    state: State,
    /// What a power cut must not take.
    durable: State,
}

impl State {
    /// Panics where a file is not what it should be: nothing is ever half written.
    pub(super) fn read(folder: &Path) -> State {
        let mut state = State::default();
        let Ok(entries) = std::fs::read_dir(folder) else { return state };
        for entry in entries {
            let name = entry.unwrap().file_name().into_string().unwrap();
            state.half_replaced |= name.starts_with(".new-");
            let known = NAMES.contains(&name.as_str())
                || NAMES.iter().any(|known| name == format!(".new-{known}"))
                || name.strip_prefix("requests.").is_some_and(|hour| hour.parse::<u32>().is_ok());
            assert!(known, "{name} is left over in the state folder");
        }
        document(folder, "recent.json");
        let series = |document: &Value| document["series"].as_array().unwrap().clone();
        if let Some(watermarks) = document(folder, "watermarks.json") {
            let entry = |entry: &Value| (key(entry), (date(&entry["since"]).unwrap(), date(&entry["through"])));
            state.watermarks = series(&watermarks).iter().map(entry).collect();
        }
        if let Some(backfill) = document(folder, "backfill.json") {
            let done = series(&backfill).iter().map(|entry| (key(entry), date(&entry["through"]))).collect();
            let [first, last] = ["from", "to"].map(|end| date(&backfill[end]).unwrap());
            state.backfill = Some((Window { first, last }, done));
        }
        state
    }

    /// The days of an unfinished backfill.
    pub(super) fn backfill(&self) -> Option<Window> {
        self.backfill.as_ref().map(|(range, _)| *range)
    }

    /// Panics unless every day that it calls confirmed is there in full.
    fn must_be_covered_by(&self, found: &Figures) {
        for (series, (since, through)) in &self.watermarks {
            must_hold(found, series, *since, *through, "the watermark");
        }
        if let Some((range, done)) = &self.backfill {
            for (series, through) in done {
                must_hold(found, series, range.first, *through, "the backfill");
            }
        }
    }

    /// Panics if it has not come as far as this one.
    fn must_not_be_behind(&self, earlier: &State) {
        for (series, (since, through)) in &earlier.watermarks {
            let now = self.watermarks.get(series);
            let kept = now.is_some_and(|now| now.0 == *since && now.1 >= *through);
            assert!(kept, "{series:?} was owed from {since}, confirmed through {through:?}; now {now:?}");
        }
        if let (Some((range, earlier)), Some((range_now, now))) = (&earlier.backfill, &self.backfill)
            && range == range_now
        {
            for (series, through) in earlier {
                assert!(now.get(series) >= Some(through), "the backfill of {series:?} went back from {through:?}");
            }
        }
    }

    /// Whether the database has a figure of a day before today that no watermark knows of.
    fn knows_less_than(&self, found: &Figures) -> bool {
        self.watermarks.iter().any(|(series, (since, through))| {
            let next = through.map_or(*since, |through| through.tomorrow().unwrap());
            next < day(0) && buckets_of(next, series.2).any(|start| found.contains_key(&(series.clone(), start)))
        })
    }
}

impl Judge {
    /// Looks at the state folder, then at the database, once nobody writes there any more. `backfill` is the range that
    /// has not ended well yet.
    pub(super) fn look(
        &mut self,
        folder: &Path,
        backfill: Window,
        after_power_cut: bool,
        database: &Database,
        platform: &RevisedPlatform,
        tally: &mut Tally,
    ) {
        let state = State::read(folder);
        let found = stored(database);
        tally.points_compared += found.len() as u64;
        state.must_be_covered_by(&found);
        for (bucket, users) in &found {
            platform.must_have_told(bucket, *users);
        }
        for (bucket, users) in &self.figures {
            let now = found.get(bucket);
            assert!(now >= Some(users), "{bucket:?} went back from {users} to {now:?}");
        }
        assert!(state.backfill().is_none_or(|range| range == backfill), "a backfill that was done is back: {state:#?}");
        let before = if after_power_cut { &self.durable } else { &self.state };
        if let (Some((range, done)), None) = (&before.backfill, &state.backfill) {
            // Killed on its way out, with all of it done: the next run begins it anew.
            done.keys().for_each(|series| must_hold(&found, series, range.first, Some(range.last), "the end"));
        }
        state.must_not_be_behind(before);
        tally.half_replaced += u64::from(state.half_replaced);
        tally.not_yet_remembered += u64::from(state.knows_less_than(&found));
        if after_power_cut {
            self.durable = state.clone();
        } else if state.backfill.is_none() {
            self.durable.backfill = None;
        }
        (self.state, self.figures) = (state, found);
    }

    /// The program has ended well: what it left is on the disk for good. Panics unless the days of this window are in
    /// the database as they were told last.
    pub(super) fn is_promised(
        &mut self,
        state: State,
        window: Window,
        database: &Database,
        platform: &RevisedPlatform,
    ) {
        let found = stored(database);
        let latest = platform.latest();
        let [from, to] = [window.first, window.last].map(|day| buckets_of(day, Interval::Hourly).next().unwrap());
        for (bucket, users) in latest.iter().filter(|(bucket, _)| (from..to + 86_400).contains(&bucket.1)) {
            assert_eq!(found.get(bucket), Some(users), "{bucket:?} after all was done");
        }
        self.durable = state;
    }

    /// Panics unless every watermark is at this day, for so many series.
    pub(super) fn must_be_through(state: &State, last: Date, series: usize) {
        let done = state.watermarks.values().filter(|(_, through)| *through >= Some(last)).count();
        assert_eq!(done, series, "through {last}: {state:#?}");
    }
}

/// Everything that the database holds.
pub(super) fn stored(database: &Database) -> Figures {
    let answer = database.influxql("SELECT \"users\" FROM /^user_engagement_/ GROUP BY *");
    let mut found = Figures::new();
    for table in answer["results"][0]["series"].as_array().map_or(&[][..], Vec::as_slice) {
        assert!(table["partial"].is_null() && answer["results"][0]["partial"].is_null());
        let tag = |name: &str| table["tags"][name].as_str().unwrap().to_owned();
        let interval = match table["name"].as_str().unwrap() {
            "user_engagement_daily" => Interval::Daily,
            _ => Interval::Hourly,
        };
        let series = (tag("bot"), tag("channel"), interval);
        for row in table["values"].as_array().unwrap() {
            found.insert((series.clone(), row[0].as_i64().unwrap()), row[1].as_i64().unwrap());
        }
    }
    found
}

/// Panics unless all buckets of a series from this day through that one are there.
fn must_hold(found: &Figures, series: &Series, from: Date, through: Option<Date>, who: &str) {
    let Some(last) = through else { return };
    for day in answer::days(Window { first: from, last }) {
        for start in buckets_of(day, series.2) {
            let there = found.contains_key(&(series.clone(), start));
            assert!(there, "{who} of {series:?} stands at {last}, and the database lacks {start} of {day}");
        }
    }
}

/// A state file, if it is there.
fn document(folder: &Path, name: &str) -> Option<Value> {
    let text = std::fs::read(folder.join(name)).ok()?;
    let text = String::from_utf8_lossy(&text);
    let document: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}: {text:?}"));
    assert_eq!(document["version"], 1, "{name}: {document}");
    Some(document)
}

fn key(entry: &Value) -> Series {
    let text = |name: &str| entry[name].as_str().unwrap().to_owned();
    let interval = if entry["interval"] == "daily" { Interval::Daily } else { Interval::Hourly };
    (text("bot"), text("channel"), interval)
}

fn date(value: &Value) -> Option<Date> {
    value.as_str().map(|text| text.parse().unwrap())
}
