//! No secret and no token in anything that the program writes, and nowhere but where it belongs.

mod crash;
mod daemon;
mod echoes;
mod files;
mod panics;
mod proxies;

use crate::support::canaries::{Canaries, in_toml, secret};
use crate::support::fake_influxdb::FakeInfluxDb;
use crate::support::platform::SimulatedPlatform;
use crate::support::process::{Output, Running};
use crate::support::workspace::{Template, Workspace};

/// What the program is given to keep to itself.
struct Secrets {
    client_id: String,
    client_secret: String,
    database_token: String,
    canaries: Canaries,
}

impl Secrets {
    /// New ones, and others that a test brings.
    fn with(others: &[(&str, &str)]) -> Secrets {
        let (client_id, client_secret, database_token) = (secret(), secret(), secret());
        let own =
            [("the client id", &*client_id), ("the client secret", &client_secret), ("the token", &database_token)];
        let canaries = Canaries::of(&[&own, others].concat());
        Secrets { client_id, client_secret, database_token, canaries }
    }

    fn new() -> Secrets {
        Secrets::with(&[])
    }

    /// A bot called `support` with these further lines.
    fn bot(&self, lines: &str) -> String {
        let (client_id, client_secret) = (in_toml(&self.client_id), in_toml(&self.client_secret));
        format!("[bots.support]\nid = \"st-1\"\nclient_id = {client_id}\nclient_secret = {client_secret}\n{lines}\n")
    }

    /// The section `[influxdb]` for the database at this address.
    fn database(&self, url: &str) -> String {
        format!(
            "[influxdb]\nurl = \"{url}\"\norg = \"kore\"\nbucket = \"fake\"\ntoken = {}\n",
            in_toml(&self.database_token)
        )
    }

    /// Nothing of them in what a run said, nor in any file that it made. The tokens that the platform saw are looked
    /// for as well.
    #[track_caller]
    fn check(&mut self, output: &Output, workspace: &Workspace, platform: &SimulatedPlatform) {
        self.canaries.add_tokens(platform);
        assert!(output.stderr.len() + output.stdout.len() > 100, "it said next to nothing: {output:?}");
        self.canaries.check("stderr", &output.stderr);
        self.canaries.check("stdout", &output.stdout);
        self.canaries.check_files(workspace, &["config.toml"]);
    }

    /// Each of them went only to where it belongs, and only in the header that is for it.
    #[track_caller]
    fn check_sent(&mut self, platform: &SimulatedPlatform, database: &FakeInfluxDb) {
        self.canaries.add_tokens(platform);
        for asked in platform.asked() {
            let mut others = asked.headers.clone();
            others.remove("auth").expect("a token");
            self.canaries.check("a request to the platform", format!("{} {others:?} {}", asked.path, asked.body));
            self.canaries.check("its query", format!("{:?}", asked.query));
        }
        for write in database.requests() {
            let mut others = write.headers.clone();
            assert_eq!(others.remove("authorization").unwrap(), format!("Token {}", self.database_token));
            self.canaries.check("a write", format!("{:?} {others:?} {}", write.query, write.body));
        }
    }
}

/// Every way to run to an end.
const MODES: [&[&str]; 5] = [
    &["--once"],
    &["--check"],
    &["--backfill", "2026-08-01..2026-08-02"],
    &["--once", "--dry-run"],
    &["--backfill", "2026-08-01..2026-08-02", "--restart", "--no-progress"],
];

/// Runs the program with these arguments and says everything that it can, in one of the two formats.
fn run_loudly(workspace: &Workspace, arguments: &[&str], format: &str, variables: &[(&str, &str)]) -> Output {
    let mut command = workspace.command();
    command.args(arguments).args(["--log-level", "trace", "--log-format", format]);
    command.env("RUST_LOG", "trace").env("RUST_BACKTRACE", "1").envs(variables.iter().copied());
    Running::start(command).finish()
}

