//! The database's half of the failure table: each row injected, and what is owed after it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use kore_trend_exporter::domain::series::Interval;

use crate::support::fake_influxdb::{FakeInfluxDb, WriteRequest};
use crate::support::platform::{SimulatedPlatform, day, held_lines};
use crate::support::process::Output;
use crate::support::server::Reply;
use crate::support::workspace::{Template, Workspace, bots};

const TWO: &str = "channels = [\"all\", \"rtm\"]";

/// A platform that is well, a database that is not, and the place to run the program in.
struct Scene {
    platform: SimulatedPlatform,
    database: FakeInfluxDb,
    workspace: Workspace,
}

impl Scene {
    fn new(
        names: &[&str],
        platform_lines: &str,
        timeout: &str,
        script: impl Fn(&WriteRequest, usize) -> Reply + Send + Sync + 'static,
    ) -> Scene {
        let bots = bots(names.iter().copied(), "");
        let (platform, database) = (SimulatedPlatform::well(&bots), FakeInfluxDb::start(script));
        let sink = database.config() + &format!("timeout = \"{timeout}\"\n");
        let workspace = Workspace::with(&Template {
            platform_url: platform.url(),
            platform: platform_lines,
            sink: &sink,
            bots: &bots,
            ..Template::default()
        });
        Scene { platform, database, workspace }
    }

    fn once(&self, code: i32) -> Output {
        self.workspace.run(&["--once"]).expect_code(code)
    }

    fn has_stored(&self, bot: &str) -> bool {
        let stored: BTreeSet<String> = self.database.stored().into_iter().collect();
        held_lines(bot, "all", Interval::Hourly, -7).iter().all(|line| stored.contains(line))
    }
}

/// A database that fails in this way, for as long as it is not well.
struct Row {
    reply: fn() -> Reply,
    /// How often the write is tried.
    tries: usize,
    says: &'static [&'static str],
}

/// The first run fails for both series; the next one, when the database is well again, asks for the live and for the owed
/// days of each, and nothing is missing.
fn check(timeout: &str, rows: Vec<Row>) {
    // Side by side, for most of their time is spent on waiting between tries.
    std::thread::scope(|scope| {
        for Row { reply, tries, says } in rows {
            scope.spawn(move || {
                let is_well = Arc::new(AtomicBool::new(false));
                let well = Arc::clone(&is_well);
                let scene = Scene::new(&["one", "two"], "", timeout, move |_, _| {
                    if well.load(Ordering::Relaxed) { Reply::stored() } else { reply() }
                });
                let output = scene.once(1);
                let writes = scene.database.requests();
                let first_lines: BTreeSet<&str> = writes.iter().filter_map(|write| write.body.lines().next()).collect();
                // On a busy machine the two series may miss each other; the second write then finds the database away.
                assert_eq!(writes.len(), tries + first_lines.len() - 1, "{says:?}");
                let errors: Vec<&str> = output.stderr.lines().filter(|line| line.contains("ERROR")).collect();
                // What is the database's own is said once for both.
                let is_said = |error: &&str| says.iter().all(|words| error.contains(words));
                let of_both = errors.len() == 1 && errors[0].contains(": 2 series failed");
                let of_each = errors.len() == 2 && errors.iter().all(|error| error.contains("channel=\"all\""));
                assert!((of_both || of_each) && errors.iter().all(is_said), "{says:?}: {errors:?}");
                assert!(["one", "two"].iter().all(|bot| scene.workspace.watermark(bot).is_null()));
                is_well.store(true, Ordering::Relaxed);
                scene.platform.forget();
                scene.once(0);
                assert_eq!(scene.platform.asked().len(), 4, "two requests a series");
                for bot in ["one", "two"] {
                    assert!(scene.has_stored(bot));
                    assert_eq!(scene.workspace.watermark(bot), day(-1).to_string());
                }
            });
        }
    });
}

#[test]
fn what_may_pass_is_tried_five_times_and_then_stays_owed() {
    let row = |reply, says| Row { reply, tries: 5, says };
    check(
        "30s",
        vec![
            row(Reply::hang_up, &["cannot reach the database", "influxdb.url"]),
            row(|| Reply::refused(429, "too many requests", "slow down"), &["answered 429", "slow down"]),
            row(|| Reply::refused(500, "internal error", "oh"), &["answered 500", "oh"]),
            row(|| (503, String::new()).into(), &["answered 503"]),
        ],
    );
}

