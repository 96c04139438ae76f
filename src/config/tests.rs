//! What a configuration may say, what it may not, and how it is told.

mod layers;
mod mistakes;
mod misplaced;
mod values;

use super::*;

const TOKEN: &str = "[influxdb]\norg = \"o\"\nbucket = \"b\"\ntoken = \"a token\"\n";
/// What every `[influxdb]` needs but for its token.
const DATABASE: &str = "[influxdb]\norg = \"o\"\nbucket = \"b\"\n";
const BOT: &str = "[bots.support]\nid = \"st-1\"\nclient_id = \"cs-1\"\nclient_secret = \"a secret\"\n";

fn load_text(text: &str, environment: &Environment) -> Result<Config, Problems> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.toml");
    std::fs::write(&path, text).unwrap();
    load(&Source::File(path), environment)
}

fn problems(text: &str, environment: &Environment) -> Vec<String> {
    let Err(Problems(problems)) = load_text(text, environment) else { panic!("accepted:\n{text}") };
    problems.iter().map(ToString::to_string).collect()
}

/// Every problem holds the words expected of it, and there are no others.
#[track_caller]
fn check_problems(text: &str, environment: &Environment, expected: &[&str]) {
    let found = problems(text, environment);
    for words in expected {
        assert_eq!(found.iter().filter(|problem| problem.contains(words)).count(), 1, "{words}\n{text}\n{found:#?}");
    }
    assert_eq!(found.len(), expected.len(), "{text}\n{found:#?}");
}

/// `lines` before the sections of a configuration that is well.
#[track_caller]
fn check(lines: &str, expected: &[&str]) {
    check_problems(&format!("{lines}\n{TOKEN}{BOT}"), &Environment::default(), expected);
}

/// `lines` after the only bot's.
#[track_caller]
fn check_bot(lines: &str, expected: &[&str]) {
    check_problems(&format!("{TOKEN}{BOT}{lines}\n"), &Environment::default(), expected);
}

fn accepted(text: &str, variables: &Environment) -> Config {
    load_text(text, variables).unwrap_or_else(|problems| panic!("{problems}\n{text}"))
}

#[test]
fn a_section_with_a_wrong_value_is_refused() {
    for (lines, expected) in [
        ("state_dir = \"\"", "config.toml: state_dir: found \"\", must be the path of a folder"),
        ("shutdown_grace = 20", "shutdown_grace: found 20, must be a duration"),
        ("[schedule]\ncron = \"61 * * * * *\"", "schedule.cron: found \"61 * * * * *\": invalid seconds"),
        ("[schedule]\ncron = \"* * *\"", "found 3"),
        ("[schedule]\nrun_on_start = \"yes\"", "schedule.run_on_start: found \"yes\", must be true or false"),
        ("[schedule]\nspread = \"soon\"", "schedule.spread: found \"soon\", must be a duration"),
        ("[schedule]\nspread = \"-5s\"", "schedule.spread"),
        ("[schedule]\nrefresh_days = -1", "schedule.refresh_days: found -1"),
        ("[schedule]\ninitial_days = 40000", "schedule.initial_days"),
        ("[schedule]\ninitial_days = \"7\"", "schedule.initial_days: found \"7\", must be a whole number"),
        ("[platform]\nper_minute = 0", "platform.per_minute: found 0, must be a whole number of at least 1"),
        ("[platform]\nper_minute = \"60\"", "platform.per_minute: found \"60\""),
        ("[platform]\nper_minute = 1.5", "platform.per_minute: found 1.5"),
        ("[platform]\nper_hour = 0", "platform.per_hour: found 0"),
        ("[platform]\nper_hour = 99999999999", "platform.per_hour: found 99999999999"),
        ("[platform]\nconcurrency = 0", "platform.concurrency: found 0"),
        ("[platform]\nmax_days_per_request = 0", "platform.max_days_per_request: found 0"),
        ("[platform]\nbackfill_share = 1.5", "platform.backfill_share: found 1.5, must be a number from 0 to 1"),
        ("[platform]\nbackfill_share = -0.1", "platform.backfill_share"),
        ("[platform]\nbackfill_share = nan", "platform.backfill_share: found NaN, must be"),
        ("[platform]\napi = \"v3\"", "platform.api: found \"v3\", must be \"v1\" or \"v2\""),
        ("[platform]\nsend = \"post\"", "platform.send: found \"post\", must be \"query\", \"body\" or \"both\""),
        ("[platform]\ntimeout = \"0s\"", "platform.timeout: found \"0s\""),
        ("[platform]\nurl = \"ftp://host\"", "platform.url: found \"ftp://host\", must be an http:// or https://"),
        ("[platform]\nurl = \"\"", "platform.url: found \"\""),
        ("[platform]\nurl = \"http://\"", "platform.url: found \"http://\""),
        ("[platform]\nurl = \"https:host\"", "platform.url: found \"https:host\""),
        ("[platform]\nurl = \"https://host/?a=b\"", "platform.url"),
        ("[admin]\nlisten = \"localhost\"", "admin.listen: found \"localhost\", must be an address and a port"),
        ("platform = 5", "platform: must be a table (value hidden)"),
        ("schedule = \"hourly\"", "schedule: must be a table (value hidden)"),
    ] {
        check(lines, &[expected]);
    }
}

