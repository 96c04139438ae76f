//! The token of one request: a JWT that the platform accepts once.
//!
//! jsonwebtoken makes the token; the signature comes from OpenSSL, which the TLS connections bring along anyway, so
//! that the program holds one implementation of cryptography.

use jiff::Timestamp;
use jsonwebtoken::crypto::{CryptoProvider, JwtSigner, KeyUtils};
use jsonwebtoken::errors::{Error, ErrorKind};
use jsonwebtoken::signature::{self, Signer};
use jsonwebtoken::{AlgorithmFamily, EncodingKey, Header};
use openssl::hash::MessageDigest;
use openssl::pkey::{PKey, Private};
use openssl::rsa::Rsa;
use serde::{Deserialize, Serialize};

use super::encryption::encrypt;
use crate::domain::bot::Bot;
use crate::domain::credentials::{Algorithm, SigningKey};

/// How long a token is good for, in seconds. The platform refuses more than an hour; half of it leaves room for a
/// clock that is off by as much in either direction.
const LIFETIME: i64 = 30 * 60;

impl SigningKey {
    /// A token for one attempt to ask the platform, with a `jti` never used before.
    ///
    /// # Errors
    ///
    /// Only where OpenSSL fails.
    pub fn mint(&self, client_id: &str, now: Timestamp) -> Result<String, Error> {
        install_provider();
        let claims = Claims {
            app_id: client_id.into(),
            iss: client_id.into(),
            sub: env!("CARGO_PKG_NAME").into(),
            iat: now.as_second(),
            exp: now.as_second() + LIFETIME,
            jti: uuid::Uuid::new_v4().to_string(),
        };
        jsonwebtoken::encode(&Header::new(self.algorithm), &claims, &self.key)
    }
}

/// A token of this bot for one attempt to ask the platform, encrypted if its app insists on that.
///
/// # Errors
///
/// What OpenSSL said.
pub fn mint(bot: &Bot, now: Timestamp) -> Result<String, String> {
    let token = bot.key.mint(&bot.client_id, now).map_err(|error| error.to_string())?;
    match &bot.encryption {
        Some(key) => encrypt(&token, key).map_err(|error| error.to_string()),
        None => Ok(token),
    }
}

/// The signature of a message, as in the last part of a token.
///
/// # Errors
///
/// Only where OpenSSL fails.
pub(crate) fn signature(key: &SigningKey, message: &[u8]) -> Result<Vec<u8>, signature::Error> {
    let signer = OpenSsl::signer(key.algorithm, &key.key).map_err(signature::Error::from_source)?;
    signer.try_sign(message)
}

/// What a token says. The platform reads the client id from `appId`; clients of it also send `iss`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Claims {
    /// The client id.
    #[serde(rename = "appId")]
    pub app_id: String,
    /// The client id again.
    pub iss: String,
    /// Any name for the user on whose behalf one asks.
    pub sub: String,
    /// When it was made, in Unix seconds.
    pub iat: i64,
    /// When it ends, in Unix seconds.
    pub exp: i64,
    /// Makes it good for one request.
    pub jti: String,
}

fn install_provider() {
    static PROVIDER: CryptoProvider = CryptoProvider {
        signer_factory: |algorithm, key| Ok(Box::new(OpenSsl::signer(*algorithm, key)?)),
        // Nobody verifies here: the platform does.
        verifier_factory: |_, _| Err(ErrorKind::InvalidAlgorithm.into()),
        key_utils: KeyUtils::new_unimplemented(),
    };
    // Fails from the second call on, when it is in place already.
    let _already_installed = PROVIDER.install_default();
}

/// OpenSSL behind jsonwebtoken's traits.
struct OpenSsl {
    algorithm: Algorithm,
    digest: MessageDigest,
    key: PKey<Private>,
}

impl OpenSsl {
    fn signer(algorithm: Algorithm, key: &EncodingKey) -> Result<OpenSsl, Error> {
        use Algorithm::{HS256, HS512, RS256, RS512};
        let key = match key.family() {
            AlgorithmFamily::Hmac => PKey::hmac(key.as_bytes()),
            AlgorithmFamily::Rsa => Rsa::private_key_from_der(key.as_bytes()).and_then(PKey::from_rsa),
            _ => return Err(ErrorKind::InvalidAlgorithm.into()),
        };
        let digest = match algorithm {
            HS256 | RS256 => MessageDigest::sha256(),
            HS512 | RS512 => MessageDigest::sha512(),
            _ => return Err(ErrorKind::InvalidAlgorithm.into()),
        };
        let key = key.map_err(|_| Error::from(ErrorKind::InvalidKeyFormat))?;
        Ok(OpenSsl { algorithm, digest, key })
    }
}

