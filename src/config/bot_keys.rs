//! Reads what a bot's app proves itself with.

use secrecy::ExposeSecret;

use super::environment::Environment;
use super::files;
use super::reader::Reader;
use super::secrets::{self, Places, Purpose};
use crate::domain::credentials::{Algorithm, EncryptionKey, SigningKey, parse_encryption};

/// The signature algorithms that the platform's app dialog offers.
const ALGORITHMS: [(&str, Algorithm); 4] = [
    ("HS256", Algorithm::HS256),
    ("HS512", Algorithm::HS512),
    ("RS256", Algorithm::RS256),
    ("RS512", Algorithm::RS512),
];

/// The key that signs a bot's tokens.
pub(super) fn signing_key(reader: &mut Reader, name: &str, environment: &Environment) -> Option<SigningKey> {
    let at = |key: &str| format!("bots.{name}.{key}");
    let (value, secret_file, key_file) = (at("client_secret"), at("client_secret_file"), at("private_key_file"));
    let algorithm = match reader.choice(&at("algorithm"), &ALGORITHMS) {
        None if reader.has(&at("algorithm")) => return None,
        algorithm => algorithm.unwrap_or(Algorithm::HS256),
    };
    if matches!(algorithm, Algorithm::RS256 | Algorithm::RS512) {
        let pem = secrets::read(reader, &Places::of_file(&at("private_key"), Purpose::Platform), environment);
        for unused in [&value, &secret_file] {
            if reader.has(unused) {
                reader.warnings.push(format!("{unused} is not used: {algorithm:?} signs with private_key_file"));
            }
        }
        let pem = pem?;
        if pem.expose_secret() == secrets::STAND_IN {
            return Some(SigningKey::hmac(Algorithm::HS256, secrets::STAND_IN.as_bytes()));
        }
        let key = SigningKey::rsa(algorithm, pem.expose_secret().as_bytes());
        return key.map_err(|error| reader.problem(&key_file, error)).ok();
    }
    let secret = secrets::read(reader, &Places::of(&value, Purpose::Platform), environment);
    if reader.has(&key_file) {
        reader
            .problem(&key_file, format!("{algorithm:?} signs with the client secret; set algorithm to RS256 or RS512"));
    }
    Some(SigningKey::hmac(algorithm, secret?.expose_secret().as_bytes()))
}

/// The platform's public key, or `Some(None)` where tokens are not encrypted.
pub(super) fn encryption_key(reader: &mut Reader, name: &str) -> Option<Option<EncryptionKey>> {
    let (file, how) = (format!("bots.{name}.encryption_key_file"), format!("bots.{name}.encryption"));
    let allowed = "\"RSA-OAEP\" or \"RSA1_5\", a slash, and \"A128CBC-HS256\", \"A128GCM\" or \"A256GCM\"";
    let encryption = reader.get(&how, allowed, |text: String| parse_encryption(&text));
    let path = reader.get_secret(&file);
    if !reader.has(&file) {
        if reader.has(&how) {
            reader.problem(&how, "requires encryption_key_file");
        }
        return Some(None);
    }
    let key = match secrets::public_file(reader, &path?) {
        Ok(None) => return Some(None),
        Ok(Some(text)) => EncryptionKey::parse(&text, encryption),
        Err(error) => {
            reader.problem(&file, files::unreadable(&error));
            return None;
        }
    };
    key.map(Some).map_err(|error| reader.problem(&file, error)).ok()
}
