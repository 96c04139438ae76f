//! How long the database keeps the points of the bucket, asked where it can be had.

use jiff::{SignedDuration, Span, SpanRelativeTo};

use super::InfluxDbReader;
use super::generation::Generation;
use super::influxql;
use crate::database::WriteFailure;

/// How long points are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retention {
    /// For ever.
    Forever,
    /// For so long after their time.
    For(SignedDuration),
    /// The database does not tell, or not to this token.
    Unknown,
}

impl Retention {
    /// For how long, where that is known and not for ever.
    pub fn kept(self) -> Option<SignedDuration> {
        match self {
            Retention::For(kept) => Some(kept),
            Retention::Forever | Retention::Unknown => None,
        }
    }

    fn of(seconds: Option<i64>) -> Retention {
        match seconds {
            None => Retention::Unknown,
            Some(..=0) => Retention::Forever,
            Some(seconds) => Retention::For(SignedDuration::from_secs(seconds)),
        }
    }
}

impl InfluxDbReader {
    /// Asks the list of buckets (InfluxDB 2 and Cloud) or `SHOW RETENTION POLICIES` (InfluxDB 1 and 3).
    pub async fn retention(&self) -> Retention {
        let is_at_root = self.sink.database.url.path() == "/";
        let asked = match self.generation() {
            Generation::One | Generation::Three => self.kept_by_policy().await,
            Generation::Two | Generation::Cloud | Generation::Other if is_at_root => self.sink.kept_by_bucket().await,
            _ => Ok(None),
        };
        asked.map_or_else(
            |failure| {
                tracing::debug!("the retention is not known: {failure}");
                Retention::Unknown
            },
            Retention::of,
        )
    }

    async fn kept_by_policy(&self) -> Result<Option<i64>, WriteFailure> {
        let (database, policy) = self.database_and_policy();
        let question = format!("SHOW RETENTION POLICIES ON {}", influxql::name(database));
        let tables = self.influxql(&question).await?;
        Ok(tables.iter().find_map(|table| {
            let column = |name: &str| table.columns.iter().position(|column| column == name);
            let (name, duration) = (column("name")?, column("duration")?);
            let is_wanted = |row: &&Vec<serde_json::Value>| match policy {
                Some(policy) => row.get(name).and_then(|name| name.as_str()) == Some(policy),
                None => {
                    let default = column("default").and_then(|default| row.get(default)?.as_bool());
                    default.unwrap_or(true)
                }
            };
            seconds(table.values.iter().find(is_wanted)?.get(duration)?.as_str()?)
        }))
    }
}

/// A duration in whole days, if it is one.
pub fn in_days(duration: SignedDuration) -> String {
    match duration.as_secs() {
        86_400 => "1 day".to_owned(),
        seconds if seconds % 86_400 == 0 => format!("{} days", seconds / 86_400),
        _ => format!("{duration:#}"),
    }
}

/// Reads `168h0m0s`, as Go writes a duration, or InfluxQL's `INF`.
fn seconds(text: &str) -> Option<i64> {
    if text.eq_ignore_ascii_case("inf") {
        return Some(0);
    }
    let span: Span = text.parse().ok()?;
    Some(span.to_duration(SpanRelativeTo::days_are_24_hours()).ok()?.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_read_as_the_database_writes_it() {
        for (text, expected) in [
            ("168h0m0s", Some(604_800)),
            ("0s", Some(0)),
            ("7d", Some(604_800)),
            ("1h30m", Some(5400)),
            ("2w", Some(1_209_600)),
            ("2562047h47m16s", Some(9_223_372_036)),
            ("INF", Some(0)),
            ("ever", None),
            ("5", None),
        ] {
            assert_eq!(seconds(text), expected, "{text}");
        }
    }
}
