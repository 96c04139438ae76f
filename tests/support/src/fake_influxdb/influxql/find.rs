//! What a `SELECT` finds.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::select::{Column, Select};
use crate::fake_influxdb::store::{Fields, Series, Store};

/// A point as it is looked at.
type Found<'a> = (i64, &'a Series, &'a Fields);

impl Select {
    pub(super) fn answer(&self, store: &Store) -> Value {
        let all_tags = store.tags_of(&self.measurement);
        let mut groups: BTreeMap<Vec<(String, String)>, Vec<Found<'_>>> = BTreeMap::new();
        for (series, points) in store.series.iter().filter(|(series, _)| self.wants(series)) {
            let tag = |name: &str| series.1.get(name).cloned().unwrap_or_default();
            let key = match &self.group_by {
                None => Vec::new(),
                Some(names) if names.iter().any(|name| name == "*") => {
                    all_tags.iter().map(|name| (name.clone(), tag(name))).collect()
                }
                Some(names) => names.iter().map(|name| (name.clone(), tag(name))).collect(),
            };
            let within = points.iter().filter(|(time, _)| (self.times.0..self.times.1).contains(*time));
            groups.entry(key).or_default().extend(within.map(|(time, fields)| (*time, series, fields)));
        }
        let is_grouped = self.group_by.is_some();
        let series = groups.into_iter().filter_map(|(tags, points)| self.series(store, tags, points, is_grouped));
        let series: Vec<Value> = series.collect();
        if series.is_empty() { json!({}) } else { json!({ "series": series }) }
    }

    fn wants(&self, (measurement, tags): &Series) -> bool {
        let is_so = |(name, equal, value): &(String, bool, String)| {
            (tags.get(name).map_or("", String::as_str) == value) == *equal
        };
        *measurement == self.measurement && self.tags.iter().all(is_so)
    }

    fn series(
        &self,
        store: &Store,
        tags: Vec<(String, String)>,
        mut points: Vec<Found<'_>>,
        is_grouped: bool,
    ) -> Option<Value> {
        points.sort_by_key(|(time, ..)| *time);
        let (columns, rows) = match self.columns.as_slice() {
            [Column::Of(..), ..] => self.aggregate(&points)?,
            _ => self.rows(store, &points),
        };
        if rows.is_empty() {
            return None;
        }
        let mut series = json!({ "name": self.measurement, "columns": columns, "values": rows });
        if is_grouped {
            let tags = tags.into_iter().map(|(name, value)| (name, value.into()));
            series["tags"] = Value::Object(tags.collect::<Map<_, _>>());
        }
        Some(series)
    }

    fn rows(&self, store: &Store, points: &[Found<'_>]) -> (Vec<String>, Vec<Value>) {
        let mut names: Vec<String> = Vec::new();
        for column in &self.columns {
            match column {
                Column::All => {
                    let mut all = store.fields_of(&self.measurement);
                    if self.group_by.is_none() {
                        all.extend(store.tags_of(&self.measurement));
                    }
                    names.extend(all);
                }
                Column::Field(name) | Column::Of(_, name) => names.push(name.clone()),
            }
        }
        names.retain(|name| !name.eq_ignore_ascii_case("time"));
        let fields = store.fields_of(&self.measurement);
        let row = |(time, series, values): &Found<'_>| {
            // A point is there if one of the fields that are asked for is.
            names.iter().any(|name| fields.contains(name) && values.contains_key(name)).then(|| {
                let of =
                    |name: &String| values.get(name).cloned().or_else(|| Some(series.1.get(name)?.as_str().into()));
                let cells = names.iter().map(|name| of(name).unwrap_or(Value::Null));
                std::iter::once(json!(time)).chain(cells).collect::<Value>()
            })
        };
        let mut rows: Vec<Value> = points.iter().filter_map(row).collect();
        if self.descending {
            rows.reverse();
        }
        rows.truncate(self.limit);
        (std::iter::once("time".to_owned()).chain(names).collect(), rows)
    }

    /// `None` for a function that is not known.
    fn aggregate(&self, points: &[Found<'_>]) -> Option<(Vec<String>, Vec<Value>)> {
        let (mut columns, mut row, mut time) = (vec!["time".to_owned()], Vec::new(), 0);
        for column in &self.columns {
            let Column::Of(function, field) = column else { return None };
            let mut values = points.iter().filter_map(|(time, _, fields)| Some((*time, fields.get(field)?)));
            let found = match function.as_str() {
                "first" => values.next().map(|(time, value)| (time, value.clone())),
                "last" => values.next_back().map(|(time, value)| (time, value.clone())),
                "count" => {
                    Some((0, values.count())).filter(|(_, count)| *count > 0).map(|(at, count)| (at, count.into()))
                }
                _ => return None,
            };
            let Some((at, value)) = found else { return Some((columns, Vec::new())) };
            columns.push(function.clone());
            row.push(value);
            // Where several are asked for, none of their times is told.
            time = if self.columns.len() == 1 { at } else { 0 };
        }
        let row = std::iter::once(json!(time)).chain(row).collect::<Value>();
        Some((columns, vec![row]))
    }
}
