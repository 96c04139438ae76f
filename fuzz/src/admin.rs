//! The admin endpoint: any bytes on a connection to the real server are answered or hung up on at once; an answer is
//! one well-formed answer that only a local name gets, with what keeps browsers from misusing it and without a secret.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use kore_trend_exporter::config::{self, Environment, Limits};
use kore_trend_exporter::limits::limiter::Limiter;
use kore_trend_exporter::observe::endpoint::{self, Admin, Serving};
use kore_trend_exporter::observe::liveness::Liveness;
use kore_trend_exporter::observe::metrics::Watch;
use kore_trend_exporter::observe::status::board::Board;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::configuration::written;
use super::state::wait_for;

const SECRET: &str = "canary-5up3r-s3cr3t";

const BOTS: &str = "[influxdb]\norg = \"o\"\nbucket = \"b\"\ntoken = \"canary-5up3r-s3cr3t\"\n[bots.support]\nid = \"st-<i>\"\n\
    client_id = \"cs-1\"\nclient_secret = \"canary-5up3r-s3cr3t\"\nchannels = [\"all\", \"<b>&\\\"'\"]\n\
    intervals = [\"hourly\", \"daily\"]\n[bots.sales]\nid = \"st-2\"\nclient_id = \"cs-2\"\nclient_secret = \"x\"\n";

/// No answer takes this long, for it waits for nobody.
const TIME: Duration = Duration::from_secs(4);

const LONGEST_ANSWER: usize = 256 << 10;

struct Endpoint {
    address: SocketAddr,
    liveness: Liveness,
    _serving: Serving,
}

/// What a client sends before it has nothing more to say.
pub fn check(input: &[u8]) {
    thread_local! {
        static ENDPOINT: Endpoint = wait_for(serve());
    }
    let answer = ENDPOINT.with(|endpoint| {
        endpoint.liveness.beat();
        wait_for(async { tokio::time::timeout(TIME, ask(endpoint.address, input)).await })
            .expect("it is answered or hung up on")
    });
    let Some(answer) = answer else { return };
    let request = Request::read(input);
    if answer.is_empty() {
        return assert!(request.is_none(), "no answer");
    }
    check_answer(&answer, input, request);
}

/// The server with something to tell.
async fn serve() -> Endpoint {
    let bots = config::load(&written(BOTS.as_bytes()), &Environment::default()).unwrap().bots;
    let watch = Watch::new(now());
    let board = Board::new(Arc::clone(&watch.metrics));
    board.expect(&bots.iter().flat_map(|bot| bot.series().collect::<Vec<_>>()).collect::<Vec<_>>());
    board.reloaded(vec!["<script>alert(1)</script>".to_owned()]);
    board.state_saved(Err(std::io::Error::other("<script>")));
    let liveness = watch.liveness.clone();
    let limits = Limits { per_minute: 60, per_hour: 1800, backfill_share: 0.5 };
    let admin = Admin {
        board: Arc::new(board),
        limiter: Arc::new(Limiter::new(limits, None)),
        metrics: watch.metrics,
        liveness: liveness.clone(),
        clock: now,
        started: now(),
        simulated: false,
    };
    let listener = endpoint::bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    let address = listener.local_addr().unwrap();
    Endpoint { address, liveness, _serving: endpoint::serve(listener, Arc::new(admin)) }
}

fn now() -> Timestamp {
    Timestamp::from_second(1_795_348_800).unwrap()
}

/// Everything that came back; `None` where the connection was cut, for then a part of it may be lost.
async fn ask(address: SocketAddr, input: &[u8]) -> Option<Vec<u8>> {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let _may_be_cut = stream.write_all(input).await;
    let _may_be_cut = stream.shutdown().await;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.ok().map(|_| answer)
}

/// A plain request that must be answered.
struct Request<'a> {
    path: &'a str,
    host: Option<&'a str>,
}

