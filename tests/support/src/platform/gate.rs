//! Who may ask: the tokens of the configured bots, read as strictly as the platform reads them, and by another library
//! than the exporter's.

use std::collections::HashSet;

use jiff::Timestamp;
use kore_trend_exporter::demo::tokens::own_key;
use openssl::base64::decode_block;
use openssl::hash::MessageDigest;
use openssl::memcmp;
use openssl::pkey::{PKey, Private};
use openssl::rsa::Rsa;
use openssl::sign::{Signer, Verifier};
use serde_json::Value;

use super::Asked;
use crate::server::Reply;

/// A bot as its section of a configuration has it.
struct Bot {
    id: String,
    client_id: String,
    key: PKey<Private>,
    is_rsa: bool,
}

/// The bots, and the tokens that were used.
pub(super) struct Gate {
    bots: Vec<Bot>,
    used: HashSet<String>,
}

impl Gate {
    /// For the bots of these sections of a configuration.
    pub(super) fn new(sections: &str) -> Gate {
        let sections: toml::Table = sections.parse().unwrap();
        let bots = sections.get("bots").and_then(toml::Value::as_table).into_iter().flatten();
        Gate { bots: bots.map(|(_, bot)| Bot::new(bot)).collect(), used: HashSet::new() }
    }

    /// Whether the request's token is good for it, which it is once.
    pub(super) fn admit(&mut self, asked: &Asked, now: Timestamp) -> Result<(), Reply> {
        if !asked.path.starts_with("/api/public/bot/") {
            return Ok(());
        }
        let of_that_id: Vec<&Bot> = self.bots.iter().filter(|bot| bot.id == asked.bot_id()).collect();
        if of_that_id.is_empty() {
            return Err(Reply::errors(400, 400, "Invalid StreamId"));
        }
        let wrong = || Reply::errors(401, 4002, "Invalid SDK credentials");
        let token = asked.headers.get("auth").ok_or_else(wrong)?;
        let is_encrypted = token.split('.').count() == 5;
        let opened = is_encrypted.then(|| own_key().unwrap().open(token)).flatten();
        let token = opened.as_ref().unwrap_or(token);
        let [head, claims, signature] = token.split('.').collect::<Vec<_>>()[..] else {
            return Err(Reply::errors(401, 4002, "Invalid JWT token"));
        };
        let (header, claims) = (json(head).ok_or_else(wrong)?, json(claims).ok_or_else(wrong)?);
        let signed = &token[..token.rfind('.').unwrap()];
        let is_of = |bot: &&Bot| {
            claims["appId"] == bot.client_id.as_str()
                && bot.has_signed(
                    header["alg"].as_str().unwrap_or_default(),
                    signed,
                    &decoded(signature).unwrap_or_default(),
                )
        };
        of_that_id.into_iter().find(is_of).ok_or_else(wrong)?;
        let refused = |words: &str| Reply::errors(401, 401, &format!("error verifying the jwt: {words}"));
        match claims["exp"].as_i64().unwrap_or(0) - now.as_second() {
            ..=0 => Err(refused("jwt expired")),
            3601.. => Err(refused("exp is more than one hour away")),
            _ if !self.used.insert(claims["jti"].to_string()) => Err(refused("possibly a replay")),
            _ => Ok(()),
        }
    }
}

impl Bot {
    fn new(section: &toml::Value) -> Bot {
        let text = |key: &str| section.get(key).and_then(toml::Value::as_str).map(str::to_owned);
        let file = |key: &str| text(key).map(|file| std::fs::read(file).unwrap());
        let (key, is_rsa) = match (text("client_secret"), file("client_secret_file"), file("private_key_file")) {
            (Some(secret), ..) => (PKey::hmac(secret.as_bytes()).unwrap(), false),
            (_, Some(secret), _) => (PKey::hmac(secret.trim_ascii_end()).unwrap(), false),
            (_, _, Some(pem)) => (PKey::from_rsa(Rsa::private_key_from_pem(&pem).unwrap()).unwrap(), true),
            _ => panic!("a bot without a secret: {section:?}"),
        };
        Bot { id: text("id").unwrap(), client_id: text("client_id").unwrap(), key, is_rsa }
    }

    /// Whether this is what the bot signs these bytes with by that algorithm.
    fn has_signed(&self, algorithm: &str, signed: &str, signature: &[u8]) -> bool {
        let digest = if algorithm.ends_with("256") { MessageDigest::sha256() } else { MessageDigest::sha512() };
        match (algorithm, self.is_rsa) {
            ("HS256" | "HS512", false) => {
                let expected = Signer::new(digest, &self.key).unwrap().sign_oneshot_to_vec(signed.as_bytes()).unwrap();
                expected.len() == signature.len() && memcmp::eq(&expected, signature)
            }
            ("RS256" | "RS512", true) => {
                let mut verifier = Verifier::new(digest, &self.key).unwrap();
                verifier.verify_oneshot(signature, signed.as_bytes()).unwrap_or(false)
            }
            _ => false,
        }
    }
}

/// A part of a token.
fn json(part: &str) -> Option<Value> {
    serde_json::from_slice(&decoded(part)?).ok()
}

/// Base64 as tokens have it.
fn decoded(part: &str) -> Option<Vec<u8>> {
    let mut text = part.replace('-', "+").replace('_', "/");
    text.push_str(&"=".repeat((4 - text.len() % 4) % 4));
    decode_block(&text).ok()
}
