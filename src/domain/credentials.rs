//! What a bot's app proves itself with: the key that signs its tokens, and the platform's key that encrypts them.
//! Only data; the tokens themselves are made by the platform's side.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
pub use jsonwebtoken::Algorithm;
use jsonwebtoken::EncodingKey;
use openssl::bn::BigNum;
use openssl::pkey::PKey;
use openssl::rsa::Rsa;
use serde::Deserialize;

/// What a token is signed with; its `Debug` shows the algorithm only.
#[derive(Clone)]
pub struct SigningKey {
    pub(crate) algorithm: Algorithm,
    pub(crate) key: EncodingKey,
}

impl SigningKey {
    /// How it signs.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The raw bytes of a shared secret, which must not be empty.
    pub fn hmac(algorithm: Algorithm, secret: &[u8]) -> SigningKey {
        SigningKey { algorithm, key: EncodingKey::from_secret(secret) }
    }

    /// A private RSA key in PEM (PKCS #1 or PKCS #8).
    ///
    /// # Errors
    ///
    /// A sentence that says what is wrong with the key, and shows nothing of it.
    pub fn rsa(algorithm: Algorithm, pem: &[u8]) -> Result<SigningKey, String> {
        let refuse_encrypted = |_: &mut [u8]| Ok(0);
        let key = PKey::private_key_from_pem_callback(pem, refuse_encrypted).and_then(|key| key.rsa());
        let key = key.map_err(|_| "is not an unencrypted RSA private key in PEM format".to_owned())?;
        if key.size() < 256 {
            return Err(format!("the RSA key has {} bits, must have at least 2048", key.size() * 8));
        }
        let der = key.private_key_to_der().map_err(|_| "the RSA key cannot be used".to_owned())?;
        Ok(SigningKey { algorithm, key: EncodingKey::from_rsa_der(&der) })
    }
}

impl PartialEq for SigningKey {
    fn eq(&self, other: &Self) -> bool {
        self.algorithm == other.algorithm && self.key.as_bytes() == other.key.as_bytes()
    }
}

impl Eq for SigningKey {}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({:?})", self.algorithm)
    }
}

/// How the key of one token's content is encrypted to the platform (RFC 7518, section 4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyEncryption {
    /// RSAES OAEP with the default parameters.
    RsaOaep,
    /// RSAES PKCS #1 v1.5.
    Rsa15,
}

/// How one token's content is encrypted (RFC 7518, section 5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContentEncryption {
    /// AES-128 in CBC mode with HMAC SHA-256.
    A128CbcHs256,
    /// AES-128 in GCM mode.
    A128Gcm,
    /// AES-256 in GCM mode.
    A256Gcm,
}

impl KeyEncryption {
    fn parse(name: &str) -> Option<KeyEncryption> {
        [KeyEncryption::RsaOaep, KeyEncryption::Rsa15].into_iter().find(|known| known.name() == name)
    }

    /// The value of a token's `alg` header.
    pub fn name(self) -> &'static str {
        match self {
            KeyEncryption::RsaOaep => "RSA-OAEP",
            KeyEncryption::Rsa15 => "RSA1_5",
        }
    }
}

impl ContentEncryption {
    fn parse(name: &str) -> Option<ContentEncryption> {
        let all = [ContentEncryption::A128CbcHs256, ContentEncryption::A128Gcm, ContentEncryption::A256Gcm];
        all.into_iter().find(|known| known.name() == name)
    }

    /// The value of a token's `enc` header.
    pub fn name(self) -> &'static str {
        match self {
            ContentEncryption::A128CbcHs256 => "A128CBC-HS256",
            ContentEncryption::A128Gcm => "A128GCM",
            ContentEncryption::A256Gcm => "A256GCM",
        }
    }
}

/// Reads an encryption as the configuration has it, such as `RSA-OAEP/A128GCM`.
pub fn parse_encryption(text: &str) -> Option<(KeyEncryption, ContentEncryption)> {
    let (key, content) = text.split_once('/')?;
    Some((KeyEncryption::parse(key)?, ContentEncryption::parse(content)?))
}

/// The platform's public RSA key, to which the tokens of a bot are encrypted, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EncryptionKey {
    /// The public key in DER (SubjectPublicKeyInfo).
    pub public_key: Vec<u8>,
    /// The key's id, if its JWK has one: a token's `kid` header.
    pub id: Option<String>,
    /// How the content's key is encrypted.
    pub key: KeyEncryption,
    /// How the content is encrypted.
    pub content: ContentEncryption,
}

/// The parts of a JWK that matter here (RFC 7517).
#[derive(Deserialize)]
struct Jwk {
    kty: String,
    n: String,
    e: String,
    kid: Option<String>,
    alg: Option<String>,
    enc: Option<String>,
}