impl Request<'_> {
    /// `None` where anything is out of the ordinary.
    fn read(input: &[u8]) -> Option<Request<'_>> {
        let head = std::str::from_utf8(input).ok()?.strip_suffix("\r\n\r\n")?;
        let (first, headers) = head.split_once("\r\n").unwrap_or((head, ""));
        let path = first.strip_prefix("GET /")?.strip_suffix(" HTTP/1.1")?;
        let is_plain = |text: &str| {
            !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-:[]/*".contains(&byte))
        };
        let mut host = None;
        for header in headers.split("\r\n").filter(|_| !headers.is_empty()) {
            let (name, value) = header.split_once(": ")?;
            let is_known = ["host", "accept", "user-agent"].contains(&name.to_ascii_lowercase().as_str());
            if !is_known || !is_plain(value) || (name.eq_ignore_ascii_case("host") && host.replace(value).is_some()) {
                return None;
            }
        }
        (path.is_empty() || is_plain(path)).then_some(Request { path, host })
    }

    /// Whether it goes to an address or to this machine's own name; `None` where that is a matter of opinion.
    fn is_local(&self) -> Option<bool> {
        self.host.map_or(Some(true), is_local)
    }
}

fn is_local(host: &str) -> Option<bool> {
    let (name, port) = host.rsplit_once(':').filter(|(name, _)| !name.is_empty()).unwrap_or((host, ""));
    let is_address = match name.strip_prefix('[').and_then(|name| name.strip_suffix(']')) {
        Some(inner) => inner.parse::<Ipv6Addr>().is_ok(),
        None => name.parse::<Ipv4Addr>().is_ok(),
    };
    match name.eq_ignore_ascii_case("localhost") || is_address {
        true => port.bytes().all(|byte| byte.is_ascii_digit()).then_some(true),
        // What is made of letters is a name, and all that rebinding can give.
        false => {
            name.contains(|letter: char| letter.is_ascii_alphabetic() && !letter.is_ascii_hexdigit()).then_some(false)
        }
    }
}

fn check_answer(answer: &[u8], input: &[u8], request: Option<Request<'_>>) {
    assert!(answer.len() <= LONGEST_ANSWER);
    let text = String::from_utf8(answer.to_vec()).expect("text");
    assert!(!text.contains(SECRET) && !text.contains("<script"), "{text}");
    let (head, body) = text.split_once("\r\n\r\n").expect("a whole head");
    let (status_line, headers) = head.split_once("\r\n").expect("headers");
    let version = status_line.strip_prefix("HTTP/1.1 ").or_else(|| status_line.strip_prefix("HTTP/1.0 "));
    let status: u16 = version.expect("a version").split(' ').next().unwrap().parse().unwrap();
    assert!([200, 400, 404, 405, 414, 421, 431, 503].contains(&status), "{status_line}");
    let mut named = BTreeMap::new();
    for header in headers.split("\r\n") {
        let (name, value) = header.split_once(": ").expect("a header");
        assert!(!header.contains(['\r', '\n']) && named.insert(name, value).is_none(), "{header:?}");
    }
    assert!(!named.contains_key("transfer-encoding"));
    let length: usize = named["content-length"].parse().unwrap();
    let is_head = input.trim_ascii_start().starts_with(b"HEAD ");
    assert!(body.len() == length || (is_head && body.is_empty()), "one answer and no more: {text}");

    if [200, 404, 405, 503].contains(&status) {
        assert_eq!((named["cache-control"], named["x-content-type-options"]), ("no-store", "nosniff"));
        assert!(named["content-security-policy"].starts_with("default-src 'none'"));
        let host = first_host(input);
        assert!(host.as_deref().and_then(is_local) != Some(false), "a stranger's name was answered: {host:?}");
    }
    if let Some(request) = request {
        let expected: &[u16] = match request.path {
            _ if request.is_local() == Some(false) => &[421],
            _ if request.is_local().is_none() => return,
            "" | "metrics" | "healthz" => &[200],
            "readyz" => &[503],
            _ => &[404],
        };
        assert!(expected.contains(&status), "{text}");
    }
}

/// The first `Host` of the request, where its lines are as they should be.
fn first_host(input: &[u8]) -> Option<String> {
    let head = input.trim_ascii_start().split(|byte| *byte == b'\n').skip(1);
    let lines = head.map(|line| line.strip_suffix(b"\r").unwrap_or(line)).take_while(|line| !line.is_empty());
    let mut hosts = lines.filter_map(|line| {
        let (name, value) = std::str::from_utf8(line).ok()?.split_once(':')?;
        name.eq_ignore_ascii_case("host").then(|| value.trim().to_owned())
    });
    hosts.next()
}
