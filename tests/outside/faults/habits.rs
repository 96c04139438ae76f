//! What real platforms do besides what is documented, and what is made of it.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use kore_trend_exporter::domain::series::{Interval, Window};
use serde_json::Value;

use crate::support::daemon::{Daemon, EVERY_SECOND};
use crate::support::platform::habits::{Denial, Habits};
use crate::support::platform::{Asked, Options, SimulatedPlatform, answer, day, held_lines};
use crate::support::process::Output;
use crate::support::server::Reply;
use crate::support::wait_for;
use crate::support::workspace::{Template, Workspace, bots};

/// One bot against a platform with these habits, and a file for the points.
struct Scene {
    platform: SimulatedPlatform,
    workspace: Workspace,
}

impl Scene {
    fn new(options: impl FnOnce(Options) -> Options, lines: &str) -> Scene {
        let bots = bots(["one"], "");
        let platform = options(Options::new(&bots)).start();
        let template = Template { platform_url: platform.url(), platform: lines, bots: &bots, ..Template::default() };
        let workspace = Workspace::with(&template);
        Scene { platform, workspace }
    }

    fn with(habits: Habits) -> Scene {
        Scene::new(|options| options.habits(habits), "")
    }

    #[track_caller]
    fn run(&self, arguments: &[&str], code: i32) -> Output {
        self.workspace.run(arguments).expect_code(code)
    }

    /// Whether all of these days are in the file as the platform has them.
    fn has(&self, first: i64) -> bool {
        let lines = self.workspace.sorted_lines("engagement.lp");
        held_lines("one", "all", Interval::Hourly, first).iter().all(|line| lines.contains(line))
    }
}

#[track_caller]
fn says(said: &str, words: &[&str]) {
    for word in words {
        assert!(said.contains(word), "no {word:?} in\n{said}");
    }
}

fn is_said_once(said: &str, word: &str) -> bool {
    said.lines().filter(|line| line.contains(word)).count() == 1
}

#[test]
fn a_denied_bot_is_left_alone_by_all_of_its_series() {
    let eight = "channels = [\"all\", \"rtm\", \"msteams\", \"ivr\", \"line\", \"slack\", \"email\", \"sms\"]";
    let sections = bots(["denied"], eight) + &bots(["other"], "");
    let denial = Denial { after: 8, seconds: 3600, says_when: false };
    // The other bot is looked at before it has asked so often.
    let platform = Options::new(&sections).habits(Habits { denies: Some(denial), ..Habits::default() }).start();
    let limits = "per_minute = 100000\nper_hour = 1000000";
    let template = Template { platform_url: platform.url(), platform: limits, bots: &sections, ..Template::default() };
    let workspace = Workspace::with(&Template { schedule: EVERY_SECOND, ..template });
    let daemon = Daemon::start(&workspace);
    wait_for("a denial", || (platform.asked_of("denied").len() > 8).then_some(()));
    wait_for("the other bot's ticks", || (platform.asked_of("other").len() >= 6).then_some(()));
    // Those that were under way when the first was denied, and nothing after that.
    let asked = platform.asked_of("denied");
    assert!(asked.len() <= 16, "{} requests", asked.len());
    let first = asked[8].at;
    let late = asked.iter().filter(|asked| asked.at - first > Duration::from_secs(1)).count();
    assert_eq!(late, 0, "asked again within the minute");
    let throttled = daemon.logged("rate limit");
    assert!(throttled.iter().any(|line| line.contains("denied")), "{}", daemon.log());
    daemon.end();
}

#[test]
fn a_page_of_a_proxy_is_no_matter_of_a_rate() {
    for status in [401, 403] {
        let scene = Scene::with(Habits { blocks: Some(status), ..Habits::default() });
        let output = scene.run(&["--once"], 1);
        says(&output.stderr, &[&format!("answered {status}"), "Contoso"]);
        assert!(!output.stderr.contains("rate limit"), "{}", output.stderr);
        assert_eq!(scene.platform.asked().len(), 1);
    }
}

#[test]
fn a_rate_limit_is_found_in_long_words() {
    let words = format!("{} API rate limit exceeded {}", "x".repeat(310), "y".repeat(120));
    let once = move |_: &Asked, number| (number == 1).then(|| Reply::errors(400, 400, &words).header("retry-after", 1));
    let scene = Scene::new(|options| options.script(once), "");
    scene.run(&["--once"], 0);
    assert_eq!(scene.platform.asked().len(), 2);
    assert!(scene.has(-7));
}

