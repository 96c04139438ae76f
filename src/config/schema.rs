//! The keys there are, in one place; what is none of them, and which of them it resembles.

use std::collections::BTreeSet;

use figment::value::Value;

use super::document::join;

/// The table of one bot, whose name the user chooses.
pub(super) const BOT: &str = "bots.*";

/// The keys of each table.
const KEYS: [(&str, &str); 7] = [
    ("", "state_dir shutdown_grace log_level schedule platform influxdb file admin bots"),
    ("schedule", "cron run_on_start spread refresh_days initial_days include_open"),
    ("platform", "url api send end_date timeout max_days_per_request concurrency per_minute per_hour backfill_share"),
    ("influxdb", "url org bucket token token_file read_token read_token_file read timeout gzip"),
    ("file", "path"),
    ("admin", "listen"),
    (
        BOT,
        "id client_id client_secret client_secret_file private_key_file algorithm encryption_key_file encryption \
         time_zone channels intervals tags cron",
    ),
];

/// The keys of a table; of a bot's by the name [`BOT`].
pub(super) fn keys_of(table: &str) -> impl Iterator<Item = &'static str> {
    KEYS.into_iter().filter(move |(known, _)| *known == table).flat_map(|(_, keys)| keys.split(' '))
}

/// What stands where it should not.
#[derive(Default)]
pub(super) struct Strays {
    /// The topmost paths under which nothing is known, each with what it resembles.
    pub(super) unknown: Vec<(String, Nearest)>,
    /// The paths of values that stand where a table should.
    pub(super) no_tables: Vec<String>,
}

/// What an unknown key resembles.
pub(super) struct Nearest {
    pub(super) key: String,
    /// Whether it is this key written in another way, as far as one can tell.
    pub(super) is_close: bool,
}

impl Strays {
    /// Looks for them everywhere but in these bots.
    pub(super) fn of(root: &Value, but: &BTreeSet<String>) -> Strays {
        let mut strays = Strays::default();
        strays.look_into("", "", root);
        if let Some(bots) = root.find_ref("bots").and_then(|bots| bots.as_dict()) {
            for (name, bot) in bots.iter().filter(|(name, _)| !but.contains(*name)) {
                strays.look_into(&format!("bots.{name}"), BOT, bot);
            }
        }
        strays
    }

    fn look_into(&mut self, path: &str, table: &str, value: &Value) {
        let Value::Dict(_, dict) = value else { return self.no_tables.push(path.to_owned()) };
        for (name, inner) in dict {
            let path_of = |name: &str| join(path, name);
            if !keys_of(table).any(|key| key == name) {
                // A dot in it is no step of a path.
                let shown = if name.contains('.') { format!("{name:?}") } else { name.clone() };
                self.unknown.push((path_of(&shown), nearest(path, table, name)));
            } else if matches!((table, name.as_str()), ("", "bots") | (BOT, "tags")) {
                let is_table = inner.as_dict().is_some();
                self.no_tables.extend((!is_table).then(|| path_of(name)));
            } else if table.is_empty() && keys_of(name).next().is_some() {
                self.look_into(&path_of(name), name, inner);
            }
        }
    }
}

/// The key that looks most like `name`: one of the same name in another table, or one of those beside it. What is
/// unknown of a bot is compared with the keys of that bot alone.
fn nearest(path: &str, table: &str, name: &str) -> Nearest {
    let last = name.rsplit('.').next().unwrap_or(name);
    let elsewhere = KEYS.iter().map(|(other, _)| *other).filter(|other| ![table, *other].contains(&BOT));
    for other in elsewhere {
        if let Some(key) = keys_of(other).find(|key| *key == last) {
            return Nearest { key: join(other, key), is_close: true };
        }
    }
    // The beginning of a name is as good as a letter that is wrong.
    let distance = |key: &str| if key.starts_with(name) { 1 } else { strsim::damerau_levenshtein(name, key) };
    let siblings = keys_of(table).map(|key| (distance(key), key));
    let (distance, key) = siblings.min_by_key(|(distance, _)| *distance).unwrap_or((name.len(), name));
    let longer = name.chars().count().max(key.chars().count());
    Nearest { key: join(path, key), is_close: distance * 2 <= longer }
}
