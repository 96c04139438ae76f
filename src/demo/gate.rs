//! Authentication and every error of the simulated platform.

use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, OnceLock};

use axum::http::StatusCode;
use jiff::Timestamp;
use parking_lot::Mutex;

use super::tokens::{self, DecryptionKey};
use crate::domain::bot::Bot;

/// An answer that is no figures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    pub(super) code: u16,
    pub(super) message: &'static str,
}

impl Refusal {
    pub(super) const INVALID: Refusal =
        refusal(StatusCode::PRECONDITION_FAILED, 412, "Validation errors/ Invalid arguments");
    pub(super) const TOO_LONG: Refusal = refusal(StatusCode::PAYLOAD_TOO_LARGE, 413, "The date range is too long");
    pub(super) const TOO_LARGE: Refusal = refusal(StatusCode::PAYLOAD_TOO_LARGE, 413, "The request is too large");
    pub(super) const WRONG_METHOD: Refusal = refusal(StatusCode::METHOD_NOT_ALLOWED, 405, "Method Not Allowed");
    pub(super) const WRONG_PATH: Refusal = refusal(StatusCode::NOT_FOUND, 404, "Not Found");
    pub(super) const TOO_OFTEN: Refusal = refusal(StatusCode::TOO_MANY_REQUESTS, 429, "API rate limit exceeded");
    pub(super) const UNAVAILABLE: Refusal = refusal(StatusCode::SERVICE_UNAVAILABLE, 503, "Service Unavailable");

    const UNKNOWN_BOT: Refusal = refusal(StatusCode::BAD_REQUEST, 400, "Invalid StreamId");
    const CREDENTIALS: Refusal = refusal(StatusCode::UNAUTHORIZED, 4002, "Invalid SDK credentials");
    const NO_TOKEN: Refusal = refusal(StatusCode::UNAUTHORIZED, 4002, "Invalid JWT token");
    const EXPIRED: Refusal = refusal(StatusCode::UNAUTHORIZED, 401, "error verifying the jwt: jwt expired");
    const TOO_FAR: Refusal =
        refusal(StatusCode::UNAUTHORIZED, 401, "error verifying the jwt: exp is more than one hour away");
    const REPLAY: Refusal = refusal(StatusCode::UNAUTHORIZED, 401, "error verifying the jwt: possibly a replay");
}

const fn refusal(status: StatusCode, code: u16, message: &'static str) -> Refusal {
    Refusal { status, code, message }
}

/// The configured bots and the tokens they used.
pub(super) struct Gate {
    bots: Mutex<Vec<Arc<Bot>>>,
    decryption_key: OnceLock<DecryptionKey>,
    used: Mutex<Used>,
}

impl Gate {
    pub(super) fn new(bots: &[Arc<Bot>]) -> Gate {
        Gate { bots: Mutex::new(bots.to_vec()), decryption_key: OnceLock::new(), used: Mutex::default() }
    }

    /// From now on these bots are known.
    pub(super) fn set_bots(&self, bots: &[Arc<Bot>]) {
        *self.bots.lock() = bots.to_vec();
    }

    /// From now on tokens that are encrypted to this key are opened.
    pub(super) fn decrypt_with(&self, key: DecryptionKey) {
        let _there_is_one = self.decryption_key.set(key);
    }

    /// The bot of that id whose app made the token, which is good for this one request.
    pub(super) fn admit(&self, bot_id: &str, token: Option<&str>, now: Timestamp) -> Result<Arc<Bot>, Refusal> {
        let bots = self.bots.lock();
        let of_that_id = || bots.iter().filter(|bot| *bot.id == *bot_id);
        of_that_id().next().ok_or(Refusal::UNKNOWN_BOT)?;
        let token = token.ok_or(Refusal::CREDENTIALS)?;
        if !tokens::is_token(token) {
            return Err(Refusal::NO_TOKEN);
        }
        let opened = self.decryption_key.get().and_then(|key| key.open(token));
        let (bot, claims) = of_that_id()
            .find_map(|bot| {
                // An app for which a key is configured insists on encrypted tokens.
                let token =
                    if bot.encryption.is_some() { opened.as_deref()? } else { opened.as_deref().unwrap_or(token) };
                let claims = tokens::claims(&bot.key, token)?;
                (claims.app_id == bot.client_id).then_some((bot, claims))
            })
            .ok_or(Refusal::CREDENTIALS)?;
        match claims.exp - now.as_second() {
            ..=0 => Err(Refusal::EXPIRED),
            3601.. => Err(Refusal::TOO_FAR),
            _ if !self.used.lock().insert(claims.jti) => Err(Refusal::REPLAY),
            _ => Ok(Arc::clone(bot)),
        }
    }
}

