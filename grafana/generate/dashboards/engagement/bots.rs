//! Every bot in a line, which is the panel to read where there are fifty.

use serde_json::{Value, json};

use super::super::layout::{Line, Row};
use super::super::panel::Panel;
use super::figures::{binary, hours_of_bots, newest};
use super::now::{EARLIER, THIS_RANGE, TODAY};
use super::windows::Window;

/// The row.
pub(super) fn row() -> Row {
    Row::new("Bots", vec![Line::new(9, vec![(24, table())])])
}

/// The column of what today is of a week earlier.
pub(crate) const COMPARED: &str = "compared";

/// Each bot's users of today so far and of a week earlier, and the one by the other.
pub(crate) fn compared(panel: Panel) -> Panel {
    panel.query(hours_of_bots(Window::Range, TODAY)).query(hours_of_bots(Window::WeekEarlier, EARLIER)).since("now/d")
}

/// From when on a bot is quieter than it should be.
pub(crate) fn quiet() -> Value {
    json!({ "mode": "absolute", "steps": [
        { "color": "red", "value": null }, { "color": "orange", "value": 0.5 }, { "color": "green", "value": 0.8 },
    ] })
}

/// The table of bots.
pub(crate) fn table() -> Panel {
    let nothing = json!({});
    let panel = Panel::new(
        "table",
        "Bots",
        "Each hour's unique users of this range, which is today so far unless you chose an absolute one, added up, and the \
         same of exactly seven times 24 hours earlier, up to the hour that is known 70 minutes after it began; in the week \
         after a clock change that is an hour beside the clock. With include_open = true this range also holds the hour \
         that is still filling, which a week earlier does not. Newest hour is the beginning of the last hour that is \
         known, within 30 days: if it is old, look at Exporter health for that bot. A bot with daily figures only is not \
         here. A click on a bot leads to it.",
    );
    compared(panel)
        .query(newest())
        // InfluxQL gives sums a time, too.
        .then_for("A|B", "organize", json!({ "excludeByName": { "Time": true }, "renameByName": nothing, "indexByName": nothing }))
        .then_for(
            "C",
            "organize",
            json!({ "excludeByName": { "users": true }, "renameByName": { "Time": "newest hour" }, "indexByName": nothing }),
        )
        .then("joinByField", json!({ "byField": "bot", "mode": "outer" }))
        .then("calculateField", binary(COMPARED, TODAY, "/", EARLIER))
        .then(
            "organize",
            json!({
                "excludeByName": nothing, "renameByName": nothing,
                "indexByName": { "bot": 0, TODAY: 1, EARLIER: 2, COMPARED: 3, "newest hour": 4 },
            }),
        )
        .options(json!({
            "showHeader": true, "cellHeight": "sm", "sortBy": [{ "displayName": THIS_RANGE, "desc": true }],
        }))
        .defaults(json!({ "custom": { "filterable": true, "minWidth": 70 } }))
        .field("bot", &[("displayName", json!("Bot"))])
        .field_to_bot("bot", "__value.text")
        .field(TODAY, &[("displayName", json!(THIS_RANGE))])
        .quotient(COMPARED, "of a week earlier")
        .field("newest hour", &[("unit", json!("dateTimeFromNow"))])
        .no_value("–")
}
