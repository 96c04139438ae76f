//! Which fields are of another type than this program's, where the database speaks InfluxQL.

use std::collections::{BTreeMap, BTreeSet};

use super::InfluxDbReader;
use super::influxql;
use crate::database::WriteFailure;
use crate::database::found::Span;

/// The types that a field has, by measurement and name; several where they differ from one span of time to another.
pub(super) type FieldTypes = BTreeMap<(String, String), BTreeSet<String>>;

/// The fields of a measurement that hold floating-point numbers in a span.
#[derive(Debug, Default)]
pub(super) struct Floats {
    pub(super) fields: BTreeSet<String>,
    /// Whether one of them may also hold integers there.
    pub(super) are_mixed: bool,
}

impl InfluxDbReader {
    /// Costs a question once, and one for each span where a field has both types.
    pub(super) async fn floats(&self, measurement: &str, span: &Span) -> Result<Floats, WriteFailure> {
        let types = self.field_types.get_or_init(|| self.ask_field_types()).await;
        let mut floats = Floats::default();
        let floating = types.iter().filter(|((of, _), types)| of == measurement && types.contains("float"));
        for ((_, field), types) in floating {
            let has_both = types.contains("integer");
            if !has_both || self.is_float(measurement, field, span).await? {
                floats.fields.insert(field.clone());
                floats.are_mixed |= has_both;
            }
        }
        Ok(floats)
    }

    /// Nothing where the database does not tell: then every whole number counts as an integer.
    async fn ask_field_types(&self) -> FieldTypes {
        let mut types = FieldTypes::new();
        for table in self.influxql("SHOW FIELD KEYS").await.unwrap_or_default() {
            for row in &table.values {
                if let [Some(field), Some(kind)] =
                    [row.first(), row.get(1)].map(|cell| cell.and_then(|cell| cell.as_str()))
                {
                    types.entry((table.name.clone(), field.to_owned())).or_default().insert(kind.to_owned());
                }
            }
        }
        types
    }

    /// Only integers have bits to be combined; of others the database says that it cannot.
    async fn is_float(&self, measurement: &str, field: &str, span: &Span) -> Result<bool, WriteFailure> {
        let (field, from) = (influxql::name(field), influxql::name(measurement));
        let question =
            format!("SELECT {field} | 0 FROM {from} WHERE time >= {}s AND time < {}s LIMIT 1", span.start, span.end);
        match self.influxql(&question).await {
            Ok(_) => Ok(false),
            Err(WriteFailure::Unread(words, _)) if words.contains("type") => Ok(true),
            Err(failure) => Err(failure),
        }
    }
}
