//! The platform's half of the failure table: each row injected, next to a bot that is well.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use kore_trend_exporter::domain::series::Interval;

use crate::support::platform::{Asked, SimulatedPlatform, day, held_lines};
use crate::support::process::Output;
use crate::support::server::Reply;
use crate::support::workspace::{Template, Workspace, bots};

/// Answers a bot's request of this number, from 1; `None` is the right answer.
type Script = fn(&Asked, usize) -> Option<Reply>;

/// A bot of that name with one hourly series, and how asking for it goes in a first run.
struct Row {
    bot: &'static str,
    reply: Script,
    requests: usize,
    /// What the log says of it; nothing if it is to succeed.
    says: &'static [&'static str],
}

/// Runs `--once` over all rows and a bot called `well`.
fn check(platform_lines: &str, initial_days: i64, rows: Vec<Row>) -> (SimulatedPlatform, Output) {
    let bots = bots(rows.iter().map(|row| row.bot).chain(["well"]), "");
    let replies: BTreeMap<String, Script> = rows.iter().map(|row| (format!("st-{}", row.bot), row.reply)).collect();
    let counts: Mutex<BTreeMap<String, usize>> = Mutex::default();
    let platform = SimulatedPlatform::start(&bots, move |asked, _| {
        let number = {
            let mut counts = counts.lock().unwrap();
            let count = counts.entry(asked.bot_id().to_owned()).or_default();
            *count += 1;
            *count
        };
        replies.get(asked.bot_id())?(asked, number)
    });
    let schedule = format!("initial_days = {initial_days}");
    let template =
        Template { platform_url: platform.url(), platform: platform_lines, bots: &bots, ..Template::default() };
    let workspace = Workspace::with(&Template { schedule: &schedule, ..template });
    let all_well = rows.iter().all(|row| row.says.is_empty());
    let output = workspace.run(&["--once"]).expect_code(if all_well { 0 } else { 1 });

    let lines = workspace.sorted_lines("engagement.lp");
    let yesterday = if initial_days > 0 { day(-1).to_string().into() } else { serde_json::Value::Null };
    let well = Row { bot: "well", reply: |_, _| None, requests: 1, says: &[] };
    for Row { bot, requests, says, .. } in rows.iter().chain([&well]) {
        assert_eq!(platform.asked_of(bot).len(), *requests, "requests for {bot}\n{}", output.stderr);
        if says.is_empty() {
            let expected = held_lines(bot, "all", Interval::Hourly, -initial_days);
            assert!(expected.iter().all(|line| lines.contains(line)), "{bot}");
            assert_eq!(workspace.watermark(bot), yesterday, "{bot}");
            continue;
        }
        let error = errors_of(&output, bot).join("\n");
        for word in says.iter().copied().chain(["channel=\"all\"", "interval=hourly", "days=2"]) {
            assert!(error.contains(word), "{word:?} is missing: {error}");
        }
        assert!(!lines.iter().any(|line| line.contains(&format!("bot={bot},"))), "points of {bot}");
        assert!(workspace.watermark(bot).is_null(), "{bot}");
    }
    let all: usize = rows.iter().chain([&well]).map(|row| row.requests).sum();
    assert_eq!(platform.asked().len(), all, "no request went elsewhere");
    (platform, output)
}

fn errors_of<'a>(output: &'a Output, bot: &str) -> Vec<&'a str> {
    let bot = format!("bot=\"{bot}\"");
    output.stderr.lines().filter(|line| line.contains("ERROR") && line.contains(&bot)).collect()
}

/// The answer is right in form, but a few bytes are all of it that arrives.
fn broken_off() -> Reply {
    Reply::from((200, "{\"results\":[".to_owned())).cut_off()
}

fn plain(status: u16, body: &str) -> Option<Reply> {
    Some((status, body.to_owned()).into())
}

fn error(status: u16, message: &str) -> Option<Reply> {
    Some(Reply::errors(status, status, message))
}

