//! What `--verify` prints at its end: a table with the first differences and what to do, or a line of JSON a series.

use std::io::{self, Write};

use serde::Serialize;

use super::lines::{Named, deletion, in_order, name};
use crate::domain::calendar::instant;
use crate::domain::compare::{Fields, Value};
use crate::domain::series::Series;
use crate::run::table;
use crate::run::verifier::{Counts, SHOWN, SeriesFindings, Verifier};

/// A series, what is known of it, and whether both sides of it were read in full.
type Row<'a> = (&'a Series, &'a SeriesFindings, bool);

/// Prints what is known of every series. `complete` tells of each whether both sides were read in full.
///
/// # Errors
///
/// If standard output is closed.
pub(super) fn print(verifier: &Verifier, series: &[Series], complete: &[bool], refresh_days: u32) -> io::Result<()> {
    let findings = verifier.findings();
    let nothing = SeriesFindings::default();
    let rows: Vec<Row<'_>> = series
        .iter()
        .zip(complete)
        .map(|(series, complete)| (series, findings.get(&series.key()).unwrap_or(&nothing), *complete))
        .collect();
    let mut stdout = io::stdout().lock();
    if verifier.options.json {
        for (series, found, complete) in rows {
            writeln!(stdout, "{}", serde_json::to_string(&series_line(series, found, complete))?)?;
        }
        return stdout.flush();
    }
    write!(stdout, "{}", table(&rows))?;
    differences(&mut stdout, &rows)?;
    advice(&mut stdout, verifier, &rows, refresh_days)?;
    stdout.flush()
}

#[derive(Serialize)]
struct SeriesLine<'a> {
    series: Named<'a>,
    #[serde(flatten)]
    counts: Counts,
    #[serde(skip_serializing_if = "Option::is_none")]
    complete: Option<bool>,
}

fn series_line<'a>(series: &'a Series, found: &SeriesFindings, complete: bool) -> SeriesLine<'a> {
    SeriesLine { series: series.into(), counts: found.counts, complete: (!complete).then_some(false) }
}

fn table(rows: &[Row<'_>]) -> String {
    let heading = ["days", "equal", "missing", "different", "unexpected", "elsewhere"];
    let row = |(series, found, complete): &Row<'_>| {
        let Counts { days, equal, missing, different, unexpected, elsewhere } = found.counts;
        let remark = if *complete { "" } else { "not read in full, see the log" };
        table::Row::of(series, &[days, equal, missing, different, unexpected, elsewhere], remark.to_owned())
    };
    let rows: Vec<table::Row> =
        std::iter::once(table::Row::heading(&heading, "")).chain(rows.iter().map(row)).collect();
    table::aligned(&rows)
}

