//! Views as the status page may be asked to show them.

use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use kore_trend_exporter::config::Limits;
use kore_trend_exporter::demo::figures;
use kore_trend_exporter::domain::series::{Interval, day_after};
use kore_trend_exporter::limits::limiter::Budget;
use kore_trend_exporter::observe::status::condition::Condition;
use kore_trend_exporter::observe::status::recent::{DAYS, Recent};
use kore_trend_exporter::observe::status::view::{BotView, FailureView, NextTick, SeriesView, TickView, View};

/// A time of every view.
pub const NOW: &str = "2026-11-22T21:56:32Z";

pub fn now() -> Timestamp {
    NOW.parse().unwrap()
}

pub fn before(seconds: i64) -> Timestamp {
    now().checked_sub(SignedDuration::from_secs(seconds)).unwrap()
}

/// The demo's two bots with everything well.
pub fn demo() -> View {
    let bots = vec![
        bot("sales", "Europe/Berlin", &["all", "ivr", "wfacebook"]),
        bot("support", "UTC", &["all", "msteams", "rtm"]),
    ];
    view(bots)
}

/// The demo's bots: one series failing, one that has failed before; a bot throttled, another in the middle of a tick.
pub fn one_failing() -> View {
    let mut view = demo();
    let [sales, support] = view.bots.as_mut_slice() else { unreachable!() };
    fail(&mut support.series[4], 7200, &unreachable_platform());
    support.running = true;
    sales.budget.paused_for = Some(Duration::from_secs(250));
    sales.budget.minute = 57;
    sales.series[0].last_failure = Some(FailureView {
        at: before(11_000),
        error: "the platform answered 429: \"API Rate Limit exceeded\"".to_owned(),
        advice: "something else uses this bot's limits: lower platform.per_minute and per_hour".to_owned(),
    });
    view.ticks[0].failed = 1;
    view.skipped = 3;
    view
}

/// Everything fails, for one reason; the state cannot be written and the last reload was refused.
pub fn all_failing() -> View {
    let mut view = demo();
    for bot in &mut view.bots {
        bot.series.iter_mut().for_each(|series| fail(series, 9000, &unreachable_platform()));
    }
    fail(
        &mut view.bots[0].series[1],
        600,
        &FailureView {
            at: before(30),
            error: "the platform answered 401: \"Invalid SDK credentials\"".to_owned(),
            advice: "check that client_id is the app's own (the token's appId), that the secret belongs to it"
                .to_owned(),
        },
    );
    view.ticks.iter_mut().for_each(|tick| tick.failed = tick.series);
    view.state_problem = Some("no storage space".to_owned());
    view.refused_reload = vec!["platform.per_minute".to_owned(); 2];
    view
}

/// As it is a second after the start.
pub fn nothing_yet() -> View {
    let mut view = demo();
    for series in view.bots.iter_mut().flat_map(|bot| &mut bot.series) {
        *series = SeriesView { today: series.today, ..blank(&series.channel, series.interval) };
    }
    view.started = before(1);
    view.ticks.clear();
    view
}

/// So many bots with two series each, of which the last fails.
pub fn many(count: usize) -> View {
    let zones = ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Sydney"];
    let bot = |number: usize| bot_of_one(&format!("customer-{number:03}"), zones[number % zones.len()]);
    let mut view = view((0..count).map(bot).collect());
    let last = view.bots.last_mut().unwrap();
    fail(&mut last.series[0], 7200, &unreachable_platform());
    view
}

/// A thousand bots with eight series each and a long error in every one of them, no two alike if so wished.
pub fn giant(alike: bool) -> View {
    let pattern = bot("pattern", "Asia/Kolkata", &["all", "ivr", "rtm", "a \"b\" <c> & 'd'"]);
    let bot = |number: usize| {
        let mut bot = BotView { name: format!("bot-{number:04}"), ..pattern.clone() };
        for (place, series) in bot.series.iter_mut().enumerate() {
            let number = if alike { 0 } else { 8 * number + place };
            fail(
                series,
                9000,
                &FailureView {
                    at: before(30),
                    error: format!("{number} {}", "<&\"'>".repeat(60)),
                    advice: "&".repeat(300),
                },
            );
        }
        bot
    };
    let mut view = view((0..1000).map(bot).collect());
    view.state_problem = Some("<".repeat(1000));
    view.refused_reload = vec!["\"".repeat(1000); 50];
    view.next = (1..200).map(|seconds| NextTick { at: before(-seconds), bots: 5 }).collect();
    view
}

