//! The clock is set while the daemon runs, or its machine sleeps.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use jiff::civil::date;
use jiff::{SignedDuration, Timestamp};
use kore_trend_exporter::domain::series::{Interval, Window};

use super::{HOUR, Scene, steps};
use crate::support::daemon::{Daemon, EVERY_SECOND};
use crate::support::expected::lines;
use crate::support::platform::{day, held_lines};
use crate::support::wait_for;
use crate::support::workspace::{Template, bots};

/// What a daemon uses is in proportion to the time that passed, not to what became of its clock.
struct Effort {
    began: Instant,
    steps: usize,
}

impl Effort {
    fn begin() -> Effort {
        Effort { began: Instant::now(), steps: 0 }
    }

    /// With a tick a second: two requests for one, twice as many where the alarm and the beat ring for the same second,
    /// and one more tick for each step. A loop that never waits makes thousands.
    #[track_caller]
    fn check(&self, scene: &Scene, daemon: &Daemon) {
        let seconds = self.began.elapsed().as_secs_f64();
        let cpu = daemon.value("process_cpu_seconds_total").unwrap();
        let (requests, said) = (scene.platform.asked().len(), daemon.log().lines().count());
        eprintln!("{} steps in {seconds:.1} s: {requests} requests, {cpu} s of CPU, {said} lines", self.steps);
        let most = 2 * (2 * seconds as usize + self.steps + 5);
        assert!(requests <= most, "{requests} requests in {seconds} s");
        assert!(said <= 2 * most + 50, "{said} lines in {seconds} s:\n{}", daemon.log());
        assert!(cpu < seconds / 2.0 + 1.0, "{cpu} s of CPU in {seconds} s");
        assert_eq!(daemon.get("/healthz").status, 200);
    }
}

/// Sets the clock by `step` for some ticks and then right.
fn check(step: SignedDuration, strict: bool) {
    let all = bots(["support"], "intervals = [\"hourly\", \"daily\"]");
    let scene = Scene::new(&all, strict, Template { schedule: EVERY_SECOND, ..Template::default() });
    let daemon = scene.daemon(Some(2));
    let mut effort = Effort::begin();
    daemon.wait_until_ready();
    let today = day(0);
    for _ in 0..2 {
        scene.clock.set(step);
        scene.wait_for_requests(4);
        wait_for("the clock to be seen", || (daemon.logged("the clock jumped").len() > effort.steps).then_some(()));
        if strict {
            wait_for("the refusal", || (daemon.get("/readyz").status == 503).then_some(()));
            assert!(
                daemon.get("/readyz").body.contains("which makes tokens invalid"),
                "{}",
                daemon.get("/readyz").body
            );
        }
        assert_eq!(daemon.get("/").status, 200);
        scene.clock.correct();
        let ticks = daemon.ticks();
        wait_for("ticks", || (daemon.ticks() >= ticks + 2).then_some(()));
        daemon.wait_until_ready();
        effort.steps += 2;
        wait_for("the clock to be seen", || (daemon.logged("the clock jumped").len() >= effort.steps).then_some(()));
    }
    effort.check(&scene, &daemon);
    assert_eq!(daemon.logged("the clock jumped").len(), 4, "said once for each step:\n{}", daemon.log());
    daemon.end();
    if day(0) == today {
        assert_eq!(scene.watermarks(), [day(-1).to_string(), day(-1).to_string()], "{step}");
        let last = scene.platform.asked().last().unwrap().window();
        assert_eq!(last, Some(Window { first: day(-2), last: day(0) }), "{step}: nothing more is owed");
    }
    let lines = [Interval::Hourly, Interval::Daily].map(|interval| held_lines("support", "all", interval, -7)).concat();
    scene.check(&lines);
}

#[test]
#[ignore = "needs the servers that tests/run brings"]
fn a_clock_that_is_set_and_set_right_again_leaves_nothing_behind() {
    std::thread::scope(|scope| {
        for (number, step) in steps().into_iter().enumerate() {
            scope.spawn(move || check(step, number % 2 == 0));
        }
    });
}

#[test]
#[ignore = "needs the servers that tests/run brings"]
fn ticks_come_at_their_slots_again_after_the_clock_was_set_back() {
    let all = bots(["support"], "");
    let scene = Scene::new(&all, false, Template { schedule: EVERY_SECOND, ..Template::default() });
    let daemon = scene.daemon(None);
    daemon.wait_until_ready();
    scene.clock.set(-3 * HOUR);
    daemon.wait_for_log("the clock jumped back by", 1);
    // Where nothing but the beat woke the daemon up, there would be five seconds from one tick to the next.
    let from = scene.platform.asked().len();
    wait_for("a tick a second", || {
        let asked = scene.platform.asked();
        let times: Vec<Instant> = asked[from..].iter().map(|asked| asked.at).collect();
        times.windows(3).any(|times| times[2] - times[0] < Duration::from_secs(4)).then_some(())
    });
    daemon.end();
}