#[test]
fn an_answer_without_a_day_that_was_asked_for_is_a_failure() {
    let long_ago = Window { first: "2020-01-01".parse().unwrap(), last: "2020-01-06".parse().unwrap() };
    let scene = Scene::with(Habits { answers: Some(long_ago), ..Habits::default() });
    let output = scene.run(&["--once"], 1);
    says(&output.stderr, &["platform.send"]);
    assert!(scene.workspace.watermark("one").is_null());
    assert!(scene.workspace.sorted_lines("engagement.lp").is_empty());
    let output = scene.run(&["--check"], 1);
    says(&output.stdout, &["FAIL", "platform.send"]);
}

#[test]
fn days_that_nobody_asked_for_are_dropped_and_said_once() {
    let more = Window { first: day(-20), last: day(0) };
    let scene = Scene::with(Habits { answers: Some(more), ..Habits::default() });
    let output = scene.run(&["--once"], 0);
    assert!(scene.has(-7));
    let all = held_lines("one", "all", Interval::Hourly, -20);
    let asked = held_lines("one", "all", Interval::Hourly, -7);
    let foreign: BTreeSet<_> = all.iter().filter(|line| !asked.contains(line)).collect();
    assert!(!scene.workspace.sorted_lines("engagement.lp").iter().any(|line| foreign.contains(line)));
    assert!(is_said_once(&output.stderr, "not requested"), "{}", output.stderr);
}

#[test]
fn a_check_notes_days_without_figures_and_an_end_that_is_left_out() {
    let scene = Scene::with(Habits { excludes_end: true, ..Habits::default() });
    let output = scene.run(&["--check"], 0);
    says(&output.stdout, &["note", "end_date"]);

    let nothing = |_: &Asked, _| "{\"results\":[],\"totalResults\":0}".to_owned();
    let scene = Scene::new(|options| options.figures(nothing), "");
    let output = scene.run(&["--check"], 0);
    says(&output.stdout, &["note"]);
    assert!(!output.stdout.contains("end_date"), "{}", output.stdout);

    let scene = Scene::with(Habits::default());
    let output = scene.run(&["--check"], 0);
    assert!(!output.stdout.contains("end_date"), "{}", output.stdout);
}

#[test]
fn where_the_end_is_excluded_a_day_more_is_asked_for() {
    let excludes = Habits { excludes_end: true, ..Habits::default() };
    let scene = Scene::new(|options| options.habits(excludes), "end_date = \"excluded\"");
    scene.run(&["--once"], 0);
    assert!(scene.has(-7));
    assert_eq!(scene.platform.asked()[0].window().unwrap().last, day(1));
    scene.run(&["--backfill", &format!("{}..{}", day(-20), day(-10))], 0);
    assert_eq!(scene.platform.asked()[1].window(), Some(Window { first: day(-20), last: day(-9) }));
    assert!(!scene.run(&["--check"], 0).stdout.contains("end_date"));
}

#[test]
fn what_was_too_much_once_makes_later_windows_no_narrower() {
    // Two answers time out; a request of a single day comes through.
    let slow = AtomicUsize::new(0);
    let script = move |asked: &Asked, _| {
        let is_wide = asked.window().unwrap().days() > 1;
        (is_wide && slow.fetch_add(1, Ordering::Relaxed) < 2).then(Reply::never)
    };
    let scene = Scene::new(|options| options.script(script), "timeout = \"1s\"\nper_minute = 1000");
    scene.run(&["--backfill", &format!("{}..{}", day(-365), day(-1))], 0);
    let requests = scene.platform.asked().len();
    assert!(requests <= 20, "{requests} requests");
}

#[test]
fn a_platform_that_hangs_is_away_for_all_series() {
    is_away_for_all_series(2, 40);
    // Most of their series have not begun when it shows.
    is_away_for_all_series(80, 1);
}

/// 80 series in all.
#[track_caller]
fn is_away_for_all_series(bots: usize, channels: usize) {
    let names: Vec<String> = (0..bots).map(|number| format!("bot-{number}")).collect();
    let channels: Vec<String> = (0..channels).map(|number| format!("channel-{number}")).collect();
    let bots = crate::support::workspace::bots(names.iter().map(String::as_str), &format!("channels = {channels:?}"));
    let platform = Options::new(&bots).habits(Habits { hangs: true, ..Habits::default() }).start();
    let lines = "timeout = \"1s\"\nper_minute = 1000\nconcurrency = 3";
    let template = Template { platform_url: platform.url(), platform: lines, bots: &bots, ..Template::default() };
    let workspace = Workspace::with(&template);
    let output = workspace.run(&["--once"]).expect_code(1);
    let asked = platform.asked().len();
    assert!((3..=8).contains(&asked), "{asked} requests");
    let errors: Vec<&str> = output.stderr.lines().filter(|line| line.contains("ERROR")).collect();
    assert!(errors.len() <= 12, "{} lines\n{}", errors.len(), errors.join("\n"));
    says(&output.stderr, &["80 series"]);

    let daemon = Daemon::start(&workspace);
    daemon.wait_for_ticks(1);
    let ready: Value = serde_json::from_str(&daemon.get("/readyz").body).unwrap();
    assert_eq!(ready.as_array().unwrap().len(), 80, "also those that were not asked for");
    platform.set(|habits| habits.hangs = false);
    daemon.end();
    workspace.run(&["--once"]).expect_code(0);
}

