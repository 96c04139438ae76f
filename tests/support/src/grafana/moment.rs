//! Times as texts, in the few words of the format that the dashboards use.

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// The time in this zone, by a format whose square brackets hold literal text.
pub fn format(at: Timestamp, zone: &str, format: &str) -> String {
    let zone = TimeZone::get(if zone == "utc" { "UTC" } else { zone }).unwrap_or_else(|_| panic!("no zone {zone:?}"));
    let at = at.to_zoned(zone);
    let (mut text, mut rest) = (String::new(), format);
    'rest: while let Some(first) = rest.chars().next() {
        if let Some(literal) = rest.strip_prefix('[') {
            let (literal, after) = literal.split_once(']').unwrap();
            text.push_str(literal);
            rest = after;
            continue;
        }
        // The longer of two that begin alike comes first.
        let words = [
            ("YYYY", "%Y"),
            ("MMM", "%b"),
            ("MM", "%m"),
            ("DD", "%d"),
            ("D", "%-d"),
            ("ddd", "%a"),
            ("HH", "%H"),
            ("mm", "%M"),
            ("E", "%u"),
        ];
        for (word, meaning) in words {
            if let Some(after) = rest.strip_prefix(word) {
                text.push_str(&at.strftime(meaning).to_string());
                rest = after;
                continue 'rest;
            }
        }
        assert!(" -:,".contains(first), "no such word in a format: {rest}");
        text.push(first);
        rest = &rest[1..];
    }
    text
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_time_is_read_by_the_clock_of_its_zone() {
        let check = |zone, format: &str, expected: &str| {
            assert_eq!(super::format("2026-10-25T01:30:00Z".parse().unwrap(), zone, format), expected);
        };
        check("Europe/Berlin", "ddd HH:mm", "Sun 02:30");
        check("utc", "[{\"day\":\"]YYYY-MM-DD ddd[\"}]", "{\"day\":\"2026-10-25 Sun\"}");
        check("Etc/GMT-13", "E ddd HH", "7 Sun 14");
        check("utc", "ddd D MMM, HH[:00]", "Sun 25 Oct, 01:00");
    }
}