#[test]
fn a_day_that_cannot_be_had_is_asked_for_five_times() {
    let row = |bot, reply, says| Row { bot, reply, requests: 5, says };
    check(
        "",
        0,
        vec![
            row("hang-up", |_, _| Some(Reply::hang_up()), &["cannot reach the platform", "platform.url"]),
            row("e500", |_, _| error(500, "Internal Server Error"), &["answered 500", "Internal Server Error"]),
            row("e502", |_, _| plain(502, "Bad Gateway"), &["answered 502", "Bad Gateway"]),
            row("e503", |_, _| plain(503, ""), &["answered 503"]),
            row("e504", |_, _| plain(504, ""), &["answered 504"]),
        ],
    );
}

#[test]
fn a_day_without_an_answer_is_asked_for_five_times_as_well() {
    let says = &["did not answer within 1s", "platform.timeout"];
    let row = Row { bot: "silent", reply: |_, _| Some(Reply::never()), requests: 5, says };
    check("timeout = \"1s\"", 0, vec![row]);
}

#[test]
fn a_first_run_gives_up_after_five_tries_as_well() {
    let row = |bot, reply, says| Row { bot, reply, requests: 5, says };
    check(
        "",
        7,
        vec![
            row("hang-up", |_, _| Some(Reply::hang_up()), &["cannot reach the platform"]),
            row("e500", |_, _| error(500, "Internal Server Error"), &["answered 500"]),
            row("e502", |_, _| plain(502, ""), &["answered 502"]),
            row("e503", |_, _| plain(503, ""), &["answered 503"]),
        ],
    );
    // By itself, for what stops several series is one line.
    check("", 7, vec![row("broken", |_, _| Some(broken_off()), &["connection lost after 12 bytes of the answer"])]);
}

#[test]
fn what_passes_costs_one_more_request() {
    let row = |bot, reply| Row { bot, reply, requests: 2, says: &[] };
    let (platform, _) = check(
        "",
        7,
        vec![
            row("hang-up", |_, number| (number == 1).then(Reply::hang_up)),
            row("broken", |_, number| (number == 1).then(broken_off)),
            row("e500", |_, number| (number == 1).then(|| error(500, ""))?),
            row("e503", |_, number| (number == 1).then(|| error(503, ""))?),
            row("patient", |_, number| (number == 1).then(|| Reply::errors(503, 503, "").header("retry-after", 2))),
        ],
    );
    let asked = platform.asked_of("patient");
    assert!(asked[1].at - asked[0].at >= Duration::from_secs(2), "Retry-After is honoured");
}

#[test]
fn a_throttled_bot_is_left_alone_for_as_long_as_the_platform_says() {
    fn first(number: usize, status: u16, message: &str, after: &str) -> Option<Reply> {
        (number == 1).then(|| Reply::errors(status, status, message).header("retry-after", after))
    }
    fn date() -> String {
        let then = Timestamp::now() + SignedDuration::from_secs(2);
        then.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
    }
    let row = |bot, reply| Row { bot, reply, requests: 2, says: &[] };
    let rows = vec![
        row("s429", |_, number| first(number, 429, "", "1")),
        row("zero", |_, number| first(number, 429, "", "0")),
        row("dated", |_, number| first(number, 429, "", &date())),
        row("s400", |_, number| first(number, 400, "API rate limit exceeded", "1")),
        row("s403", |_, number| first(number, 403, "Rate-Limit reached", "1")),
    ];
    let bots: Vec<&str> = rows.iter().map(|row| row.bot).collect();
    let (platform, output) = check("", 7, rows);
    for bot in bots {
        let asked = platform.asked_of(bot);
        assert!(asked[1].at - asked[0].at >= Duration::from_secs(1), "{bot}");
    }
    assert!(!output.stderr.contains("ERROR"), "{}", output.stderr);
}