fn database(lines: &str) -> String {
    format!("{DATABASE}{lines}")
}

#[test]
fn a_database_that_cannot_be_is_refused() {
    for (section, expected) in [
        (
            "[influxdb]\ntoken = \"t\"\nbucket = \"b\"",
            "influxdb.org: is missing; \"\" means that the database has none",
        ),
        ("[influxdb]\ntoken = \"t\"\norg = \"o\"", "influxdb.bucket: is missing"),
        ("[influxdb]\ntoken = \"t\"\norg = \"o\"\nbucket = \"\"", "influxdb.bucket: found \"\", must be the name of"),
        ("[influxdb]\ntoken = \"t\"\norg = 7\nbucket = \"b\"", "influxdb.org: found 7, must be the name of"),
        (
            &database("token = \"t\"\nurl = \"http://h/db\"\nread = \"flux\""),
            "influxdb.read: \"flux\" cannot be used where influxdb.url has a path; set it to \"influxql\"",
        ),
        (&database("token = \"t\"\nread = \"sql\""), "influxdb.read: found \"sql\", must be \"flux\" or \"influxql\""),
        (&database("token = \"t\"\ngzip = 1"), "influxdb.gzip: found 1, must be true or false"),
        (&database("token = \"t\"\ntimeout = \"25h\""), "influxdb.timeout: found \"25h\""),
        (&database("token = \"\""), "influxdb.token: the secret is empty"),
        (&database("token = \"two\\nlines\""), "influxdb.token: the secret contains a control character"),
        (&database("token = \"t\"\nread_token = \"\""), "influxdb.read_token: the secret is empty"),
        (DATABASE, "influxdb.token: is missing; set influxdb.token or influxdb.token_file or the credential influx"),
        (
            &database("token = \"t\"\ntoken_file = \"f\""),
            "influxdb.token: cannot be combined with influxdb.token_file; keep one",
        ),
        ("[file]\npath = \"\"", "file.path: found \"\", must be the path of a file"),
        ("[file]\npath = \"a\"\n[influxdb]\ntoken = \"t\"", "file: cannot be combined with influxdb; remove"),
        ("file = \"a.lp\"", "file: must be a table (value hidden)"),
    ] {
        check_problems(&format!("{section}\n{BOT}"), &Environment::default(), &[expected]);
    }
}

