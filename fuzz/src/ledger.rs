//! The requests on record: whole records of any bytes are counted once each, a torn or foreign file does no harm, and what
//! is appended is found by the next process.

use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use kore_trend_exporter::config::Limits;
use kore_trend_exporter::domain::series::stable_hash;
use kore_trend_exporter::limits::ledger::{Event, Ledger};
use kore_trend_exporter::limits::limiter::{Limiter, Purpose};

const HOUR: i64 = 3600;

fn clock() -> Timestamp {
    Timestamp::from_second(1_800_000_000).unwrap()
}

/// A file of this content, of the present hour.
pub(crate) fn check(folder: &Path, content: &[u8]) {
    let path = folder.join(format!("requests.{}", clock().as_second() / HOUR));
    std::fs::write(&path, content).unwrap();
    let mut ledger = Ledger::open(folder, clock).unwrap();
    let found = seen(&mut ledger);
    assert!(found.len() <= content.len() / 16);
    assert_eq!(seen(&mut ledger), [], "each counts once");
    assert_eq!(std::fs::read(&path).unwrap(), content, "who only looks leaves no trace");

    let own = (stable_hash("st-1"), Event::Asked(Purpose::Backfill, Duration::ZERO));
    ledger.exchange(|_| {}, || ((), Some(own))).unwrap();
    assert_eq!(seen(&mut Ledger::open(folder, clock).unwrap()), [found.clone(), vec![own]].concat());

    let limits = Limits { per_minute: 60, per_hour: 1800, backfill_share: 0.5 };
    let limiter = Limiter::new(limits, Some(Ledger::open(folder, clock).unwrap()));
    limiter.look_at_others();
    let usage = limiter.usage("st-1");
    let of_this_bot = found.iter().filter(|(bot, _)| *bot == own.0).count() + 1;
    assert!((1..=of_this_bot).contains(&usize::try_from(usage.minute).unwrap()), "{usage:?}");
    assert!(usage.minute <= usage.hour);
}

fn seen(ledger: &mut Ledger) -> Vec<(u64, Event)> {
    let mut seen = Vec::new();
    ledger.exchange(|entry| seen.push(entry), || ((), None)).unwrap();
    for (_, event) in &seen {
        let (Event::Asked(_, time) | Event::Denied(time)) = event;
        assert!(*time < Duration::from_secs(3701), "{event:?}");
    }
    seen
}
