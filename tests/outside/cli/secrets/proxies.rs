//! Proxies that the environment names: what they see, and that the password for them is in nothing that is said.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::{Secrets, run_loudly};
use crate::support::canaries::{Canaries, secret};
use crate::support::fake_influxdb::FakeInfluxDb;
use crate::support::platform::SimulatedPlatform;
use crate::support::workspace::{Template, Workspace};

/// A proxy that answers every connection by these words and then closes it; stops with the test's process.
struct Proxy {
    address: String,
    /// What it was told, by connection.
    heard: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Proxy {
    fn start(answer: &'static str) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, heard) = (listener.local_addr().unwrap().to_string(), Arc::default());
        let record = Arc::clone(&heard);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                hear(stream.unwrap(), answer, &record);
            }
        });
        Proxy { address, heard }
    }
}

/// Takes the head of a request, answers with it where `HEAD` stands in the answer, and takes what is sent then.
fn hear(mut stream: TcpStream, answer: &str, record: &Mutex<Vec<Vec<u8>>>) {
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let (mut bytes, mut piece) = (Vec::new(), [0; 4096]);
    while !bytes.windows(4).any(|end| end == b"\r\n\r\n") {
        match stream.read(&mut piece) {
            Ok(length @ 1..) => bytes.extend_from_slice(&piece[..length]),
            _ => break,
        }
    }
    let answer = answer.replace("HEAD", &String::from_utf8_lossy(&bytes));
    drop(stream.write_all(answer.as_bytes()));
    if answer.starts_with("HTTP/1.1 200") {
        // The first of what goes through the tunnel.
        if let Ok(length) = stream.read(&mut piece) {
            bytes.extend_from_slice(&piece[..length]);
        }
    }
    record.lock().unwrap().push(bytes);
}

/// The address of a proxy as the environment names it, with its name and password.
fn named(password: &str, address: &str) -> String {
    let mut url = reqwest::Url::parse(&format!("http://{address}")).unwrap();
    url.set_username("user").unwrap();
    url.set_password(Some(password)).unwrap();
    url.to_string()
}

#[test]
fn through_a_tunnel_a_proxy_sees_the_host_and_nothing_else() {
    for (answer, words) in [
        ("HTTP/1.1 407 Proxy Authentication Required\r\n\r\nHEAD", "proxy"),
        ("HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\nx-echo: HEAD\r\n\r\n", "tunnel"),
        ("", "tunnel"),
        ("HTTP/1.1 200 OK\r\n\r\n", "cannot reach the"),
        ("HTTP/1.1 200 OK\r\n\r\nno TLS, but HEAD", "cannot reach the"),
    ] {
        let password = secret();
        let mut secrets = Secrets::new();
        let bots = secrets.bot("");
        let nobody = SimulatedPlatform::well(&bots);
        let proxy = Proxy::start(answer);
        let sink = secrets.database("https://database.invalid");
        let template =
            Template { platform_url: "https://platform.invalid", sink: &sink, bots: &bots, ..Template::default() };
        let workspace = Workspace::with(&template);
        let variables = [("HTTPS_PROXY", named(&password, &proxy.address))];
        let variables = variables.each_ref().map(|(name, value)| (*name, value.as_str()));
        let output = run_loudly(&workspace, &["--check"], "json", &variables).expect_code(1);
        secrets.check(&output, &workspace, &nobody);
        assert!(output.stdout.contains(words), "{answer:?}: {}", output.stdout);
        let heard = proxy.heard.lock().unwrap();
        for host in ["platform.invalid", "database.invalid"] {
            let start = format!("CONNECT {host}:443 HTTP/1.1\r\n");
            let told = heard.iter().filter(|told| told.starts_with(start.as_bytes())).count();
            assert!(told >= 1, "{answer:?}: {host} in {:?}", heard.iter().map(|told| String::from_utf8_lossy(told)));
        }
        for told in heard.iter() {
            secrets.canaries.check("what the proxy was told", told);
        }
        let its_password = Canaries::of(&[("the proxy's password", &password)]);
        its_password.check("stdout", &output.stdout);
        its_password.check("stderr", &output.stderr);
        its_password.check_files(&workspace, &[]);
    }
}

