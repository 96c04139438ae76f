//! What the database has already: whether the token may read it, whether yesterday is there as the platform tells it now,
//! and since when there is history. None of it has to be there before the first run, so these are notes.

use std::io;

use super::{Finding, Report};
use crate::database::WriteFailure;
use crate::database::read::{Reader, Step};
use crate::domain::calendar::{self, instant, start_of};
use crate::domain::compare::{Bounds, Kind, compare};
use crate::domain::flatten::{self, Asked, flatten, open_from};
use crate::domain::series::{Series, Window};
use crate::platform::client::Fetched;
use crate::run::Env;

/// `asked` is what the platform told of some series a moment ago.
///
/// # Errors
///
/// If standard output is closed.
pub(super) async fn check(
    reader: &Reader,
    series: &[Series],
    asked: &[(Series, Window, Fetched)],
    include_open: bool,
    env: &Env,
    report: &mut Report,
) -> io::Result<()> {
    for (series, window, fetched) in asked {
        match yesterday(reader, series, *window, fetched, include_open, env).await {
            Ok(found) => report.line(&format!("yesterday of {}", series.bot.name), &Finding::Note(found))?,
            Err(failure) => return say_unread(&failure, report),
        }
    }
    for series in series {
        let Series { bot, channel, interval } = series;
        let found = match reader.history(series).await {
            Ok(None) => "no points yet".to_owned(),
            Ok(Some((first, last))) => {
                let day = |seconds| calendar::today(&series.bot.time_zone, instant(seconds));
                format!("points from {} to {}", day(first), day(last))
            }
            Err(failure) => return say_unread(&failure, report),
        };
        report.line(&format!("history of {} {channel} {interval}", bot.name), &Finding::Note(found))?;
    }
    Ok(())
}

fn say_unread(failure: &WriteFailure, report: &mut Report) -> io::Result<()> {
    let finding = match Finding::fail(failure, failure.advice()) {
        Finding::Fail(words) => Finding::Note(words),
        other => other,
    };
    report.line("read access", &finding)
}

async fn yesterday(
    reader: &Reader,
    series: &Series,
    window: Window,
    fetched: &Fetched,
    include_open: bool,
    env: &Env,
) -> Result<String, WriteFailure> {
    let zone = &series.bot.time_zone;
    let day = window.last;
    let window = Window { first: day, last: day };
    let at = flatten::asked_at(fetched.asked_at, fetched.platform_time);
    let asked = Asked { window, zone, at, include_open, recent_from: None };
    let flattened = flatten(&fetched.answer, &asked);
    let span = start_of(zone, day)..open_from(&asked, series.interval);
    let stored = reader.read(series, span.clone(), Step::Day, &env.stop).await?;
    let bounds = Bounds { compared: span, withheld: flattened.withheld, late_from: i64::MAX };
    let comparison = compare(&flattened.points, &stored.own, &bounds);
    let wrong = comparison.differences.iter().filter(|difference| difference.kind != Kind::Unexpected).count();
    let Series { channel, interval, .. } = series;
    let all = flattened.points.len();
    Ok(match wrong {
        0 => format!("the {all} points of {channel} {interval} on {day} are stored as the platform tells them"),
        wrong => format!(
            "{wrong} of {all} points of {channel} {interval} on {day} are not stored as the platform tells them, as before \
             the first run; --verify {day}..{day} shows which"
        ),
    })
}
