//! What the platform answers: strict about the shape, tolerant of what its documentation leaves open.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use jiff::civil::Date;
use serde::Deserialize;
use serde::de::{self, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;

pub use crate::domain::answer::{Answer, Buckets};
use crate::domain::point::Figures;
use crate::domain::series::Interval;
use crate::http::says_nothing;

/// Reads an answer of the v1 API.
///
/// # Errors
///
/// What is not as documented, and where in the body.
pub fn parse_v1(body: &[u8], interval: Interval) -> Result<Answer, String> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase", expecting = "an object")]
    struct V1 {
        results: Vec<RawDay>,
        total_results: Option<Total>,
        errors: Option<Value>,
        #[serde(flatten)]
        _others: Others,
    }
    let parsed: V1 = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    none_of(parsed.errors)?;
    let found = i64::try_from(parsed.results.len()).unwrap_or(i64::MAX);
    let mut answer = Answer::default();
    merge(&mut answer.days, parsed.results, interval, |figures| &mut figures.users)?;
    if let Some(Total::Count(Count(total))) = parsed.total_results
        && total != found
    {
        answer.oddity = Some(format!("totalResults is {total}, but the answer has {found} days"));
    }
    Ok(answer)
}

/// Reads an answer of the v2 API.
///
/// # Errors
///
/// What is not as documented, and where in the body.
pub fn parse_v2(body: &[u8], interval: Interval) -> Result<Answer, String> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase", expecting = "an object")]
    struct Trend {
        data_points: Vec<RawDay>,
        #[serde(flatten)]
        _others: Others,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase", expecting = "an object")]
    struct V2 {
        unique_users_trend: Trend,
        new_users_trend: Trend,
        returning_users_trend: Trend,
        errors: Option<Value>,
        #[serde(flatten)]
        _others: Others,
    }
    let parsed: V2 = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    none_of(parsed.errors)?;
    let mut answer = Answer::default();
    let days = &mut answer.days;
    merge(days, parsed.unique_users_trend.data_points, interval, |figures| &mut figures.users)?;
    merge(days, parsed.new_users_trend.data_points, interval, |figures| &mut figures.new_users)?;
    merge(days, parsed.returning_users_trend.data_points, interval, |figures| &mut figures.returning_users)?;
    Ok(answer)
}

/// An answer that contains an error is a failure, whatever else it contains.
fn none_of(errors: Option<Value>) -> Result<(), String> {
    match errors.is_none_or(|errors| says_nothing(&errors)) {
        true => Ok(()),
        false => Err("it contains an error message".to_owned()),
    }
}

/// Whatever else is there. With this in it, serde takes no list for a struct.
type Others = IgnoredAny;

/// How many days there should be. Nothing depends on it, so anything else in its place is not judged.
#[derive(Deserialize)]
#[serde(untagged)]
enum Total {
    Count(Count),
    Other(IgnoredAny),
}

/// Puts the days of one trend into their field of the answer.
fn merge(
    days: &mut BTreeMap<Date, Buckets>,
    trend: Vec<RawDay>,
    interval: Interval,
    field: fn(&mut Figures) -> &mut Option<i64>,
) -> Result<(), String> {
    let most = if interval == Interval::Hourly { 24 } else { 1 };
    for day in trend {
        let date = day.date;
        let (whole, hours): (_, &[_]) = match (interval, day.users) {
            (Interval::Hourly, Some(_)) => return Err(format!("{date} has daily users, but hourly were requested")),
            (Interval::Daily, None) => return Err(format!("{date} has no daily users")),
            (Interval::Daily, Some(users)) => (Some(users), &[]),
            (Interval::Hourly, None) => (None, &day.hours),
        };
        let hours = hours.iter().enumerate().filter_map(|(hour, users)| Some((Some(hour), (*users)?)));
        let told = whole.map(|users| (None, users)).into_iter().chain(hours);
        let buckets = days.entry(date).or_insert_with(|| Vec::with_capacity(most));
        for (bucket, users) in told {
            // Hours come in order: mostly it is the last place.
            let place = buckets.iter().rposition(|(known, _)| *known < bucket).map_or(0, |before| before + 1);
            if buckets.get(place).is_none_or(|(known, _)| *known != bucket) {
                buckets.insert(place, (bucket, Figures::default()));
            }
            if field(&mut buckets[place].1).replace(users).is_some() {
                return Err(format!("{date} appears twice"));
            }
        }
    }
    Ok(())
}

/// One entry of `results` or `dataPoints`.
struct RawDay {
    date: Date,
    hours: [Option<i64>; 24],
    users: Option<i64>,
}

impl<'de> Deserialize<'de> for RawDay {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(RawDayVisitor)
    }
}

