//! What a refusal of the database means, by its words as they came: one table for all generations. Whole words count,
//! never letters, and what the answer quotes (a bucket, a measurement, a line) does not count as words of its own.

use jiff::Timestamp;
use serde_json::Value;

use crate::http::says_nothing;

/// What the database refuses, and what of a write it took.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// The points that are older than the retention were dropped, and the rest is stored; so many, if it says.
    Retention(Option<usize>),
    /// Nothing is stored, for some points are older than this, in Unix seconds.
    OlderThan(i64),
    /// These lines are refused; the rest is stored if `rest_is_stored`.
    NumberedLines {
        /// Each line's place in the write, from 0, and what is wrong with it.
        refused: Vec<(usize, String)>,
        /// The places of those that are older than the retention: dropped for good.
        beyond_retention: Vec<usize>,
        /// Whether the other lines need not be written again.
        rest_is_stored: bool,
    },
    /// It is a matter of one or more lines; of so many, if it says.
    Lines(Option<usize>),
    /// There was no line in the write.
    Empty,
    /// The write is too long.
    TooLarge,
    /// The token is wrong or may not write.
    Denied,
    /// The bucket, the organization or the address does not exist.
    Absent,
    /// The same write may well succeed a moment later.
    Passing,
    /// Anything else: the write as such failed.
    Other,
}

/// An answer that was made sense of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// What it means.
    pub meaning: Meaning,
    /// The database's own words, as they came.
    pub words: String,
    /// What to do, where the words tell.
    pub advice: Option<&'static str>,
}

/// What the words of a row say, whatever the status.
#[derive(Clone, Copy)]
enum Says {
    Retention,
    OlderThan,
    Lines,
    Empty,
    /// The status says what it means; the row brings the advice, and keeps the rows below from speaking.
    ByStatus,
}

/// The words of which each must occur, what they mean, and the advice that fits them. `#` is a number.
struct Row(&'static [&'static str], Says, Option<&'static str>);

const TYPE: Option<&str> = Some("another program may have written the field with another type");
const DISK: Option<&str> = Some("the database's disk is full");
const DATABASES: Option<&str> =
    Some("the database has as many databases as it may: delete one, or set influxdb.bucket to an existing one");
const NAME: Option<&str> = Some("set influxdb.bucket to a name that the database allows");
const SERIES: Option<&str> = Some("raise the database's limit of series or tag values, or delete series nobody needs");
const RETENTION: Option<&str> = Some("raise the bucket's retention");

/// From the most special to the most general; the first row that fits decides.
const TABLE: &[Row] = &[
    // Cloud (Serverless, Dedicated): "dml handler error: data in table … is outside of the retention period: minimum
    // acceptable timestamp is …, but observed timestamp … is older", 403 or 422, nothing stored (its API reference and
    // influxdata/influxdb's tracker, February 2024).
    Row(&["retention period", "minimum acceptable timestamp is"], Says::OlderThan, RETENTION),
    Row(&["outside of the retention period"], Says::Retention, RETENTION),
    Row(&["outside the retention period"], Says::Retention, RETENTION),
    // InfluxDB 1.3 to 1.11 (400), 2.0 (500) and 2.1 to 2.7.11 (422): coordinator/points_writer.go.
    Row(&["points beyond retention policy"], Says::Retention, RETENTION),
    // InfluxDB 1.12 and later (400), 2.7.12 (422): the same file, and measured on 1.13.2 and 2.7.12.
    Row(&["points outside retention policy"], Says::Retention, RETENTION),
    // InfluxDB 3 Core 3.10, measured: a comment or an empty body.
    Row(&["incoming write was empty"], Says::Empty, None),
    // InfluxDB 3 Core 3.10, measured; any generation through the error of its system.
    Row(&["no space left on device"], Says::ByStatus, DISK),
    Row(&["storagefull"], Says::ByStatus, DISK),
    Row(&["disk quota exceeded"], Says::ByStatus, DISK),
    // InfluxDB 3 Core 3.10, measured: "catalog update error: Adding a new database would exceed limit of 5 databases".
    Row(&["limit of # databases"], Says::ByStatus, DATABASES),
    Row(&["catalog update error"], Says::ByStatus, None),
    Row(&["error from wal"], Says::ByStatus, None),
    // InfluxDB 3 Core 3.10, measured: "namespace name 'a b' contains invalid character …".
    Row(&["namespace name", "invalid character"], Says::ByStatus, NAME),
    Row(&["database name", "invalid character"], Says::ByStatus, NAME),
    // What HTTP calls a field and a line, by a proxy or a server's library.
    Row(&["header field"], Says::ByStatus, None),
    Row(&["header fields"], Says::ByStatus, None),
    Row(&["request line"], Says::ByStatus, None),
    // InfluxDB 1 and 2, tsdb/shard.go and tsdb/engine/tsm1: the other points of the write are stored. Measured.
    Row(&["field type conflict"], Says::Lines, TYPE),
    // InfluxDB 1, tsdb/store.go and tsdb/index/inmem: "partial write: max-values-per-tag limit exceeded (…) dropped=1".
    Row(&["limit exceeded", "partial write", "dropped"], Says::Lines, SERIES),
    // InfluxDB 3 Core 3.10, measured: "line protocol parse failed: invalid column type for column 'users', …".
    Row(&["invalid column type"], Says::Lines, TYPE),
    Row(&["line protocol parse failed"], Says::Lines, None),
    // InfluxDB Cloud (its guide to writing): "failed to parse line protocol: errors encountered on line(s): …".
    Row(&["failed to parse line protocol"], Says::Lines, None),
    // InfluxDB 1 and 2, models/points.go: "unable to parse '…': missing fields". Measured.
    Row(&["unable to parse"], Says::Lines, None),
    Row(&["partial write"], Says::Lines, None),
    // Go's own answer to a path that nobody serves.
    Row(&["# page not found"], Says::ByStatus, Some(NO_WRITE_API)),
];

