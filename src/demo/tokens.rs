//! The platform's half of a token: who signed it, and what an encrypted one holds.

use std::io;
use std::sync::OnceLock;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use openssl::pkey::Private;
use openssl::rsa::Rsa;
use openssl::symm;
use serde::Deserialize;

use crate::domain::credentials::{Algorithm, ContentEncryption, KeyEncryption, SigningKey, parse_encryption};
use crate::platform::encryption::{cbc_tag, cipher, padding};
use crate::platform::token::{Claims, signature};

/// The claims of a token that was signed with this key, whenever it expires.
pub fn claims(key: &SigningKey, token: &str) -> Option<Claims> {
    #[derive(Deserialize)]
    struct Header {
        alg: Algorithm,
    }
    let (message, signed) = token.rsplit_once('.')?;
    let (header, payload) = message.split_once('.')?;
    let header: Header = serde_json::from_slice(&decode(header)?).ok()?;
    // Both kinds of signature are deterministic, so signing again tells.
    let expected = signature(key, message.as_bytes()).ok()?;
    let is_signed = header.alg == key.algorithm() && decode(signed)? == expected;
    is_signed.then(|| serde_json::from_slice(&decode(payload)?).ok())?
}

/// Whether it looks like a token at all.
pub(super) fn is_token(token: &str) -> bool {
    let header = token.split('.').next().and_then(decode);
    let is_object = header.is_some_and(|header| serde_json::from_slice::<serde_json::Map<_, _>>(&header).is_ok());
    is_object && matches!(token.split('.').count(), 3 | 5)
}

/// Opens encrypted tokens.
#[derive(Clone)]
pub struct DecryptionKey(Rsa<Private>);

impl std::fmt::Debug for DecryptionKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("DecryptionKey")
    }
}

impl DecryptionKey {
    /// A new one.
    ///
    /// # Errors
    ///
    /// Only where OpenSSL fails.
    pub fn generate() -> io::Result<DecryptionKey> {
        Ok(DecryptionKey(Rsa::generate(2048)?))
    }

    /// The public key in DER, to which tokens are encrypted.
    ///
    /// # Errors
    ///
    /// Only where OpenSSL fails.
    pub fn public_key(&self) -> io::Result<Vec<u8>> {
        Ok(self.0.public_key_to_der()?)
    }

    /// The public key in PEM, as a file of the configuration holds it.
    ///
    /// # Errors
    ///
    /// Only where OpenSSL fails.
    pub fn public_key_pem(&self) -> io::Result<Vec<u8>> {
        Ok(self.0.public_key_to_pem()?)
    }

    /// The signed token within an encrypted one.
    pub fn open(&self, token: &str) -> Option<String> {
        #[derive(Deserialize)]
        struct Header {
            alg: String,
            enc: String,
        }
        let parts: Vec<&str> = token.split('.').collect();
        let [header, wrapped, iv, sealed, tag] = parts[..] else { return None };
        let Header { alg, enc } = serde_json::from_slice(&decode(header)?).ok()?;
        let (how, content) = parse_encryption(&format!("{alg}/{enc}"))?;
        let key = self.unwrap(how, &decode(wrapped)?)?;
        let (iv, sealed, tag) = (decode(iv)?, decode(sealed)?, decode(tag)?);
        let text = match content {
            ContentEncryption::A128CbcHs256 => {
                let (mac, key) = key.split_at_checked(16)?;
                let expected = cbc_tag(mac, &iv, header.as_bytes(), &sealed).ok()?;
                (tag == expected).then(|| symm::decrypt(cipher(content), key, Some(&iv), &sealed).ok())?
            }
            _ => symm::decrypt_aead(cipher(content), &key, Some(&iv), header.as_bytes(), &sealed, &tag).ok(),
        };
        String::from_utf8(text?).ok()
    }

    fn unwrap(&self, how: KeyEncryption, wrapped: &[u8]) -> Option<Vec<u8>> {
        let mut key = vec![0; self.0.size() as usize];
        let length = self.0.private_decrypt(wrapped, &mut key, padding(how)).ok()?;
        key.truncate(length);
        Some(key)
    }
}

/// The key of the simulated platform within this process: the real one's private key is not known here.
///
/// # Errors
///
/// Only where OpenSSL fails.
pub fn own_key() -> io::Result<&'static DecryptionKey> {
    static OWN: OnceLock<DecryptionKey> = OnceLock::new();
    if let Some(key) = OWN.get() {
        return Ok(key);
    }
    let key = DecryptionKey::generate()?;
    Ok(OWN.get_or_init(|| key))
}

fn decode(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

#[cfg(test)]
#[path = "tokens_tests.rs"]
mod tests;
