//! What people get wrong in a configuration, and that one mistake is one problem.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::time::{Duration, Instant};

use crate::support::fake_influxdb::FakeInfluxDb;
use crate::support::platform::SimulatedPlatform;
use crate::support::process::{Output, Running};
use crate::support::workspace::{Template, Workspace, bots};

/// Runs `--check` with these variables to its end.
fn check(workspace: &Workspace, variables: &[(&str, OsString)]) -> Output {
    let mut command = workspace.command();
    command.arg("--check").envs(variables.iter().map(|(name, value)| (name, value)));
    Running::start(command).finish()
}

/// The problems of a configuration, which must be wrong.
#[track_caller]
fn problems(workspace: &Workspace, variables: &[(&str, OsString)]) -> Vec<String> {
    let output = check(workspace, variables).expect_code(78);
    output
        .stderr
        .lines()
        .filter(|line| line.contains("config.toml") || line.contains("KORE_TREND__"))
        .map(str::to_owned)
        .collect()
}

/// That this configuration has one problem, told with these words.
#[track_caller]
fn check_one(template: &Template, variables: &[(&str, OsString)], words: &[&str]) {
    let found = problems(&Workspace::with(template), variables);
    assert_eq!(found.len(), 1, "{found:#?}");
    for word in words {
        assert!(found[0].contains(word), "no {word:?} in {}", found[0]);
    }
}

#[test]
fn a_name_that_no_bot_may_have_is_one_problem() {
    for name in ["Support", "größe", "support bot"] {
        let section = bots([format!("{name:?}").as_str()], "").replace(&format!("st-{name:?}"), "st-1");
        let section =
            section.replace(&format!("cs-{name:?}"), "cs-1").replace(&format!("the secret of {name:?}"), "the secret");
        check_one(&Template { bots: &section, ..Template::default() }, &[], &[name, "lower-case letters"]);
    }
}

#[test]
fn a_wrong_key_is_held_against_its_siblings_and_told_with_its_line() {
    let section = bots(["support"], "timezone = \"UTC\"");
    check_one(
        &Template { bots: &section, ..Template::default() },
        &[],
        &["bots.support.timezone", "time_zone", "line"],
    );
}

#[test]
fn five_thousand_problems_are_told_in_two_seconds() {
    let names: Vec<String> = (0..5000).map(|number| format!("bot-{number}")).collect();
    let sections = bots(names.iter().map(String::as_str), "timezone = \"UTC\"");
    let workspace = Workspace::with(&Template { bots: &sections, ..Template::default() });
    let started = Instant::now();
    let found = problems(&workspace, &[]);
    assert_eq!(found.len(), 5000);
    // Twenty times what it may take on a machine of its own: what is quadratic takes minutes.
    assert!(started.elapsed() < Duration::from_secs(40), "{:?}", started.elapsed());
}

#[test]
fn what_surrounds_a_secret_in_its_file_is_dropped_or_refused() {
    let sections = bots(["support"], "");
    let platform = SimulatedPlatform::well(&sections);
    let by_file =
        sections.replace("client_secret = \"the secret of support, long enough\"", "client_secret_file = \"secret\"");
    let template = Template { platform_url: platform.url(), bots: &by_file, ..Template::default() };
    let workspace = Workspace::with(&template);
    let secret = "the secret of support, long enough";
    for good in [format!("{secret}\n\n"), format!("{secret}\r\n\r\n"), format!("\u{feff}{secret}\n")] {
        workspace.write("secret", &good);
        workspace.run(&["--once", "--dry-run"]).expect_code(0);
    }
    for bad in [
        format!("{secret} \n"),
        format!(" {secret}\n"),
        format!("{secret}\t"),
        format!("\u{1}{secret}"),
        "\n".to_owned(),
    ] {
        workspace.write("secret", &bad);
        let output = workspace.run(&["--once", "--dry-run"]).expect_code(78);
        assert!(output.stderr.contains("client_secret_file"), "{bad:?}\n{}", output.stderr);
        assert!(!output.stderr.contains(secret), "{}", output.stderr);
    }
    let padded = sections.replace(secret, &format!("{secret} "));
    check_one(&Template { bots: &padded, ..Template::default() }, &[], &["bots.support.client_secret"]);
    let variable = [("KORE_TREND__BOTS__SUPPORT__CLIENT_SECRET", OsString::from(format!(" {secret}")))];
    check_one(&template, &variable, &["KORE_TREND__BOTS__SUPPORT__CLIENT_SECRET"]);
}

