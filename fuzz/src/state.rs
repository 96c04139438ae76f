//! State files: whatever stands in one is read as what it says or is told apart from a state file; what was read is
//! written back as the same; and nothing in it makes a plan that loses a day. The first character says which file:
//! `w` watermarks.json, `b` backfill.json, `r` recent.json, `l` requests.ledger.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::{Date, date};
use jiff::tz::TimeZone;
use kore_trend_exporter::domain::bot::Bot;
use kore_trend_exporter::domain::credentials::{Algorithm, SigningKey};
use kore_trend_exporter::domain::plan::{Progress, Reach, tick};
use kore_trend_exporter::domain::series::{Interval, Series, SeriesKey, Window, day_after, days_between};
use kore_trend_exporter::domain::target::Target;
use kore_trend_exporter::observe::status::memory;
use kore_trend_exporter::state::StateError;
use kore_trend_exporter::state::backfill::{self, BackfillProgress, Range};
use kore_trend_exporter::state::watermarks::{self, Watermarks};
use serde_json::Value;
use tokio::runtime::{Builder, Runtime};

const TODAY: Date = date(2026, 8, 20);

/// A file of one of these kinds.
pub fn check(input: &[u8]) {
    let Some((kind, content)) = input.split_first() else { return };
    let folder = tempfile::tempdir().unwrap();
    match kind {
        b'w' => check_watermarks(folder.path(), content),
        b'b' => check_backfill(folder.path(), content),
        b'r' => check_recent(folder.path(), content),
        b'l' => super::ledger::check(folder.path(), content),
        _ => {}
    }
}

/// Runs what is to be waited for.
pub(crate) fn wait_for<T>(future: impl Future<Output = T>) -> T {
    thread_local! {
        static RUNTIME: Runtime = Builder::new_current_thread().enable_all().build().unwrap();
    }
    RUNTIME.with(|runtime| runtime.block_on(future))
}

fn check_watermarks(folder: &Path, content: &[u8]) {
    let path = watermarks::path_in(folder);
    std::fs::write(&path, content).unwrap();
    let value: Option<Value> = serde_json::from_slice(content).ok();
    let loaded = match Watermarks::load(folder, Timestamp::UNIX_EPOCH, true) {
        Ok(loaded) => loaded,
        Err(StateError::Newer(words)) => {
            assert!(value.is_none_or(|value| words.contains(&format!("has format version {}, but", value["version"]))));
            return assert_eq!(std::fs::read(&path).unwrap(), content, "it is left as it is");
        }
        Err(error) => panic!("{error}"),
    };
    if !path.exists() {
        let kept = folder.join("watermarks.json.unreadable-0");
        return assert_eq!(std::fs::read(kept).unwrap(), content, "it is set aside as it was");
    }
    let Some(value) = value else { return };
    assert_eq!(value["version"], 1);
    let expected: BTreeMap<SeriesKey, Progress> = entries(&value).map(|(key, entry)| (key, progress(entry))).collect();
    let holds = |marks: &Watermarks| {
        expected.iter().all(|(key, progress)| marks.kept(key).map(|(progress, _)| progress) == Some(*progress))
    };
    assert!(holds(&loaded), "{expected:?}");
    expected.values().for_each(|progress| check_plan(*progress));

    // Something new, so that there is something to save.
    let (new, known) = (key("new", "st-new"), Progress { since: TODAY, through: None });
    let target = |destination: &str| Target { destination: destination.to_owned(), tags: "tags".to_owned() };
    let other = loaded.kept(&new).is_some_and(|(_, before)| before == Some(target("one")));
    loaded.set(new.clone(), known, target(if other { "two" } else { "one" }));
    wait_for(loaded.save()).unwrap();
    let again = Watermarks::load(folder, Timestamp::UNIX_EPOCH, false).unwrap();
    assert!(expected.keys().all(|key| again.kept(key) == loaded.kept(key)) && again.kept(&new) == loaded.kept(&new));
    let first = std::fs::read(&path).unwrap();
    let again = Watermarks::load(folder, Timestamp::UNIX_EPOCH, true).unwrap();
    let (_, target) = loaded.kept(&new).unwrap();
    again.set(new.clone(), Progress { through: Some(TODAY), ..known }, target.clone().unwrap());
    again.set(new.clone(), known, target.unwrap());
    wait_for(again.save()).unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), first, "saved, loaded and saved again");
}

/// Every day from the watermark on is asked for once, and none that is yet to come.
fn check_plan(known: Progress) {
    let reach = Reach { refresh_days: 2, initial_days: 7, max_days: 31 };
    let plan = tick(Some(known), TODAY, reach);
    let mut windows = plan.windows;
    for window in &windows {
        assert!(window.first <= window.last && window.days() <= reach.max_days, "{known:?} makes {window}");
    }
    assert!(windows.iter().any(|window| window.contains(TODAY)));
    windows.sort_by_key(|window| window.first);
    assert!(windows.windows(2).all(|pair| days_between(pair[0].last, pair[1].first) == 1), "{known:?}");
    assert!(windows[0].first <= plan.progress.next().min(TODAY) && windows[windows.len() - 1].last == TODAY);
    let is_past = known.since <= TODAY && known.through < Some(TODAY);
    assert!(!is_past || plan.progress == known, "a watermark of the past stays where it is");
}

