//! From configuration to the database: tags that the configuration accepts, and all that it must accept, are read back
//! from the encoded lines by an independent parser, with every figure; also from the compressed ones.
//!
//! An input is fields between bars: one character for each point, the bot's id, its channel, then keys and values of
//! tags in turn.

use std::collections::BTreeMap;
use std::io::Read;

use flate2::read::GzDecoder;
use influxdb_line_protocol::{FieldValue, parse_lines};
use kore_trend_exporter::config::{self, Environment};
use kore_trend_exporter::database::influxdb::gzip;
use kore_trend_exporter::database::line_protocol::Encoder;
use kore_trend_exporter::domain::point::{Figures, Point};
use kore_trend_exporter::domain::series::Series;

use super::configuration::written;

/// Tag keys that the configuration keeps for itself or the database.
const RESERVED: [&str; 6] = ["bot", "bot_id", "channel", "time", "_measurement", "_field"];

/// Points under these tags.
pub fn check(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let mut fields = text.split('|');
    let (Some(points), Some(id), Some(channel)) = (fields.next(), fields.next(), fields.next()) else { return };
    let mut tags = BTreeMap::new();
    while let (Some(key), Some(value)) = (fields.next(), fields.next()) {
        tags.insert(key, value);
    }
    let Some(series) = configured(id, channel, &tags) else { return };
    for series in series {
        tags.extend([("bot", "support"), ("bot_id", id), ("channel", channel)]);
        check_lines(&series, &points.bytes().map(point).collect::<Vec<_>>(), &tags);
    }
}

/// The series of such a bot, where the configuration accepts it.
fn configured(id: &str, channel: &str, tags: &BTreeMap<&str, &str>) -> Option<Vec<Series>> {
    let tag = |(key, value): (&&str, &&str)| format!("{} = {}", quoted(key), quoted(value));
    let document = format!(
        "[file]\npath = \"out.lp\"\n[bots.support]\nclient_id = \"cs-1\"\nclient_secret = \"a secret\"\nid = {}\n\
         channels = [{}]\nintervals = [\"hourly\", \"daily\"]\ntags = {{ {} }}\n",
        quoted(id),
        quoted(channel),
        tags.iter().map(tag).collect::<Vec<_>>().join(", "),
    );
    let loaded = config::load(&written(document.as_bytes()), &Environment::default());
    let texts = || tags.iter().flat_map(|(key, value)| [*key, *value]).chain([id, channel]);
    let reserved = tags.keys().any(|key| RESERVED.contains(key));
    let refused = |text: &str| text.is_empty() || text.chars().any(char::is_control) || text.ends_with('\\');
    let safe = |text: &str| !refused(text) && !text.contains('\\') && !text.trim().is_empty();
    match loaded {
        Ok(config) => {
            assert!(!reserved && !texts().any(refused), "{document}");
            Some(config.bots[0].series().collect())
        }
        Err(problems) => {
            assert!(reserved || !texts().all(safe), "{document}{problems}");
            None
        }
    }
}

fn quoted(text: &str) -> String {
    let escape = |character: char| match character {
        '"' | '\\' => format!("\\{character}"),
        _ if character.is_control() => format!("\\u{:04X}", u32::from(character)),
        _ => character.to_string(),
    };
    format!("\"{}\"", text.chars().map(escape).collect::<String>())
}

/// One of the points of which each has something to it.
fn point(byte: u8) -> Point {
    let figure = |place: u8| [None, Some(0), Some(20), Some(i64::MAX)][usize::from(byte >> place & 3)];
    let figures = Figures { users: Some(figure(0).unwrap_or(1)), new_users: figure(2), returning_users: figure(4) };
    let timestamps = [1_596_672_000, 0, -1, 253_402_300_799, -62_135_596_800, i64::MAX];
    Point { timestamp: timestamps[usize::from(byte) % timestamps.len()], figures }
}

fn check_lines(series: &Series, points: &[Point], tags: &BTreeMap<&str, &str>) {
    let encoder = Encoder::new(series);
    let parts = points.iter().map(|point| {
        let mut line = Vec::new();
        encoder.write(point, &mut line);
        assert!(line.len() <= encoder.line_length());
        line
    });
    let parts: Vec<Vec<u8>> = parts.collect();
    let text = unpacked(&parts);
    assert_eq!(text.as_bytes(), parts.concat());
    let parsed: Vec<_> = parse_lines(&text).collect::<Result<_, _>>().unwrap_or_else(|error| panic!("{text}: {error}"));
    assert_eq!(parsed.len(), points.len(), "{text}");
    for (line, point) in parsed.iter().zip(points) {
        assert_eq!(line.series.measurement.as_str(), format!("user_engagement_{}", series.interval));
        let found: Vec<_> = line.series.tag_set.iter().flatten().collect();
        assert_eq!(found.len(), tags.len(), "{text}");
        let found: BTreeMap<&str, &str> =
            found.into_iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        assert_eq!(found, *tags, "{text}");
        let fields = line.field_set.iter().map(|(key, value)| match value {
            FieldValue::I64(value) => (key.as_str(), *value),
            other => panic!("{other:?}"),
        });
        assert_eq!(fields.collect::<Vec<_>>(), point.figures.fields().collect::<Vec<_>>());
        assert_eq!(line.timestamp, Some(point.timestamp));
    }
}

/// Through the compressor and back.
fn unpacked(parts: &[Vec<u8>]) -> String {
    let packed = gzip::Packer::default().pack(parts.iter().cloned()).unwrap();
    let mut text = String::new();
    GzDecoder::new(&packed[..]).read_to_string(&mut text).unwrap();
    text
}