#[test]
fn a_write_without_an_answer_is_tried_five_times_as_well() {
    let says = &["database did not answer within 1s", "influxdb.timeout"];
    check("1s", vec![Row { reply: Reply::never, tries: 5, says }]);
}

#[test]
fn what_a_person_must_mend_is_tried_once_and_stays_owed() {
    let row = |reply, says| Row { reply, tries: 1, says };
    check(
        "30s",
        vec![
            row(|| Reply::refused(401, "unauthorized", "unauthorized access"), &["answered 401", "token"]),
            row(|| Reply::refused(403, "forbidden", "no write"), &["answered 403", "no write", "token"]),
            row(|| Reply::refused(404, "not found", "no bucket"), &["no bucket", "influxdb.org", "influxdb.bucket"]),
            row(|| Reply::from((302, String::new())).header("location", "/x"), &["answered 302", "redirects"]),
        ],
    );
}

#[test]
fn what_passes_costs_one_more_write() {
    let row = |reply: fn() -> Reply, timeout| (reply, timeout);
    for (reply, timeout) in [
        row(Reply::hang_up, "30s"),
        row(Reply::never, "1s"),
        row(|| (429, String::new()).into(), "30s"),
        row(|| (503, String::new()).into(), "30s"),
    ] {
        let scene =
            Scene::new(&["one"], "", timeout, move |_, number| if number == 1 { reply() } else { Reply::stored() });
        scene.once(0);
        assert_eq!(scene.database.requests().len(), 2);
        assert_eq!(scene.platform.asked().len(), 1);
        assert!(scene.has_stored("one"));
    }
}

#[test]
fn a_write_that_is_too_long_is_halved() {
    let scene = Scene::new(&["one", "two"], "", "30s", |write, _| match write.body.lines().count() {
        0..=50 => Reply::stored(),
        _ => (413, String::new()).into(),
    });
    scene.once(0);
    assert!(scene.has_stored("one") && scene.has_stored("two"));
    let stored = scene.database.stored();
    assert_eq!(stored.iter().collect::<BTreeSet<_>>().len(), stored.len(), "each line once");
}

#[test]
fn what_is_beyond_the_retention_is_confirmed_counted_and_said_once() {
    let scene = Scene::new(&["one", "two"], "max_days_per_request = 3", "30s", |_, _| {
        let message = "failure writing points to database: partial write: dropped 2 points outside retention policy \
            of duration 72h0m0s - oldest point x at y dropped because it violates a Retention Policy Lower Bound at z";
        Reply::refused(422, "unprocessable entity", message)
    });
    let output = scene.once(0);
    let told = output.stderr.lines().filter(|line| line.contains("older than the bucket's retention"));
    let told: BTreeSet<_> = told.map(|line| line.contains("bot=\"one\"")).collect();
    let times = output.stderr.matches("older than the bucket's retention").count();
    assert!(times <= 2 && times == told.len(), "once per series\n{}", output.stderr);
    let counted: usize = output
        .stdout
        .lines()
        .filter_map(|line| {
            line.split_once(" points older than the retention")?.0.rsplit(' ').next()?.parse::<usize>().ok()
        })
        .sum();
    assert_eq!(counted, 2 * scene.database.requests().len(), "{}", output.stdout);
    for bot in ["one", "two"] {
        assert_eq!(scene.workspace.watermark(bot), day(-1).to_string());
    }
    scene.platform.forget();
    scene.once(0);
    assert_eq!(scene.platform.asked().len(), 2, "asking again cannot help");
}

/// Refuses every write with a line that `is_bad`, and stores the others; checks that the good lines all arrive within
/// the bound, that the bad ones are told in the database's words, and that they stay owed.
fn check_refused(status: u16, is_bad: impl Fn(&str) -> bool + Send + Sync + Clone + 'static) -> (Scene, Output) {
    let refused = is_bad.clone();
    let scene = Scene::new(&["bad", "good"], "", "30s", move |write, _| match write.body.lines().any(&refused) {
        true => Reply::refused(status, "invalid", "the field is of another type"),
        false => Reply::stored(),
    });
    let output = scene.once(1);
    assert!(scene.has_stored("good"));
    assert_eq!(scene.workspace.watermark("good"), day(-1).to_string());
    assert!(scene.workspace.watermark("bad").is_null(), "not confirmed");
    assert!(output.stderr.contains("the field is of another type"), "{}", output.stderr);
    let first_run = scene.database.requests().len();
    assert!(first_run <= 2 + 64, "{first_run} writes");
    scene.platform.forget();
    scene.once(1);
    let asked = scene.platform.asked_of("bad");
    let asks_for = |day| asked.iter().filter(|asked| asked.asks_for(day)).count();
    // The live days come first; the owed ones are asked for if those succeed.
    let time = |line: &String| line.rsplit(' ').next().unwrap().parse::<i64>().unwrap();
    let live_from = day(-2).at(0, 0, 0, 0).in_tz("UTC").unwrap().timestamp().as_second();
    let live_fails =
        held_lines("bad", "all", Interval::Hourly, -7).iter().any(|line| is_bad(line) && time(line) >= live_from);
    let again: Vec<usize> = (-7..=0).map(|before| asks_for(day(before))).collect();
    assert_eq!(again, if live_fails { [0, 0, 0, 0, 0, 1, 1, 1] } else { [1; 8] });
    (scene, output)
}