/// A series that fails for so many seconds.
pub fn fail(series: &mut SeriesView, seconds: i64, failure: &FailureView) {
    series.condition = Condition::Failing { since: before(seconds) };
    series.owed_days = 2;
    series.last_failure = Some(failure.clone());
    if series.interval == Interval::Hourly {
        series.newest_point = Some(before(31 * 3600));
    }
}

fn unreachable_platform() -> FailureView {
    FailureView {
        at: before(92),
        error: "the platform cannot be reached: error sending request: client error (Connect): tcp connect error: \
                Connection refused (os error 111)"
            .to_owned(),
        advice: "check platform.url, the name server, the network and the proxy".to_owned(),
    }
}

/// These bots, the last ticks and the next.
pub fn view(bots: Vec<BotView>) -> View {
    let series = bots.iter().map(|bot| bot.series.len()).sum();
    let tick = |number: i64| TickView {
        started: before(32 + 60 * number),
        took: Duration::from_millis(u64::try_from(1840 + 731 * number).unwrap()),
        bots: bots.len(),
        series,
        failed: 0,
        points: 1234 * series as u64,
        requests: 3 * series as u64,
    };
    View {
        now: now(),
        started: before(3 * 86_400),
        simulated: true,
        ticks: (0..10).map(tick).collect(),
        next: vec![NextTick { at: before(-28), bots: bots.len() }],
        skipped: 0,
        refused_reload: Vec::new(),
        state_problem: None,
        bots,
    }
}

fn bot_of_one(name: &str, zone: &str) -> BotView {
    bot(name, zone, &["all"])
}

/// A bot with these channels, by hours and by days, and the demo's figures.
pub fn bot(name: &str, zone: &str, channels: &[&str]) -> BotView {
    let series = |channel: &&str| {
        [Interval::Daily, Interval::Hourly].map(|interval| with_figures(name, zone, blank(channel, interval)))
    };
    BotView {
        name: name.to_owned(),
        time_zone: TimeZone::get(zone).unwrap(),
        budget: Budget { minute: 12, hour: 301, ..Budget::default() },
        limits: Limits { per_minute: 60, per_hour: 1800, backfill_share: 0.5 },
        running: false,
        series: channels.iter().flat_map(series).collect(),
    }
}

/// A series of which nothing is known.
pub fn blank(channel: &str, interval: Interval) -> SeriesView {
    SeriesView {
        channel: channel.to_owned(),
        interval,
        condition: Condition::Pending,
        newest_point: None,
        watermark: None,
        owed_days: 7,
        last_failure: None,
        today: now().to_zoned(TimeZone::UTC).date(),
        recent: None,
    }
}

fn with_figures(bot: &str, zone: &str, mut series: SeriesView) -> SeriesView {
    let local = now().to_zoned(TimeZone::get(zone).unwrap());
    let mut recent = Recent::until(local.date());
    let first = recent.first;
    for day in (0..DAYS as i64).map(|day| day_after(first, day)) {
        let today = day == local.date();
        match series.interval {
            Interval::Hourly => {
                for hour in (0..24).filter(|hour| !today || *hour < local.hour()) {
                    if let Some(users) = figures::hourly(bot, &series.channel, day, hour, true) {
                        recent.set(day, hour as usize, users);
                    }
                }
            }
            Interval::Daily if today => {}
            Interval::Daily => {
                if let Some(users) = figures::daily(bot, &series.channel, day, true) {
                    recent.set(day, 0, users);
                }
            }
        }
    }
    let newest = match series.interval {
        Interval::Hourly => local.timestamp().as_second() / 3600 * 3600 - 3600,
        Interval::Daily => local.yesterday().unwrap().start_of_day().unwrap().timestamp().as_second(),
    };
    (series.today, series.recent) = (local.date(), Some(Arc::new(recent)));
    series.condition = Condition::Well;
    series.newest_point = Some(Timestamp::from_second(newest).unwrap());
    series.watermark = Some(day_after(local.date(), -1));
    series.owed_days = 0;
    series
}
