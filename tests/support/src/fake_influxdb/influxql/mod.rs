//! As much of InfluxQL as a reader of the exporter's points needs: `SELECT` of fields or of a first, last or count, over
//! one measurement, between two times, by tags; the databases and the retention. Anything else is answered as a syntax error.

mod find;
mod select;
mod tokens;

use serde_json::{Value, json};

use self::select::Select;
use self::tokens::{Words, tokens};
use super::store::Store;

/// The answer to a query, times in seconds.
pub fn answer(store: &Store, databases: &[String], retention: Option<i64>, query: &str) -> Value {
    let results = query.split(';').map(str::trim).filter(|statement| !statement.is_empty()).enumerate();
    let results = results.map(|(number, statement)| {
        let mut result = statement_of(statement, store, databases, retention).unwrap_or_else(
            || json!({ "error": format!("error parsing query: the fake database does not know {statement}") }),
        );
        result["statement_id"] = number.into();
        result
    });
    json!({ "results": results.collect::<Vec<_>>() })
}

/// Over how many days a query reads; 0 where it reads no points.
pub fn days(query: &str) -> i64 {
    let select = tokens(query).and_then(|tokens| {
        let mut words = Words(tokens.into());
        words.takes("SELECT").then(|| Select::parse(&mut words))?
    });
    select.map_or(0, |select| select.times.1.saturating_sub(select.times.0) / 86_400)
}

fn statement_of(statement: &str, store: &Store, databases: &[String], retention: Option<i64>) -> Option<Value> {
    let mut words = Words(tokens(statement)?.into());
    if words.takes("SHOW") {
        if words.takes("DATABASES") {
            let names = databases.iter().map(|name| [name]).collect::<Vec<_>>();
            return Some(json!({ "series": [{ "name": "databases", "columns": ["name"], "values": names }] }));
        }
        return (words.takes("RETENTION") && words.takes("POLICIES")).then(|| policies(retention));
    }
    words.takes("SELECT").then(|| Select::parse(&mut words))?.map(|select| select.answer(store))
}

fn policies(retention: Option<i64>) -> Value {
    let hours = retention.unwrap_or(0) / 3600;
    let duration = if hours == 0 { "0s".to_owned() } else { format!("{hours}h0m0s") };
    let columns = ["name", "duration", "shardGroupDuration", "replicaN", "default"];
    json!({ "series": [{ "columns": columns, "values": [["autogen", duration, "24h0m0s", 1, true]] }] })
}
