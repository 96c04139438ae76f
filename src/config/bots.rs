//! Reads `[bots.*]`.

use std::collections::BTreeMap;
use std::sync::Arc;

use figment::value::Value;
use jiff::tz::TimeZone;
use secrecy::ExposeSecret;

use super::layers::Environment;
use super::reader::{Reader, quoted};
use super::secrets::{self, Places};
use super::values::cron;
use crate::domain::bot::Bot;
use crate::domain::credentials::{Algorithm, EncryptionKey, SigningKey, parse_encryption};
use crate::domain::point::tag_problem;
use crate::domain::series::{ALL_CHANNELS, Interval};

/// Tag keys that the exporter, or the database, gives a meaning of its own.
pub const RESERVED_TAGS: [&str; 6] = ["bot", "bot_id", "channel", "time", "_measurement", "_field"];

/// The channel names that have been seen on the platform; others are warned about, never refused.
const KNOWN_CHANNELS: [&str; 30] = [
    ALL_CHANNELS,
    "rtm",
    "msteams",
    "facebook",
    "wfacebook",
    "slack",
    "skype",
    "skypeforbusiness",
    "twitter",
    "spark",
    "kore",
    "email",
    "sms",
    "ringcentral",
    "jabber",
    "yammer",
    "alexa",
    "twiliovoice",
    "telegram",
    "ivr",
    "ivrVoice",
    "smartassist",
    "line",
    "liveperson",
    "googleactions",
    "hangoutchat",
    "mattermost",
    "rcs",
    "korevg",
    "api",
];

/// All bots, by name. Problems go to the reader.
pub(super) fn read(reader: &mut Reader, environment: &Environment) -> Vec<Arc<Bot>> {
    let names = reader.names("bots");
    if names.is_empty() {
        reader.problem("bots", "no bots configured; add a [bots.NAME] table");
    }
    let (mut bots, mut claims) = (Vec::new(), Vec::new());
    for name in names {
        let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'_';
        if name.is_empty() || !name.bytes().all(allowed) {
            let path = format!("bots.{name}");
            reader.table(&path);
            reader.problem(&path, "a bot's name may contain only lower-case letters, digits, '-' and '_'");
            continue;
        }
        bots.extend(bot(reader, &name, environment, &mut claims).map(Arc::new));
    }
    refuse_common_series(reader, &claims);
    bots
}

/// Reads one bot and adds the series that it claims, which are known also where something else of it is wrong.
fn bot(reader: &mut Reader, name: &str, environment: &Environment, claims: &mut Vec<Claim>) -> Option<Bot> {
    let path = format!("bots.{name}");
    let at = |key: &str| format!("{path}.{key}");
    reader.table(&path);
    let id = identifier(reader, &at("id"), "st-");
    let client_id = identifier(reader, &at("client_id"), "cs-");
    let key = signing_key(reader, name, environment);
    let encryption = encryption_key(reader, name);
    let time_zone = time_zone(reader, &at("time_zone"));
    let channels = channels(reader, &at("channels"));
    let intervals = intervals(reader, &at("intervals"));
    let tags = tags(reader, &at("tags"));
    let cron = cron(reader, &at("cron"));
    if let (Some(id), Some(channels), Some(intervals)) = (&id, &channels, &intervals) {
        let series = channels.iter().flat_map(|channel| intervals.iter().map(|interval| (channel.clone(), *interval)));
        claims.push(Claim { bot: name.to_owned(), id: id.clone(), series: series.collect() });
    }
    Some(Bot {
        name: name.to_owned(),
        id: id?,
        client_id: client_id?,
        key: key?,
        encryption: encryption?,
        time_zone: time_zone?,
        channels: channels?,
        intervals: intervals?,
        tags,
        cron,
    })
}

