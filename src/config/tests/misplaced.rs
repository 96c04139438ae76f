//! Whatever is wrong with a configuration, what is said of it shows no secret: neither of a document that was damaged by
//! hand, nor of one in which a secret stands in the wrong place.

use std::collections::HashSet;

use super::*;

const CLIENT_SECRET: &str = "m4/PqvTz81+xWk0RbYh7cUeDn5sLgAoJ3iFtE9rN6yQ=";
const TOKEN_OF_DATABASE: &str = "zX8-kV2_uB5nM7qW1eR4tY6uI9oP0aS3dF5gH7jK8lZxC2vB4nM6qWeRtYuIoPaSdFgHjKl==";

/// What is wrong with this configuration, or what is said of one that is not.
fn said(text: &str, environment: &Environment) -> String {
    match load_text(text, environment) {
        Ok(config) => format!("{:?}", config.warnings),
        Err(problems) => format!("{problems}\n{problems:?}"),
    }
}

/// No eight characters in a row of a secret are said.
#[track_caller]
fn check(text: &str, environment: &Environment) {
    let said = said(text, environment);
    let parts: HashSet<&[u8]> =
        [CLIENT_SECRET, TOKEN_OF_DATABASE].iter().flat_map(|secret| secret.as_bytes().windows(8)).collect();
    assert!(!said.is_empty(), "{text}");
    assert!(!said.as_bytes().windows(8).any(|part| parts.contains(part)), "of\n{text}\nis said\n{said}");
}

fn document() -> String {
    format!(
        "{DATABASE}token = \"{TOKEN_OF_DATABASE}\"\n[bots.a]\nid = \"st-1\"\nclient_id = 'cs-1'\n\
         client_secret = \"{CLIENT_SECRET}\"\ntags = {{ x = \"y\" }}\n"
    )
}

#[test]
fn a_document_that_is_damaged_anywhere_shows_no_secret() {
    let document = document();
    for place in 0..document.len() {
        let (before, after) = document.split_at(place);
        check(before, &Environment::default());
        check(&format!("{before}{}", &after[1..]), &Environment::default());
        for damage in ["\"", "'", "\n", "[", "=", "\\"] {
            check(&format!("{before}{damage}{after}"), &Environment::default());
        }
    }
}

/// The keys of a configuration that take anything but a secret.
const KEYS: [&str; 33] = [
    "state_dir",
    "shutdown_grace",
    "log_level",
    "schedule.cron",
    "schedule.run_on_start",
    "schedule.spread",
    "schedule.refresh_days",
    "platform.api",
    "platform.send",
    "platform.timeout",
    "platform.end_date",
    "platform.per_minute",
    "platform.backfill_share",
    "platform.concurrency",
    "influxdb.timeout",
    "influxdb.gzip",
    "influxdb.token_file",
    "influxdb.read_token_file",
    "influxdb.read",
    "influxdb.tokn",
    "admin.listen",
    "bots.a.client_id",
    "bots.a.algorithm",
    "bots.a.client_secret_file",
    "bots.a.private_key_file",
    "bots.a.secret",
    "bots.a.encryption_key_file",
    "bots.a.encryption",
    "bots.a.encryption_key",
    "bots.a.time_zone",
    "bots.a.intervals",
    "bots.a.cron",
    "bots.a.tags",
];

#[test]
fn a_secret_in_the_place_of_another_value_is_not_shown() {
    for key in KEYS {
        let (section, name) = key.rsplit_once('.').unwrap_or(("", key));
        for value in [
            format!("\"{CLIENT_SECRET}\""),
            format!("[\"{CLIENT_SECRET}\"]"),
            format!("[[\"{CLIENT_SECRET}\"], 5]"),
            format!("{{ x = \"{CLIENT_SECRET}\" }}"),
        ] {
            // Where the state is kept is no secret to anyone: the folder bears the name.
            if key == "state_dir" && value.starts_with('"') || key == "bots.a.tags" && value.starts_with('{') {
                continue;
            }
            let line = format!("{name} = {value}");
            let mut document = document();
            if key == "bots.a.client_id" {
                document = document.replace("client_id = 'cs-1'\n", "");
            }
            if key == "bots.a.tags" {
                document = document.replace("tags = { x = \"y\" }\n", "");
            }
            let document = match section {
                "" => format!("{line}\n{document}"),
                "influxdb" => document.replace("[influxdb]", &format!("[influxdb]\n{line}")),
                "bots.a" => format!("{document}{line}\n"),
                other => format!("{document}[{other}]\n{line}\n"),
            };
            assert!(toml::from_str::<toml::Table>(&document).is_ok(), "{document}");
            check(&document, &Environment::default());
        }
        if key != "state_dir" {
            check(&document(), &Environment::from([(variable(key).as_str(), CLIENT_SECRET)]));
        }
    }
}

fn variable(key: &str) -> String {
    format!("KORE_TREND__{}", key.to_uppercase().replace('.', "__"))
}

#[test]
fn a_secret_in_an_address_is_not_shown() {
    let secret = CLIENT_SECRET.replace('/', "");
    for address in ["http://h/SECRET", "http://h/x/SECRET", "http://user:SECRET@h", "http://SECRET@h", "h?token=SECRET"]
    {
        for section in ["influxdb", "platform"] {
            let variable = variable(&format!("{section}.url"));
            let address = address.replace("SECRET", &secret);
            check(&document(), &Environment::from([(variable.as_str(), address.as_str())]));
        }
    }
}

#[test]
fn a_table_in_the_place_of_a_secret_and_a_secret_in_the_place_of_a_table_are_not_shown() {
    for key in ["influxdb", "bots", "bots.a", "bots.b", "platform", "influxdb.token.x", "bots.a.client_secret.x.y"] {
        check(&document(), &Environment::from([(variable(key).as_str(), CLIENT_SECRET)]));
    }
    for line in ["client_secret", "client_secret_file", "private_key_file"] {
        for value in [format!("[\"{CLIENT_SECRET}\"]"), format!("{{ x = \"{CLIENT_SECRET}\" }}"), "77".to_owned()] {
            let own = format!("client_secret = \"{CLIENT_SECRET}\"");
            check(&document().replace(&own, &format!("{line} = {value}")), &Environment::default());
        }
    }
}

#[test]
fn a_client_id_and_a_secret_that_changed_places_are_not_shown() {
    let swapped = format!("[bots.a]\nid = \"st-1\"\nclient_id = \"{CLIENT_SECRET}\"\nclient_secret = \"cs-1\"\n");
    let said = said(&format!("{TOKEN}{swapped}"), &Environment::default());
    assert!(said.contains("bots.a.client_id is (value hidden): the platform's ids are cs- and a UUID"));
    assert!(!said.contains(CLIENT_SECRET), "{said}");
}