#[test]
fn a_bot_that_cannot_be_is_refused() {
    for (lines, expected) in [
        ("time_zone = \"Mars/Olympus\"", "support.time_zone: found \"Mars/Olympus\", must be the name of an IANA"),
        ("time_zone = \"\"", "bots.support.time_zone"),
        ("time_zone = \"localtime\"", "bots.support.time_zone: found \"localtime\", must be the name of an IANA"),
        ("cron = \"0 25 * * *\"", "bots.support.cron: found \"0 25 * * *\": invalid hours \"25\""),
        ("channels = []", "bots.support.channels: found [], must be a list"),
        ("channels = \"all\"", "bots.support.channels: found \"all\", must be a list"),
        ("channels = [\"all\", \"all\"]", "bots.support.channels: found [\"all\",\"all\"], must be a list of channel"),
        ("channels = [\"\"]", "a tag must not be empty"),
        ("channels = [\"a\\nb\"]", "a tag must not hold a control character"),
        ("intervals = [\"weekly\"]", "bots.support.intervals: found [\"weekly\"], must be a list of \"hourly\""),
        ("intervals = []", "bots.support.intervals: found []"),
        ("algorithm = \"none\"", "bots.support.algorithm: found \"none\", must be \"HS256\""),
        ("algorithm = \"RS256\"", "bots.support.private_key_file: is missing"),
        ("encryption = \"RSA-OAEP/A128GCM\"", "bots.support.encryption: requires encryption_key_file"),
        ("encryption_key_file = \"/nowhere\"", "bots.support.encryption_key_file: the file cannot be read"),
        (
            "encryption_key_file = \"Cargo.toml\"",
            "bots.support.encryption_key_file: not an RSA public key (JWK or PEM)",
        ),
        ("private_key_file = \"f\"", "bots.support.private_key_file: HS256 signs with the client secret"),
        (
            "client_secret_file = \"f\"",
            "bots.support.client_secret: cannot be combined with bots.support.client_secret_file",
        ),
        ("tags = { bot = \"x\" }", "bots.support.tags.bot: the tag \"bot\" is reserved"),
        ("tags = { bot_id = \"x\" }", "the tag \"bot_id\" is reserved"),
        ("tags = { channel = \"x\" }", "the tag \"channel\" is reserved"),
        ("tags = { time = \"x\" }", "the tag \"time\" is reserved"),
        ("tags = { users = \"x\" }", "the tag \"users\" is reserved"),
        ("tags = { new_users = \"x\" }", "the tag \"new_users\" is reserved"),
        ("tags = { returning_users = \"x\" }", "the tag \"returning_users\" is reserved"),
        ("tags = { team = \"\" }", "the tag \"team\" = \"\": a tag must not be empty"),
        ("tags = { \"\" = \"x\" }", "a tag must not be empty"),
        ("tags = { team = \"a\\tb\" }", "a tag must not hold a control character"),
        ("tags = { \"a\\u0001\" = \"b\" }", "a tag must not hold a control character"),
        ("tags = { team = 'a\\' }", "a tag must not end in a backslash"),
        ("tags = { 'team\\' = \"a\" }", "a tag must not end in a backslash"),
        ("tags = { team = 'a\\,b' }", "InfluxDB cannot hold a backslash before a comma"),
        ("tags = { team = 5 }", "bots.support.tags.team: the tag \"team\" must have a string as its value"),
        ("tags = \"team=care\"", "bots.support.tags: must be a table (value hidden)"),
        ("[bots.Support]", "bots.Support: a bot's name may contain only lower-case letters"),
        ("[bots.\"a b\"]", "bots.a b: a bot's name may contain only lower-case letters"),
    ] {
        check_bot(lines, &[expected]);
    }
    check_problems(TOKEN, &Environment::default(), &["bots: no bots configured; add a [bots.NAME] table"]);
    check_problems(&format!("bots = 5\n{TOKEN}"), &Environment::default(), &["bots: must be a table"]);
}

#[test]
fn a_bot_needs_ids_and_a_secret_in_quotes() {
    let expected = [
        "bots.a.id: is missing; it looks like st-…",
        "bots.a.client_id: found 5, must be a non-empty string",
        "bots.a.client_secret: must be a string in quotes (value hidden)",
        "bots.b.id: found \" \", must be a non-empty string",
        "bots.b.client_id: is missing; it looks like cs-…",
        "bots.b.client_secret: the secret is empty",
    ];
    let bots = "[bots.a]\nclient_id = 5\nclient_secret = 77\n[bots.b]\nid = \" \"\nclient_secret = \"\"\n";
    check_problems(&format!("{TOKEN}{bots}"), &Environment::default(), &expected);
}