/// An id of the platform, which is a tag as well. Other shapes than `prefix` and a UUID are warned about.
fn identifier(reader: &mut Reader, path: &str, prefix: &str) -> Option<String> {
    let id: Option<String> = reader.get(path, "a non-empty string", |id: &String| !id.trim().is_empty());
    if !reader.has(path) {
        reader.problem(path, format!("is missing; it looks like {prefix}… on the platform"));
    }
    let id = id?;
    // A client id is half of the credentials, and in its place the other half may stand by mistake.
    let shown = if path.ends_with("client_id") { "(value hidden)".to_owned() } else { quoted(&id) };
    if let Some(problem) = tag_problem(&id) {
        reader.problem(path, format!("found {shown}: {problem}"));
        return None;
    }
    if id.strip_prefix(prefix).is_none_or(|rest| uuid::Uuid::try_parse(rest).is_err()) {
        reader.warnings.push(format!("{path} is {shown}: the platform's ids are {prefix} and a UUID"));
    }
    Some(id)
}

fn signing_key(reader: &mut Reader, name: &str, environment: &Environment) -> Option<SigningKey> {
    let at = |key: &str| format!("bots.{name}.{key}");
    let allowed = "\"HS256\", \"HS512\", \"RS256\" or \"RS512\"";
    let algorithm = reader.get(&at("algorithm"), allowed, |text: &String| Algorithm::parse(text).is_some());
    if algorithm.is_none() && reader.has(&at("algorithm")) {
        for key in ["client_secret", "client_secret_file", "private_key_file"] {
            reader.get_secret(&at(key));
        }
        return None;
    }
    let algorithm = algorithm.as_deref().and_then(Algorithm::parse).unwrap_or(Algorithm::Hs256);
    let (value, secret_file, key_file) = (at("client_secret"), at("client_secret_file"), at("private_key_file"));
    if algorithm.is_rsa() {
        let credential = format!("{name}.private_key");
        let places = Places {
            value: None,
            file: &key_file,
            credential: &credential,
            for_platform: true,
            in_header: false,
            optional: false,
        };
        let pem = secrets::read(reader, &places, environment);
        for unused in [&value, &secret_file] {
            if reader.has(unused) {
                reader.warnings.push(format!("{unused} is not used: {algorithm} signs with private_key_file"));
            }
            reader.get_secret(unused);
        }
        let pem = pem?;
        if pem.expose_secret() == secrets::STAND_IN {
            return Some(SigningKey::hmac(Algorithm::Hs256, secrets::STAND_IN.as_bytes()));
        }
        let key = SigningKey::rsa(algorithm, pem.expose_secret().as_bytes());
        return key.map_err(|error| reader.problem(&key_file, error)).ok();
    }
    let credential = format!("{name}.client_secret");
    let places = Places {
        value: Some(&value),
        file: &secret_file,
        credential: &credential,
        for_platform: true,
        in_header: false,
        optional: false,
    };
    let secret = secrets::read(reader, &places, environment);
    if reader.has(&key_file) {
        reader.problem(&key_file, format!("{algorithm} signs with the client secret; set algorithm to RS256 or RS512"));
    }
    reader.get_secret(&key_file);
    Some(SigningKey::hmac(algorithm, secret?.expose_secret().as_bytes()))
}

/// The platform's public key, or `Some(None)` where tokens are not encrypted.
fn encryption_key(reader: &mut Reader, name: &str) -> Option<Option<EncryptionKey>> {
    let (file, how) = (format!("bots.{name}.encryption_key_file"), format!("bots.{name}.encryption"));
    let allowed = "\"RSA-OAEP\" or \"RSA1_5\", a slash, and \"A128CBC-HS256\", \"A128GCM\" or \"A256GCM\"";
    let encryption = reader.get(&how, allowed, |text: &String| parse_encryption(text).is_some());
    let path = reader.get_secret(&file);
    if reader.has(&how) && !reader.has(&file) {
        reader.problem(&how, "requires encryption_key_file");
    }
    if !reader.has(&file) {
        return Some(None);
    }
    let text = secrets::optional_file(reader, &file, &path?)?;
    let Some(text) = text else { return Some(None) };
    match EncryptionKey::parse(&text, encryption.as_deref().and_then(parse_encryption)) {
        Ok(key) => Some(Some(key)),
        Err(error) => {
            reader.problem(&file, error);
            None
        }
    }
}

