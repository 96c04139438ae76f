//! What each generation of the database says, and what is made of it.

use std::collections::BTreeSet;
use std::time::Duration;

use kore_trend_exporter::domain::series::{Interval, Window};

use crate::support::daemon::{Daemon, EVERY_SECOND, lines_with};
use crate::support::fake_influxdb::words::{self, GENERATIONS};
use crate::support::fake_influxdb::{FakeInfluxDb, Generation, Options, Reply, WriteRequest};
use crate::support::platform::{self, Asked, SimulatedPlatform, answer, day, held_lines};
use crate::support::process::Output;
use crate::support::wait_for;
use crate::support::workspace::{Template, Workspace, bots};

/// A platform that is well, this database, and a place to run the program in.
struct Scene {
    platform: SimulatedPlatform,
    database: FakeInfluxDb,
    workspace: Workspace,
}

impl Scene {
    fn new(database: FakeInfluxDb, lines: &str) -> Scene {
        let sink = format!("{}{lines}", database.config());
        let bots = bots(["one"], "");
        let platform = SimulatedPlatform::well(&bots);
        let template = Template { platform_url: platform.url(), sink: &sink, bots: &bots, ..Template::default() };
        let workspace = Workspace::with(&template);
        Scene { platform, database, workspace }
    }

    #[track_caller]
    fn run(&self, arguments: &[&str], code: i32) -> Output {
        self.workspace.run(arguments).expect_code(code)
    }

    /// How many lines of the last so many days are stored, and how many there are.
    fn stored(&self, days: i64) -> (usize, usize) {
        let stored: BTreeSet<String> = self.database.stored().into_iter().collect();
        let held = held_lines("one", "all", Interval::Hourly, -days);
        (held.iter().filter(|line| stored.contains(*line)).count(), held.len())
    }
}

#[track_caller]
fn says(said: &str, words: &[&str]) {
    for word in words {
        assert!(said.contains(word), "no {word:?} in\n{said}");
    }
}

#[test]
fn what_the_retention_drops_is_counted_and_confirmed_in_every_generation() {
    for generation in GENERATIONS.into_iter().filter(|generation| generation.major() < 3) {
        // A token that the words of the refusal hold as well.
        for token in ["a token", "policy"] {
            let scene = Scene::new(Options::new(generation).retention_days(3).token(token).start(), "");
            let output = scene.run(&["--once"], 0);
            says(&output.stderr, &["retention"]);
            assert_eq!(scene.database.writes(), 1, "{generation:?}: nobody searches for a bad line\n{}", output.stderr);
            let (stored, held) = scene.stored(2);
            assert_eq!(stored, held, "{generation:?}");
            assert_eq!(scene.workspace.watermark("one"), day(-1).to_string());
            scene.platform.forget();
            scene.run(&["--once"], 0);
            let asked: Vec<_> = scene.platform.asked().iter().map(|asked| asked.window()).collect();
            assert_eq!(asked, [Some(Window { first: day(-2), last: day(0) })], "{generation:?}: nothing is owed");
            let output = scene.run(&["--backfill", &format!("{}..{}", day(-9), day(-1))], 0);
            assert!(!scene.workspace.path("state/backfill.json").exists(), "{generation:?}\n{}", output.stderr);
        }
    }
}

#[test]
fn what_would_be_dropped_in_silence_is_said_and_not_written() {
    let scene = Scene::new(Options::new(Generation::Core3).retention_days(7).start(), "");
    let output = scene.run(&["--backfill", &format!("{}..{}", day(-20), day(-1))], 0);
    says(&output.stderr, &["keeps points for"]);
    let oldest = day(-9).to_string();
    let written = scene.database.requests();
    let too_old = written.iter().flat_map(|write| write.body.lines()).filter(|line| {
        let time: i64 = line.rsplit(' ').next().unwrap().parse().unwrap();
        jiff::Timestamp::from_second(time).unwrap().to_string() < oldest
    });
    assert_eq!(too_old.count(), 0);
    let (stored, held) = scene.stored(6);
    assert_eq!(stored, held);
}

