//! What is going on, in four figures.

use serde_json::json;

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
    let names = json!({ sum_of(TODAY): TODAY, sum_of(EARLIER): EARLIER });
    sums(panel, &["Time"], &[TODAY, EARLIER])
        .then("organize", json!({ "renameByName": names, "excludeByName": {}, "indexByName": {} }))
        .then("joinByField", json!({ "byField": "Time", "mode": "inner" }))
}

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
    stat(compared(panel), "lastNotNull", "")
        // Grafana would add up the texts, too.
        .then("organize", json!({ "excludeByName": { "Time": true }, "renameByName": {}, "indexByName": {} }))
        .then(
            "reduce",
            json!({ "mode": "reduceFields", "reducers": ["sum"], "includeTimeField": false, "labelsToFields": false }),
        )
        .then(
            "calculateField",
            json!({
                "mode": "binary", "alias": "compared", "replaceFields": false,
                "binary": { "left": TODAY, "operator": "/", "right": EARLIER },
            }),
        )
        .field("compared", &[("unit", json!("percentunit")), ("displayName", json!("of a week earlier"))])
        .no_value("no hour of today that last week has too")
}

fn last_hour() -> Panel {
    let panel = Panel::new(
        "stat",
        "Last hour",
        "The users of the newest hour that is known, those of all chosen bots added up. Other bots may not have \
         reported that hour yet: see the table below.",
    );
    stat(panel, "lastNotNull", "/.*/")
        .query(total(Measurement::Hourly, Window::Range, "users"))
        .then("sortBy", json!({ "fields": {}, "sort": [{ "field": "Time", "desc": true }] }))
        .then("limit", json!({ "limitField": 1 }))
        .since("24h")
        .field("Time", &[("unit", json!("time:ddd HH:mm")), ("displayName", json!("from"))])
        .no_value("none in 24 hours")
}

fn peak() -> Panel {
    let panel = Panel::new(
        "stat",
        "Peak hour today",
        "The hour of today with the most users, those of all chosen bots added up.",
    );
    stat(panel, "lastNotNull", "/.*/")
        .query(total(Measurement::Hourly, Window::Range, "users"))
        .then("sortBy", json!({ "fields": {}, "sort": [{ "field": "users", "desc": true }] }))
        .then("limit", json!({ "limitField": 1 }))
        .since("now/d")
        .field("Time", &[("unit", json!("time:HH:mm")), ("displayName", json!("from"))])
        .no_value("no hour of today yet")
}

fn freshness() -> Panel {
    let panel = Panel::new(
        "stat",
        "Freshness",
        "The bot whose newest figure is the oldest, and the beginning of that hour. An hour is over an hour old when it \
         arrives.",
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
