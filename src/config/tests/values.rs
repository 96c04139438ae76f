//! The defaults are the contract's, and the sample that is shipped says so.

use std::time::Duration;

use super::*;
use crate::config::document::join;
use crate::config::schema::{self, keys_of};
use crate::domain::series::Interval;

const MINIMAL: &str = "[influxdb]\norg = \"sre\"\nbucket = \"engagement\"\n\
    [bots.support]\nid = \"st-00000000-0000-0000-0000-000000000000\"\n\
    client_id = \"cs-00000000-0000-0000-0000-000000000000\"\n";
const SECRETS: [(&str, &str); 2] =
    [("KORE_TREND__INFLUXDB__TOKEN", "a token"), ("KORE_TREND__BOTS__SUPPORT__CLIENT_SECRET", "a secret")];

fn database(config: &Config) -> &InfluxDb {
    match &config.destination {
        Destination::InfluxDb(database) => database,
        Destination::File(path) => panic!("points go to {}", path.display()),
    }
}

/// Holds every value that has a default against the contract's.
#[track_caller]
fn check_defaults(config: &Config) {
    assert_eq!(config.state_dir.to_str(), Some("state"));
    assert_eq!(config.shutdown_grace, Duration::from_secs(20));
    let schedule = Schedule {
        cron: Cron::parse("0 10 * * * *").unwrap(),
        run_on_start: true,
        spread: Duration::from_secs(30),
        refresh_days: 2,
        initial_days: 7,
        include_open: false,
    };
    assert_eq!(config.schedule, schedule);
    let platform = Platform {
        url: "https://platform.kore.ai".parse().unwrap(),
        api: Api::V1(Send::Query),
        timeout: Duration::from_secs(30),
        max_days_per_request: 31,
        concurrency: 8,
        limits: Limits { per_minute: 60, per_hour: 1800, backfill_share: 0.5 },
        end_date: EndDate::Included,
    };
    assert_eq!(config.platform, platform);
    let found = database(config);
    assert_eq!(
        (found.url.as_str(), found.org.as_str(), found.bucket.as_str()),
        ("http://localhost:8086/", "sre", "engagement")
    );
    assert_eq!((found.timeout, found.gzip), (Duration::from_secs(30), true));
    assert_eq!((found.read, found.read_token.is_none()), (None, true));
    assert_eq!(config.admin, Some("127.0.0.1:9468".parse().unwrap()));
    let bot = &config.bots[0];
    assert_eq!((bot.channels.as_slice(), bot.intervals.as_slice()), (&["all".into()][..], &[Interval::Hourly][..]));
    assert_eq!(bot.time_zone.iana_name(), Some("UTC"));
    assert_eq!((bot.tags.len(), bot.cron.is_none()), (0, true));
}

#[test]
fn the_defaults_are_the_contracts() {
    let config = accepted(MINIMAL, &Environment::from(SECRETS));
    check_defaults(&config);
    assert!(config.warnings.is_empty(), "{:?}", config.warnings);
    let file = accepted(&format!("[file]\n{BOT}"), &Environment::default());
    assert!(matches!(file.destination, Destination::File(path) if path.to_str() == Some("engagement.lp")));
}

/// What stands there is the default, and what is commented out is one as well, or an example.
#[test]
fn the_sample_configuration_is_made_of_the_defaults() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/config.toml");
    let config =
        load(&Source::File(path.into()), &Environment::from(SECRETS)).unwrap_or_else(|error| panic!("{error}"));
    check_defaults(&config);
    assert!(config.warnings.is_empty(), "{:?}", config.warnings);
    assert_eq!(config.bots.len(), 1);

    let minimal = accepted(MINIMAL, &Environment::from(SECRETS));
    let without_secrets = |config: &Config| {
        let Config { state_dir, shutdown_grace, schedule, platform, destination, admin, bots, warnings, log_level } =
            config;
        format!(
            "{state_dir:?} {shutdown_grace:?} {schedule:?} {platform:?} {destination:?} {admin:?} {bots:?} {warnings:?} {log_level:?}"
        )
    };
    assert_eq!(without_secrets(&config), without_secrets(&minimal));
}

/// Every key that takes a value, with its table.
fn every_key() -> impl Iterator<Item = (&'static str, &'static str)> {
    let tables = ["", "schedule", "platform", "influxdb", "file", "admin", schema::BOT];
    let keys = tables.into_iter().flat_map(|table| keys_of(table).map(move |key| (table, key)));
    keys.filter(move |(table, key)| !table.is_empty() || *key != "bots" && !tables.contains(key))
}

fn path_of((table, key): (&str, &str)) -> String {
    join(&table.replace('*', "support"), key)
}

#[test]
fn every_key_there_is_is_read() {
    for (table, key) in every_key() {
        let line = format!("{key} = [[]]");
        let others = BOT.lines().filter(|other| !other.starts_with(&format!("{key} = "))).collect::<Vec<_>>();
        let text = match table {
            "" => format!("{line}\n{TOKEN}{BOT}"),
            schema::BOT => format!("{TOKEN}{}\n{line}\n", others.join("\n")),
            "influxdb" | "file" => format!("[{table}]\n{line}\n{BOT}"),
            _ => format!("[{table}]\n{line}\n{TOKEN}{BOT}"),
        };
        let (told, path) = (problems(&text, &Environment::default()), path_of((table, key)));
        assert!(told.iter().any(|problem| problem.contains(&format!(": {path}: "))), "{path}: {told:#?}");
    }
}