#[test]
fn a_request_says_how_long_its_body_is_and_that_it_wants_it_plain() {
    for send in ["query", "body", "both"] {
        let habits = Habits { insists_on_length: true, ..Habits::default() };
        let scene = Scene::new(|options| options.habits(habits), &format!("send = \"{send}\""));
        scene.run(&["--once"], 0);
        assert!(scene.has(-7));
        let asked = &scene.platform.asked()[0];
        assert_eq!(asked.headers.get("accept-encoding").map(String::as_str), Some("identity"));
        assert_eq!(asked.headers["content-length"] == "0", send == "query");
    }
}

#[test]
fn an_answer_that_is_packed_all_the_same_is_read_or_named() {
    let scene = Scene::with(Habits { compresses: true, ..Habits::default() });
    let output = scene.workspace.run(&["--once"]);
    assert!(output.code == Some(0) && scene.has(-7) || output.stderr.contains("gzip"), "{}", output.stderr);
}

#[test]
fn what_is_not_needed_is_not_judged() {
    for total in ["{\"of\":6}", "-1", "\"6 days\"", "null", "1e300"] {
        for errors in [None, Some("[]"), Some("null")] {
            let scene = Scene::with(Habits { total_results: Some(total), errors, ..Habits::default() });
            scene.run(&["--once"], 0);
            assert!(scene.has(-7), "{total} {errors:?}");
        }
    }
    let scene = Scene::with(Habits { total_results: Some("3"), ..Habits::default() });
    let output = scene.run(&["--once"], 0);
    assert!(is_said_once(&output.stderr, "totalResults"), "{}", output.stderr);
}

#[test]
fn days_that_the_platform_has_forgotten_are_not_written() {
    let scene = Scene::with(Habits { forgets_after: Some(29), ..Habits::default() });
    let output = scene.run(&["--backfill", &format!("{}..{}", day(-40), day(-20))], 0);
    let lines = scene.workspace.sorted_lines("engagement.lp");
    assert!(!lines.iter().any(|line| line.contains("users=0i")), "zeros in the place of good figures");
    // The 28th day before today is the oldest that is taken as it is.
    let of_day = |from: i64| {
        let all: BTreeSet<String> = held_lines("one", "all", Interval::Hourly, from).into_iter().collect();
        let later: BTreeSet<String> = held_lines("one", "all", Interval::Hourly, from + 1).into_iter().collect();
        &all - &later
    };
    assert!(of_day(-28).iter().all(|line| lines.contains(line)));
    assert!(!of_day(-29).iter().any(|line| lines.contains(line)));
    says(&format!("{}{}", output.stdout, output.stderr), &["12 days", "zeros"]);
    assert!(!scene.workspace.path("state/backfill.json").exists());
}

#[test]
fn an_old_day_with_any_figure_is_written_and_a_young_day_of_zeros_too() {
    let figures = |asked: &Asked, _| {
        answer::v1(asked.window().unwrap(), asked.interval(), |date, hour| {
            let is_young = date > day(-10);
            Some(if is_young { 0 } else { i64::from(hour == Some(3)) })
        })
    };
    let scene = Scene::new(|options| options.figures(figures), "");
    scene.run(&["--backfill", &format!("{}..{}", day(-40), day(-1))], 0);
    assert_eq!(scene.workspace.sorted_lines("engagement.lp").len(), 40 * 24);
}

#[test]
fn days_to_refresh_after_an_outage_are_owed_like_the_rest() {
    let asked: Arc<Mutex<Vec<Window>>> = Arc::default();
    let kept = Arc::clone(&asked);
    let script = move |request: &Asked, _| {
        kept.lock().unwrap().extend(request.window());
        None
    };
    let scene = Scene::new(|options| options.script(script), "");
    let state = format!(
        "{{\"version\":1,\"series\":[{{\"bot\":\"one\",\"bot_id\":\"st-one\",\"channel\":\"all\",\"interval\":\"hourly\",\
         \"since\":\"{}\",\"through\":\"{}\"}}]}}",
        day(-20),
        day(-10)
    );
    scene.workspace.write("state/watermarks.json", &state);
    scene.run(&["--once"], 0);
    let windows = asked.lock().unwrap().clone();
    assert_eq!(windows, [Window { first: day(-2), last: day(0) }, Window { first: day(-11), last: day(-3) }]);
    assert_eq!(scene.workspace.watermark("one"), day(-1).to_string());
}
