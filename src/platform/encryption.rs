//! Encrypts a signed token to the platform's public key, for apps that insist on it: a nested token (RFC 7519, section 5.2)
//! as a JWE in its compact form (RFC 7516), on the OpenSSL that signs as well. The josekit crate was looked at and not
//! taken: it changes the order of keys in every JSON document of the program, and brings regular expressions along.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::pkey::PKey;
use openssl::rand::rand_bytes;
use openssl::rsa::{Padding, Rsa};
use openssl::sign::Signer;
use openssl::symm::{self, Cipher};
use serde_json::json;

use crate::domain::credentials::{ContentEncryption, EncryptionKey, KeyEncryption};

/// The signed token, so that nobody but the platform can read it. It has a key of its own each time.
pub(super) fn encrypt(token: &str, to: &EncryptionKey) -> Result<String, ErrorStack> {
    let mut header = json!({"alg": to.key.name(), "enc": to.content.name(), "cty": "JWT"});
    if let Some(id) = &to.id {
        header["kid"] = id.as_str().into();
    }
    let header = URL_SAFE_NO_PAD.encode(header.to_string());
    let cipher = cipher(to.content);
    // In CBC mode the key of the tag stands before that of the cipher.
    let keys = if to.content == ContentEncryption::A128CbcHs256 { 2 } else { 1 };
    let (key, iv) = (random(keys * cipher.key_len())?, random(cipher.iv_len().unwrap_or_default())?);
    let (content, tag) = seal(to.content, &key, &iv, header.as_bytes(), token.as_bytes())?;
    let parts = [wrap(to, &key)?, iv, content, tag].map(|part| URL_SAFE_NO_PAD.encode(part));
    Ok([header, parts.join(".")].join("."))
}

fn random(length: usize) -> Result<Vec<u8>, ErrorStack> {
    let mut bytes = vec![0; length];
    rand_bytes(&mut bytes)?;
    Ok(bytes)
}

/// The content's key, encrypted to the platform's.
fn wrap(to: &EncryptionKey, key: &[u8]) -> Result<Vec<u8>, ErrorStack> {
    let public_key = Rsa::public_key_from_der(&to.public_key)?;
    let mut wrapped = vec![0; public_key.size() as usize];
    let length = public_key.public_encrypt(key, &mut wrapped, padding(to.key))?;
    wrapped.truncate(length);
    Ok(wrapped)
}

/// The padding of a content's key.
pub(crate) fn padding(key: KeyEncryption) -> Padding {
    match key {
        KeyEncryption::RsaOaep => Padding::PKCS1_OAEP,
        KeyEncryption::Rsa15 => Padding::PKCS1,
    }
}

/// The cipher of a content.
pub(crate) fn cipher(content: ContentEncryption) -> Cipher {
    match content {
        ContentEncryption::A128CbcHs256 => Cipher::aes_128_cbc(),
        ContentEncryption::A128Gcm => Cipher::aes_128_gcm(),
        ContentEncryption::A256Gcm => Cipher::aes_256_gcm(),
    }
}

/// The encrypted content, and the tag by which it and the header are known to be whole.
fn seal(
    content: ContentEncryption,
    key: &[u8],
    iv: &[u8],
    header: &[u8],
    text: &[u8],
) -> Result<(Vec<u8>, Vec<u8>), ErrorStack> {
    if content == ContentEncryption::A128CbcHs256 {
        let sealed = symm::encrypt(cipher(content), &key[16..], Some(iv), text)?;
        let tag = cbc_tag(&key[..16], iv, header, &sealed)?;
        return Ok((sealed, tag));
    }
    let mut tag = vec![0; 16];
    let sealed = symm::encrypt_aead(cipher(content), key, Some(iv), header, text, &mut tag)?;
    Ok((sealed, tag))
}

/// The tag of a content in CBC mode (RFC 7518, section 5.2.2.1).
pub(crate) fn cbc_tag(key: &[u8], iv: &[u8], header: &[u8], sealed: &[u8]) -> Result<Vec<u8>, ErrorStack> {
    let key = PKey::hmac(key)?;
    let mut signer = Signer::new(MessageDigest::sha256(), &key)?;
    for part in [header, iv, sealed, &(header.len() as u64 * 8).to_be_bytes()] {
        signer.update(part)?;
    }
    let mut tag = signer.sign_to_vec()?;
    tag.truncate(16);
    Ok(tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(text: &str) -> Vec<u8> {
        URL_SAFE_NO_PAD.decode(text).unwrap()
    }

    /// The examples of RFC 7516, appendices A.1 and A.2: header, key of the content, its IV, text, and what comes out.
    #[test]
    fn a_content_is_sealed_as_the_standard_has_it() {
        let gcm_key: [u8; 32] = [
            177, 161, 244, 128, 84, 143, 225, 115, 63, 180, 3, 255, 107, 154, 212, 246, 138, 7, 110, 91, 112, 46, 34,
            105, 47, 130, 203, 46, 122, 234, 64, 252,
        ];
        let cbc_key: [u8; 32] = [
            4, 211, 31, 197, 84, 157, 252, 254, 11, 100, 157, 250, 63, 170, 106, 206, 107, 124, 212, 45, 111, 107, 9,
            219, 200, 177, 0, 240, 143, 156, 44, 207,
        ];
        for (content, key, header, iv, text, sealed, tag) in [
            (
                ContentEncryption::A256Gcm,
                gcm_key,
                "eyJhbGciOiJSU0EtT0FFUCIsImVuYyI6IkEyNTZHQ00ifQ",
                "48V1_ALb6US04U3b",
                "The true sign of intelligence is not knowledge but imagination.",
                "5eym8TW_c8SuK0ltJ3rpYIzOeDQz7TALvtu6UG9oMo4vpzs9tX_EFShS8iB7j6jiSdiwkIr3ajwQzaBtQD_A",
                "XFBoMYUZodetZdvTiFvSkQ",
            ),
            (
                ContentEncryption::A128CbcHs256,
                cbc_key,
                "eyJhbGciOiJSU0ExXzUiLCJlbmMiOiJBMTI4Q0JDLUhTMjU2In0",
                "AxY8DCtDaGlsbGljb3RoZQ",
                "Live long and prosper.",
                "KDlTtXchhZTGufMYmOYGS4HffxPSUrfmqCHXaI9wOGY",
                "9hH0vgRfYgPnAHOd8stkvw",
            ),
        ] {
            let found = seal(content, &key, &bytes(iv), header.as_bytes(), text.as_bytes()).unwrap();
            assert_eq!(found, (bytes(sealed), bytes(tag)), "{content:?}");
        }
    }

    #[test]
    fn a_header_says_how_and_to_which_key() {
        let public_key = Rsa::generate(2048).unwrap().public_key_to_der().unwrap();
        let (key, content) = (KeyEncryption::RsaOaep, ContentEncryption::A128Gcm);
        let to = EncryptionKey { public_key, id: Some("key-1".to_owned()), key, content };
        let tokens = [encrypt("a.b.c", &to).unwrap(), encrypt("a.b.c", &to).unwrap()];
        let parts = tokens.each_ref().map(|token| token.split('.').collect::<Vec<_>>());
        assert_eq!((parts[0].len(), parts[0][0]), (5, parts[1][0]));
        assert!((1..5).all(|part| parts[0][part] != parts[1][part]), "key and IV are new each time");
        let header = String::from_utf8(bytes(parts[0][0])).unwrap();
        assert_eq!(header, r#"{"alg":"RSA-OAEP","cty":"JWT","enc":"A128GCM","kid":"key-1"}"#);
    }
}