impl Signer<Vec<u8>> for OpenSsl {
    fn try_sign(&self, message: &[u8]) -> Result<Vec<u8>, signature::Error> {
        let mut signer = openssl::sign::Signer::new(self.digest, &self.key).map_err(signature::Error::from_source)?;
        signer.sign_oneshot_to_vec(message).map_err(signature::Error::from_source)
    }
}

impl JwtSigner for OpenSsl {
    fn algorithm(&self) -> Algorithm {
        self.algorithm
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::tokens::claims;

    const SECRET: &[u8] = b"c2VjcmV0IGlzIHVzZWQgcmF3";

    fn now() -> Timestamp {
        "2026-08-06T12:00:00Z".parse().unwrap()
    }

    fn pem(bits: u32) -> Vec<u8> {
        Rsa::generate(bits).unwrap().private_key_to_pem().unwrap()
    }

    /// The signature as the command-line tools would compute it, from the token's own text.
    fn signed_part(token: &str) -> (&str, Vec<u8>) {
        let (message, signature) = token.rsplit_once('.').unwrap();
        let standard = signature.replace('-', "+").replace('_', "/") + &"=".repeat((4 - signature.len() % 4) % 4);
        (message, openssl::base64::decode_block(&standard).unwrap())
    }

    #[test]
    fn hmac_uses_the_secret_as_it_stands() {
        for (algorithm, digest) in
            [(Algorithm::HS256, MessageDigest::sha256()), (Algorithm::HS512, MessageDigest::sha512())]
        {
            let token = SigningKey::hmac(algorithm, SECRET).mint("cs-1", now()).unwrap();
            let (message, signature) = signed_part(&token);
            let key = PKey::hmac(SECRET).unwrap();
            let mut signer = openssl::sign::Signer::new(digest, &key).unwrap();
            assert_eq!(signer.sign_oneshot_to_vec(message.as_bytes()).unwrap(), signature);
        }
    }

    #[test]
    fn rsa_verifies_with_the_public_key() {
        let pem = pem(2048);
        let public = Rsa::private_key_from_pem(&pem).unwrap().public_key_to_pem().unwrap();
        let public = PKey::public_key_from_pem(&public).unwrap();
        for (algorithm, digest) in
            [(Algorithm::RS256, MessageDigest::sha256()), (Algorithm::RS512, MessageDigest::sha512())]
        {
            let token = SigningKey::rsa(algorithm, &pem).unwrap().mint("cs-1", now()).unwrap();
            let (message, signature) = signed_part(&token);
            let mut verifier = openssl::sign::Verifier::new(digest, &public).unwrap();
            assert!(verifier.verify_oneshot(&signature, message.as_bytes()).unwrap());
        }
    }

    #[test]
    fn claims_are_what_the_platform_asks_for() {
        let key = SigningKey::hmac(Algorithm::HS256, SECRET);
        let claims = claims(&key, &key.mint("cs-1", now()).unwrap()).unwrap();
        assert_eq!((claims.app_id.as_str(), claims.iss.as_str()), ("cs-1", "cs-1"));
        assert_eq!(claims.iat, now().as_second());
        assert!(claims.exp > claims.iat && claims.exp - claims.iat <= 3600);
        assert!(!claims.sub.is_empty());
    }

    #[test]
    fn every_token_has_a_jti_of_its_own() {
        let key = SigningKey::hmac(Algorithm::HS256, SECRET);
        let jti = || claims(&key, &key.mint("cs-1", now()).unwrap()).unwrap().jti;
        assert_ne!(jti(), jti());
    }

    #[test]
    fn another_secret_does_not_verify() {
        let token = SigningKey::hmac(Algorithm::HS256, SECRET).mint("cs-1", now()).unwrap();
        assert!(claims(&SigningKey::hmac(Algorithm::HS256, b"other"), &token).is_none());
    }
}
