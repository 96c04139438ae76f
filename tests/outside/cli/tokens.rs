//! The tokens that requests carry, read as somebody who knows only the public half of a key reads them.

use std::collections::BTreeSet;

use kore_trend_exporter::demo::tokens::own_key;
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

#[test]
fn an_app_that_insists_on_it_gets_encrypted_tokens() {
    let keys = Workspace::new();
    keys.write("platform.pem", std::str::from_utf8(&own_key().unwrap().public_key_pem().unwrap()).unwrap());
    let file = format!("encryption_key_file = {:?}", keys.path("platform.pem").display().to_string());
    for (line, expected) in
        [("", ["RSA-OAEP", "A128GCM"]), ("encryption = \"RSA1_5/A128CBC-HS256\"", ["RSA1_5", "A128CBC-HS256"])]
    {
        let encrypting = bots(["support"], &format!("{file}\n{line}"));
        let platform = SimulatedPlatform::well(&encrypting);
        let template = Template { platform_url: platform.url(), bots: &encrypting, ..Template::default() };
        let workspace = Workspace::with(&template);
        workspace.run(&["--once"]).expect_code(0);
        let token = platform.asked()[0].headers["auth"].clone();
        assert_eq!(token.split('.').count(), 5, "{token}");
        let header: Value = serde_json::from_slice(&decoded(token.split('.').next().unwrap())).unwrap();
        assert_eq!([&header["alg"], &header["enc"], &header["cty"]], [expected[0], expected[1], "JWT"]);

        // Who does not know of it is refused.
        workspace.configure(&Template { bots: &bots(["support"], ""), ..template });
        let output = workspace.run(&["--once"]).expect_code(1);
        assert!(output.stderr.contains("answered 401"), "{}", output.stderr);
    }
}

mod needs_joserfc {
    use std::io::Write;
    use std::process::{Command, Stdio};

    use super::*;
    use crate::support::from_tests_run;

    #[test]
    #[ignore = "needs the servers that tests/run brings"]
    fn another_implementation_opens_encrypted_tokens_of_every_kind() {
        let (key, keys) = (Rsa::generate(2048).unwrap(), Workspace::new());
        keys.write("public.pem", std::str::from_utf8(&key.public_key_to_pem().unwrap()).unwrap());
        keys.write("private.pem", std::str::from_utf8(&key.private_key_to_pem().unwrap()).unwrap());
        let file = format!("encryption_key_file = {:?}", keys.path("public.pem").display().to_string());
        let (mut tokens, mut expected) = (String::new(), Vec::new());
        for alg in ["RSA-OAEP", "RSA1_5"] {
            for enc in ["A128CBC-HS256", "A128GCM", "A256GCM"] {
                let bots = bots(["support"], &format!("{file}\nencryption = \"{alg}/{enc}\""));
                // This platform cannot open what is for another: it refuses everything, and the tokens are here.
                let platform = SimulatedPlatform::start(&bots, |_, _| Some(Reply::errors(401, 401, "")));
                let template = Template { platform_url: platform.url(), bots: &bots, ..Template::default() };
                Workspace::with(&template).run(&["--once"]).expect_code(1);
                tokens += &format!("{}\n", platform.asked()[0].headers["auth"]);
                expected.push((alg, enc));
            }
        }
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/outside/cli/open_tokens.py");
        let mut python = Command::new(from_tests_run("KORE_TREND_TEST_JOSERFC"));
        python.arg("-Wignore").arg(script).arg(keys.path("private.pem")).arg("the secret of support, long enough");
        let mut python = python.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        python.stdin.take().unwrap().write_all(tokens.as_bytes()).unwrap();
        let output = python.wait_with_output().unwrap();
        assert!(output.status.success(), "see above what it says");
        let opened: Vec<[Value; 3]> =
            output.stdout.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect();
        assert_eq!(opened.len(), expected.len());
        let mut seen = BTreeSet::new();
        for ([encryption, signature, claims], (alg, enc)) in opened.iter().zip(expected) {
            assert_eq!((&encryption["alg"], &encryption["enc"]), (&alg.into(), &enc.into()));
            assert_eq!((&encryption["cty"], &signature["alg"]), (&"JWT".into(), &"HS256".into()));
            assert_eq!(claims["appId"], "cs-support");
            assert!(seen.insert(claims["jti"].to_string()), "a jti for the second time: {claims}");
        }
    }
}