#[test]
fn lines_that_a_refusal_numbers_are_not_searched_for() {
    let refuses = |write: &WriteRequest, _| {
        let first = write.body.lines().next().unwrap_or_default();
        Some(words::numbered_lines(&[(1, first)]))
    };
    let scene = Scene::new(Options::new(Generation::Core3).script(refuses).start(), "");
    let output = scene.run(&["--once"], 1);
    says(&output.stderr, &["invalid column type", "users"]);
    assert!(scene.database.writes() <= 3, "{} writes", scene.database.writes());
    assert!(scene.workspace.watermark("one").is_null());
}

#[test]
fn a_type_conflict_costs_its_own_line_only_in_every_generation() {
    for generation in GENERATIONS {
        let database = Options::new(generation).start();
        database.damage(|store| drop(store.take("user_engagement_daily,bot=other users=1.5 1785801600", None)));
        let scene = Scene::new(database, "");
        let config = scene.workspace.read("config.toml");
        scene.workspace.write("config.toml", &(config + "intervals = [\"hourly\", \"daily\"]\n"));
        let output = scene.run(&["--once"], 1);
        says(&output.stderr, &["type"]);
        let (stored, held) = scene.stored(2);
        assert_eq!(stored, held, "{generation:?}: the other measurement is stored\n{}", output.stderr);
        assert!(scene.database.writes() <= 64, "{generation:?}");
    }
}

#[test]
fn a_refusal_that_names_no_line_is_no_matter_of_lines() {
    for (reply, words) in [
        ((|| Generation::Core3.disk_full()) as fn() -> Reply, &["No space left on device"][..]),
        (words::too_many_databases, &["exceed limit of 5 databases"]),
        (|| words::bad_database_name("a b"), &["contains invalid character"]),
    ] {
        let scene = Scene::new(Options::new(Generation::Core3).script(move |_, _| Some(reply())).start(), "");
        let output = scene.run(&["--once"], 1);
        says(&output.stderr, words);
        assert!(!output.stderr.contains("another program may have written"), "{}", output.stderr);
        assert!(scene.database.writes() <= 5, "{} writes\n{}", scene.database.writes(), output.stderr);
    }
}

#[test]
fn a_check_asks_each_generation_in_its_own_way_and_writes_nothing() {
    for generation in GENERATIONS {
        let database = Options::new(generation).buckets(&["fake"]).start();
        let scene = Scene::new(database, "");
        let output = scene.run(&["--check"], 0);
        assert!(!output.stdout.contains("FAIL"), "{generation:?}\n{}", output.stdout);
        assert_eq!(scene.database.stored().len(), 0, "{generation:?}");
        if generation == Generation::Core3 {
            assert_eq!(scene.database.writes(), 0, "a write would make the database");
        }
    }
}

#[test]
fn a_database_that_the_first_write_would_make_is_said() {
    let scene = Scene::new(Options::new(Generation::Core3).buckets(&["another"]).start(), "");
    let output = scene.run(&["--check"], 0);
    says(&output.stdout, &["note", "fake"]);
    assert_eq!(scene.database.writes(), 0);
}

#[test]
fn a_bucket_that_is_not_there_fails_the_check_of_the_others() {
    for generation in GENERATIONS.into_iter().filter(|generation| generation.major() < 3) {
        let scene = Scene::new(Options::new(generation).buckets(&["another"]).start(), "");
        let output = scene.run(&["--check"], 1);
        says(&output.stdout, &["FAIL", "bucket"]);
    }
}

#[test]
fn a_wrong_token_is_called_so_in_every_generation() {
    for generation in GENERATIONS {
        let database = Options::new(generation).token("right").start();
        let scene = Scene::new(database, "");
        let config = scene.workspace.read("config.toml").replace("\"right\"", "\"canary-wrong\"");
        scene.workspace.write("config.toml", &config);
        let output = scene.run(&["--check"], 1);
        says(&output.stdout, &["FAIL", "token"]);
        let output = scene.run(&["--once"], 1);
        says(&output.stderr, &["401", "token"]);
        assert!(!output.stderr.contains("canary-wrong"), "{}", output.stderr);
    }
}

