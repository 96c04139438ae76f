//! The document, the environment over it, and where secrets come from.

use std::path::Path;
use std::sync::Arc;

use secrecy::ExposeSecret;
use tempfile::TempDir;

use super::*;
use crate::demo::tokens::claims;
use crate::domain::credentials::{Algorithm, SigningKey};
use crate::domain::series::Interval;

/// No message and no `Debug` may ever show it.
const CANARY: &str = "canary-4711-not-to-be-seen";

fn environment(variables: &[(&str, &str)]) -> Environment {
    variables.iter().copied().collect()
}

fn folder_with(files: &[(&str, &str)]) -> (TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    let path = folder.path().to_str().unwrap().to_owned();
    (folder, path)
}

fn token(config: &Config) -> &str {
    match &config.destination {
        Destination::InfluxDb(database) => database.token.expose_secret(),
        Destination::File(path) => panic!("points go to {}", path.display()),
    }
}

#[test]
fn the_environment_goes_over_the_document() {
    let text = format!("[platform]\nper_minute = 7\nper_hour = 70\n{TOKEN}{BOT}");
    let variables = environment(&[
        ("KORE_TREND__PLATFORM__PER_MINUTE", "5"),
        ("KORE_TREND__PLATFORM__BACKFILL_SHARE", "0.25"),
        ("KORE_TREND__INFLUXDB__ORG", "123"),
        ("KORE_TREND__INFLUXDB__GZIP", "false"),
        ("KORE_TREND__SCHEDULE__CRON", "0 5 * * * *"),
        ("KORE_TREND__BOTS__SUPPORT__CHANNELS", "[\"rtm\", \"sms\"]"),
        ("KORE_TREND__BOTS__SUPPORT__TAGS__TEAM", "007"),
        ("KORE_TREND__BOTS__SUPPORT__INTERVALS", "[daily]"),
    ]);
    let config = accepted(&text, &variables);
    assert_eq!(config.platform.limits, Limits { per_minute: 5, per_hour: 70, backfill_share: 0.25 });
    let Destination::InfluxDb(database) = &config.destination else { panic!("points go to a file") };
    assert_eq!((database.org.as_str(), database.gzip), ("123", false));
    assert_eq!(config.schedule.cron.line(), "0 5 * * * *");
    assert_eq!(config.bots[0].channels, ["rtm", "sms"].map(Arc::from));
    assert_eq!(config.bots[0].tags, [("team".to_owned(), "007".to_owned())]);
    assert_eq!(config.bots[0].intervals, [Interval::Daily]);
}

#[test]
fn lists_and_tables_of_the_environment_are_written_as_in_toml_and_lists_also_without_quotes() {
    let text = format!("{TOKEN}{BOT}tags = {{ team = \"care\", site = \"x\" }}\n");
    for list in ["[\"rtm\", \"sms\"]", "['rtm', 'sms']", " [ \"rtm\", \"sms\", ] ", "[rtm, sms]"] {
        let config = accepted(&text, &environment(&[("KORE_TREND__BOTS__SUPPORT__CHANNELS", list)]));
        assert_eq!(config.bots[0].channels, ["rtm", "sms"].map(Arc::from), "{list}");
    }
    let variables = [
        ("KORE_TREND__BOTS__SUPPORT__TAGS", "{ team = 'sales', \"a.b\" = \"c\" }"),
        ("KORE_TREND__BOTS__SUPPORT__TAGS__SHIFT", "{ night = 1 }"),
    ];
    let tags = [("a.b", "c"), ("shift", "{ night = 1 }"), ("site", "x"), ("team", "sales")];
    let tags = tags.map(|(key, value)| (key.to_owned(), value.to_owned()));
    assert_eq!(accepted(&text, &environment(&variables)).bots[0].tags, tags);
    for (table, expected) in [
        ("team=care", "KORE_TREND__BOTS__SUPPORT__TAGS: bots.support.tags: must be a table (value hidden)"),
        ("{ bot = \"x\" }", "KORE_TREND__BOTS__SUPPORT__TAGS__BOT: bots.support.tags.bot: the tag \"bot\" is reserved"),
    ] {
        check_problems(&text, &environment(&[("KORE_TREND__BOTS__SUPPORT__TAGS", table)]), &[expected]);
    }
    let secret = environment(&[("KORE_TREND__BOTS__SUPPORT__CLIENT_SECRET", "{ a = 1 }")]);
    assert_eq!(accepted(&text, &secret).bots[0].key, SigningKey::hmac(Algorithm::HS256, b"{ a = 1 }"));
}

