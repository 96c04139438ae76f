//! Configuration: a TOML document through the file that the program reads, without an environment. What is accepted
//! keeps the contract's rules and says what the document says, nothing in it is left aside in silence, and whatever
//! comes of it shows no secret.

use std::cell::OnceCell;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use kore_trend_exporter::config::{self, Config, Destination, Environment, Problems, Source};
use tempfile::TempDir;
use toml::{Table, Value};

/// Every key of the contract; `*` is what the user names.
const KEYS: [&str; 44] = [
    "state_dir",
    "shutdown_grace",
    "log_level",
    "schedule.cron",
    "schedule.run_on_start",
    "schedule.spread",
    "schedule.refresh_days",
    "schedule.initial_days",
    "schedule.include_open",
    "platform.url",
    "platform.api",
    "platform.send",
    "platform.end_date",
    "platform.timeout",
    "platform.max_days_per_request",
    "platform.concurrency",
    "platform.per_minute",
    "platform.per_hour",
    "platform.backfill_share",
    "influxdb.url",
    "influxdb.org",
    "influxdb.bucket",
    "influxdb.token",
    "influxdb.token_file",
    "influxdb.read_token",
    "influxdb.read_token_file",
    "influxdb.read",
    "influxdb.timeout",
    "influxdb.gzip",
    "file.path",
    "admin.listen",
    "bots.*.id",
    "bots.*.client_id",
    "bots.*.client_secret",
    "bots.*.client_secret_file",
    "bots.*.private_key_file",
    "bots.*.algorithm",
    "bots.*.encryption_key_file",
    "bots.*.encryption",
    "bots.*.time_zone",
    "bots.*.channels",
    "bots.*.intervals",
    "bots.*.cron",
    "bots.*.tags.*",
];

/// What stands in the seeds where a secret does.
const CANARY: &str = "canary-5up3r-s3cr3t";

const DAY: Duration = Duration::from_secs(24 * 3600);

/// A document.
pub fn check(input: &[u8]) {
    let source = written(input);
    let loaded = config::load(&source, &Environment::default());
    let text = String::from_utf8_lossy(input);
    let table: Option<Table> = toml::from_str(&text).ok();
    let shown = match &loaded {
        Ok(config) => format!("{config:?}"),
        Err(problems) => format!("{problems}\n{problems:?}"),
    };
    for secret in secrets(&text, table.as_ref()) {
        assert!(!shown.contains(&secret), "{secret:?} is shown: {shown}");
    }
    match loaded {
        Err(Problems(problems)) => {
            assert!(!problems.is_empty());
            let again = config::load(&source, &Environment::default()).expect_err("the same document, refused before");
            assert_eq!(problems, again.0);
        }
        Ok(config) => {
            let table = table.expect("what is accepted is TOML");
            check_keys(&Value::Table(table.clone()), "", "");
            check_rules(&config);
            check_values(&config, &table);
            let simulated =
                config::load_simulated(&source, &Environment::default()).expect("as before a real platform");
            assert_eq!(format!("{simulated:?}"), format!("{config:?}"));
            let secrets = config::load_secrets(&source, &Environment::default()).expect("it can be read");
            assert!(config.with_secrets(&secrets).is_none(), "the secrets are those that it has");
        }
    }
}

/// The document in a file, always the same one.
pub(crate) fn written(document: &[u8]) -> Source {
    thread_local! {
        static FOLDER: OnceCell<TempDir> = const { OnceCell::new() };
    }
    let folder = FOLDER.with(|cell| cell.get_or_init(|| tempfile::tempdir().unwrap()).path().to_owned());
    let path: PathBuf = folder.join("config.toml");
    std::fs::write(&path, document).unwrap();
    Source::File(path)
}

/// The secrets that stand in the document once and nowhere else: a short one may be shown as something else.
fn secrets(text: &str, table: Option<&Table>) -> Vec<String> {
    let Some(table) = table else {
        // Not TOML, so that nobody knows what is a secret; of keys alone the message may speak.
        let may_be_a_key = !text.contains(&format!("= \"{CANARY}"));
        return if may_be_a_key { Vec::new() } else { vec![CANARY.to_owned()] };
    };
    let bots = table.get("bots").and_then(Value::as_table).into_iter().flat_map(Table::values);
    let secret = bots.filter_map(|bot| bot.get("client_secret"));
    let token = table.get("influxdb").and_then(|section| section.get("token"));
    let found = secret.chain(token).filter_map(Value::as_str);
    // More than the words of any message.
    let is_told_apart = |text: &str, whole: &str| text.len() >= 8 && whole.matches(text).count() == 1;
    found.filter(|secret| is_told_apart(secret, text) && secret.contains(CANARY)).map(str::to_owned).collect()
}