#[test]
fn refused_lines_are_found_and_the_rest_is_written() {
    for status in [400, 422] {
        let held = held_lines("bad", "all", Interval::Hourly, -7);
        let bad: Vec<String> = [0, 77, 78].iter().map(|place| held[*place].clone()).collect();
        let lines = bad.clone();
        let (scene, output) = check_refused(status, move |line| lines.iter().any(|bad| bad == line));
        let stored: BTreeSet<String> = scene.database.stored().into_iter().collect();
        for line in held {
            assert_eq!(stored.contains(&line), !bad.contains(&line), "{line}");
        }
        assert!(output.stderr.contains("refused 3 points"), "{}", output.stderr);
        assert!(output.stderr.contains(&bad[0]), "the first one: {}", output.stderr);
    }
}

#[test]
fn the_search_for_refused_lines_ends() {
    check_refused(400, |line| line.contains("bot=bad") && line.ends_with("7200"));
    check_refused(422, |line| line.contains("bot=bad"));
}

#[test]
fn a_write_that_is_refused_as_a_whole_is_not_searched() {
    let scene = Scene::new(&["one"], "", "30s", |write, _| {
        let count = write.body.lines().count();
        Reply::refused(422, "unprocessable entity", &format!("partial write: field type conflict: dropped={count}"))
    });
    let output = scene.once(1);
    assert_eq!(scene.database.requests().len(), 1);
    assert!(output.stderr.contains("field type conflict"), "{}", output.stderr);
}

#[test]
fn a_write_is_asked_as_the_database_documents_it() {
    let scene = Scene::new(&["one"], "", "30s", |_, _| Reply::stored());
    scene.once(0);
    let write = &scene.database.requests()[0];
    for (name, value) in [("org", "kore"), ("bucket", "fake"), ("precision", "s")] {
        assert_eq!(write.query[name], value);
    }
    assert_eq!(write.headers["authorization"], "Token a token");
    assert_eq!(write.headers["content-encoding"], "gzip");
    assert!(write.wire_length * 4 < write.body.len(), "{} for {}", write.wire_length, write.body.len());
    assert_eq!(write.headers["content-length"], write.wire_length.to_string());
}

#[test]
fn what_is_ready_together_is_written_together_and_no_write_is_too_long() {
    let names = ["a", "b", "c", "d", "e", "f"];
    let bots = bots(names, TWO);
    let platform = Arc::new(SimulatedPlatform::well(&bots));
    let asked = Arc::clone(&platform);
    // The first write lasts until everything else was asked for.
    let database = FakeInfluxDb::start(move |_, number| {
        if number == 1 {
            crate::support::wait_for("all series", || (asked.asked().len() == 12).then_some(()));
        }
        Reply::stored()
    });
    let sink = database.config();
    let workspace = Workspace::with(&Template {
        platform_url: platform.url(),
        schedule: "initial_days = 30",
        sink: &sink,
        bots: &bots,
        ..Template::default()
    });
    workspace.run(&["--once"]).expect_code(0);
    let lines: Vec<usize> = database.requests().iter().map(|write| write.body.lines().count()).collect();
    assert!(lines.iter().all(|lines| *lines <= 5_000), "{lines:?}");
    assert!(lines.len() <= 6, "fewer writes than series: {lines:?}");
    let stored: BTreeSet<String> = database.stored().into_iter().collect();
    for (bot, channel) in names.iter().flat_map(|bot| [(bot, "all"), (bot, "rtm")]) {
        assert!(held_lines(bot, channel, Interval::Hourly, -30).iter().all(|line| stored.contains(line)));
    }
}