/// How many used tokens are remembered.
const MEMORY: usize = 100_000;

/// The `jti` of the latest tokens.
#[derive(Default)]
struct Used {
    known: HashSet<String>,
    in_order: VecDeque<String>,
}

impl Used {
    /// Whether it was new.
    fn insert(&mut self, jti: String) -> bool {
        if !self.known.insert(jti.clone()) {
            return false;
        }
        self.in_order.push_back(jti);
        if self.in_order.len() > MEMORY
            && let Some(oldest) = self.in_order.pop_front()
        {
            self.known.remove(&oldest);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;
    use crate::domain::bot::test_bot;
    use crate::domain::credentials::{Algorithm, SigningKey};

    fn now() -> Timestamp {
        "2026-08-06T12:00:00Z".parse().unwrap()
    }

    fn minutes_later(minutes: i64) -> Timestamp {
        now().checked_add(SignedDuration::from_mins(minutes)).unwrap()
    }

    fn gate() -> Gate {
        Gate::new(&[Arc::new(test_bot("support"))])
    }

    fn mint(client_id: &str) -> String {
        test_bot("support").key.mint(client_id, now()).unwrap()
    }

    fn check(token: Option<&str>, at: Timestamp, expected: Result<&str, Refusal>) {
        let gate = gate();
        let admitted = gate.admit("st-support", token, at).map(|bot| bot.name.clone());
        assert_eq!(admitted, expected.map(Arc::from), "{token:?} at {at}");
    }

    #[test]
    fn the_configured_credentials_are_admitted() {
        check(Some(&mint("cs-support")), now(), Ok("support"));
    }

    #[test]
    fn wrong_credentials_are_refused_in_the_documented_words() {
        let other_secret = SigningKey::hmac(Algorithm::HS256, b"another").mint("cs-support", now()).unwrap();
        check(Some(&other_secret), now(), Err(Refusal::CREDENTIALS));
        check(Some(&mint("cs-other")), now(), Err(Refusal::CREDENTIALS));
        check(None, now(), Err(Refusal::CREDENTIALS));
        check(Some("no token"), now(), Err(Refusal::NO_TOKEN));
    }

    #[test]
    fn a_token_is_good_within_an_hour_of_its_end() {
        check(Some(&mint("cs-support")), minutes_later(29), Ok("support"));
        check(Some(&mint("cs-support")), minutes_later(-30), Ok("support"));
        check(Some(&mint("cs-support")), minutes_later(30), Err(Refusal::EXPIRED));
        check(Some(&mint("cs-support")), minutes_later(-31), Err(Refusal::TOO_FAR));
    }

    #[test]
    fn a_token_works_once() {
        let (gate, token) = (gate(), mint("cs-support"));
        assert!(gate.admit("st-support", Some(&token), now()).is_ok());
        assert_eq!(gate.admit("st-support", Some(&token), now()).err(), Some(Refusal::REPLAY));
    }

    #[test]
    fn an_unknown_bot_is_no_stream() {
        assert_eq!(gate().admit("st-other", Some(&mint("cs-support")), now()).err(), Some(Refusal::UNKNOWN_BOT));
    }

    #[test]
    fn bots_that_share_an_id_are_told_apart_by_their_app() {
        let mut other = test_bot("other");
        other.id = "st-support".into();
        let gate = Gate::new(&[Arc::new(test_bot("support")), Arc::new(other)]);
        for (client_id, name) in [("cs-other", "other"), ("cs-support", "support")] {
            assert_eq!(gate.admit("st-support", Some(&mint(client_id)), now()).unwrap().name, name.into());
        }
    }

    #[test]
    fn the_memory_of_tokens_is_bounded() {
        let mut used = Used::default();
        for number in 0..MEMORY + 10 {
            assert!(used.insert(number.to_string()));
        }
        assert_eq!((used.known.len(), used.in_order.len()), (MEMORY, MEMORY));
        assert!(!used.insert("10".into()) && used.insert("9".into()));
    }
}