#[test]
fn an_endpoint_that_a_proxy_does_not_have_decides_nothing() {
    for path in ["/health", "/ping", "/api/v2/buckets"] {
        let scene = Scene::new(Options::new(Generation::New2).without(path).start(), "");
        let output = scene.run(&["--check"], 0);
        assert!(!output.stdout.contains("FAIL"), "{path}\n{}", output.stdout);
        scene.run(&["--once"], 0);
    }
}

#[test]
fn another_destination_starts_as_on_the_first_day_and_says_what_brings_the_rest() {
    let scene = Scene::new(FakeInfluxDb::accepting(), "");
    let config = scene.workspace.read("config.toml");
    scene.workspace.write("config.toml", &config.replace("[schedule]", "[schedule]\ninitial_days = 20"));
    scene.run(&["--once"], 0);
    for (from, to) in [("bucket = \"fake\"", "bucket = \"other\""), ("org = \"kore\"", "org = \"other\"")] {
        scene.platform.forget();
        scene.workspace.write("config.toml", &config.replace(from, to));
        let output = scene.run(&["--once"], 0);
        says(&output.stderr, &["--backfill"]);
        assert_eq!(scene.platform.asked()[0].window(), Some(Window { first: day(-7), last: day(0) }), "{to}");
        scene.platform.forget();
        scene.run(&["--once"], 0);
        assert_eq!(scene.platform.asked()[0].window(), Some(Window { first: day(-2), last: day(0) }), "{to}");
    }
    // Another token is not another destination.
    scene.workspace.write("config.toml", &config.replace("bucket = \"fake\"", "bucket = \"fake\"\ngzip = false"));
    scene.run(&["--once"], 0);
    scene.platform.forget();
    scene.workspace.write("config.toml", &config.replace("a token", "another token"));
    scene.run(&["--once"], 0);
    assert_eq!(scene.platform.asked()[0].window(), Some(Window { first: day(-2), last: day(0) }));
}

#[test]
fn changed_tags_are_said() {
    let scene = Scene::new(FakeInfluxDb::accepting(), "");
    scene.run(&["--once"], 0);
    let config = scene.workspace.read("config.toml");
    scene.workspace.write("config.toml", &format!("{config}\ntags = {{ team = \"care\" }}\n"));
    let output = scene.run(&["--once"], 0);
    says(&output.stderr, &["tags"]);
    let output = scene.run(&["--once"], 0);
    assert!(!output.stderr.contains("tags"), "once\n{}", output.stderr);
}

#[test]
fn a_refusal_without_an_end_costs_no_memory() {
    let endless = |_: &_, _| Some(Reply::refused(500, "internal error", "oh").endless());
    let scene = Scene::new(Options::new(Generation::New2).script(endless).start(), "timeout = \"3s\"\n");
    let mut running = scene.workspace.start(&["--once"]);
    let mut most = 0;
    while !running.has_ended() {
        most = most.max(peak(running.id()).unwrap_or(0));
        std::thread::sleep(Duration::from_millis(5));
    }
    running.finish().expect_code(1);
    assert!(most > 0 && most < 100 << 10, "{most} KiB");
}

/// The most memory that a process has had, in KiB.
fn peak(process: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?.split_whitespace().next()?.parse().ok()
}

#[test]
fn a_database_that_says_when_is_asked_then() {
    for status in [429, 503] {
        let later = move |_: &_, number| {
            (number == 1).then(|| Reply::refused(status, "unavailable", "later").header("retry-after", 3))
        };
        let scene = Scene::new(Options::new(Generation::New2).script(later).start(), "");
        scene.run(&["--once"], 0);
        let writes = scene.database.requests();
        assert_eq!(writes.len(), 2);
        assert!(writes[1].at - writes[0].at >= Duration::from_secs(3), "{status}");
    }
}

