//! What is going on, in four figures.

use serde_json::{Value, json};

use super::super::layout::{Line, Row};
use super::super::panel::Panel;
use super::figures::{AGE, aged, binary, clock, newest, sum_of, sums, total};
use super::windows::{Measurement, Window};

/// Why these are not simply the day's users.
const USER_HOURS: &str = "Each hour's unique users, added up over the hours: somebody who writes in three hours counts \
    three times. The platform counts the unique users of a day only for the whole day: see Daily unique users.";

/// The row.
pub(super) fn row() -> Row {
    let now = Line::new(5, vec![(9, today()), (5, last_hour()), (5, peak()), (5, freshness())]);
    Row::new("Now", vec![now])
}

/// The columns of the two days that are compared.
pub(crate) const TODAY: &str = "today";
pub(crate) const EARLIER: &str = "a week earlier";
/// What the first is called: with an absolute range it is not today.
pub(crate) const THIS_RANGE: &str = "this range";

/// Today's hours beside the same hours of the same weekday last week: only hours that both days have.
pub(super) fn compared(panel: Panel) -> Panel {
    let panel = panel
        .query(total(Measurement::Hourly, Window::Range, TODAY))
        .query(total(Measurement::Hourly, Window::AroundWeekEarlier, EARLIER))
        // The weekday drops what surrounds the day a week earlier.
        .then("formatTime", clock("ddd HH[:00]"))
        .since("now/d");
    let panel = named(sums(panel, &["Time"], &[TODAY, EARLIER]))
        .then("joinByField", json!({ "byField": "Time", "mode": "inner" }));
    // Where one of the days has nothing yet, Grafana joins nothing and leaves the other one as it is.
    let known = |name: &str| json!({ "fieldName": name, "config": { "id": "isNotNull", "options": {} } });
    panel.then("filterByValue", json!({ "filters": [known(TODAY), known(EARLIER)], "type": "include", "match": "all" }))
}

/// The sums under the names of what was added up.
fn named(panel: Panel) -> Panel {
    let names = json!({ sum_of(TODAY): TODAY, sum_of(EARLIER): EARLIER });
    panel.then("organize", json!({ "renameByName": names, "excludeByName": { ALL: true }, "indexByName": {} }))
}

/// The column by which all hours belong together.
const ALL: &str = "all hours";

/// Large figures, one for each number in the answer, line by line: then there is one text where there is none, and not one
/// for each column. Without a limit Grafana shows 25.
pub(crate) fn figures(panel: Panel, orientation: &str) -> Panel {
    panel.options(json!({
        "reduceOptions": { "calcs": ["lastNotNull"], "fields": "", "values": true, "limit": 500 },
        "orientation": orientation, "textMode": "value_and_name", "colorMode": "none", "graphMode": "none",
        "justifyMode": "auto", "wideLayout": true,
    }))
}

/// In the colour of texts.
fn plain(panel: Panel) -> Panel {
    panel.defaults(json!({ "color": { "mode": "fixed", "fixedColor": "text" } }))
}

/// Today's users by hour beside last week's.
pub(crate) fn today() -> Panel {
    let panel = Panel::new(
        "stat",
        "Users by hour, today so far",
        format!(
            "Users by the hour, added up over all chosen bots: this range against the same hours of the same \
         weekday last week. The range is today unless you choose an absolute one. Far below 100 %? Look at \
         Freshness first: a bot with late figures is missing from this range only. Bots whose hours begin at \
         half past are compared by the hour of the clock, so their newest half hour can count for last week \
         before it counts for today. {USER_HOURS}"
        ),
    );
    // Grafana's "reduce" would make a zero of no hours at all; to group them by a column of zeros leaves nothing of nothing.
    let panel = plain(figures(compared(panel), "vertical")).then("calculateField", binary(ALL, TODAY, "-", TODAY));
    named(sums(panel, &[ALL], &[TODAY, EARLIER]))
        .then("calculateField", binary("compared", TODAY, "/", EARLIER))
        .field(TODAY, &[("displayName", json!(THIS_RANGE))])
        .quotient("compared", "of a week earlier")
        .nothing("no hour of today that last week has too", "text")
}

/// One hour of the reader's clock, the first of those that are left: its name above its users.
fn hour(panel: Panel) -> Panel {
    plain(figures(panel, "auto"))
        .then("limit", json!({ "limitField": 1 }))
        .field(&sum_of("users"), &[("displayName", json!("${__data.fields[0]}"))])
}

/// By the hour of the clock.
fn hours(panel: Panel) -> Panel {
    sums(panel.then("formatTime", clock("ddd D MMM, HH[:00]")), &["Time"], &["users"])
}

fn descending(column: &str) -> Value {
    json!({ "fields": {}, "sort": [{ "field": column, "desc": true }] })
}

/// The newest hour.
pub(crate) fn last_hour() -> Panel {
    let panel = Panel::new(
        "stat",
        "Last hour",
        "Users of the newest hour that is known, added up over all chosen bots. An hour that begins at half \
         past counts as the full hour before it. Too low? Compare Freshness: some bots may not have reported \
         this hour yet.",
    )
    .query(total(Measurement::Hourly, Window::Range, "users"));
    // While times are times: their names have another order.
    hour(hours(panel.then("sortBy", descending("Time")))).since("24h").nothing("none in 24 hours", "text")
}

fn peak() -> Panel {
    let panel = Panel::new(
        "stat",
        "Peak hour today",
        "The hour with the most users today, added up over all chosen bots. An hour that begins at half past \
         counts as the full hour before it.",
    )
    .query(total(Measurement::Hourly, Window::Range, "users"));
    hour(hours(panel).then("sortBy", descending(&sum_of("users"))))
        .since("now/d")
        .nothing("no hour of today yet", "text")
}

/// What the age of an hourly figure means, with a tick at ten past every hour: at most 130 minutes are well.
pub(crate) fn hours_old() -> Value {
    json!({
        "unit": "suffix: h", "decimals": 1, "color": { "mode": "thresholds" },
        "thresholds": { "mode": "absolute", "steps": [
            { "color": "green", "value": null }, { "color": "orange", "value": 2.5 }, { "color": "red", "value": 3.0 },
        ] },
    })
}

/// The bot that is the latest.
pub(crate) fn freshness() -> Panel {
    let panel = Panel::new(
        "stat",
        "Freshness",
        "The bot with the oldest newest figure, and how many hours ago that hour began. With hourly ticks, up \
         to 2.2 hours is fine. From 3 hours on, Exporter health or the exporter's status page says why its \
         series fails. Bots with daily figures only are left out.",
    )
    .query(newest())
    .then("sortBy", json!({ "fields": {}, "sort": [{ "field": "Time" }] }))
    .then("limit", json!({ "limitField": 1 }));
    let gone = json!({ "users": true, "Time": true, "since": true });
    figures(aged(panel), "auto")
        .then("organize", json!({ "excludeByName": gone, "renameByName": {}, "indexByName": {} }))
        .options(json!({ "colorMode": "value" }))
        .defaults(hours_old())
        .field(AGE, &[("displayName", json!("${__data.fields.bot}"))])
        .to_bot("__data.fields.bot")
        .since("now/d")
        .nothing("none in 30 days", "red")
}