fn differences(out: &mut impl Write, rows: &[Row<'_>]) -> io::Result<()> {
    let all: u64 = rows.iter().map(|(_, found, _)| found.counts.differing()).sum();
    if all == 0 {
        return Ok(());
    }
    writeln!(out)?;
    let differences =
        rows.iter().flat_map(|(series, found, _)| found.differences.iter().map(move |one| (*series, one)));
    for (Series { bot, channel, interval }, difference) in differences.take(SHOWN) {
        let time = instant(difference.timestamp);
        let local = time.to_zoned(bot.time_zone.clone()).strftime("%Y-%m-%d %H:%M");
        let zone = bot.time_zone.iana_name().unwrap_or("local time");
        let platform = difference.platform.as_ref().map_or("nothing".to_owned(), shown);
        let database = difference.database.as_ref().map_or("nothing".to_owned(), shown);
        let late = if difference.late_revision { " (late revision)" } else { "" };
        writeln!(
            out,
            "{} {channel} {interval}  {local} {zone} = {time}  {}: platform {platform}, database {database}{late}",
            bot.name,
            name(difference.kind)
        )?;
    }
    say_rest(out, all)
}

/// Says how many are not shown.
fn say_rest(out: &mut impl Write, all: u64) -> io::Result<()> {
    match all.saturating_sub(SHOWN as u64) {
        0 => Ok(()),
        rest => writeln!(out, "and {rest} more; --log-format json lists them all"),
    }
}

/// The sentences that say what to do.
fn advice(out: &mut impl Write, verifier: &Verifier, rows: &[Row<'_>], refresh_days: u32) -> io::Result<()> {
    let sum = |of: fn(&SeriesFindings) -> u64| rows.iter().map(|(_, found, _)| of(found)).sum::<u64>();
    let (repairable, unexpected) =
        (sum(|found| found.counts.missing + found.counts.different), sum(|found| found.counts.unexpected));
    let (late, repaired, elsewhere) =
        (sum(|found| found.late), sum(|found| found.repaired), sum(|found| found.counts.elsewhere));
    writeln!(out)?;
    if repaired > 0 {
        writeln!(
            out,
            "repaired: wrote what was missing or different, and compared it again: {repaired} more points are equal now"
        )?;
    }
    if late > 0 {
        writeln!(
            out,
            "{late} of the differences may be late revisions of the last {refresh_days} days, which the daemon's \
                       next tick writes"
        )?;
    }
    for (series, found, _) in rows {
        if let Some(shifts) = found.shifts.shift() {
            let shifts: Vec<String> = shifts.iter().map(|seconds| hours(*seconds)).collect();
            let Series { bot, channel, interval } = series;
            writeln!(
                out,
                "{} {channel} {interval}: everything is there, but {}: the points were written under another \
                 time_zone; before you repair anything, check the bot's time_zone",
                bot.name,
                shifts.join(" or ")
            )?;
        }
    }
    if elsewhere > 0 {
        writeln!(
            out,
            "stored under other tags of the same bots and channels: {elsewhere} points, from before the \
                       tags changed"
        )?;
    }
    if repairable > 0 {
        let again = if verifier.options.repair { "could not be repaired" } else { "use --repair to write them" };
        writeln!(out, "missing or different: {repairable}; {again}")?;
    }
    if unexpected > 0 {
        writeln!(
            out,
            "unexpected: {unexpected}; not from the platform, or it no longer keeps them. --verify deletes nothing. \
                       To delete them:"
        )?;
        let surplus = rows.iter().flat_map(|(series, found, _)| found.surplus.iter().map(move |time| (*series, *time)));
        for (series, time) in surplus.take(SHOWN) {
            writeln!(out, "  {}", deletion(&verifier.reader, series, time))?;
        }
        say_rest(out, unexpected)?;
    }
    let not_compared = sum(|found| found.not_compared);
    if not_compared > 0 {
        writeln!(out, "{not_compared} points not compared (open, forgotten or beyond the retention)")?;
    }
    let unread = rows.iter().filter(|(_, _, complete)| !complete).count();
    if unread > 0 {
        return writeln!(out, "{unread} of {} series could not be compared in full, see the log", rows.len());
    }
    if repairable + unexpected == 0 {
        writeln!(
            out,
            "the database equals the platform: {} points of {} series",
            sum(|found| found.counts.equal),
            rows.len()
        )?;
    }
    Ok(())
}

fn hours(seconds: i64) -> String {
    let (hours, minutes) = (seconds.abs() / 3600, seconds.abs() % 3600 / 60);
    let side = if seconds > 0 { "later" } else { "earlier" };
    match (hours, minutes) {
        (hours, 0) => format!("{hours} h {side}"),
        (hours, minutes) => format!("{hours} h {minutes} min {side}"),
    }
}

fn shown(fields: &Fields) -> String {
    let figure = |value: &Value| match value {
        Value::Integer(value) => value.to_string(),
        Value::Unsigned(value) => format!("{value} (unsigned)"),
        Value::Float(value) => format!("{value} (float)"),
        Value::Boolean(value) => value.to_string(),
        Value::Text(value) => format!("{value:?}"),
    };
    let fields: Vec<String> = in_order(fields).map(|(name, value)| format!("{name}={}", figure(value))).collect();
    fields.join(" ")
}