#[test]
fn the_search_finds_a_secret_however_it_is_written() {
    let kept = secret();
    let canaries = Canaries::of(&[("it", &kept)]);
    let basic = |before: &str| openssl::base64::encode_block(format!("{before}:{kept}").as_bytes());
    for written in [
        format!("it is {kept}."),
        format!("it is {}…", &kept[3..20]),
        format!("{:?}", [&kept]),
        serde_json::json!({ "auth": kept }).to_string(),
        reqwest::Url::parse_with_params("http://x", [("y", &kept)]).unwrap().to_string(),
        basic("a"),
        basic("ab"),
        basic("abc"),
    ] {
        assert!(canaries.find(written.as_bytes()).is_some(), "{written}");
    }
    assert_eq!(canaries.find(b"a text with nothing in it, long as it may be"), None);
}

#[test]
fn where_all_is_well_no_secret_is_shown_and_none_goes_astray() {
    for (format, send) in [("text", "query"), ("json", "both")] {
        let mut secrets = Secrets::new();
        let bots = secrets.bot("intervals = [\"hourly\", \"daily\"]");
        let (platform, database) = (SimulatedPlatform::well(&bots), FakeInfluxDb::accepting());
        let (sink, send) = (secrets.database(database.url()), format!("send = \"{send}\""));
        let template =
            Template { platform_url: platform.url(), platform: &send, sink: &sink, bots: &bots, ..Template::default() };
        let workspace = Workspace::with(&template);
        for mode in MODES {
            let output = run_loudly(&workspace, mode, format, &[]).expect_code(0);
            secrets.check(&output, &workspace, &platform);
        }
        secrets.check_sent(&platform, &database);
        assert!(platform.asked().len() >= 9 && database.requests().len() >= 3);
        assert!(workspace.path("state/watermarks.json").exists());
    }
}

#[test]
fn lines_in_a_file_hold_no_secret() {
    let mut secrets = Secrets::new();
    let bots = secrets.bot("");
    let platform = SimulatedPlatform::well(&bots);
    let workspace = Workspace::with(&Template { platform_url: platform.url(), bots: &bots, ..Template::default() });
    let output = run_loudly(&workspace, &["--once"], "text", &[]).expect_code(0);
    secrets.check(&output, &workspace, &platform);
    assert!(workspace.read("engagement.lp").lines().count() > 100);
}

#[test]
fn a_secret_that_cannot_be_used_is_not_shown() {
    let secrets = Secrets::new();
    let bots = secrets.bot("");
    let platform = SimulatedPlatform::well(&bots);
    let as_file = bots.replace("client_secret = ", "client_secret_file = ");
    let as_key = format!("{bots}algorithm = \"RS256\"\nprivate_key_file = \"key\"\n");
    let with_break = secrets.database("http://127.0.0.1:1").replace("token = \"", "token = \"\\n");
    let own_file = "[file]\npath = \"engagement.lp\"\n";
    for (sink, bots) in
        [(own_file, &as_file), (own_file, &as_key), (&*with_break, &bots), (own_file, &bots.replace("id = ", "id "))]
    {
        let template = Template { platform_url: platform.url(), sink, bots, ..Template::default() };
        let workspace = Workspace::with(&template);
        workspace.write("key", &secrets.client_secret);
        for mode in [&["--once"][..], &["--check"], &["--help"], &["--version"], &["--demo", "--once", "--dry-run"]] {
            let output = run_loudly(&workspace, mode, "json", &[("KORE_TREND_CONFIG", "config.toml")]);
            let is_refused = mode[0] == "--once" || mode[0] == "--check";
            assert!(!is_refused || output.code == Some(78), "{output:?}");
            secrets.canaries.check("stderr", &output.stderr);
            secrets.canaries.check("stdout", &output.stdout);
            secrets.canaries.check_files(&workspace, &["config.toml", "key"]);
        }
    }
}
