//! The database: what it stores, and how it fails. Every line that it is sent is held against the truth.

use std::time::Duration;

use bytes::Bytes;
use influxdb_line_protocol::{FieldValue, ParsedLine, parse_lines};
use jiff::Timestamp;
use kore_trend_exporter::config::Destination;
use kore_trend_exporter::database::{Refusal, Sink, WriteFailure, Writing};
use kore_trend_exporter::domain::series::{Interval, day_after};
use support::fake_influxdb::Reply as Answer;

use crate::history::DatabaseTrouble;
use crate::platform::part_of;
use crate::time;
use crate::truth::{self, Bucket};
use crate::world::{Process, World, current, lock};

/// How long the exporter waits for an answer.
const TIMEOUT: Duration = Duration::from_secs(30);

#[expect(clippy::unnecessary_wraps, reason = "a real database may not open")]
pub(crate) fn open_for_daemon(_: &Destination) -> Result<Sink, anyhow::Error> {
    Ok(Sink::Other(|lines| write(Process::Daemon, lines)))
}

#[expect(clippy::unnecessary_wraps, reason = "a real database may not open")]
pub(crate) fn open_for_backfill(_: &Destination) -> Result<Sink, anyhow::Error> {
    Ok(Sink::Other(|lines| write(Process::Backfill, lines)))
}

/// What comes back, and when.
type Reply = (Duration, Result<(), WriteFailure>);

/// What the exporter makes of an answer.
fn result(answer: &Answer) -> Result<(), WriteFailure> {
    let refused = || Refusal::read(answer.status(), answer.body(), None, "no secret is sent");
    if answer.is_stored() { Ok(()) } else { Err(WriteFailure::Refused(refused())) }
}

fn write(process: Process, lines: Bytes) -> Writing {
    let world = current();
    Box::pin(async move {
        let way = lock(&world).dice.u64(1..60);
        tokio::time::sleep(Duration::from_millis(way)).await;
        let late = {
            let mut world = lock(&world);
            world.event();
            world.check_watermarks();
            let (trouble, chance) = world.database;
            match trouble {
                DatabaseTrouble::Late(seconds) if world.happens(chance) => Some(Duration::from_secs(seconds)),
                _ => None,
            }
        };
        if let Some(late) = late {
            tokio::time::sleep(late).await;
        }
        let (after, reply) = lock(&world).take(process, &lines);
        tokio::time::sleep(after).await;
        lock(&world).event();
        reply
    })
}

impl World {
    fn take(&mut self, process: Process, lines: &[u8]) -> Reply {
        self.counts.writes += 1;
        let text = std::str::from_utf8(lines).unwrap();
        let parsed: Vec<ParsedLine<'_>> = parse_lines(text).collect::<Result<_, _>>().unwrap();
        let numbers: Vec<usize> = parsed.iter().map(|line| self.series_of(line)).collect();
        let quick = Duration::from_millis(self.dice.u64(1..200));
        let (trouble, chance) = self.database;
        let trouble = if self.happens(chance) { trouble } else { DatabaseTrouble::None };
        let generation = self.setup.generation;
        let says = |answer: Answer| (quick, result(&answer));
        let in_vain = || (TIMEOUT, Err(WriteFailure::TimedOut(TIMEOUT)));
        let (all, none) = (vec![true; parsed.len()], vec![false; parsed.len()]);
        let (stored, reply): (Vec<bool>, Reply) = match trouble {
            DatabaseTrouble::Status(status) => (none, says((status, "no".to_owned()).into())),
            DatabaseTrouble::Denied => (none, says(generation.wrong_token())),
            DatabaseTrouble::NoBucket if generation.major() < 3 => (none, says(generation.no_bucket("fake"))),
            DatabaseTrouble::DiskFull => (none, says(generation.disk_full())),
            DatabaseTrouble::HalfStored => {
                let stored = (0..parsed.len()).map(|place| place < parsed.len() / 2).collect();
                (stored, says((500, "internal error".to_owned()).into()))
            }
            DatabaseTrouble::Lost => (all, in_vain()),
            DatabaseTrouble::Silent => (none, in_vain()),
            DatabaseTrouble::TooLarge(most) if parsed.len() > most => {
                (none, says((413, "too large".to_owned()).into()))
            }
            DatabaseTrouble::Retention(days) => {
                let oldest = time::true_seconds() - 86_400 * days;
                self.kept_from = self.kept_from.max(oldest);
                let stored: Vec<bool> = parsed.iter().map(|line| line.timestamp >= Some(oldest)).collect();
                let dropped = stored.iter().filter(|stored| !**stored).count();
                let answer = if dropped == 0 { Answer::stored() } else { generation.beyond_retention(dropped) };
                (stored, says(answer))
            }
            DatabaseTrouble::Refuses(number) if numbers.contains(&(number % self.series.len())) => {
                let others: Vec<bool> = numbers.iter().map(|found| *found != number % self.series.len()).collect();
                let refused = others.iter().filter(|other| !**other).count();
                let stored = if generation.major() < 3 { others } else { none };
                (stored, says(generation.type_conflict("user_engagement", "users", refused)))
            }
            _ => (all, says(Answer::stored())),
        };
        for ((line, number), _) in parsed.iter().zip(&numbers).zip(&stored).filter(|(_, stored)| **stored) {
            self.store(process, *number, line);
        }
        let stored = stored.iter().filter(|stored| **stored).count();
        self.note(|| format!("{process:?} writes {} lines, {stored} are stored: {:?}", parsed.len(), reply.1));
        self.event();
        reply
    }