#[test]
fn the_environment_alone_is_a_configuration() {
    let variables = environment(&[
        ("KORE_TREND__INFLUXDB__ORG", ""),
        ("KORE_TREND__INFLUXDB__BUCKET", "b"),
        ("KORE_TREND__INFLUXDB__TOKEN", "t"),
        ("KORE_TREND__BOTS__SALES__ID", "st-1"),
        ("KORE_TREND__BOTS__SALES__CLIENT_ID", "cs-1"),
        ("KORE_TREND__BOTS__SALES__CLIENT_SECRET", "s"),
    ]);
    assert_eq!(load(&Source::Nowhere(vec!["a".into()]), &variables).unwrap().bots[0].name, "sales".into());
    for nothing in [Environment::default(), environment(&[("KORE_TREND__LOG_LEVEL", "")])] {
        let error = load(&Source::Nowhere(vec!["a".into(), "b".into()]), &nothing).unwrap_err();
        assert!(error.to_string().contains("no file at a or b; name one with --config, or try --demo"), "{error}");
    }
}

#[test]
fn the_demos_own_configuration_has_no_use_for_the_real_services() {
    let variables = environment(&[
        ("KORE_TREND__INFLUXDB__TOKEN", "t"),
        ("KORE_TREND__BOTS__REAL__ID", "st-1"),
        ("KORE_TREND__PLATFORM__URL", "https://real.example"),
        ("KORE_TREND__SCHEDULE__INITIAL_DAYS", "3"),
    ]);
    let config = load(&Source::BuiltIn("the demo's configuration", crate::demo::CONFIG), &variables).unwrap();
    assert!(matches!(config.destination, Destination::File(_)));
    assert!(config.bots.iter().all(|bot| *bot.name != *"real"));
    assert_eq!(config.schedule.initial_days, 3);
}

#[test]
fn an_empty_variable_is_not_set_but_where_nothing_is_a_value() {
    let text = format!("[admin]\nlisten = \"127.0.0.1:1\"\n{TOKEN}{BOT}");
    let variables = environment(&[
        ("KORE_TREND__LOG_LEVEL", ""),
        ("KORE_TREND__INFLUXDB__TOKEN", ""),
        ("KORE_TREND__INFLUXDB__BUCKET", ""),
        ("KORE_TREND__PLATFORM__PER_MINUTE", ""),
        ("KORE_TREND__BOTS__OTHER__ID", ""),
        ("KORE_TREND__INFLUXDB__ORG", ""),
        ("KORE_TREND__ADMIN__LISTEN", ""),
    ]);
    let config = accepted(&text, &variables);
    let Destination::InfluxDb(database) = &config.destination else { panic!("points go to a file") };
    assert_eq!((database.org.as_str(), database.bucket.as_str(), token(&config)), ("", "b", "a token"));
    assert_eq!((config.log_level.as_deref(), config.admin, config.bots.len()), (None, None, 1));
    assert_eq!(config.platform.limits.per_minute, 60);
}

#[test]
fn a_problem_names_the_variable_that_is_wrong() {
    let text = format!("{TOKEN}{BOT}");
    for (name, value, expected) in [
        ("KORE_TREND__PLATFORM__PER_MINUTE", "0", "platform.per_minute: found \"0\", must be a whole number"),
        ("KORE_TREND__PLATFORM__PER_MINUTE", "many", "platform.per_minute: found \"many\""),
        ("KORE_TREND__PLATFORM__PER_MINUT", "5", "platform.per_minut: unknown key; did you mean platform.per_m"),
        ("KORE_TREND__PLATFORM", "5", "platform: must be a table"),
        ("KORE_TREND__BOTS__SUPPORT__TIME_ZONE", "Mars", "bots.support.time_zone: found \"Mars\""),
        ("KORE_TREND__BOTS__SUPPORT__TAGS__BOT", "x", "bots.support.tags.bot: the tag \"bot\" is reserved"),
    ] {
        check_problems(&text, &environment(&[(name, value)]), &[&format!("{name}: {expected}")]);
    }
}

#[test]
fn a_secret_comes_from_a_value_a_file_or_a_credential() {
    let (_folder, path) = folder_with(&[("a", "from file\n"), ("influxdb.token", "from credential\r\n")]);
    let file = format!("token_file = \"{path}/a\"");
    let credentials = ("CREDENTIALS_DIRECTORY", path.as_str());
    for (lines, variables, expected) in [
        ("token = \"value\"", &[][..], "value"),
        (&file, &[], "from file"),
        ("", &[credentials], "from credential"),
        ("token = \"value\"", &[credentials], "value"),
        ("token = \"value\"", &[("KORE_TREND__INFLUXDB__TOKEN", "0123")], "0123"),
        ("", &[("KORE_TREND__INFLUXDB__TOKEN", "true")], "true"),
        ("", &[("KORE_TREND__INFLUXDB__TOKEN", "\"quoted\"")], "\"quoted\""),
        (&file, &[("KORE_TREND__INFLUXDB__TOKEN", "1e5"), credentials], "1e5"),
        ("token = \"v\"", &[("KORE_TREND__INFLUXDB__TOKEN_FILE", &format!("{path}/a"))], "from file"),
    ] {
        let config = accepted(&format!("{DATABASE}{lines}\n{BOT}"), &environment(variables));
        assert_eq!(token(&config), expected, "{lines} {variables:?}");
    }
    let both = [("KORE_TREND__INFLUXDB__TOKEN", "a"), ("KORE_TREND__INFLUXDB__TOKEN_FILE", "b")];
    check_problems(
        &format!("{DATABASE}{BOT}"),
        &environment(&both),
        &["KORE_TREND__INFLUXDB__TOKEN: influxdb.token: cannot be combined with"],
    );
}