/// Words by which an answer speaks of lines, in whatever generation, and only in a 400 or 422.
const OF_LINES: [&str; 6] = ["line", "lines", "field", "fields", "column", "columns"];

/// Makes sense of an answer that is not a success.
pub fn read(status: u16, body: &[u8]) -> Reading {
    let text = String::from_utf8_lossy(body);
    let json: Option<Value> = serde_json::from_str(&text).ok();
    let said = json.as_ref().and_then(|json| json.get("message").or_else(|| json.get("error"))?.as_str());
    let words = said.unwrap_or(&text).trim().to_owned();
    if let Some(numbered) = json.as_ref().and_then(|json| numbered(json, &words)) {
        return numbered;
    }
    // JSON of another form, or cut off, stands in quotes itself.
    let plain = if said.is_none() && words.starts_with('{') { words.clone() } else { without_quotes(&words) };
    let plain = Words::of(&plain);
    if words.starts_with('<') {
        let meaning = by_status(status);
        let advice = (meaning != Meaning::TooLarge).then_some(NOT_THE_DATABASE);
        return Reading { meaning, words, advice };
    }
    // InfluxDB 1 is "unable to parse authentication credentials", which is no matter of lines.
    let may_be_lines = matches!(status, 400 | 422 | 500);
    let mut rows = TABLE.iter().filter(|row| may_be_lines || !matches!(row.1, Says::Lines));
    let Some(Row(_, says, advice)) = rows.find(|row| plain.say(row.0)) else {
        let of_lines = || plain.0.iter().any(|word| OF_LINES.contains(&word.as_str()));
        let meaning = if matches!(status, 400 | 422) && of_lines() { Meaning::Lines(None) } else { by_status(status) };
        return Reading { meaning, words, advice: None };
    };
    let meaning = match says {
        Says::Retention => Meaning::Retention(plain.dropped()),
        Says::OlderThan => timestamp_after(&words, "minimum acceptable timestamp is")
            .map_or(Meaning::Retention(None), |oldest| Meaning::OlderThan(oldest.as_second())),
        Says::Lines => Meaning::Lines(plain.dropped()),
        Says::Empty => Meaning::Empty,
        Says::ByStatus => by_status(status),
    };
    Reading { meaning, words, advice: *advice }
}

/// Whether the body of a success speaks against it: an error, or a page of something in between.
pub fn is_refusal(body: &[u8]) -> bool {
    let body = body.trim_ascii_start();
    let names_error =
        |json: Value| ["error", "errors"].iter().any(|key| json.get(key).is_some_and(|error| !says_nothing(error)));
    body.starts_with(b"<") || serde_json::from_slice(body).is_ok_and(names_error)
}

/// What to do where the token may only write.
pub const READ_TOKEN: &str = "set influxdb.read_token_file to a token that may";

/// What to do where a question for points fails with these words; empty where they suggest nothing.
pub fn advice_for_reading(words: &str) -> &'static str {
    let words = Words::of(words);
    let says = |phrase| words.say(&[phrase]);
    // InfluxDB 3 Core 3.10, measured, with status 200: "Query would scan 433 Parquet files, exceeding the file limit".
    if says("parquet files") || says("query file limit") {
        return "raise the database's --query-file-limit";
    }
    // InfluxDB 1: "… not authorized to execute statement …"; InfluxDB 2: "could not find bucket …", "unauthorized
    // access", by InfluxQL "database not found" or "no dbrp mapping".
    let denied = ["not authorized", "unauthorized", "could not find bucket", "database not found", "dbrp mapping"];
    if denied.into_iter().any(says) { READ_TOKEN } else { "" }
}

