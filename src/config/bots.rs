//! Reads `[bots.*]`.

use std::collections::BTreeMap;
use std::sync::Arc;

use figment::value::{Dict, Value};

use super::bot_keys;
use super::bot_values::{channels, identifier, intervals, tags, time_zone};
use super::environment::Environment;
use super::overlay::ambiguous;
use super::reader::Reader;
use super::values::cron;
use crate::domain::bot::Bot;
use crate::domain::series::Interval;

/// All bots, by name. Problems go to the reader.
pub(super) fn read(reader: &mut Reader, environment: &Environment) -> Vec<Arc<Bot>> {
    let tables = reader.entries("bots");
    if tables.is_empty() {
        reader.missing(&["bots"], "no bots configured; add a [bots.NAME] table");
    }
    refuse_names(reader, &tables);
    let (mut bots, mut claims) = (Vec::new(), Vec::new());
    for name in tables.keys() {
        if !reader.refused.contains(name) {
            bots.extend(bot(reader, name, environment, &mut claims).map(Arc::new));
        }
    }
    refuse_common_series(reader, &claims);
    bots
}

/// Names that a bot cannot have. Nothing else is said of such a bot: one problem for one mistake.
fn refuse_names(reader: &mut Reader, tables: &Dict) {
    let is_allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'_';
    let is_name = |name: &&str| !name.is_empty() && name.bytes().all(is_allowed);
    let (good, bad): (Vec<&str>, Vec<&str>) = tables.keys().map(String::as_str).partition(is_name);
    let with_dot = good.iter().filter_map(|name| Some((*name, format!("{name}.{}", after_dot(&tables[*name])?))));
    let mut refuse = |name: &str, shown: &str, message: &str| {
        reader.problem(&format!("bots.{shown}"), message);
        reader.refused.insert(name.to_owned());
    };
    for (name, shown) in bad.into_iter().map(|name| (name, name.to_owned())).chain(with_dot) {
        refuse(name, &shown, "a bot's name may contain only lower-case letters, digits, '-' and '_'");
    }
    for (name, other) in ambiguous(&good) {
        let message = format!("its environment variables cannot be told from those of bots.{other}; rename one");
        refuse(name, name, &message);
    }
}

/// What follows the dot of a name without quotes, which TOML takes for a table in a table.
fn after_dot(table: &Value) -> Option<&str> {
    let table = table.as_dict()?;
    let is_table = |(name, value): (&String, &Value)| value.as_dict().is_some() && name != "tags";
    table.keys().next().filter(|_| table.iter().all(is_table)).map(String::as_str)
}

/// Reads one bot and adds the series that it claims, which are known also where something else of it is wrong.
fn bot(reader: &mut Reader, name: &str, environment: &Environment, claims: &mut Vec<Claim>) -> Option<Bot> {
    let path = format!("bots.{name}");
    let at = |key: &str| format!("{path}.{key}");
    let id = identifier(reader, &at("id"), "st-");
    let client_id = identifier(reader, &at("client_id"), "cs-");
    let key = bot_keys::signing_key(reader, name, environment);
    let encryption = bot_keys::encryption_key(reader, name);
    let time_zone = time_zone(reader, &at("time_zone"));
    let channels = channels(reader, &at("channels"));
    let intervals = intervals(reader, &at("intervals"));
    let tags = tags(reader, &at("tags"));
    let cron = cron(reader, &at("cron"));
    if let (Some(id), Some(channels), Some(intervals)) = (&id, &channels, &intervals) {
        let series = channels.iter().flat_map(|channel| intervals.iter().map(|interval| (channel.clone(), *interval)));
        claims.push(Claim { bot: name.to_owned(), id: id.clone(), series: series.collect() });
    }
    Some(Bot {
        name: name.into(),
        id: id?.into(),
        client_id: client_id?,
        key: key?,
        encryption: encryption?,
        time_zone: time_zone?,
        channels: channels?.into_iter().map(Arc::from).collect(),
        intervals: intervals?,
        tags,
        cron,
    })
}

/// The series that a bot would write.
struct Claim {
    bot: String,
    id: String,
    series: Vec<(String, Interval)>,
}

/// Two names for one bot of the platform are fine as long as they divide its series between them.
fn refuse_common_series(reader: &mut Reader, claims: &[Claim]) {
    let mut owners: BTreeMap<(&str, &str, Interval), &str> = BTreeMap::new();
    for Claim { bot, id, series } in claims {
        for (channel, interval) in series {
            if let Some(other) = owners.insert((id, channel, *interval), bot) {
                reader.problem(
                    &format!("bots.{bot}.id"),
                    format!(
                        "bots.{other} has the same id and also exports {channel} {interval}: one series, two owners"
                    ),
                );
                break;
            }
        }
    }
}
