//! Which database answers: known by one question at the start, and asked in its own way from then on.

use reqwest::Method;
use reqwest::header::HeaderName;
use serde_json::Value;

use super::InfluxDbSink;
use crate::database::WriteFailure;
use crate::http::Reply;

/// A kind of database, as far as it is asked in another way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Generation {
    /// InfluxDB 1.
    One,
    /// InfluxDB 2.
    Two,
    /// InfluxDB 3.
    Three,
    /// InfluxDB Cloud.
    Cloud,
    /// Something else that takes its writes.
    Other,
}

impl std::fmt::Display for Generation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Generation::One => "InfluxDB 1",
            Generation::Two => "InfluxDB 2",
            Generation::Three => "InfluxDB 3",
            Generation::Cloud => "InfluxDB Cloud",
            Generation::Other => "unknown kind of database",
        })
    }
}

impl InfluxDbSink {
    /// Asks `/ping`, and `/health` where that does not tell; neither creates anything. An optional endpoint that is not
    /// there decides nothing; a failure is told only if both fail.
    ///
    /// # Errors
    ///
    /// If the database cannot be reached, or its health needs a token and does not accept this one.
    pub(super) async fn generation(&self) -> Result<Generation, WriteFailure> {
        let ping = self.optional("ping").await;
        if let Ok(Some(found)) = ping.as_ref().map(of) {
            return Ok(found);
        }
        let health = self.optional("health").await;
        match (ping, health) {
            (_, Ok(reply)) => Ok(of(&reply).unwrap_or(Generation::Other)),
            (Ok(_), Err(failure)) if failure.is_denied() => Err(failure),
            (Ok(_), Err(_)) => Ok(Generation::Other),
            (Err(ping), Err(health)) => match health {
                // Neither endpoint is there, which tells nothing of the one that takes writes.
                WriteFailure::Refused(_) if !health.is_denied() && !ping.is_denied() => Ok(Generation::Other),
                _ => Err(if ping.is_denied() { ping } else { health }),
            },
        }
    }

    async fn optional(&self, path: &str) -> Result<Reply, WriteFailure> {
        let token = self.read_token();
        self.ask(self.request(Method::GET, &[path], token)?, token).await
    }
}

/// What an answer to `/ping` or `/health` tells. InfluxDB 1 and 2 answer with a header of their version (2 with a "v"),
/// their health in JSON; InfluxDB 3 with its name and version in JSON; Cloud names itself in the header of its build.
fn of(reply: &Reply) -> Option<Generation> {
    let header = |name| reply.header(HeaderName::from_static(name));
    if header("x-influxdb-build").is_some_and(|build| build.eq_ignore_ascii_case("cloud")) {
        return Some(Generation::Cloud);
    }
    let json: Option<Value> = serde_json::from_slice(&reply.body).ok();
    let text = |key| json.as_ref().and_then(|json| json.get(key)?.as_str());
    let is_influxdb = header("x-influxdb-version").is_some()
        || text("name").is_some_and(|name| name.eq_ignore_ascii_case("influxdb"))
        || text("product_name").is_some_and(|name| name.to_lowercase().contains("influxdb"))
        || header("x-influxdb-build").is_some()
        || (text("version").is_some() && text("revision").is_some());
    let version = text("version").or_else(|| header("x-influxdb-version"))?;
    match version.trim_start_matches('v').split('.').next()? {
        _ if !is_influxdb => None,
        "0" | "1" => Some(Generation::One),
        "2" => Some(Generation::Two),
        "3" => Some(Generation::Three),
        // Built by hand: InfluxDB 2 tells the commit it was built from, InfluxDB 1 does not.
        _ if text("commit").is_some() => Some(Generation::Two),
        _ => text("status").map(|_| Generation::One),
    }
}

#[cfg(test)]
mod tests {
    use reqwest::header::{HeaderMap, HeaderValue};

    use super::*;

    #[test]
    fn each_generation_is_known_by_its_answers() {
        let reply = |headers: &[(&'static str, &'static str)], body: &str| {
            let mut map = HeaderMap::new();
            for (name, value) in headers {
                map.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
            }
            Reply { status: 200, headers: map, body: body.as_bytes().to_vec() }
        };
        let version = |version| [("x-influxdb-version", version), ("x-influxdb-build", "OSS")];
        for (headers, body, expected) in [
            (&version("1.13.2")[..], "", Some(Generation::One)),
            (&version("v2.7.12"), "", Some(Generation::Two)),
            (&[("x-influxdb-build", "Cloud")], "", Some(Generation::Cloud)),
            (&[], r#"{"version":"3.10.0","revision":"a","product_name":"InfluxDB 3 Core"}"#, Some(Generation::Three)),
            (&[("x-influxdb-version", "3.10.0")], "", Some(Generation::Three)),
            (&[], r#"{"name":"influxdb","status":"pass","version":"2.7.12"}"#, Some(Generation::Two)),
            (&[], r#"{"name":"influxdb","status":"pass","version":"1.8.10"}"#, Some(Generation::One)),
            (&version("dev"), "", None),
            (&[], r#"{"name":"influxdb","status":"pass","version":"dev","commit":"none"}"#, Some(Generation::Two)),
            (&[], r#"{"name":"influxdb","status":"pass","version":"unknown"}"#, Some(Generation::One)),
            (&[], "OK", None),
            (&[], r#"{"name":"something","version":"2.0"}"#, None),
        ] {
            assert_eq!(of(&reply(headers, body)), expected, "{headers:?} {body}");
        }
    }
}
