//! Time zones by their IANA names: those of this machine, and the program's own where the machine has none.

use jiff::tz::{TimeZone, TimeZoneDatabase};

/// Files beside the zones that are no zone, or another one on each machine; `Etc/Unknown` is none either. In lower case.
const NO_ZONES: [&str; 5] = ["localtime", "posixrules", "factory", "leapseconds", "etc/unknown"];

/// Folders beside the zones that hold them once more; one of them counts leap seconds.
const COPIES: [&str; 2] = ["posix/", "right/"];

/// The zone of this name, if there is one. Distributions leave out names that are only kept for old programs.
pub fn find(name: &str) -> Option<TimeZone> {
    let lower = name.to_ascii_lowercase();
    if NO_ZONES.contains(&lower.as_str()) || COPIES.iter().any(|folder| lower.starts_with(folder)) {
        return None;
    }
    TimeZone::get(name).or_else(|_| TimeZoneDatabase::bundled().get(name)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_zone_is_known_and_nothing_else() {
        for name in ["UTC", "Europe/Berlin", "US/Eastern", "Asia/Calcutta", "Etc/GMT+5", "EST5EDT"] {
            assert!(find(name).is_some_and(|zone| zone.iana_name() == Some(name)), "{name}");
        }
        for name in [
            "",
            "Mars/Olympus",
            "localtime",
            "LocalTime",
            "posixrules",
            "Factory",
            "Etc/Unknown",
            "right/UTC",
            "posix/UTC",
        ] {
            assert!(find(name).is_none(), "{name}");
        }
    }
}