#[test]
fn a_variable_that_is_no_text_is_refused() {
    for name in
        ["KORE_TREND__INFLUXDB__BUCKET", "KORE_TREND__PLATFORM__URL", "KORE_TREND__BOTS__SUPPORT__CLIENT_SECRET"]
    {
        let value = OsString::from_vec(b"enga\xffgement".to_vec());
        check_one(&Template::default(), &[(name, value)], &[name, "UTF-8"]);
    }
}

#[test]
fn a_variable_is_read_as_one_of_the_configured_names() {
    let secret = "the secret of a__b, long enough";
    let sections = bots(["a__b", "c-d"], "");
    let platform = SimulatedPlatform::well(&sections);
    let without = sections
        .replace(&format!("client_secret = \"{secret}\"\n"), "")
        .replace("client_secret = \"the secret of c-d, long enough\"\n", "");
    let workspace = Workspace::with(&Template { platform_url: platform.url(), bots: &without, ..Template::default() });
    let variables = [
        ("KORE_TREND__BOTS__A__B__CLIENT_SECRET", OsString::from(secret)),
        ("KORE_TREND__BOTS__C-D__CLIENT_SECRET", OsString::from("the secret of c-d, long enough")),
    ];
    check(&workspace, &variables).expect_code(0);
}

#[test]
fn an_empty_variable_is_not_set_but_where_nothing_is_a_value() {
    for name in ["KORE_TREND__LOG_LEVEL", "KORE_TREND__PLATFORM__TIMEOUT", "KORE_TREND__SCHEDULE__CRON"] {
        let workspace = Workspace::with(&Template { top: "log_level = \"info\"", ..Template::default() });
        let mut command = workspace.command();
        command.arg("--once").env(name, "");
        let output = Running::start(command).finish().expect_code(1);
        assert!(output.stderr.contains("INFO"), "{name}\n{}", output.stderr);
    }
    check_one(&Template { top: "log_level = \",\"", ..Template::default() }, &[], &["log_level"]);
}

#[test]
fn a_database_needs_an_organization_and_a_bucket() {
    let sink = |lines: &str| format!("[influxdb]\nurl = \"http://127.0.0.1:1\"\ntoken = \"t\"\n{lines}");
    check_one(&Template { sink: &sink("bucket = \"b\"\n"), ..Template::default() }, &[], &["influxdb.org"]);
    check_one(&Template { sink: &sink("org = \"o\"\n"), ..Template::default() }, &[], &["influxdb.bucket"]);
    check_one(
        &Template { sink: &sink("org = \"o\"\nbucket = \"\"\n"), ..Template::default() },
        &[],
        &["influxdb.bucket"],
    );
    let database = FakeInfluxDb::accepting();
    let section = bots(["support"], "");
    let platform = SimulatedPlatform::well(&section);
    let sink = database.config().replace("org = \"kore\"", "org = \"\"");
    let template = Template { platform_url: platform.url(), sink: &sink, bots: &section, ..Template::default() };
    let workspace = Workspace::with(&template);
    workspace.run(&["--once"]).expect_code(0);
    let as_variable = sink.replace("org = \"\"\n", "");
    workspace.configure(&Template { sink: &as_variable, ..template });
    let mut command = workspace.command();
    command.arg("--once").env("KORE_TREND__INFLUXDB__ORG", "");
    Running::start(command).finish().expect_code(0);
}

