//! Where a click leads: to the dashboard of one bot, and to the text that says what to do.
//!
//! Bots' names hold nothing that an address would have to encode.

use serde_json::{Value, json};

use super::query::Language;

/// The uid of the user engagement dashboard in this language.
pub(crate) fn engagement(language: Language) -> &'static str {
    if language == Language::Flux { "kore-trend-engagement-flux" } else { "kore-trend-engagement-influxql" }
}

/// To the user engagement of the bot whose name this expression gives, from a dashboard of the same language.
pub(crate) fn to_bot(language: Language, bot: &str) -> Value {
    let uid = engagement(language);
    let url = format!("/d/{uid}?${{datasource:queryparam}}&var-bot=${{{bot}}}&${{__url_time_range}}");
    json!([link("Users of this bot", &url)])
}

/// The same from the exporter's health, which does not know in which language the other dashboard is installed.
pub(crate) fn from_health(bot: &str) -> Value {
    let to = |uid: &str| format!("/d/{uid}?var-bot=${{{bot}}}&${{__url_time_range}}");
    json!([
        link("Health of this bot", &(to("kore-trend-exporter-health") + "&${datasource:queryparam}")),
        link("Users of this bot (InfluxQL)", &to(engagement(Language::InfluxQl))),
        link("Users of this bot (Flux)", &to(engagement(Language::Flux))),
    ])
}

/// To a paragraph of docs/troubleshooting.md. Nobody knows yet where your team reads it: the README has a command that
/// makes an address of it.
pub(crate) fn to_text(title: &str, anchor: &str) -> Value {
    json!([{ "title": title, "url": format!("docs/troubleshooting.md#{anchor}"), "targetBlank": true }])
}

fn link(title: &str, url: &str) -> Value {
    json!({ "title": title, "url": url, "targetBlank": false })
}
