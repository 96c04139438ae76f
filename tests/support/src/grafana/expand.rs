//! Variables and macros in a query: what Grafana puts in their place before it asks.

use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use serde_json::Value;

/// What the reader has chosen, and when.
#[derive(Clone, Debug)]
pub struct Chosen {
    /// `None` is Grafana's own "All".
    pub bots: Option<Vec<String>>,
    /// Likewise.
    pub channels: Option<Vec<String>>,
    /// The zone of the time picker, as Grafana calls it.
    pub zone: &'static str,
    /// The dashboard's range.
    pub from: Timestamp,
    /// Its end, which is "now".
    pub to: Timestamp,
}

impl Chosen {
    /// The zone's rules; Grafana has a name of its own for UTC.
    pub fn rules(&self) -> TimeZone {
        TimeZone::get(if self.zone == "utc" { "UTC" } else { self.zone }).unwrap()
    }

    /// The same as a panel sees it that may have a range of its own.
    pub fn in_panel(&self, panel: &Value) -> Chosen {
        let from = match panel["timeFrom"].as_str() {
            None => self.from,
            Some("now/d") => self.to.to_zoned(self.rules()).start_of_day().unwrap().timestamp(),
            Some("24h") => self.to.checked_sub(24.hours()).unwrap(),
            Some(other) => panic!("no such range: {other}"),
        };
        Chosen { from, ..self.clone() }
    }

    fn values(&self, variable: &str) -> &Option<Vec<String>> {
        match variable {
            "bot" => &self.bots,
            "channel" => &self.channels,
            _ => panic!("no such variable: {variable}"),
        }
    }
}

/// The query as it reaches the database. `step` is the interval that Grafana works out for the panel.
pub fn expand(query: &str, chosen: &Chosen, flux: bool, step: &str, bucket: &str) -> String {
    let (from, to) = (chosen.from.as_millisecond(), chosen.to.as_millisecond());
    let mut query = variables(query, chosen);
    if flux {
        query = query.replace("v.timeRangeStart", &chosen.from.to_string());
        query = query.replace("v.timeRangeStop", &chosen.to.to_string());
        query = query.replace("v.windowPeriod", step).replace("v.defaultBucket", &format!("\"{bucket}\""));
    } else {
        query = query.replace("$timeFilter", &format!("time >= {from}ms and time <= {to}ms"));
    }
    query = query.replace("$__interval", step);
    assert!(!query.contains("${") && !query.contains("$_") && !query.contains(" v."), "not expanded: {query}");
    query
}

/// Replaces `${name}` and `${name:format}`.
pub fn variables(text: &str, chosen: &Chosen) -> String {
    let (mut expanded, mut rest) = (String::new(), text);
    while let Some((before, after)) = rest.split_once("${") {
        let (name, after) = after.split_once('}').unwrap();
        expanded.push_str(before);
        expanded.push_str(&match name.split_once(':') {
            None if name == "__from" => chosen.from.as_millisecond().to_string(),
            None if name == "__to" => chosen.to.as_millisecond().to_string(),
            None if name == "__timezone" => chosen.zone.to_owned(),
            Some((name, "regex")) => pattern(chosen.values(name)),
            _ => panic!("no such variable or format: {name}"),
        });
        rest = after;
    }
    expanded + rest
}

/// The format `regex`: one value as it is, several in brackets; the custom value of "All" without any format.
fn pattern(values: &Option<Vec<String>>) -> String {
    let Some(values) = values else { return ".*".to_owned() };
    let escaped: Vec<String> = values.iter().map(|value| escape(value)).collect();
    match escaped.as_slice() {
        [one] => one.clone(),
        several => format!("({})", several.join("|")),
    }
}

fn escape(value: &str) -> String {
    value.chars().flat_map(|c| r"\^$*+?.()|[]{}/".contains(c).then_some('\\').into_iter().chain([c])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(values: &[&str], expected: &str) {
        assert_eq!(pattern(&Some(values.iter().map(|value| (*value).to_owned()).collect())), expected);
    }

    #[test]
    fn values_are_escaped_as_grafana_does_it() {
        check(&["support"], "support");
        check(&["a b", "it's \"so\"", "x/y", "p.q|r"], r#"(a b|it's "so"|x\/y|p\.q\|r)"#);
        assert_eq!(pattern(&None), ".*");
    }
}