/// What to do where nobody takes writes.
pub const NO_WRITE_API: &str = "check influxdb.url: the write API is not at this address";

const NOT_THE_DATABASE: &str =
    "this is not the database's answer: check influxdb.url and what is in between, such as a proxy";

fn by_status(status: u16) -> Meaning {
    match status {
        401 | 403 => Meaning::Denied,
        404 => Meaning::Absent,
        413 => Meaning::TooLarge,
        408 | 429 | 500..=599 => Meaning::Passing,
        _ => Meaning::Other,
    }
}

/// InfluxDB 3's own endpoint and Cloud number the lines: `{"error":"partial write of line protocol occurred",
/// "data":[{"line_number":1,"error_message":"…"}]}` (their API references). They list a hundred at most.
fn numbered(json: &Value, words: &str) -> Option<Reading> {
    const MOST_LISTED: usize = 100;
    let data = json.get("data")?;
    let data = data.as_array().map_or(std::slice::from_ref(data), Vec::as_slice);
    let line = |line: &Value| {
        let place = usize::try_from(line.get("line_number")?.as_u64()?).ok()?.checked_sub(1)?;
        let message = line.get("error_message").and_then(Value::as_str).unwrap_or(words);
        Some((place, message.to_owned()))
    };
    let lines: Vec<(usize, String)> = data.iter().filter_map(line).collect();
    let (_, first) = lines.first()?;
    let advice = if Words::of(first).say(&["invalid column type"]) { TYPE } else { None };
    let words = format!("{words}: {first}");
    let rest_is_stored = lines.len() < MOST_LISTED && Words::of(&words).say(&["partial write"]);
    let is_old = |(_, message): &(usize, String)| {
        let message = Words::of(message);
        TABLE.iter().any(|row| matches!(row.1, Says::Retention | Says::OlderThan) && message.say(row.0))
    };
    let (old, refused): (Vec<_>, Vec<_>) = lines.into_iter().partition(is_old);
    let beyond_retention = old.into_iter().map(|(place, _)| place).collect();
    Some(Reading { meaning: Meaning::NumberedLines { refused, beyond_retention, rest_is_stored }, words, advice })
}

/// The words of a text: its runs of letters and digits, in lower case.
struct Words(Vec<String>);

impl Words {
    fn of(text: &str) -> Words {
        let words = text.split(|letter: char| !letter.is_alphanumeric()).filter(|word| !word.is_empty());
        Words(words.map(str::to_lowercase).collect())
    }

    /// Whether every phrase occurs.
    fn say(&self, phrases: &[&str]) -> bool {
        phrases.iter().all(|phrase| {
            let phrase: Vec<&str> = phrase.split(' ').collect();
            let fits = |(word, wanted): (&String, &&str)| match *wanted {
                "#" => word.bytes().all(|byte| byte.is_ascii_digit()),
                wanted => word == wanted,
            };
            self.0.windows(phrase.len()).any(|words| words.iter().zip(&phrase).all(fits))
        })
    }

    /// How many points were dropped, if the words tell.
    fn dropped(&self) -> Option<usize> {
        let number = |words: &[String]| words[1].parse().ok().filter(|_| words[0] == "dropped");
        self.0.windows(2).find_map(number)
    }
}

/// The text without what stands between two single or two double quotes. An apostrophe within a word is none.
fn without_quotes(text: &str) -> String {
    let letters: Vec<char> = text.chars().collect();
    let is_word = |place: Option<&char>| place.is_some_and(|letter| letter.is_alphanumeric());
    let (mut kept, mut quote) = (String::with_capacity(text.len()), None);
    for (place, letter) in letters.iter().enumerate() {
        let before = place.checked_sub(1).and_then(|place| letters.get(place));
        match quote {
            None if matches!(letter, '\'' | '"') && !is_word(before) => {
                let ends = |end: &usize| letters[*end] == *letter && !is_word(letters.get(end + 1));
                quote = (place + 1..letters.len()).find(ends);
                if quote.is_none() {
                    kept.push(*letter);
                }
            }
            None => kept.push(*letter),
            Some(end) if end == place => quote = None,
            Some(_) => {}
        }
    }
    kept
}

fn timestamp_after(text: &str, phrase: &str) -> Option<Timestamp> {
    let rest = &text[text.find(phrase)? + phrase.len()..];
    let word = rest.split_whitespace().next()?;
    word.trim_end_matches(|letter: char| !letter.is_alphanumeric()).parse().ok()
}

#[cfg(test)]
#[path = "wordings_tests.rs"]
mod tests;