/// No key is left aside in silence.
fn check_keys(value: &Value, path: &str, pattern: &str) {
    let Value::Table(table) = value else {
        return assert!(KEYS.contains(&pattern), "nothing reads {path}");
    };
    for (key, inner) in table {
        let named = matches!(pattern, "bots" | "bots.*.tags");
        let step = if named { "*" } else { key.as_str() };
        let join = |path: &str, step: &str| if path.is_empty() { step.to_owned() } else { format!("{path}.{step}") };
        assert!(named || !step.contains(['.', '*']), "nothing reads {key:?} in {path}");
        check_keys(inner, &join(path, key), &join(pattern, step));
    }
    let is_section = KEYS.iter().any(|key| key.starts_with(&format!("{pattern}.")));
    assert!(pattern.is_empty() || is_section, "nothing reads the table {path}");
}

/// The rules of the contract.
fn check_rules(config: &Config) {
    let platform = &config.platform;
    let limits = platform.limits;
    assert!(!config.bots.is_empty() && limits.per_minute >= 1 && limits.per_hour >= 1 && platform.concurrency >= 1);
    assert!(platform.max_days_per_request >= 1 && (0.0..=1.0).contains(&limits.backfill_share));
    assert!(!platform.timeout.is_zero() && platform.timeout <= DAY && config.shutdown_grace <= DAY);
    assert!(config.schedule.spread <= DAY);
    let is_plain = |url: &str| url.starts_with("http") && !url.contains(['?', '#', '\n', '\r']);
    assert!(is_plain(platform.url.as_str()) && platform.url.has_host());
    assert!(platform.url.username().is_empty() && platform.url.password().is_none());
    if let Destination::InfluxDb(database) = &config.destination {
        assert!(is_plain(database.url.as_str()));
        assert!(!database.timeout.is_zero() && !database.bucket.is_empty());
    }
    let now: Timestamp = "2026-11-22T12:00:00Z".parse().unwrap();
    let mut series = BTreeSet::new();
    for bot in &config.bots {
        assert!(bot.name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_')));
        for own in bot.series() {
            assert!(series.insert((bot.id.clone(), own.channel, own.interval)), "two bots write the same series");
        }
        let reserved = ["bot", "bot_id", "channel", "time", "users", "new_users", "returning_users"];
        for (key, value) in &bot.tags {
            let is_well = |text: &str| !text.is_empty() && !text.chars().any(char::is_control) && !text.ends_with('\\');
            assert!(is_well(key) && is_well(value) && !reserved.contains(&key.as_str()), "{key:?} = {value:?}");
        }
        for cron in bot.cron.iter().chain([&config.schedule.cron]) {
            assert!(cron.next_after(now).is_none_or(|next| next > now), "{}", cron.line());
        }
    }
}

/// What the program goes by is what the document says.
fn check_values(config: &Config, table: &Table) {
    let section = |name: &str| table.get(name).and_then(Value::as_table).cloned().unwrap_or_default();
    let (platform, schedule) = (section("platform"), section("schedule"));
    let whole = |section: &Table, key: &str, default: i64| {
        section.get(key).map_or(default, |value| value.as_integer().unwrap_or_else(|| panic!("{key} = {value:?}")))
    };
    let limits = config.platform.limits;
    assert_eq!(i64::from(limits.per_minute), whole(&platform, "per_minute", 60));
    assert_eq!(i64::from(limits.per_hour), whole(&platform, "per_hour", 1800));
    assert_eq!(i64::try_from(config.platform.concurrency), Ok(whole(&platform, "concurrency", 8)));
    assert_eq!(i64::from(config.platform.max_days_per_request), whole(&platform, "max_days_per_request", 31));
    assert_eq!(i64::from(config.schedule.refresh_days), whole(&schedule, "refresh_days", 2));
    assert_eq!(i64::from(config.schedule.initial_days), whole(&schedule, "initial_days", 7));
    let bots = section("bots");
    assert_eq!(config.bots.len(), bots.len());
    for bot in &config.bots {
        let written = &bots[&*bot.name];
        assert_eq!(Some(&*bot.id), written["id"].as_str());
        assert_eq!(Some(bot.client_id.as_str()), written["client_id"].as_str());
        let tags = written.get("tags").and_then(Value::as_table).cloned().unwrap_or_default();
        let read: Vec<_> = bot.tags.iter().map(|(key, value)| (key.as_str(), Some(value.as_str()))).collect();
        assert_eq!(read, tags.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect::<Vec<_>>());
        let channels = written.get("channels").and_then(Value::as_array).cloned();
        let channels = channels.unwrap_or_else(|| vec![Value::from("all")]);
        assert_eq!(bot.channels, channels.iter().filter_map(Value::as_str).map(Arc::from).collect::<Vec<_>>());
    }
}