#[test]
fn a_bots_secret_may_be_a_credential_or_a_number_in_the_environment() {
    let (_folder, path) = folder_with(&[("support.client_secret", "a secret\n")]);
    let bot = BOT.replace("client_secret = \"a secret\"\n", "");
    let text = format!("{TOKEN}{bot}");
    let key = |secret: &[u8]| SigningKey::hmac(Algorithm::HS256, secret);
    for (variable, expected) in [
        (("CREDENTIALS_DIRECTORY", path.as_str()), "a secret"),
        (("KORE_TREND__BOTS__SUPPORT__CLIENT_SECRET", "0123"), "0123"),
    ] {
        let config = accepted(&text, &environment(&[variable]));
        let minted = config.bots[0].key.mint("cs-1", jiff::Timestamp::now()).unwrap();
        assert!(claims(&key(expected.as_bytes()), &minted).is_some(), "{expected}");
        assert!(claims(&key(b"another"), &minted).is_none());
    }
    check_problems(&text, &Environment::default(), &["config.toml: bots.support.client_secret: is missing; set bots."]);
}

#[test]
fn what_editors_add_to_a_secret_is_dropped_and_what_copying_adds_is_refused() {
    let refused = "the secret begins or ends with a blank or control character";
    let secret = "s e\u{1}cret";
    for (text, expected) in [
        ("s\n\n", Ok("s")),
        ("s\r\n\r\n", Ok("s")),
        ("\u{feff}s\n", Ok("s")),
        (secret, Ok(secret)),
        ("s \n", Err(refused)),
        (" s", Err(refused)),
        ("\ns", Err(refused)),
        ("s\t", Err(refused)),
        ("s\u{a0}", Err(refused)),
        ("s\u{200b}", Err(refused)),
        ("\0s", Err(refused)),
        ("", Err("the secret is empty")),
        ("\n\r\n", Err("the secret is empty")),
        ("\u{feff}", Err("the secret is empty")),
    ] {
        let (_folder, path) = folder_with(&[("file", text), ("support.client_secret", text)]);
        let bot = BOT.replace("client_secret = \"a secret\"\n", "");
        let in_file = format!("{TOKEN}{bot}client_secret_file = \"{path}/file\"\n");
        let value = toml::Value::String(text.to_owned());
        let as_value = format!("{TOKEN}{bot}client_secret = {value}\n");
        let nowhere = format!("{TOKEN}{bot}");
        let file = "bots.support.client_secret_file";
        for (document, variables, key) in [
            (&in_file, &[][..], file),
            (&as_value, &[], "bots.support.client_secret"),
            (&nowhere, &[("CREDENTIALS_DIRECTORY", path.as_str())], file),
            (&nowhere, &[("KORE_TREND__BOTS__SUPPORT__CLIENT_SECRET", text)], "bots.support.client_secret"),
        ] {
            match expected {
                Ok(secret) => {
                    let key = accepted(document, &environment(variables)).bots[0].key.clone();
                    assert_eq!(key, SigningKey::hmac(Algorithm::HS256, secret.as_bytes()), "{text:?}");
                }
                // An empty variable is not set.
                Err(_) if text.is_empty() && !variables.is_empty() && key != file => {
                    check_problems(document, &environment(variables), &["client_secret: is missing"]);
                }
                Err(problem) => check_problems(document, &environment(variables), &[&format!("{key}: {problem}")]),
            }
        }
    }
}

#[test]
fn a_secret_file_that_cannot_be_read_is_refused() {
    let (_folder, path) = folder_with(&[("large", &"x".repeat((64 << 10) + 1))]);
    for (name, expected) in [
        (format!("{path}/none"), "influxdb.token_file: the file cannot be read: No such"),
        (format!("{path}/large"), "influxdb.token_file: larger than 64 KiB"),
        (path, "influxdb.token_file: not a regular file"),
        ("/dev/zero".to_owned(), "influxdb.token_file: not a regular file"),
    ] {
        let text = format!("{DATABASE}token_file = \"{name}\"\n{BOT}");
        check_problems(&text, &Environment::default(), &[expected]);
    }
}