#[test]
fn a_refusal_is_not_asked_again_and_says_what_to_do() {
    let row = |bot, reply, says| Row { bot, reply, requests: 1, says };
    const CREDENTIALS: &[&str] = &["client_id", "appId", "secret", "bot id", "scope", "published"];
    check(
        "",
        7,
        vec![
            row(
                "e200",
                |_, _| plain(200, "{\"results\":[],\"errors\":[{\"msg\":\"no such thing\"}]}"),
                &["no such thing"],
            ),
            row("e401", |_, _| error(401, "Invalid SDK credentials"), CREDENTIALS),
            row("e403", |_, _| plain(403, ""), CREDENTIALS),
            row(
                "scope",
                |_, _| error(401, "Permission denied. Scope is incorrect!"),
                &["Scope is incorrect", "publish"],
            ),
            row("e400", |_, _| error(400, "Invalid StreamId"), &["answered 400", "Invalid StreamId", "bot's id"]),
            row("e404", |_, _| plain(404, "<h1>nowhere</h1>"), &["answered 404", "nowhere", "platform.url"]),
            row("e405", |_, _| error(405, "Method Not Allowed"), &["answered 405", "Method Not Allowed"]),
            row("e412", |_, _| error(412, "Validation errors"), &["answered 412", "Validation errors", "channel"]),
            row(
                "e302",
                |_, _| Some(Reply::from((302, String::new())).header("location", "/x")),
                &["answered 302", "redirects"],
            ),
            row("half", |_, _| error(200, "Invalid StreamId"), &["answered 200", "Invalid StreamId"]),
        ],
    );
}

#[test]
fn a_range_that_is_too_long_is_halved_down_to_single_days() {
    fn long(asked: &Asked, reply: impl Fn() -> Reply) -> Option<Reply> {
        (asked.window().unwrap().days() > 1).then(reply)
    }
    // The 8 days, 4, 2; then each day alone, or the other halves first where only this answer was too slow.
    let row = |bot, reply, requests| Row { bot, reply, requests, says: &[] };
    check(
        "timeout = \"1s\"",
        7,
        vec![
            row("e413", |asked, _| long(asked, || (413, String::new()).into()), 11),
            row("e504", |asked, _| long(asked, || (504, String::new()).into()), 15),
            row("silent", |asked, _| long(asked, Reply::never), 15),
        ],
    );
}

#[test]
fn no_points_come_from_an_answer_that_is_not_as_documented() {
    let row = |bot, reply, says| Row { bot, reply, requests: 1, says };
    const LONG: usize = (16 << 20) + 1;
    check(
        "",
        7,
        vec![
            row("text", |_, _| plain(200, "<html>sign in</html>"), &["not as documented", "line 1 column 1"]),
            row("ends", |_, _| plain(200, "{\"results\":[\n{\"date\":\"Au"), &["EOF", "line 2 column"]),
            row("empty", |_, _| plain(200, "{}"), &["missing field `results`", "line 1 column 2"]),
            row("null", |_, _| plain(200, "{\"results\":null}"), &["invalid type: null", "line 1 column"]),
            row(
                "date",
                |_, _| plain(200, "{\"results\":[{\"date\":\"2026-11-01\"}]}"),
                &["2026-11-01", "line 1 column"],
            ),
            row(
                "hour",
                |_, _| plain(200, "{\"results\":[{\"date\":\"Nov 01 2026\",\"24 - 25\":1}]}"),
                &["24 - 25", "line 1"],
            ),
            row(
                "users",
                |_, _| plain(200, "{\"results\":[{\"date\":\"Nov 01 2026\",\"0 - 1\":\"many\"}]}"),
                &["many", "line 1"],
            ),
            row("long", |_, _| plain(200, &" ".repeat(LONG)), &["larger than 16 MiB"]),
            row("endless", |_, _| Some(Reply::from((200, " ".repeat(LONG))).cut_off()), &["larger than 16 MiB"]),
        ],
    );
}