fn check_backfill(folder: &Path, content: &[u8]) {
    let path = backfill::path_in(folder);
    std::fs::write(&path, content).unwrap();
    let other = Range { from: date(1970, 1, 1), to: Some(date(1970, 1, 1)) };
    let words = match BackfillProgress::load(folder, other) {
        Ok(_) => None,
        Err(StateError::AnotherRange(words)) => Some(words),
        Err(StateError::Newer(_)) => return,
        Err(StateError::Other(error)) => return assert!(error.to_string().ends_with("start over with --restart")),
    };
    let Ok(value) = serde_json::from_slice::<Value>(content) else { return };
    let range = Range { from: value["from"].as_str().map(day).unwrap(), to: value["to"].as_str().map(day) };
    assert_eq!(range == other, words.is_none());
    assert!(words.is_none_or(|words| words.starts_with(&format!("a backfill of {range} was interrupted"))));
    let done: BTreeMap<SeriesKey, Option<Date>> =
        entries(&value).map(|(key, entry)| (key, entry["through"].as_str().map(day))).collect();
    let mut loaded = BackfillProgress::load(folder, range).unwrap();
    let owed: Vec<Vec<Window>> = done.keys().map(|key| loaded.enlist(&series(key), TODAY, 31)).collect();
    for (done, owed) in done.values().zip(&owed) {
        let whole = range.window(TODAY);
        let first = done.map_or(range.from, |done| day_after(done, 1));
        match whole.filter(|whole| first <= whole.last) {
            None => assert_eq!(*owed, []),
            Some(whole) => {
                assert_eq!((owed[0].first, owed[owed.len() - 1].last), (first, whole.last));
                assert!(owed.windows(2).all(|pair| days_between(pair[0].last, pair[1].first) == 1));
            }
        }
    }
    loaded.done(key("new", "st-new"), Window { first: TODAY, last: TODAY });
    wait_for(loaded.save(folder)).unwrap();
    let first = std::fs::read(&path).unwrap();
    let mut again = BackfillProgress::load(folder, range).unwrap();
    let new = key("new", "st-new");
    let known = done.keys().zip(&owed).filter(|(key, _)| **key != new);
    known.for_each(|(key, owed)| assert_eq!(again.enlist(&series(key), TODAY, 31), *owed));
    again.done(new, Window { first: TODAY, last: TODAY });
    wait_for(again.save(folder)).unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), first, "saved, loaded and saved again");
}

fn check_recent(folder: &Path, content: &[u8]) {
    std::fs::write(folder.join("recent.json"), content).unwrap();
    let loaded = memory::load(folder);
    wait_for(memory::save(folder, loaded.clone().into_iter().collect())).unwrap();
    assert_eq!(memory::load(folder), loaded, "saved and loaded again");
    for mut recent in loaded.into_values() {
        recent.move_to(TODAY);
        recent.set(TODAY, 23, 7);
        assert!(recent.days().any(|(day, users)| day == TODAY && users[23] == Some(7)), "it is of use today");
        assert!(recent.days().zip(recent.days().skip(1)).all(|((one, _), (next, _))| days_between(one, next) == 1));
    }
}

/// The series of a file, by another way.
fn entries(value: &Value) -> impl Iterator<Item = (SeriesKey, &Value)> {
    value["series"].as_array().unwrap().iter().map(|entry| {
        let text = |name: &str| entry[name].as_str().unwrap().to_owned();
        let interval = if entry["interval"] == "hourly" { Interval::Hourly } else { Interval::Daily };
        (
            SeriesKey {
                bot: text("bot").into(),
                bot_id: text("bot_id").into(),
                channel: text("channel").into(),
                interval,
            },
            entry,
        )
    })
}

fn progress(entry: &Value) -> Progress {
    Progress { since: day(entry["since"].as_str().unwrap()), through: entry["through"].as_str().map(day) }
}

fn day(text: &str) -> Date {
    text.parse().unwrap()
}

fn key(bot: &str, bot_id: &str) -> SeriesKey {
    SeriesKey { bot: bot.into(), bot_id: bot_id.into(), channel: "all".into(), interval: Interval::Hourly }
}

fn series(key: &SeriesKey) -> Series {
    let bot = Bot {
        name: key.bot.clone(),
        id: key.bot_id.clone(),
        client_id: "cs-1".to_owned(),
        key: SigningKey::hmac(Algorithm::HS256, b"a secret"),
        encryption: None,
        time_zone: TimeZone::UTC,
        channels: vec![key.channel.clone()],
        intervals: vec![key.interval],
        tags: Vec::new(),
        cron: None,
    };
    Series { bot: Arc::new(bot), channel: key.channel.clone(), interval: key.interval }
}