#[test]
fn a_plain_proxy_is_told_its_password_and_this_machine_is_asked_without_one() {
    let password = secret();
    let mut secrets = Secrets::with(&[("the proxy's password", &password)]);
    let bots = secrets.bot("");
    // Asked as a proxy, for another host.
    let proxy = SimulatedPlatform::well(&bots);
    let database = FakeInfluxDb::accepting();
    let sink = secrets.database(database.url());
    let template =
        Template { platform_url: "http://platform.invalid", sink: &sink, bots: &bots, ..Template::default() };
    let workspace = Workspace::with(&template);
    let address = named(&password, proxy.url().strip_prefix("http://").unwrap());
    for name in ["HTTP_PROXY", "http_proxy", "ALL_PROXY"] {
        let output = run_loudly(&workspace, &["--once"], "text", &[(name, &address)]).expect_code(0);
        secrets.check(&output, &workspace, &proxy);
        let output = run_loudly(&workspace, &["--check"], "text", &[(name, &address)]).expect_code(0);
        secrets.check(&output, &workspace, &proxy);
    }
    assert!(proxy.asked().len() >= 6);
    for asked in proxy.asked() {
        assert_eq!(asked.headers["host"], "platform.invalid");
        assert!(asked.headers["proxy-authorization"].starts_with("Basic "));
        assert!(asked.path.starts_with("/api/public/bot/"), "the database is on this machine: {}", asked.path);
    }
    for write in database.requests() {
        assert!(!write.headers.contains_key("proxy-authorization"), "{:?}", write.headers);
    }
    assert!(!database.requests().is_empty());
}

#[test]
fn a_proxy_that_echoes_its_password_does_not_spread_it() {
    let password = secret();
    let mut secrets = Secrets::with(&[("the proxy's password", &password)]);
    let bots = secrets.bot("");
    let nobody = SimulatedPlatform::well(&bots);
    let proxy = Proxy::start("HTTP/1.1 407 Proxy Authentication Required\r\nconnection: close\r\n\r\nHEAD");
    let sink = secrets.database("http://database.invalid");
    let template =
        Template { platform_url: "http://platform.invalid", sink: &sink, bots: &bots, ..Template::default() };
    let workspace = Workspace::with(&template);
    let output = run_loudly(&workspace, &["--check"], "text", &[("HTTP_PROXY", &named(&password, &proxy.address))]);
    // The token that it was told was never seen by a platform.
    for told in proxy.heard.lock().unwrap().iter() {
        let told = String::from_utf8_lossy(told).into_owned();
        if let Some(token) = told.lines().find_map(|line| line.strip_prefix("auth: ")) {
            let signature = token.rsplit_once('.').unwrap().1;
            assert!(!output.stdout.contains(signature) && !output.stderr.contains(signature), "{output:?}");
        }
    }
    secrets.check(&output.expect_code(1), &workspace, &nobody);
}

#[test]
fn a_proxy_that_is_not_there_or_not_named_well_is_not_shown() {
    let password = secret().replace(['"', '\\', '<', '\'', '/'], "");
    let mut secrets = Secrets::with(&[("the proxy's password", &password)]);
    let bots = secrets.bot("");
    let nobody = SimulatedPlatform::well(&bots);
    let sink = secrets.database("https://database.invalid");
    let template =
        Template { platform_url: "http://platform.invalid", sink: &sink, bots: &bots, ..Template::default() };
    let workspace = Workspace::with(&template);
    for address in
        ["http://USER@127.0.0.1:1", "USER@127.0.0.1:1", "socks5://USER@127.0.0.1:1", "http://USER@:::", "USER"]
    {
        let address = address.replace("USER", &format!("user:{password}"));
        let output = run_loudly(&workspace, &["--check"], "text", &[("ALL_PROXY", &address)]);
        match address.contains("127.0.0.1:1") && !address.starts_with("socks") {
            true => {
                let output = output.expect_code(1);
                secrets.check(&output, &workspace, &nobody);
                assert!(output.stdout.contains("cannot reach the"), "{output:?}");
            }
            false => {
                let output = output.expect_code(78);
                secrets.check(&output, &workspace, &nobody);
                for key in ["platform.url: ALL_PROXY: ", "influxdb.url: ALL_PROXY: "] {
                    assert!(output.stderr.contains(key), "{output:?}");
                }
            }
        }
    }
}
