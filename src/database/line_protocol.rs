//! Line protocol: how a point looks on the wire. No other code writes a line.
//!
//! InfluxDB's grammar lets a backslash swallow the character after it and gives no way, common to its generations, to
//! write a backslash before a comma, an equals sign, a space or another backslash, nor one at the end. `tag_problem` in
//! the domain keeps such tags out of the configuration, so that the encoder has nothing left to decide.

use crate::domain::point::Point;
use crate::domain::series::{Interval, Series};

/// What follows the tags of a line that could not be longer.
const LONGEST_FIGURES: &str = "users=-9223372036854775808i,new_users=-9223372036854775808i,\
                               returning_users=-9223372036854775808i -9223372036854775808\n";

/// Writes the points of one series: everything before the fields is escaped once.
#[derive(Clone, Debug)]
pub struct Encoder {
    prefix: Vec<u8>,
}

impl Encoder {
    /// The encoder of this series.
    pub fn new(series: &Series) -> Encoder {
        let mut prefix = measurement(series.interval).as_bytes().to_vec();
        for (key, value) in tags(series) {
            prefix.push(b',');
            escape(key, &mut prefix);
            prefix.push(b'=');
            escape(value, &mut prefix);
        }
        prefix.push(b' ');
        Encoder { prefix }
    }

    /// Appends one line with its newline, timestamp in seconds.
    pub fn write(&self, point: &Point, lines: &mut Vec<u8>) {
        let mut digits = itoa::Buffer::new();
        lines.extend_from_slice(&self.prefix);
        point.figures.fields().for_each(|(name, value)| {
            lines.extend_from_slice(name.as_bytes());
            lines.push(b'=');
            lines.extend_from_slice(digits.format(value).as_bytes());
            lines.extend_from_slice(b"i,");
        });
        // The last comma.
        lines.pop();
        lines.push(b' ');
        lines.extend_from_slice(digits.format(point.timestamp).as_bytes());
        lines.push(b'\n');
    }

    /// The measurement and the tags, as they stand in a line.
    pub fn prefix(&self) -> String {
        String::from_utf8_lossy(&self.prefix).trim_end().to_owned()
    }

    /// The length of the longest line, in bytes.
    pub fn line_length(&self) -> usize {
        self.prefix.len() + LONGEST_FIGURES.len()
    }
}

/// The measurement that a series of this interval is written to.
pub fn measurement(interval: Interval) -> &'static str {
    match interval {
        Interval::Hourly => "user_engagement_hourly",
        Interval::Daily => "user_engagement_daily",
    }
}

/// The tags of a series, sorted by key, as the database likes them best.
pub fn tags(series: &Series) -> Vec<(&str, &str)> {
    let bot = &series.bot;
    let own = [("bot", &*bot.name), ("bot_id", &bot.id), ("channel", &series.channel)];
    let mut tags: Vec<(&str, &str)> =
        own.into_iter().chain(bot.tags.iter().map(|(key, value)| (key.as_str(), value.as_str()))).collect();
    tags.sort_unstable();
    tags
}

fn escape(text: &str, out: &mut Vec<u8>) {
    for byte in text.bytes() {
        if matches!(byte, b',' | b'=' | b' ') {
            out.push(b'\\');
        }
        out.push(byte);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use influxdb_line_protocol::{FieldValue, parse_lines};
    use proptest::prelude::*;

    use super::*;
    use crate::domain::bot::test_bot;
    use crate::domain::point::RESERVED_TAGS;
    use crate::domain::point::{Figures, tag_problem};

    fn line(series: &Series, point: &Point) -> String {
        let mut lines = Vec::new();
        Encoder::new(series).write(point, &mut lines);
        assert!(lines.len() <= Encoder::new(series).line_length());
        String::from_utf8(lines).unwrap()
    }

    #[test]
    fn a_point_is_one_line() {
        let mut bot = test_bot("support");
        bot.tags = vec![("team name".into(), "care, EU".into())];
        let series = Series { bot: Arc::new(bot), channel: "all".into(), interval: Interval::Hourly };
        let figures = Figures { users: Some(20), new_users: Some(3), returning_users: None };
        assert_eq!(
            line(&series, &Point { timestamp: 1_596_672_000, figures }),
            "user_engagement_hourly,bot=support,bot_id=st-support,channel=all,team\\ name=care\\,\\ EU \
             users=20i,new_users=3i 1596672000\n"
        );
    }

    #[test]
    fn the_longest_line_is_as_long_as_is_said_and_no_longer() {
        let series = Series { bot: Arc::new(test_bot("support")), channel: "all".into(), interval: Interval::Daily };
        let least = Some(i64::MIN);
        let figures = Figures { users: least, new_users: least, returning_users: least };
        let longest = line(&series, &Point { timestamp: i64::MIN, figures });
        assert_eq!(longest.len(), Encoder::new(&series).line_length());
    }

    fn tag() -> impl Strategy<Value = String> {
        let special = prop_oneof![Just("\\"), Just(","), Just("="), Just(" "), Just("\""), Just("#"), Just("é")];
        let text = prop_oneof![any::<String>(), prop::collection::vec(special, 1..6).prop_map(|parts| parts.concat())];
        text.prop_filter("a tag", |text| tag_problem(text).is_none())
    }

    fn tag_key() -> impl Strategy<Value = String> {
        tag().prop_filter("not reserved", |key| !RESERVED_TAGS.contains(&key.as_str()))
    }

    proptest! {
        #[test]
        fn an_independent_parser_reads_back_what_was_written(
            tags in prop::collection::btree_map(tag_key(), tag(), 0..4),
            (id, channel) in (tag(), tag()),
            users in proptest::option::of(0..i64::MAX),
            new_users in 0..i64::MAX,
            timestamp in -2_000_000_000_i64..8_000_000_000,
        ) {
            let mut bot = test_bot("support");
            bot.id = id.as_str().into();
            bot.tags = tags.clone().into_iter().collect();
            let series = Series { bot: Arc::new(bot), channel: channel.as_str().into(), interval: Interval::Daily };
            let figures = Figures { users, new_users: Some(new_users), returning_users: None };
            let text = line(&series, &Point { timestamp, figures });

            let parsed: Vec<_> = parse_lines(&text).collect::<Result<_, _>>().unwrap();
            prop_assert_eq!(parsed.len(), 1);
            let parsed = &parsed[0];
            prop_assert_eq!(parsed.series.measurement.as_str(), "user_engagement_daily");
            let found: BTreeMap<String, String> = parsed.series.tag_set.iter().flatten()
                .map(|(key, value)| (key.to_string(), value.to_string())).collect();
            let mut expected = tags;
            expected.extend([("bot".into(), "support".into()), ("bot_id".into(), id), ("channel".into(), channel)]);
            prop_assert_eq!(found, expected);
            let fields: Vec<(String, i64)> = parsed.field_set.iter().map(|(key, value)| match value {
                FieldValue::I64(value) => (key.to_string(), *value),
                other => panic!("{other:?}"),
            }).collect();
            let expected: Vec<(String, i64)> = figures.fields().map(|(key, value)| (key.to_owned(), value)).collect();
            prop_assert_eq!(fields, expected);
            prop_assert_eq!(parsed.timestamp, Some(timestamp));
        }
    }
}
