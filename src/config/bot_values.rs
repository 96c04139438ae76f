//! Reads the values of one bot: its ids, channels, intervals, tags and zone.

use figment::value::Value;
use jiff::tz::TimeZone;

use super::reader::Reader;
use super::shown::{HIDDEN, quoted};
use super::zones;
use crate::domain::point::{RESERVED_TAGS, tag_problem};
use crate::domain::series::{ALL_CHANNELS, Interval};

/// The channel names that have been seen on the platform; others are warned about, never refused.
const KNOWN_CHANNELS: &str = "all rtm msteams facebook wfacebook slack skype skypeforbusiness twitter spark kore email sms \
    ringcentral jabber yammer alexa twiliovoice telegram ivr ivrVoice smartassist line liveperson googleactions \
    hangoutchat mattermost rcs korevg api";

/// An id of the platform, which is a tag as well. Other shapes than `prefix` and a UUID are warned about.
pub(super) fn identifier(reader: &mut Reader, path: &str, prefix: &str) -> Option<String> {
    let missing = format!("is missing; it looks like {prefix}… on the platform");
    let some = |id: String| (!id.trim().is_empty()).then_some(id);
    let id = reader.required(path, "a non-empty string", &missing, some)?;
    // A client id is half of the credentials, and in its place the other half may stand by mistake.
    let shown = if path.ends_with("client_id") { HIDDEN.to_owned() } else { quoted(&id) };
    if let Some(problem) = tag_problem(&id) {
        reader.problem(path, format!("found {shown}: {problem}"));
        return None;
    }
    if id.strip_prefix(prefix).is_none_or(|rest| uuid::Uuid::try_parse(rest).is_err()) {
        reader.warnings.push(format!("{path} is {shown}: the platform's ids are {prefix} and a UUID"));
    }
    Some(id)
}

/// The zone of a bot's days and hours.
pub(super) fn time_zone(reader: &mut Reader, path: &str) -> Option<TimeZone> {
    let allowed = "the name of an IANA time zone such as \"Europe/Berlin\"";
    reader.get_or(path, allowed, || TimeZone::UTC, |name: String| zones::find(&name))
}

/// The channels to ask for, each once.
pub(super) fn channels(reader: &mut Reader, path: &str) -> Option<Vec<String>> {
    let allowed = "a list of channel names, each once, such as [\"all\", \"rtm\"]";
    let channels = reader.get_or(path, allowed, || vec![ALL_CHANNELS.to_owned()], some_set)?;
    for channel in &channels {
        if let Some(problem) = tag_problem(channel) {
            reader.problem(path, format!("found the channel {}: {problem}", quoted(channel)));
            return None;
        }
        if !KNOWN_CHANNELS.split(' ').any(|known| known == channel) {
            let channel = quoted(channel);
            reader.warnings.push(format!("{path}: unknown channel {channel}; it is requested as it is"));
        }
    }
    Some(channels)
}

/// The intervals to ask for, each once.
pub(super) fn intervals(reader: &mut Reader, path: &str) -> Option<Vec<Interval>> {
    let allowed = "a list of \"hourly\" and \"daily\", each at most once";
    reader.get_or(path, allowed, || vec![Interval::Hourly], some_set)
}

/// A list that holds something, and nothing twice.
fn some_set<T: PartialEq>(items: Vec<T>) -> Option<Vec<T>> {
    let is_set = items.iter().enumerate().all(|(place, item)| !items[..place].contains(item));
    (is_set && !items.is_empty()).then_some(items)
}

/// The tags of every point of a bot.
pub(super) fn tags(reader: &mut Reader, path: &str) -> Vec<(String, String)> {
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
