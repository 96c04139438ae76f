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
        "Users by the hour, added up: this range, which is today unless you choose an absolute one, and \
         exactly seven times 24 hours earlier. A week earlier ends 70 minutes before this range, because an \
         hour is known 70 minutes after it began. With include_open = true, this range also has the hour that \
         is still filling, and a week earlier does not. In the week after a clock change, a week earlier is \
         one hour off. Newest hour is the start of the last known hour within 30 days; if it is old, look for \
         the bot in Exporter health. Bots with daily figures only are left out. Click a bot to open it.",
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
