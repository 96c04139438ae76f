//! Every bot in a line, which is the panel to read where there are fifty.

use serde_json::json;

use super::super::layout::{Line, Row};
use super::super::panel::Panel;
use super::figures::{Window, hours_of_bots, newest};
use super::now::{EARLIER, TODAY, binary};

/// The row.
pub(super) fn row() -> Row {
    Row::new("Bots", vec![Line::new(14, vec![(24, table())])])
}

fn table() -> Panel {
    let nothing = json!({});
    let panel = Panel::new(
        "table",
        "Bots",
        "Each hour's unique users of today so far, added up, and the same of exactly seven times 24 hours earlier: in the \
         week after a clock change that is an hour beside the clock. Newest hour is the beginning of the last hour that is \
         known, within 30 days. A bot with daily figures only is not here.",
    );
    panel
        .query(hours_of_bots(Window::Range, TODAY))
        .query(hours_of_bots(Window::WeekEarlier, EARLIER))
        .query(newest())
        // InfluxQL gives sums a time, too.
        .then_for("A|B", "organize", json!({ "excludeByName": { "Time": true }, "renameByName": nothing, "indexByName": nothing }))
        .then_for(
            "C",
            "organize",
            json!({ "excludeByName": { "users": true }, "renameByName": { "Time": "newest hour" }, "indexByName": nothing }),
        )
        .then("joinByField", json!({ "byField": "bot", "mode": "outer" }))
        .then("calculateField", binary("compared", TODAY, "/", EARLIER))
        .then(
            "organize",
            json!({
                "excludeByName": nothing, "renameByName": nothing,
                "indexByName": { "bot": 0, TODAY: 1, EARLIER: 2, "compared": 3, "newest hour": 4 },
            }),
        )
        .since("now/d")
        .options(json!({ "showHeader": true, "cellHeight": "sm", "sortBy": [{ "displayName": TODAY, "desc": true }] }))
        .defaults(json!({ "custom": { "filterable": true } }))
        .field("bot", &[("displayName", json!("Bot"))])
        .quotient("compared", "of a week earlier")
        .field("newest hour", &[("unit", json!("dateTimeFromNow"))])
        .no_value("–")
}