    fn series_of(&self, line: &ParsedLine<'_>) -> usize {
        let interval = match line.series.measurement.as_str() {
            "user_engagement_hourly" => Interval::Hourly,
            "user_engagement_daily" => Interval::Daily,
            other => panic!("the measurement {other}"),
        };
        let tag = |name: &str| line.tag_value(name).unwrap().to_string();
        let of = |known: &crate::world::Known| {
            let series = &known.series;
            series.interval == interval
                && [&*series.bot.name, &*series.bot.id, &*series.channel] == [tag("bot"), tag("bot_id"), tag("channel")]
        };
        self.series.iter().position(of).unwrap()
    }

    /// Stores a point, if it is one that the platform said.
    fn store(&mut self, process: Process, number: usize, line: &ParsedLine<'_>) {
        const PROMISE: &str = "no point that the platform did not say";
        self.counts.points += 1;
        let at = line.timestamp.unwrap();
        let known = &self.series[number];
        let local = truth::zone(known.zone).to_datetime(Timestamp::from_second(at).unwrap());
        let hour = (known.series.interval == Interval::Hourly).then(|| usize::try_from(local.hour()).unwrap());
        let bucket = Bucket { day: local.date(), hour };
        let span = truth::day(known.zone, bucket.day).span(hour);
        let Some(span) = span.filter(|(start, _)| *start == at) else {
            return self.breaks(PROMISE, format!("series {number}: {at} is the beginning of no bucket"));
        };
        let mut fields = [None; 3];
        for (name, value) in &line.field_set {
            let place =
                ["users", "new_users", "returning_users"].iter().position(|field| name.as_str() == *field).unwrap();
            let FieldValue::I64(value) = value else { panic!("{value:?}") };
            fields[place] = Some(*value - part_of(place));
        }
        let now = time::true_seconds();
        let stands = known.figures.revision(bucket, span, now);
        let users = fields[0].unwrap_or(-1);
        let alike = if known.figures.v2 { fields == [Some(users); 3] } else { fields[1..] == [None; 2] };
        let revision = known.figures.revision_of(bucket, users, stands).filter(|_| alike);
        let Some(revision) = revision else {
            return self
                .breaks(PROMISE, format!("series {number} {bucket:?}: {fields:?}, it says revision {stands:?}"));
        };
        if revision == 0 {
            return self.breaks("no open bucket", format!("series {number} {bucket:?}: {users}"));
        }
        let before = known.stored.get(&bucket).copied();
        // A backfill of days that still change runs beside the daemon, and neither knows what the other was told later,
        // the machine asleep meanwhile or not; the next tick mends it.
        let of_both = process == Process::Backfill || known.backfilled.contains(&bucket);
        let changes = day_after(bucket.day, i64::from(self.setup.refresh_days) + 1)
            >= truth::local_date(known.zone, time::true_now());
        if before > Some(revision) && !(of_both && changes) {
            self.breaks("no older revision", format!("series {number} {bucket:?}: {revision} after {before:?}"));
        }
        let known = &mut self.series[number];
        known.stored.insert(bucket, revision);
        match process {
            Process::Backfill => known.backfilled.insert(bucket),
            Process::Daemon => known.backfilled.remove(&bucket),
        };
    }
}