/// A key that is commented out starts right after the `#`, prose after a space.
#[test]
fn the_sample_configuration_names_every_key() {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/config.toml")).unwrap();
    let mut section = String::new();
    let mut keys = Vec::new();
    for line in text.lines().map(|line| line.strip_prefix('#').unwrap_or(line)).filter(|line| !line.starts_with(' ')) {
        if let Some(name) = line.strip_prefix('[').and_then(|line| line.split_once(']')) {
            section = format!("{}.", name.0);
        } else if let Some((key, _)) = line.split_once(" = ") {
            keys.push(format!("{section}{key}"));
        }
    }
    keys.sort();
    let mut expected: Vec<String> = every_key().map(path_of).collect();
    // The file of this secret is enough.
    expected.retain(|key| key != "influxdb.read_token");
    expected.sort();
    assert_eq!(keys, expected);
}

#[test]
fn every_value_that_is_given_is_taken() {
    let text = "state_dir = \"s\"\nshutdown_grace = \"0s\"\n\
        [schedule]\ncron = \"*/5 * * * *\"\nrun_on_start = false\nspread = \"0s\"\nrefresh_days = 0\ninitial_days = 0\n\
        include_open = true\n\
        [platform]\nurl = \"de-platform.kore.ai/prefix/\"\napi = \"v2\"\nend_date = \"excluded\"\ntimeout = \"1m 30s\"\nmax_days_per_request = 1\n\
        concurrency = 1\nper_minute = 1\nper_hour = 1\nbackfill_share = 0\n\
        [influxdb]\nurl = \"influx.example:8086/db/\"\norg = \"o\"\nbucket = \"b\"\ntoken = \"t\"\nread_token = \"r\"\nread = \"influxql\"\ntimeout = \"5s\"\ngzip = false\n\
        [admin]\nlisten = \"\"\n\
        [bots.a_b-1]\nid = \"x\"\nclient_id = \"y\"\nclient_secret = \"z\"\nalgorithm = \"HS512\"\n\
        time_zone = \"Asia/Kolkata\"\nchannels = [\"mine\"]\nintervals = [\"daily\", \"hourly\"]\ncron = \"0 0 3 * * MON\"\n\
        tags = { \"with.dot\" = 'a\\b, c=d \"e\" 😀' }\n";
    let config = accepted(text, &Environment::default());
    assert_eq!((config.shutdown_grace, config.admin), (Duration::ZERO, None));
    assert_eq!(config.schedule.cron.line(), "0 */5 * * * *");
    let Schedule { refresh_days, initial_days, include_open, run_on_start, .. } = config.schedule;
    assert_eq!((refresh_days, initial_days, include_open, run_on_start), (0, 0, true, false));
    assert_eq!(config.platform.url.as_str(), "https://de-platform.kore.ai/prefix");
    assert_eq!((config.platform.api, config.platform.timeout), (Api::V2, Duration::from_secs(90)));
    assert_eq!(config.platform.limits, Limits { per_minute: 1, per_hour: 1, backfill_share: 0.0 });
    assert_eq!(database(&config).url.as_str(), "https://influx.example:8086/db");
    assert_eq!(config.platform.end_date, EndDate::Excluded);
    assert_eq!(database(&config).read, Some(ReadLanguage::InfluxQl));
    assert_eq!(database(&config).read_token.as_ref().map(ExposeSecret::expose_secret), Some("r"));
    let bot = &config.bots[0];
    assert_eq!(&*bot.name, "a_b-1");
    assert!(format!("{:?}", bot.key).contains("HS512"), "{:?}", bot.key);
    assert_eq!(bot.tags, [("with.dot".to_owned(), "a\\b, c=d \"e\" 😀".to_owned())]);
    assert_eq!(bot.intervals, [Interval::Daily, Interval::Hourly]);
    assert_eq!(bot.cron.as_ref().unwrap().line(), "0 0 3 * * MON");
    let warned = |words: &str| config.warnings.iter().any(|warning| warning.contains(words));
    for words in ["bots.a_b-1.id is \"x\"", "bots.a_b-1.client_id is (value hidden)", "unknown channel \"mine\""] {
        assert!(warned(words), "{words}: {:?}", config.warnings);
    }
}

#[test]
fn the_unusual_is_warned_about() {
    for (text, expected) in [
        ("[platform]\nurl = \"http://platform.example\"", "tokens travel unencrypted, use https://"),
        ("[platform]\nper_minute = 61", "platform.per_minute is 61, above the platform's documented limit of 60"),
        ("[platform]\nper_hour = 1801", "platform.per_hour is 1801, above the platform's documented limit of 1800"),
    ] {
        let config = accepted(&format!("{text}\n{TOKEN}{BOT}"), &Environment::default());
        assert_eq!(
            config.warnings.iter().filter(|warning| warning.contains(expected)).count(),
            1,
            "{:?}",
            config.warnings
        );
    }
}
