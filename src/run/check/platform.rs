//! One real request for each bot: it proves the address, the token and the scope, and shows what the platform makes of
//! the days that are asked for.

use std::time::Duration;

use tokio::time::Instant;

use super::Finding;
use crate::config::EndDate;
use crate::domain::answer::Buckets;
use crate::domain::calendar;
use crate::domain::series::{Series, Window, day_after};
use crate::limits::limiter::Purpose;
use crate::platform::client::{Client, FetchError, Fetched, Question};
use crate::run::Env;

/// What a bot's first series has of the two days before today, with the answer itself.
pub(super) async fn ask(
    client: &Client,
    series: &Series,
    end_date: EndDate,
    env: &Env,
) -> (Vec<Finding>, Option<(Series, Window, Fetched)>) {
    let today = calendar::today(&series.bot.time_zone, (env.clock)());
    let window = Window { first: day_after(today, -2), last: day_after(today, -1) };
    let question = Question { series, window, purpose: Purpose::Live, tries: 2, patience: Duration::ZERO };
    let wanted_at = Instant::now();
    let turn = client.turn(question, wanted_at, None, &env.stop).await;
    let fetched = match client.fetch_from(turn, wanted_at, question, &mut 0, &env.stop).await {
        Ok(fetched) => fetched,
        Err(FetchError::Failed(failure)) => return (vec![Finding::fail(&failure, &failure.advice())], None),
        Err(FetchError::Stopped) => return (vec![Finding::Fail("not checked: shutting down".to_owned())], None),
    };
    let [first, last] = [window.first, window.last].map(|day| fetched.answer.days.get(&day).map_or(0, Buckets::len));
    let Series { channel, interval, .. } = series;
    let yesterday = window.last;
    let mut findings = vec![match (first, last) {
        (0, 0) => Finding::Note(format!(
            "token and scope accepted, but {channel} has no {interval} buckets on {window}: check that the bot had \
             visitors on this channel, and the bot's id"
        )),
        _ => Finding::Ok(format!(
            "token and scope accepted; {channel} has {last} {interval} buckets on {yesterday}, {first} the day before"
        )),
    }];
    if first > 0 && last == 0 && end_date == EndDate::Included {
        findings.push(Finding::Note(format!(
            "nothing on {yesterday}, the last day asked for: the platform may leave it out; if that is so on other days, \
             too, set platform.end_date = \"excluded\""
        )));
    }
    (findings, Some((series.clone(), window, fetched)))
}