/// The name of a figure. As bytes, and borrowed where nothing in it is escaped, it is read fastest; that its characters
/// are ones which JSON allows is not looked at.
#[derive(Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, [u8]>);

struct RawDayVisitor;

impl<'de> Visitor<'de> for RawDayVisitor {
    type Value = RawDay;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a day with its date and its users")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RawDay, A::Error> {
        let (mut date, mut hours, mut users) = (None, [None; 24], None);
        while let Some(Key(key)) = map.next_key()? {
            let twice = match &*key {
                _ if begins_with_digit(&key) => {
                    let wrong = || {
                        let key = String::from_utf8_lossy(&key);
                        de::Error::custom(format_args!("{key:?} is not an hour such as \"0 - 1\""))
                    };
                    let hour = parse_hour(&key).ok_or_else(wrong)?;
                    hours[hour].replace(map.next_value::<Count>()?.0).is_some()
                }
                b"date" => {
                    let text: String = map.next_value()?;
                    let wrong =
                        || de::Error::invalid_value(de::Unexpected::Str(&text), &"a date such as \"Aug 06 2020\"");
                    date.replace(parse_date(&text).ok_or_else(wrong)?).is_some()
                }
                b"users" => users.replace(map.next_value::<Count>()?.0).is_some(),
                // Something that the documentation does not speak of and that is no bucket.
                _ => {
                    map.next_value::<IgnoredAny>()?;
                    false
                }
            };
            if twice {
                return Err(de::Error::custom("a key stands twice in one day"));
            }
        }
        Ok(RawDay { date: date.ok_or_else(|| de::Error::missing_field("date"))?, hours, users })
    }
}

/// Whether a key is meant as an hour, whatever white space it begins with: it must then be one.
fn begins_with_digit(key: &[u8]) -> bool {
    let is_digit = |first: char| first.is_ascii_digit();
    key.first().is_some_and(u8::is_ascii_digit) || String::from_utf8_lossy(key).trim_start().starts_with(is_digit)
}

/// The hour that a bucket's key stands for: `"0 - 1"` is 0, `"23 - 0"` is 23.
pub fn parse_hour(key: &[u8]) -> Option<usize> {
    let dash = key.iter().position(|byte| *byte == b'-')?;
    let (from, to) = (parse_short(key[..dash].trim_ascii())?, parse_short(key[dash + 1..].trim_ascii())?);
    (from < 24 && to == (from + 1) % 24).then_some(from)
}

/// The date of a day as the platform writes it: `Aug 06 2020`.
pub fn parse_date(text: &str) -> Option<Date> {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let mut parts = text.split_ascii_whitespace();
    let (month, day, year) = (parts.next()?, parts.next()?, parts.next()?);
    let month = MONTHS.iter().position(|name| *name == month)? + 1;
    if parts.next().is_some() || year.len() != 4 || !year.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let (month, day) = (i8::try_from(month).ok()?, i8::try_from(parse_short(day.as_bytes())?).ok()?);
    Date::new(year.parse().ok()?, month, day).ok()
}

/// A number of one or two digits, and of nothing else: what looks otherwise may mean something else.
fn parse_short(text: &[u8]) -> Option<usize> {
    let digit = |byte: u8| byte.is_ascii_digit().then(|| usize::from(byte - b'0'));
    match *text {
        [one] => digit(one),
        [ten, one] => Some(10 * digit(ten)? + digit(one)?),
        _ => None,
    }
}

/// A number of users: an integer, or one in quotes, never negative.
struct Count(i64);

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(CountVisitor)
    }
}

struct CountVisitor;

impl Visitor<'_> for CountVisitor {
    type Value = Count;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number of users")
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Count, E> {
        i64::try_from(value).map(Count).map_err(|_| de::Error::invalid_value(de::Unexpected::Unsigned(value), &self))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Count, E> {
        // Up to 2^53 a whole number of this type is exact.
        if value.fract() == 0.0 && (0.0..9_007_199_254_740_992.0).contains(&value) {
            #[expect(clippy::cast_possible_truncation, reason = "whole and in range")]
            return Ok(Count(value as i64));
        }
        Err(de::Error::invalid_value(de::Unexpected::Float(value), &self))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Count, E> {
        let wrong = || de::Error::invalid_value(de::Unexpected::Str(text), &CountVisitor);
        match text.trim().parse::<u64>() {
            Ok(value) => i64::try_from(value).map(Count).map_err(|_| wrong()),
            Err(_) => match text.trim().parse::<f64>() {
                Ok(value) => self.visit_f64(value).map_err(|_: E| wrong()),
                Err(_) => Err(wrong()),
            },
        }
    }
}

#[cfg(test)]
#[path = "answer_tests.rs"]
mod tests;
