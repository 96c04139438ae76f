//! One mistake is one problem, with its line; it is told soon, and in words that name it.

use std::ffi::OsStr;
use std::fmt::Write;
use std::os::unix::ffi::OsStrExt;
use std::time::{Duration, Instant};

use super::*;

#[test]
fn one_mistake_is_one_problem_with_its_line() {
    let wrong_name = "a bot's name may contain only lower-case letters";
    for (text, expected) in [
        (format!("{TOKEN}{}", BOT.replace("support", "Support")), format!("bots.Support: {wrong_name}")),
        (format!("{TOKEN}{}", BOT.replace("support", "\"größe\"")), format!("bots.größe: {wrong_name}")),
        (format!("{TOKEN}{}", BOT.replace("support", "\"support bot\"")), format!("bots.support bot: {wrong_name}")),
        (format!("{}{BOT}", TOKEN.replace("influxdb", "influx")), "influx: unknown key; did you mean influxdb?".into()),
        (format!("{TOKEN}{}", BOT.replace("bots.", "bot.")), "bot: unknown key; did you mean bots?".into()),
        (
            format!("{TOKEN}{}", BOT.replace("client_id", "clientid")),
            "bots.support.clientid: unknown key; did you mean bots.support.client_id?".into(),
        ),
        (
            format!("{TOKEN}{}", BOT.replace("bots.support]", "bots.support.eu]")),
            format!("bots.support.eu: {wrong_name}"),
        ),
        (format!("influxdb = 5\n{BOT}"), "influxdb: must be a table (value hidden)".into()),
        (format!("{TOKEN}[bots]\nsupport = 5\n"), "bots.support: must be a table (value hidden)".into()),
    ] {
        let found = problems(&text, &Environment::default());
        assert_eq!(found.len(), 1, "{text}\n{found:#?}");
        let line = text.lines().position(|line| {
            ["Support]", "support.eu]", "größe", "support bot", "[influx]", "[bot.", "clientid", "= 5"]
                .iter()
                .any(|word| line.contains(word))
        });
        let place = format!(" (line {})", line.unwrap() + 1);
        assert!(found[0].contains(&format!("config.toml: {expected}")) && found[0].ends_with(&place), "{found:?}");
    }
}

#[test]
fn what_is_missing_is_told_with_the_line_of_its_table() {
    let text = "# a comment\n[influxdb]\ntoken = \"t\"\norg = \"\"\n\n[bots.a]\nid = \"st-1\"\nclient_secret = \"s\"\n";
    let expected = ["influxdb.bucket: is missing (line 2)", "bots.a.client_id: is missing; it looks like cs-…"];
    check_problems(text, &Environment::default(), &expected);
    assert!(problems(text, &Environment::default())[1].ends_with("on the platform (line 6)"));
}

#[test]
fn what_is_missing_of_a_table_that_variables_brought_is_told_by_the_variable() {
    let environment = Environment::from([
        ("KORE_TREND__BOTS__SUPORT__CLIENT_SECRET", "s"),
        ("KORE_TREND__INFLUXDB__BUCKET", "b"),
        ("KORE_TREND__INFLUXDB__TOKEN", "t"),
    ]);
    let expected = [
        "KORE_TREND__INFLUXDB__ORG: influxdb.org: is missing",
        "KORE_TREND__BOTS__SUPORT__ID: bots.suport.id: is missing",
        "KORE_TREND__BOTS__SUPORT__CLIENT_ID: bots.suport.client_id: is missing",
    ];
    check_problems(BOT, &environment, &expected);
}

#[test]
fn a_name_that_the_document_has_is_told_by_its_line_whatever_variables_add() {
    let environment = Environment::from([("KORE_TREND__BOTS__SUPPORT__CLIENT_SECRET", "s")]);
    let text = format!("{TOKEN}{}", BOT.replace("support", "Support"));
    let found = problems(&text, &environment);
    assert!(found.len() == 1 && found[0].contains("config.toml: bots.Support: a bot's name"), "{found:?}");
    assert!(found[0].ends_with("(line 5)"), "{found:?}");
}

#[test]
fn a_mistake_that_resembles_nothing_hides_nothing() {
    let text = format!("[influxdb]\nfoo = 1\ntoken = \"t\"\nbucket = \"b\"\n{BOT}");
    check_problems(&text, &Environment::default(), &["influxdb.foo: unknown key", "influxdb.org: is missing"]);
}

#[test]
fn a_key_that_is_wrong_in_thousands_of_bots_is_told_at_once() {
    let mut text = TOKEN.to_owned();
    for number in 0..5000 {
        let bot = BOT.replace("support", &format!("bot-{number}")).replace("st-1", &format!("st-{number}"));
        writeln!(text, "{bot}timezone = \"UTC\"").unwrap();
    }
    let start = Instant::now();
    let found = problems(&text, &Environment::default());
    // A tenth of a second of work; quadratic, it was minutes.
    assert!(start.elapsed() < Duration::from_secs(60), "{:?}", start.elapsed());
    assert_eq!(found.len(), 5000);
    assert!(found[4999].contains("bots.bot-4999.timezone: unknown key; did you mean bots.bot-4999.time_zone?"));
}

#[test]
fn a_name_with_the_separator_of_variables_is_told_from_others() {
    let bots = format!("{}{}", BOT.replace("support", "a"), BOT.replace("support", "a__b").replace("st-1", "st-2"));
    let variable = Environment::from([("KORE_TREND__BOTS__A__B__TIME_ZONE", "Asia/Kolkata")]);
    let config = accepted(&format!("{TOKEN}{bots}"), &variable);
    let zones: Vec<_> = config.bots.iter().map(|bot| (&*bot.name, bot.time_zone.iana_name())).collect();
    assert_eq!(zones, [("a", Some("UTC")), ("a__b", Some("Asia/Kolkata"))]);

    let alone = accepted(&format!("{TOKEN}{}", BOT.replace("support", "a__b")), &variable);
    assert_eq!(alone.bots.len(), 1);
    let hyphen = Environment::from([("KORE_TREND__BOTS__A-B__TIME_ZONE", "Asia/Kolkata")]);
    assert_eq!(accepted(&format!("{TOKEN}{}", BOT.replace("support", "a-b")), &hyphen).bots.len(), 1);

    let ambiguous = bots.replace("a__b", "a__tags");
    let expected = "bots.a__tags: its environment variables cannot be told from those of bots.a; rename one (line 9)";
    check_problems(&format!("{TOKEN}{ambiguous}"), &Environment::default(), &[expected]);
}

#[test]
fn a_variable_that_is_not_utf_8_is_refused() {
    let broken = OsStr::from_bytes(b"engagement\xff");
    let environment = Environment::from([
        (OsStr::new("KORE_TREND__INFLUXDB__BUCKET"), broken),
        (OsStr::from_bytes(b"KORE_TREND__\xff"), OsStr::new("x")),
        (OsStr::new("OTHER"), broken),
    ]);
    let expected = ["KORE_TREND__INFLUXDB__BUCKET: not valid UTF-8", "KORE_TREND__\u{fffd}: not valid UTF-8"];
    check_problems(&format!("{TOKEN}{BOT}"), &environment, &expected);
    let no_toml = "config.toml: is not valid TOML in line 1 column 10: invalid table header, expected";
    check_problems("[platform", &environment, &[expected[0], expected[1], no_toml]);
}

#[test]
fn a_log_level_that_selects_nothing_is_refused() {
    for level in ["", ",", " , "] {
        check(&format!("log_level = \"{level}\""), &["log_level: found"]);
    }
}