#[test]
fn a_tag_is_not_called_like_a_field_or_the_time() {
    for name in ["users", "new_users", "returning_users", "time", "bot", "bot_id", "channel"] {
        let section = bots(["support"], &format!("tags = {{ {name} = \"x\" }}"));
        check_one(&Template { bots: &section, ..Template::default() }, &[], &[&format!("tags.{name}")]);
    }
}

#[test]
fn zones_that_the_system_may_lack_are_known_and_pretenders_are_not() {
    let section = |zone: &str| bots(["support"], &format!("time_zone = \"{zone}\""));
    for zone in ["US/Eastern", "Asia/Calcutta", "Europe/Kiev", "UTC"] {
        let section = section(zone);
        let platform = SimulatedPlatform::well(&section);
        let template = Template { platform_url: platform.url(), bots: &section, ..Template::default() };
        Workspace::with(&template).run(&["--once", "--dry-run"]).expect_code(0);
    }
    for zone in ["localtime", "posixrules", "Factory", "Europe/Berlim"] {
        check_one(&Template { bots: &section(zone), ..Template::default() }, &[], &["time_zone", zone]);
    }
}

#[test]
fn a_proxy_that_cannot_be_used_is_named_by_its_variable() {
    for (name, value) in [
        ("HTTPS_PROXY", "socks5://127.0.0.1:1"),
        ("https_proxy", "socks5h://127.0.0.1:1"),
        ("HTTPS_PROXY", "http://user:p@ss@127.0.0.1:1"),
    ] {
        let sections = bots(["support"], "");
        let sink = "[influxdb]\nurl = \"https://database.invalid\"\norg = \"o\"\nbucket = \"b\"\ntoken = \"t\"\n";
        let template =
            Template { platform_url: "https://platform.invalid", sink, bots: &sections, ..Template::default() };
        let workspace = Workspace::with(&template);
        let mut command = workspace.command();
        command.arg("--once").env(name, value);
        let output = Running::start(command).finish();
        assert!(matches!(output.code, Some(1 | 78)), "{output:?}");
        assert!(output.stderr.contains(name), "{name}={value}\n{}", output.stderr);
        assert!(!output.stderr.contains("p@ss"), "{}", output.stderr);
    }
}

#[test]
fn a_proxy_that_is_no_text_is_told_at_the_start() {
    let sections = bots(["support"], "");
    let template = Template { platform_url: "https://platform.invalid", bots: &sections, ..Template::default() };
    let workspace = Workspace::with(&template);
    let no_text = || OsString::from_vec(b"http://\xff".to_vec());
    for variables in [vec![("HTTPS_PROXY", no_text())], vec![("HTTPS_PROXY", "a:1".into()), ("NO_PROXY", no_text())]] {
        let name = variables.last().unwrap().0;
        let output = check(&workspace, &variables).expect_code(78);
        assert!(output.stderr.contains(&format!("{name}: not valid UTF-8")), "{}", output.stderr);
    }
}

#[test]
fn a_file_that_may_grow_no_further_is_like_a_full_disk() {
    let sections = bots(["support"], "channels = [\"all\", \"rtm\", \"msteams\", \"ivr\"]");
    let platform = SimulatedPlatform::well(&sections);
    let workspace = Workspace::with(&Template { platform_url: platform.url(), bots: &sections, ..Template::default() });
    let of_program = workspace.command();
    let mut command = std::process::Command::new("sh");
    command
        .current_dir(workspace.path(""))
        .args(["-c", "ulimit -f 16 && exec \"$0\" --once"])
        .arg(of_program.get_program());
    let output = Running::start(command).finish().expect_code(1);
    assert!(output.stderr.contains("File too large"), "{}", output.stderr);
    let text = workspace.read("engagement.lp");
    assert!(text.is_empty() || text.ends_with('\n'), "half a line");
}