#[test]
fn two_bots_may_divide_but_not_share_the_series_of_one_id() {
    let both = |first: &str, second: &str| {
        let bot =
            |name, more| format!("[bots.{name}]\nid = \"st-1\"\nclient_id = \"cs-1\"\nclient_secret = \"s\"\n{more}\n");
        format!("{TOKEN}{}{}", bot("one", first), bot("two", second))
    };
    let same = ["bots.two.id: bots.one has the same id and also exports rtm hourly: one series, two owners"];
    let channels = "channels = [\"rtm\", \"sms\"]";
    check_problems(&both(channels, "channels = [\"all\", \"rtm\"]"), &Environment::default(), &same);
    for (first, second) in [(channels, "channels = [\"all\"]"), ("intervals = [\"hourly\"]", "intervals = [\"daily\"]")]
    {
        assert_eq!(accepted(&both(first, second), &Environment::default()).bots.len(), 2);
    }
}

#[test]
fn an_unknown_key_names_the_nearest_known_one() {
    for (lines, key, nearest) in [
        ("stat_dir = \"x\"", "stat_dir", "state_dir"),
        ("[platform]\nper_minut = 5", "platform.per_minut", "platform.per_minute"),
        ("[schedule]\nper_minute = 5", "schedule.per_minute", "platform.per_minute"),
        ("per_hour = 5", "per_hour", "platform.per_hour"),
        ("listen = \"\"", "listen", "admin.listen"),
        ("[admin]\nport = 9468", "admin.port", "admin.listen"),
        ("[schedule]\nstate_dir = \"x\"", "schedule.state_dir", "state_dir"),
        ("[shedule]\ncron = \"0 10 * * * *\"", "shedule", "schedule"),
        ("[plattform]\nurl = \"x\"", "plattform", "platform"),
        ("[influx]\nurl = \"x\"", "influx", "influxdb"),
        ("[bot.support]\nid = \"x\"", "bot", "bots"),
        // A key in quotes with a dot is one key, whatever path it looks like.
        ("\"platform.per_minute\" = 5", "\"platform.per_minute\"", "platform.per_minute"),
    ] {
        let expected = format!("config.toml: {key}: unknown key; did you mean {nearest}?");
        check(lines, &[&expected]);
        let told = problems(&format!("{lines}\n{TOKEN}{BOT}"), &Environment::default());
        assert!(told[0].contains(&format!("{nearest}? (line ")), "{told:?}");
    }
    for (key, nearest) in [("timezone", "time_zone"), ("client_secrets_file", "client_secret_file"), ("tag", "tags")] {
        let expected = format!("bots.support.{key}: unknown key; did you mean bots.support.{nearest}?");
        check_bot(&format!("{key} = \"x\""), &[&expected]);
    }
    check_bot("tags = { team = \"care\" }\n\"tags.team\" = \"x\"", &["bots.support.\"tags.team\": unknown key"]);
    accepted(&format!("{TOKEN}{BOT}tags = {{ a = \"x\", \"a.b\" = \"c\" }}\n"), &Environment::default());
}

#[test]
fn all_problems_are_told_in_one_run() {
    let text = "shutdown = \"5s\"\n[platform]\nper_minute = 0\nbackfill_share = 2\n[influxdb]\nurl = \"http://h?x\"\n\
                [bots.support]\ntime_zone = \"X\"\ntags = { bot = \"x\" }\n[bots.sales]\nid = \"st-2\"\n";
    let expected = [
        "shutdown: unknown key; did you mean shutdown_grace?",
        "platform.per_minute",
        "platform.backfill_share",
        "influxdb.url",
        "influxdb.org: is missing",
        "influxdb.bucket: is missing",
        "influxdb.token: is missing",
        "bots.support.id",
        "bots.support.client_id",
        "bots.support.client_secret",
        "KORE_TREND__SCHEDULE__CRON: schedule.cron",
        "bots.support.time_zone",
        "bots.support.tags",
        "bots.sales.client_id",
        "bots.sales.client_secret",
    ];
    check_problems(text, &Environment::from([("KORE_TREND__SCHEDULE__CRON", "x")]), &expected);
}

#[test]
fn two_bots_of_the_same_series_are_told_also_where_one_of_them_is_wrong_otherwise() {
    let text = "[file]\n[bots.a]\nid = \"st-1\"\nclient_id = \"cs-1\"\nclient_secret = \"s\"\n\
        [bots.b]\nid = \"st-1\"\nclient_id = \"cs-1\"\n";
    let expected = ["bots.b.client_secret: is missing", "bots.b.id: bots.a has the same id"];
    check_problems(text, &Environment::default(), &expected);
}