impl EncryptionKey {
    /// A public RSA key as a JWK or in PEM. `encryption` goes before what the JWK says.
    ///
    /// # Errors
    ///
    /// A sentence that says what is wrong with the key.
    pub fn parse(
        text: &str,
        encryption: Option<(KeyEncryption, ContentEncryption)>,
    ) -> Result<EncryptionKey, &'static str> {
        const WRONG: &str = "not an RSA public key (JWK or PEM)";
        let jwk: Option<Jwk> = serde_json::from_str(text).ok();
        let public_key = match &jwk {
            Some(jwk) if jwk.kty == "RSA" => jwk.public_key(),
            Some(_) => None,
            None => PKey::public_key_from_pem(text.as_bytes()).and_then(|key| key.rsa()).ok(),
        };
        let public_key = public_key.ok_or(WRONG)?;
        if public_key.size() < 256 {
            return Err("the RSA key has less than 2048 bits");
        }
        let (alg, enc) = jwk.as_ref().map_or((None, None), |jwk| (jwk.alg.as_deref(), jwk.enc.as_deref()));
        let (key, content) = match encryption {
            Some(encryption) => encryption,
            None => (
                alg.map_or(Some(KeyEncryption::RsaOaep), KeyEncryption::parse)
                    .ok_or("the key's alg is neither RSA-OAEP nor RSA1_5")?,
                enc.map_or(Some(ContentEncryption::A128Gcm), ContentEncryption::parse)
                    .ok_or("the key's enc is none of A128CBC-HS256, A128GCM and A256GCM")?,
            ),
        };
        let public_key = public_key.public_key_to_der().map_err(|_| WRONG)?;
        Ok(EncryptionKey { public_key, id: jwk.and_then(|jwk| jwk.kid), key, content })
    }
}

impl Jwk {
    fn public_key(&self) -> Option<Rsa<openssl::pkey::Public>> {
        let bytes = |text: &str| URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).ok();
        let number = |text: &str| BigNum::from_slice(&bytes(text)?).ok();
        Rsa::from_public_components(number(&self.n)?, number(&self.e)?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rsa(bits: u32) -> Rsa<openssl::pkey::Private> {
        Rsa::generate(bits).unwrap()
    }

    fn jwk(rsa: &Rsa<openssl::pkey::Private>, more: &str) -> String {
        let number = |number: &openssl::bn::BigNumRef| {
            let text = openssl::base64::encode_block(&number.to_vec());
            text.replace('+', "-").replace('/', "_").trim_end_matches('=').to_owned()
        };
        format!(r#"{{"kty":"RSA","n":"{}","e":"{}"{more}}}"#, number(rsa.n()), number(rsa.e()))
    }

    #[test]
    fn a_key_that_cannot_sign_is_refused() {
        let small = rsa(1024).private_key_to_pem().unwrap();
        for (pem, problem) in [(b"not a key".to_vec(), "not an unencrypted RSA private key"), (small, "1024 bits")] {
            let error = SigningKey::rsa(Algorithm::RS256, &pem).unwrap_err();
            assert!(error.contains(problem), "{error}");
        }
    }

    #[test]
    fn debug_shows_no_secret() {
        assert_eq!(format!("{:?}", SigningKey::hmac(Algorithm::HS256, b"hunter2")), "SigningKey(HS256)");
    }

    #[test]
    fn an_encryption_key_is_a_jwk_or_pem() {
        let rsa = rsa(2048);
        let der = rsa.public_key_to_der().unwrap();
        let pem = String::from_utf8(rsa.public_key_to_pem().unwrap()).unwrap();
        let parse = |text: &str| EncryptionKey::parse(text, None).unwrap();
        let (oaep, gcm) = (KeyEncryption::RsaOaep, ContentEncryption::A128Gcm);
        let expected = EncryptionKey { public_key: der, id: None, key: oaep, content: gcm };
        assert_eq!(parse(&pem), expected);
        assert_eq!(parse(&jwk(&rsa, "")), expected);
        let told = parse(&jwk(&rsa, r#","kid":"k1","alg":"RSA1_5","enc":"A256GCM","use":"enc""#));
        assert_eq!(
            (told.id.as_deref(), told.key, told.content),
            (Some("k1"), KeyEncryption::Rsa15, ContentEncryption::A256Gcm)
        );
        let chosen = EncryptionKey::parse(&jwk(&rsa, r#","alg":"RS256""#), parse_encryption("RSA-OAEP/A128CBC-HS256"));
        assert_eq!(chosen.unwrap().content, ContentEncryption::A128CbcHs256);
    }

    #[test]
    fn an_encryption_key_that_cannot_be_used_is_refused() {
        let rsa_key = rsa(2048);
        for (text, expected) in [
            ("", "not an RSA public key"),
            (r#"{"kty":"EC","n":"AQAB","e":"AQAB"}"#, "not an RSA public key"),
            (&jwk(&rsa(1024), ""), "less than 2048 bits"),
            (&jwk(&rsa_key, r#","alg":"RSA-OAEP-512""#), "neither RSA-OAEP nor"),
            (&jwk(&rsa_key, r#","enc":"A192GCM""#), "none of A128CBC-HS256"),
        ] {
            let error = EncryptionKey::parse(text, None).unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        }
        for text in ["RSA-OAEP", "RSA-OAEP/", "rsa-oaep/A128GCM", "dir/A128GCM"] {
            assert_eq!(parse_encryption(text), None, "{text}");
        }
    }
}
