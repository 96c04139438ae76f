//! What is going on, in four figures.

use serde_json::{Value, json};

use super::super::layout::{Line, Row};
use super::super::panel::Panel;
use super::figures::{Measurement, Window, clock, newest, sum_of, sums, total};

/// Why these are not simply the day's users.
const USER_HOURS: &str = "Each hour's unique users, added up over the hours: somebody who writes in three hours counts \
    three times. The platform counts the unique users of a day only for the whole day: see Daily unique users.";

/// The row.
pub(super) fn row() -> Row {
    let now = Line::new(5, vec![(9, today()), (5, last_hour()), (5, peak()), (5, freshness())]);
    Row::new("Now", vec![now])
}

/// The names of the two days that are compared.
pub(super) const TODAY: &str = "today";
pub(super) const EARLIER: &str = "a week earlier";

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

fn stat(panel: Panel, calculation: &str, fields: &str) -> Panel {
    panel
        .options(json!({
            "reduceOptions": { "calcs": [calculation], "fields": fields, "values": false },
            "orientation": "vertical", "textMode": "value_and_name", "colorMode": "none", "graphMode": "none",
            "justifyMode": "auto", "wideLayout": true,
        }))
        .defaults(json!({ "color": { "mode": "fixed", "fixedColor": "text" } }))
}

fn today() -> Panel {
    let panel = Panel::new(
        "stat",
        "Users by hour, today so far",
        format!(
            "Today's hours against the same hours of the same weekday last week, those of all chosen bots added up. A bot \
             whose figures are late is missing from today only: see the table below. {USER_HOURS}"
        ),
    );
    // Grafana's "reduce" would make a zero of no hours at all; to group them by a column of zeros leaves nothing of nothing.
    let panel = stat(compared(panel), "lastNotNull", "").then("calculateField", binary(ALL, TODAY, "-", TODAY));
    named(sums(panel, &[ALL], &[TODAY, EARLIER]))
        .then("calculateField", binary("compared", TODAY, "/", EARLIER))
        .quotient("compared", "of a week earlier")
        // Line by line, of which there is one or none: then there is one text and not one for each column.
        .options(json!({ "reduceOptions": { "values": true } }))
        .no_value("no hour of today that last week has too")
}

/// A column that is worked out of two others. These are called by their names in so many words: of a mere name that is
/// not there Grafana makes a constant, and keeps to that when the column comes.
pub(super) fn binary(alias: &str, left: &str, operator: &str, right: &str) -> Value {
    let named = |name: &str| json!({ "matcher": { "id": "byName", "options": name } });
    json!({
        "mode": "binary", "alias": alias, "replaceFields": false,
        "binary": { "left": named(left), "operator": operator, "right": named(right) },
    })
}

/// One hour of the reader's clock: that which comes first when they are ordered by this column downwards.
fn hour(panel: Panel, column: &str) -> Panel {
    let panel = stat(panel, "lastNotNull", "/.*/")
        .query(total(Measurement::Hourly, Window::Range, "users"))
        .then("formatTime", clock("YYYY-MM-DD HH[:00]"));
    sums(panel, &["Time"], &["users"])
        .then("sortBy", json!({ "fields": {}, "sort": [{ "field": column, "desc": true }] }))
        .then("limit", json!({ "limitField": 1 }))
        .field("Time", &[("displayName", json!("from"))])
        .field(&sum_of("users"), &[("displayName", json!("users"))])
}

fn last_hour() -> Panel {
    let panel = Panel::new(
        "stat",
        "Last hour",
        "The users of the newest hour of the clock that is known, those of all chosen bots added up. An hour that begins at \
         half past counts as the hour of the clock that it begins in. Other bots may not have reported that hour yet: see \
         the table below.",
    );
    hour(panel, "Time").since("24h").no_value("none in 24 hours")
}

fn peak() -> Panel {
    let panel = Panel::new(
        "stat",
        "Peak hour today",
        "The hour of the clock with the most users today, those of all chosen bots added up. An hour that begins at half \
         past counts as the hour of the clock that it begins in.",
    );
    hour(panel, &sum_of("users")).since("now/d").no_value("no hour of today yet")
}

fn freshness() -> Panel {
    let panel = Panel::new(
        "stat",
        "Freshness",
        "The bot whose newest figure is the oldest, and the beginning of that hour. An hour is over an hour old when it \
         arrives. A bot with daily figures only is not looked at.",
    );
    stat(panel, "lastNotNull", "/.*/")
        .query(newest())
        .then("sortBy", json!({ "fields": {}, "sort": [{ "field": "Time" }] }))
        .then("limit", json!({ "limitField": 1 }))
        .then("organize", json!({ "excludeByName": { "users": true }, "renameByName": {}, "indexByName": {} }))
        .since("now/d")
        .field("Time", &[("unit", json!("dateTimeFromNow")), ("displayName", json!("newest hour"))])
        .no_value("none in 30 days")
}