fn time_zone(reader: &mut Reader, path: &str) -> Option<TimeZone> {
    let allowed = "the name of an IANA time zone such as \"Europe/Berlin\"";
    let name = reader.get(path, allowed, |name: &String| TimeZone::get(name).is_ok());
    match name {
        Some(name) => TimeZone::get(&name).ok(),
        None if reader.has(path) => None,
        None => Some(TimeZone::get("UTC").unwrap_or(TimeZone::UTC)),
    }
}

fn channels(reader: &mut Reader, path: &str) -> Option<Vec<String>> {
    let allowed = "a list of channel names, each once, such as [\"all\", \"rtm\"]";
    let valid = |channels: &Vec<String>| !channels.is_empty() && is_set(channels);
    let channels = match reader.get(path, allowed, valid) {
        None if reader.has(path) => return None,
        channels => channels.unwrap_or_else(|| vec![ALL_CHANNELS.to_owned()]),
    };
    for channel in &channels {
        if let Some(problem) = tag_problem(channel) {
            reader.problem(path, format!("found the channel {}: {problem}", quoted(channel)));
            return None;
        }
        if !KNOWN_CHANNELS.contains(&channel.as_str()) {
            let channel = quoted(channel);
            reader.warnings.push(format!("{path}: unknown channel {channel}; it is requested as it is"));
        }
    }
    Some(channels)
}

fn intervals(reader: &mut Reader, path: &str) -> Option<Vec<Interval>> {
    let allowed = "a list of \"hourly\" and \"daily\", each at most once";
    let valid = |intervals: &Vec<Interval>| !intervals.is_empty() && is_set(intervals);
    match reader.get(path, allowed, valid) {
        None if reader.has(path) => None,
        intervals => Some(intervals.unwrap_or_else(|| vec![Interval::Hourly])),
    }
}

fn is_set<T: PartialEq>(items: &[T]) -> bool {
    items.iter().enumerate().all(|(place, item)| !items[..place].contains(item))
}

fn tags(reader: &mut Reader, path: &str) -> Vec<(String, String)> {
    let mut tags = Vec::new();
    for (key, value) in reader.entries(path) {
        // A key that is no plain word is shown quoted by the message alone.
        let plain = key.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-');
        let at = if plain && !key.is_empty() { format!("{path}.{key}") } else { path.to_owned() };
        let Value::String(_, value) = value else {
            reader.problem(&at, format!("the tag {key:?} must have a string as its value"));
            continue;
        };
        if RESERVED_TAGS.contains(&key.as_str()) {
            reader.problem(&at, format!("the tag {key:?} is reserved; choose another name"));
        } else if let Some(problem) = tag_problem(&key).or_else(|| tag_problem(&value)) {
            reader.problem(&at, format!("the tag {key:?} = {}: {problem}", quoted(&value)));
        } else {
            tags.push((key, value));
        }
    }
    tags
}

/// The series that a bot would write.
struct Claim {
    bot: String,
    id: String,
    series: Vec<(String, Interval)>,
}

/// Two names for one bot of the platform are fine as long as they divide its series between them.
fn refuse_common_series(reader: &mut Reader, claims: &[Claim]) {
    let mut owners: BTreeMap<(&str, &str, Interval), &str> = BTreeMap::new();
    for Claim { bot, id, series } in claims {
        for (channel, interval) in series {
            if let Some(other) = owners.insert((id, channel, *interval), bot) {
                reader.problem(
                    &format!("bots.{bot}.id"),
                    format!(
                        "bots.{other} has the same id and also exports {channel} {interval}: one series, two owners"
                    ),
                );
                break;
            }
        }
    }
}