#[test]
#[ignore = "needs the servers that tests/run brings"]
fn corrections_to_and_fro_neither_lose_nor_double_a_tick() {
    // One bot for the seconds, and one with a single slot around which the clock is pulled to and fro.
    let slot = Timestamp::now() + SignedDuration::from_secs(5);
    let cron = format!("cron = \"{}\"", slot.strftime("%-S %-M %-H %-d %-m *"));
    let all = bots(["seconds"], "") + &bots(["slot"], &cron);
    let schedule = format!("{EVERY_SECOND}\nrun_on_start = false");
    let scene = Scene::new(&all, true, Template { schedule: &schedule, ..Template::default() });
    let daemon = scene.daemon(Some(2));
    let mut effort = Effort::begin();
    let until = slot + SignedDuration::from_secs(4);
    let mut ahead = [2, -2, 1, 0, -1].into_iter().cycle();
    while Timestamp::now() < until {
        scene.clock.set(SignedDuration::from_secs(ahead.next().unwrap()));
        effort.steps += 1;
        // The pace of the corrections; nothing is waited for.
        std::thread::sleep(Duration::from_millis(50));
    }
    scene.clock.correct();
    let seconds = scene.platform.asked_of("seconds").len();
    assert!(seconds >= 2, "{seconds} ticks");
    wait_for("more ticks", || (scene.platform.asked_of("seconds").len() >= seconds + 3).then_some(()));
    assert_eq!(scene.platform.asked_of("slot").len(), 1, "{}", daemon.log());
    effort.check(&scene, &daemon);
    daemon.end();
    scene.check(&held_lines("slot", "all", Interval::Hourly, -7));
}

/// How far the time of one test is from the true one, in seconds: its machine sleeps, and then wakes up later.
static SLEPT: AtomicI64 = AtomicI64::new(0);

fn after_sleep() -> Timestamp {
    Timestamp::now() + SignedDuration::from_secs(SLEPT.load(Ordering::Relaxed))
}

#[test]
#[ignore = "needs the servers that tests/run brings"]
fn a_machine_that_sleeps_over_ticks_and_a_change_of_clocks_makes_up_for_them() {
    let zone = "time_zone = \"Europe/Berlin\"\nintervals = [\"hourly\", \"daily\"]";
    let go_to = |time: &str, scene: Option<&Scene>| {
        let then: Timestamp = time.parse().unwrap();
        let slept = then.as_second() - Timestamp::now().as_second();
        SLEPT.store(slept, Ordering::Relaxed);
        if let Some(scene) = scene {
            scene.clock.set(SignedDuration::from_secs(slept));
        }
    };
    go_to("2026-10-24T23:40:00Z", None);
    let schedule = "cron = \"0 */15 * * * *\"\nspread = \"0s\"";
    let template = Template { schedule, ..Template::default() };
    let scene = Scene::at(after_sleep, &bots(["support"], zone), template, |_| None);
    go_to("2026-10-24T23:40:00Z", Some(&scene));
    let daemon = scene.daemon(Some(2));
    daemon.wait_until_ready();
    let newest =
        || daemon.value("kore_trend_last_point_timestamp_seconds{bot=\"support\",channel=\"all\",interval=\"hourly\"}");
    let hour = |time: &str| Some(time.parse::<Timestamp>().unwrap().as_second() as f64);
    assert_eq!(newest(), hour("2026-10-24T22:00:00Z"));
    // In its sleep the hour from 2 to 3 passes twice; later on, the day ends; then it is only one slot.
    for (wakes_up, expected) in [
        ("2026-10-25T02:10:00Z", "2026-10-25T00:00:00Z"),
        ("2026-10-26T03:59:00Z", "2026-10-26T02:00:00Z"),
        ("2026-10-26T04:01:00Z", "2026-10-26T03:00:00Z"),
    ] {
        let (asked, ticks) = (scene.platform.asked().len(), daemon.ticks());
        daemon.signal("STOP");
        go_to(wakes_up, Some(&scene));
        daemon.signal("CONT");
        wait_for("the tick", || (daemon.ticks() > ticks).then_some(()));
        daemon.wait_until_ready();
        assert_eq!(newest(), hour(expected), "{wakes_up}");
        assert_eq!(scene.platform.asked().len(), asked + 2, "one tick for all slots that were slept through");
    }
    // Set back over the change of clocks, and right again.
    let ahead = SLEPT.load(Ordering::Relaxed);
    let seen = |words: &str, times| wait_for(words, || (daemon.logged(words).len() >= times).then_some(()));
    seen("the clock jumped", 1);
    let forward = daemon.logged("the clock jumped").len();
    scene.clock.set(SignedDuration::from_secs(ahead) - 26 * HOUR);
    daemon.wait_for_log("the clock jumped back by", 1);
    scene.clock.set(SignedDuration::from_secs(ahead));
    seen("the clock jumped", forward + 1);
    daemon.end();
    scene.check(&lines("support", "Europe/Berlin", date(2026, 10, 18), date(2026, 10, 25)));
}
