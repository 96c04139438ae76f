//! The tokens that requests carry, read as somebody who knows only the public half of a key reads them.

use std::collections::BTreeSet;

use openssl::hash::MessageDigest;
use openssl::pkey::PKey;
use openssl::rsa::Rsa;
use openssl::sign::Verifier;
use serde_json::Value;

use crate::support::platform::{Asked, SimulatedPlatform};
use crate::support::server::Reply;
use crate::support::workspace::{Template, Workspace, bots};

fn decoded(part: &str) -> Vec<u8> {
    let standard = part.replace('-', "+").replace('_', "/") + &"=".repeat((4 - part.len() % 4) % 4);
    openssl::base64::decode_block(&standard).unwrap()
}

/// The parts of the token of a request: what is signed, the header, the claims, the signature.
fn parts(asked: &Asked) -> (&str, Value, Value, Vec<u8>) {
    let (message, signature) = asked.headers["auth"].rsplit_once('.').unwrap();
    let (header, claims) = message.split_once('.').unwrap();
    let json = |part| serde_json::from_slice(&decoded(part)).unwrap();
    (message, json(header), json(claims), decoded(signature))
}

#[test]
fn every_attempt_carries_a_token_of_its_own() {
    let bots = bots(["support"], "channels = [\"all\", \"rtm\", \"msteams\"]");
    let platform = SimulatedPlatform::start(&bots, |_, number| {
        let reply = |status| Reply::errors(status, status, "").header("retry-after", 0);
        [None, Some(reply(503)), Some(reply(429)), Some(Reply::hang_up())].into_iter().nth(number)?
    });
    let template = Template { platform_url: platform.url(), bots: &bots, ..Template::default() };
    Workspace::with(&template).run(&["--once"]).expect_code(0);

    let asked = platform.asked();
    assert_eq!(asked.len(), 6, "three of them retries");
    let mut seen = BTreeSet::new();
    for asked in &asked {
        assert_eq!((asked.method.as_str(), asked.headers["content-type"].as_str()), ("POST", "application/json"));
        let (_, header, claims, _) = parts(asked);
        assert_eq!(header["alg"], "HS256");
        assert_eq!((&claims["appId"], &claims["iss"]), (&"cs-support".into(), &"cs-support".into()));
        let lifetime = claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap();
        assert!((1..=3600).contains(&lifetime), "{claims}");
        assert!(seen.insert(claims["jti"].as_str().unwrap().to_owned()), "a jti for the second time");
    }
}

#[test]
fn a_key_file_signs_what_its_public_half_verifies() {
    let key = Rsa::generate(2048).unwrap();
    let public = PKey::public_key_from_pem(&key.public_key_to_pem().unwrap()).unwrap();
    let keys = Workspace::new();
    keys.write("key.pem", std::str::from_utf8(&key.private_key_to_pem().unwrap()).unwrap());
    let path = keys.path("key.pem").display().to_string();
    for (algorithm, digest) in [("RS256", MessageDigest::sha256()), ("RS512", MessageDigest::sha512())] {
        let bots = format!(
            "[bots.support]\nid = \"st-support\"\nclient_id = \"cs-support\"\n\
             algorithm = \"{algorithm}\"\nprivate_key_file = \"{path}\"\n"
        );
        let platform = SimulatedPlatform::well(&bots);
        let template = Template { platform_url: platform.url(), bots: &bots, ..Template::default() };
        Workspace::with(&template).run(&["--once"]).expect_code(0);
        let asked = platform.asked();
        let (message, header, _, signature) = parts(&asked[0]);
        assert_eq!(header["alg"], algorithm);
        let mut verifier = Verifier::new(digest, &public).unwrap();
        assert!(verifier.verify_oneshot(&signature, message.as_bytes()).unwrap());
    }
}