#[test]
fn a_credential_may_be_a_file_of_a_folder() {
    let prefix = "kore-trend-exporter_";
    let (_folder, path) = folder_with(&[(&format!("{prefix}influxdb.token"), "of the folder\n")]);
    let credentials = environment(&[("CREDENTIALS_DIRECTORY", &path)]);
    assert_eq!(token(&accepted(&format!("{DATABASE}{BOT}"), &credentials)), "of the folder");
    std::fs::write(format!("{path}/influxdb.token"), "alone").unwrap();
    std::fs::write(format!("{path}/{prefix}influxdb.read_token"), "to read").unwrap();
    let config = accepted(&format!("{DATABASE}{BOT}"), &credentials);
    assert_eq!(token(&config), "alone");
    let Destination::InfluxDb(database) = &config.destination else { panic!("points go to a file") };
    assert_eq!(database.read_token.as_ref().map(ExposeSecret::expose_secret), Some("to read"));
}

#[test]
fn no_problem_and_no_debug_shows_a_secret() {
    let bot = |secret: &str| format!("[bots.support]\nid = \"st-1\"\nclient_id = \"cs-1\"\n{secret}\n");
    let quoted = format!("\"{CANARY}\"");
    for text in [
        format!("{DATABASE}token = [{quoted}]\n{}", bot(&format!("client_secret = {{ a = {quoted} }}"))),
        format!("{DATABASE}tokn = {quoted}\n{}", bot(&format!("secret = {quoted}"))),
        format!("{DATABASE}token = \"{CANARY}\\n{CANARY}\"\n{}", bot(&format!("client_secret = {quoted}"))),
        format!("{DATABASE}url = \"http://user:{CANARY}@host\"\ntoken = \"t\"\n{}", bot("client_secret = \"s\"")),
        format!("[platform]\nurl = \"http://host?token={CANARY}\"\n{TOKEN}{}", bot("client_secret = \"s\"")),
        format!("{DATABASE}token = \"{CANARY}\n{}", bot("client_secret = \"s\"")),
        format!("{DATABASE}token = {CANARY}\n{}", bot("client_secret = \"s\"")),
        format!("{TOKEN}{}", bot(&format!("client_secret = {quoted}\nclient_secret = {quoted}"))),
        format!("{TOKEN}{}", bot(&format!("algorithm = \"none\"\nclient_secret = {quoted}"))),
        format!("{TOKEN}{}", bot(&format!("client_secret = {quoted}\nclient_secret_file = \"f\""))),
        format!("influxdb = {quoted}\n{}", bot("client_secret = \"s\"")),
    ] {
        let found = problems(&text, &Environment::default());
        assert!(!found.iter().any(|problem| problem.contains("canary")), "{text}\n{found:#?}");
    }
    let text = format!("{DATABASE}token = {quoted}\n{}", bot(&format!("client_secret = {quoted}")));
    let config = accepted(&text, &Environment::default());
    assert!(!format!("{config:?}{config:#?}").contains("canary"));
    assert_eq!(token(&config), CANARY);
}

#[test]
fn what_is_not_toml_is_told_by_line_and_column() {
    for (text, place) in [
        ("state_dir = \"a\"\n[platform\n", "config.toml: is not valid TOML in line 2 column 10"),
        ("ä = 1\n", "config.toml: is not valid TOML in line 1 column 1"),
        ("a = 1\na = 2\n", "config.toml: is not valid TOML in line 2 column 1"),
    ] {
        let found = problems(text, &Environment::default());
        assert_eq!(found.len(), 1);
        assert!(found[0].contains(place), "{found:?}");
    }
    let error = load(&Source::File("/nowhere/config.toml".into()), &Environment::default()).unwrap_err();
    assert!(error.to_string().starts_with("/nowhere/config.toml: cannot be read: "), "{error}");
}

#[test]
fn the_state_folder_is_the_services_own_unless_one_is_given() {
    for (lines, variables, expected) in [
        ("", &[][..], "state"),
        ("", &[("STATE_DIRECTORY", "/var/lib/kore")], "/var/lib/kore"),
        ("", &[("STATE_DIRECTORY", "/var/lib/kore:/var/lib/other")], "/var/lib/kore"),
        ("", &[("STATE_DIRECTORY", "")], "state"),
        ("", &[("STATE_DIRECTORY", ":")], "state"),
        ("state_dir = \"mine\"", &[("STATE_DIRECTORY", "/var/lib/kore")], "mine"),
        ("state_dir = \"mine\"", &[("KORE_TREND__STATE_DIR", "theirs")], "theirs"),
    ] {
        let config = accepted(&format!("{lines}\n{TOKEN}{BOT}"), &environment(variables));
        assert_eq!(config.state_dir, Path::new(expected), "{lines} {variables:?}");
    }
}
