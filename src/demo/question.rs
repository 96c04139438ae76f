//! What a request asks of the simulated platform: its parameters, from the query or the body, read once.

use std::collections::HashMap;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde_json::Value;

use super::gate::Refusal;
use crate::config;
use crate::domain::series::{ALL_CHANNELS, Interval, Window, day_after};

/// A valid question of a bot.
pub(super) struct Question {
    pub(super) bot_id: String,
    /// A channel, or [`ALL_CHANNELS`].
    pub(super) channel: String,
    /// The zone of its days and hours.
    pub(super) zone: TimeZone,
    pub(super) interval: Interval,
    pub(super) first: Date,
    /// Included; never before `first`.
    pub(super) last: Date,
    /// Only v2 knows these two; they change no figure and are told back.
    pub(super) conversation_type: String,
    pub(super) conversation_status: String,
}

impl Question {
    /// Every day that was asked for.
    pub(super) fn days(&self) -> impl Iterator<Item = Date> + use<> {
        let first = self.first;
        (0..i64::from(Window { first, last: self.last }.days())).map(move |days| day_after(first, days))
    }
}

/// A longer range is too much for one answer, as it is for the real platform, at a length that nobody documents.
const LONGEST_RANGE: u32 = 4000;

/// The parameters of one request by name, all of them optional.
pub(super) struct Parameters {
    query: HashMap<String, String>,
    filters: Value,
}

impl Parameters {
    /// Those of the query come before those under `filters` in a JSON body, which v1 reads too.
    pub(super) fn new(query: HashMap<String, String>, body: &[u8]) -> Result<Parameters, Refusal> {
        let mut body = match body {
            [] => Value::Null,
            body => serde_json::from_slice(body).map_err(|_| Refusal::INVALID)?,
        };
        let filters = body.get_mut("filters").map(Value::take).unwrap_or_default();
        Ok(Parameters { query, filters })
    }

    /// What v1 is asked: days and hours are those of the bot's `zone`.
    pub(super) fn v1(&self, bot_id: String, zone: TimeZone) -> Result<Question, Refusal> {
        let (first, last) = (self.date("start_date")?, self.date("end_date")?);
        let question = Question {
            bot_id,
            channel: self.channel(),
            zone,
            interval: self.interval()?,
            first,
            last,
            conversation_type: self.lower_case("conversationType"),
            conversation_status: self.lower_case("conversationStatus"),
        };
        if last < first {
            Err(Refusal::INVALID)
        } else if (Window { first, last }).days() > LONGEST_RANGE {
            Err(Refusal::TOO_LONG)
        } else {
            Ok(question)
        }
    }

    /// What v2 is asked: days and hours are those of the zone that `timeZoneOffset` names, or of UTC.
    pub(super) fn v2(&self, bot_id: String) -> Result<Question, Refusal> {
        let zone = match self.get("timeZoneOffset") {
            Some(name) => config::time_zone(name).ok_or(Refusal::INVALID)?,
            None => TimeZone::UTC,
        };
        self.v1(bot_id, zone)
    }

    fn get(&self, name: &str) -> Option<&str> {
        let query = self.query.get(name).map(String::as_str);
        query.or_else(|| self.filters.get(name)?.as_str()).filter(|value| !value.is_empty())
    }

    /// Only as in `2026-08-06`.
    fn date(&self, name: &str) -> Result<Date, Refusal> {
        let text = self.get(name).ok_or(Refusal::INVALID)?;
        let date: Date = text.parse().map_err(|_| Refusal::INVALID)?;
        if date.to_string() == text { Ok(date) } else { Err(Refusal::INVALID) }
    }

    fn interval(&self) -> Result<Interval, Refusal> {
        match self.get("aggregation_type").map(str::to_lowercase).as_deref() {
            None | Some("hourly") => Ok(Interval::Hourly),
            Some("daily") => Ok(Interval::Daily),
            Some(_) => Err(Refusal::INVALID),
        }
    }

    /// The vendor's pages disagree about the name of this one.
    fn channel(&self) -> String {
        match self.get("channels").or_else(|| self.get("channel")) {
            Some(channel) if !channel.eq_ignore_ascii_case(ALL_CHANNELS) => channel.to_owned(),
            _ => ALL_CHANNELS.to_owned(),
        }
    }

    fn lower_case(&self, name: &str) -> String {
        self.get(name).unwrap_or("all").to_lowercase()
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    fn parameters(query: &[(&str, &str)], body: &str) -> Result<Parameters, Refusal> {
        let query = query.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Parameters::new(query, body.as_bytes())
    }

    fn ask(query: &[(&str, &str)], body: &str) -> Result<Question, Refusal> {
        parameters(query, body)?.v1("st-1".into(), TimeZone::UTC)
    }

    #[test]
    fn the_query_comes_before_the_body() {
        let body = r#"{"filters": {"aggregation_type": "daily", "start_date": "2026-08-01", "end_date": "2026-08-09",
                       "channel": "rtm"}}"#;
        let question = ask(&[("end_date", "2026-08-03")], body).unwrap();
        assert_eq!((question.first, question.last), (date(2026, 8, 1), date(2026, 8, 3)));
        assert_eq!((question.channel.as_str(), question.interval), ("rtm", Interval::Daily));
        assert_eq!(question.days().count(), 3);
    }

    #[test]
    fn hours_of_all_channels_are_the_default() {
        let question = ask(&[("start_date", "2026-08-01"), ("end_date", "2026-08-01")], "").unwrap();
        assert_eq!((question.channel.as_str(), question.interval), (ALL_CHANNELS, Interval::Hourly));
    }

    #[test]
    fn wrong_parameters_are_refused() {
        let check = |start: &str, end: &str, more: (&str, &str), expected: Refusal| {
            let refusal = ask(&[("start_date", start), ("end_date", end), more], "").err();
            assert_eq!(refusal, Some(expected), "{start} {end} {more:?}");
        };
        let nothing = ("nothing", "");
        check("", "2026-08-01", nothing, Refusal::INVALID);
        check("2026-08-02", "2026-08-01", nothing, Refusal::INVALID);
        check("2026-02-30", "2026-08-01", nothing, Refusal::INVALID);
        check("20260801", "2026-08-01", nothing, Refusal::INVALID);
        check("2026-08-01", "2026-08-01T00:00:00Z", nothing, Refusal::INVALID);
        check("2026-08-01", "2026-08-01", ("aggregation_type", "weekly"), Refusal::INVALID);
        check("1990-01-01", "2026-08-01", nothing, Refusal::TOO_LONG);
        assert_eq!(ask(&[], "no JSON").err(), Some(Refusal::INVALID));
    }

    #[test]
    fn v2_names_its_zone() {
        let days = [("start_date", "2026-08-01"), ("end_date", "2026-08-01")];
        let zone = |name| {
            let query = [days[0], days[1], ("timeZoneOffset", name)];
            Ok(parameters(&query, "")?.v2("st-1".into())?.zone)
        };
        assert_eq!(zone("Asia/Kolkata"), Ok(TimeZone::get("Asia/Kolkata").unwrap()));
        assert_eq!(zone(""), Ok(TimeZone::UTC));
        assert_eq!(zone("Asia/Nowhere"), Err(Refusal::INVALID));
    }
}
