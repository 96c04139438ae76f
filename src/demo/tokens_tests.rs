//! Tokens of another implementation are opened, and our own of every kind.

use super::*;
use crate::domain::bot::{Bot, test_bot};
use crate::domain::credentials::{Algorithm, EncryptionKey};
use crate::platform::token::mint;

/// Made by Python's joserfc: one token for each way to encrypt, and the key that opens them. They are of no use elsewhere.
const TOKENS: &str = include_str!("other_implementation.txt");
const KEY: &[u8] = include_bytes!("other_implementation.pem");

#[test]
fn tokens_of_another_implementation_are_opened() {
    let key = DecryptionKey(Rsa::private_key_from_pem(KEY).unwrap());
    let signed_with = SigningKey::hmac(Algorithm::HS256, b"a secret of the other implementation");
    assert_eq!(TOKENS.lines().count(), 6);
    for token in TOKENS.lines() {
        assert!(is_token(token));
        let claims = claims(&signed_with, &key.open(token).unwrap()).unwrap();
        assert_eq!((claims.app_id.as_str(), claims.sub.as_str(), claims.jti.as_str()), ("cs-1", "joserfc", "one"));
    }
}

fn encrypting_bot(key: &DecryptionKey, encryption: &str) -> Bot {
    let pem = String::from_utf8(key.public_key_pem().unwrap()).unwrap();
    let encryption = EncryptionKey::parse(&pem, parse_encryption(encryption)).unwrap();
    Bot { encryption: Some(encryption), ..test_bot("one") }
}

#[test]
fn a_token_is_encrypted_in_every_way_and_only_its_key_opens_it() {
    let (key, other) = (DecryptionKey::generate().unwrap(), DecryptionKey::generate().unwrap());
    let now = "2026-08-06T12:00:00Z".parse().unwrap();
    for alg in ["RSA-OAEP", "RSA1_5"] {
        for enc in ["A128CBC-HS256", "A128GCM", "A256GCM"] {
            let bot = encrypting_bot(&key, &format!("{alg}/{enc}"));
            let [one, two] = [mint(&bot, now).unwrap(), mint(&bot, now).unwrap()];
            let jti = |token: &str| claims(&bot.key, &key.open(token).unwrap()).unwrap().jti;
            assert_ne!(jti(&one), jti(&two), "{alg}/{enc}");
            assert!(other.open(&one).is_none_or(|text| claims(&bot.key, &text).is_none()));
            let changed = one.replacen("ey", "eY", 1);
            assert!(key.open(&changed).is_none() && key.open("a.b.c").is_none());
        }
    }
}