#[test]
fn an_outage_of_the_database_is_one_line_however_many_series_it_stops() {
    let channels: Vec<String> = (0..40).map(|number| format!("channel-{number}")).collect();
    let bots = bots(["one", "two"], &format!("channels = {channels:?}"));
    let platform = SimulatedPlatform::well(&bots);
    let sink = "[influxdb]\nurl = \"http://127.0.0.1:1\"\norg = \"o\"\nbucket = \"b\"\ntoken = \"t\"\n";
    let limits = "per_minute = 100000\nper_hour = 1000000";
    let template =
        Template { platform_url: platform.url(), platform: limits, sink, bots: &bots, ..Template::default() };
    let workspace = Workspace::with(&Template { schedule: EVERY_SECOND, ..template });
    let daemon = Daemon::start(&workspace);
    daemon.wait_for_log("ERROR", 1);
    daemon.wait_for_ticks(1);
    let errors = daemon.logged("ERROR");
    assert!(errors.len() <= 2, "{} lines\n{}", errors.len(), errors.join("\n"));
    says(&errors.join("\n"), &["80 series", "cannot reach the database"]);
    let ready: serde_json::Value = serde_json::from_str(&daemon.get("/readyz").body).unwrap();
    assert_eq!(ready.as_array().unwrap().len(), 80);
    daemon.end();
}

#[test]
fn what_the_database_has_confirmed_is_not_written_again() {
    let scene = Scene::new(FakeInfluxDb::accepting(), "");
    let config = scene.workspace.read("config.toml");
    scene
        .workspace
        .write("config.toml", &config.replace("[schedule]", &format!("[schedule]\n{EVERY_SECOND}\nrefresh_days = 10")));
    let daemon = Daemon::start(&scene.workspace);
    daemon.wait_until_ready();
    daemon.wait_for_ticks(3);
    let stored = scene.database.stored();
    let different: BTreeSet<&String> = stored.iter().collect();
    assert_eq!(stored.len(), different.len(), "a line was written twice");
    assert!(lines_with(&daemon.log(), "ERROR").is_empty());
    daemon.end();
}

#[test]
fn a_newer_figure_that_a_backfill_wrote_over_is_written_again() {
    // Only the backfill asks for a single day, and is told what was so before.
    let figures = |asked: &Asked, _| {
        let window = asked.window().unwrap();
        answer::v1(window, asked.interval(), |_, _| Some(if window.days() == 1 { 5 } else { 6 }))
    };
    let bots = bots(["one"], "");
    let (platform, database) = (platform::Options::new(&bots).figures(figures).start(), FakeInfluxDb::accepting());
    let sink = database.config();
    let template = Template {
        platform_url: platform.url(),
        schedule: EVERY_SECOND,
        sink: &sink,
        bots: &bots,
        ..Template::default()
    };
    let workspace = Workspace::with(&template);
    let daemon = Daemon::start(&workspace);
    daemon.wait_until_ready();
    daemon.wait_for_ticks(1);
    workspace.run(&["--backfill", &format!("{0}..{0}", day(-1))]).expect_code(0);
    let noon = day(-1).at(12, 0, 0, 0).to_zoned(jiff::tz::TimeZone::UTC).unwrap().timestamp().as_second();
    let of_noon = || -> Vec<String> {
        let stored = database.stored().into_iter().filter(|line| line.ends_with(&noon.to_string()));
        stored.map(|line| line.split(' ').nth(1).unwrap().to_owned()).collect()
    };
    wait_for("the newer figure", || of_noon().ends_with(&["users=5i".to_owned(), "users=6i".to_owned()]).then_some(()));
    daemon.end();
}

#[test]
fn a_success_that_speaks_of_a_refusal_confirms_nothing() {
    for body in ["<html>Log in, please</html>", "{\"error\":\"read only\"}"] {
        let answers = move |_: &WriteRequest, _| Some(Reply::from((200, body.to_owned())));
        let scene = Scene::new(Options::new(Generation::New2).script(answers).start(), "");
        let output = scene.run(&["--once"], 1);
        says(&output.stderr, &["the database answered 200"]);
        assert!(scene.workspace.watermark("one").is_null());
    }
}
