//! The request ledger: whole records of any bytes are counted once each, a torn or foreign file does no harm, and what
//! is appended is found by the next process.

use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use kore_trend_exporter::config::Limits;
use kore_trend_exporter::domain::series::stable_hash;
use kore_trend_exporter::platform::limits::ledger::{Clocks, Ledger, Record};
use kore_trend_exporter::platform::limits::limiter::{Limiter, Purpose};
use kore_trend_exporter::platform::limits::uptime;

const HEADER: usize = 16;
const RECORD: usize = 32;

const CLOCKS: Clocks = Clocks { clock: Timestamp::now, uptime: uptime::read };

/// A file of this content.
pub(crate) fn check(folder: &Path, content: &[u8]) {
    let path = folder.join("requests.ledger");
    std::fs::write(&path, content).unwrap();
    let is_valid = content.len() >= HEADER && content.starts_with(b"request2");
    let records = if is_valid { content[HEADER..].chunks_exact(RECORD) } else { [].chunks_exact(RECORD) };
    let expected: Vec<(u64, Purpose)> = records.map(read).collect();

    let mut reader = Ledger::open_to_read(&path, CLOCKS).unwrap();
    assert_eq!(seen(&mut reader), expected);
    assert_eq!(std::fs::read(&path).unwrap(), content, "a reader leaves no trace");

    let mut ledger = Ledger::open(&path, CLOCKS).unwrap();
    assert_eq!(seen(&mut ledger), expected);
    assert_eq!(seen(&mut ledger), [], "each counts once");
    let own = (stable_hash("st-1"), Purpose::Backfill);
    ledger.exchange(|_| {}, || ((), Some(own))).unwrap();
    let mut next = Ledger::open(&path, CLOCKS).unwrap();
    assert_eq!(seen(&mut next), [expected.clone(), vec![own]].concat());

    let limits = Limits { per_minute: 60, per_hour: 1800, backfill_share: 0.5 };
    let limiter = Limiter::new(limits, Some(Ledger::open(&path, CLOCKS).unwrap()));
    limiter.look_at_others();
    let usage = limiter.usage("st-1");
    let of_this_bot = expected.iter().filter(|(bot, _)| *bot == own.0).count() + 1;
    assert!((1..=of_this_bot).contains(&usize::try_from(usage.minute).unwrap()), "{usage:?}");
    assert!(usage.minute <= usage.hour && usage.paused_for.is_none());
}

fn seen(ledger: &mut Ledger) -> Vec<(u64, Purpose)> {
    let mut seen = Vec::new();
    let count = |record: Record| {
        assert!(record.age < Duration::from_secs(100 * 366 * 24 * 3600), "{record:?}");
        seen.push((record.bot, record.purpose));
    };
    ledger.exchange(count, || ((), None)).unwrap();
    seen
}

fn read(record: &[u8]) -> (u64, Purpose) {
    let number = |place: usize| u64::from_le_bytes(record[place..place + 8].try_into().unwrap());
    (number(0), if number(8) % 2 == 1 { Purpose::Backfill } else { Purpose::Live })
}
