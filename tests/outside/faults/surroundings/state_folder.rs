//! A state folder that fills up or becomes read-only under a daemon: the export goes on, and what could not be
//! remembered is, as soon as it can be.

mod needs_namespaces {
    use kore_trend_exporter::domain::series::Interval;

    use crate::faults::surroundings::{errors_of, watermarks};
    use crate::support::daemon::{Daemon, EVERY_SECOND, NEVER};
    use crate::support::fake_influxdb::FakeInfluxDb;
    use crate::support::platform::{SimulatedPlatform, day, held_lines};
    use crate::support::small_disk::SmallDisk;
    use crate::support::wait_for;
    use crate::support::workspace::{Template, Workspace, bots};

    const BOTS: [&str; 2] = ["one", "two"];
    const PER_HOUR: u32 = 1000;
    const STATE_FAILING: &str = "kore_trend_state_failing";
    const LEDGER: &str = "cannot record requests in the state folder";

    /// Both ends, and the place to run the program in.
    struct Scene {
        platform: SimulatedPlatform,
        database: FakeInfluxDb,
        workspace: Workspace,
    }

    impl Scene {
        fn new() -> Scene {
            let platform = SimulatedPlatform::well(&bots(BOTS, ""));
            Scene { platform, database: FakeInfluxDb::accepting(), workspace: Workspace::new() }
        }

        fn configure(&self, names: &[&str], schedule: &str) {
            self.workspace.configure(&Template {
                platform_url: self.platform.url(),
                platform: &format!("per_minute = 600\nper_hour = {PER_HOUR}"),
                schedule,
                sink: &self.database.config(),
                bots: &bots(names.iter().copied(), ""),
                ..Template::default()
            });
        }

        /// A daemon that has exported its first bot, with a state in which the other one's 19 days are owed.
        fn started<'a>(&'a self, schedule: &str) -> (SmallDisk<'a>, Daemon) {
            let disk = SmallDisk::new(&self.workspace);
            std::fs::write(disk.path("watermarks.json"), watermarks(&BOTS, day(-20))).unwrap();
            self.configure(&["one"], schedule);
            let daemon = disk.daemon();
            daemon.wait_until_ready();
            wait_for("the first watermark", || (disk.watermark("one") == day(-1).to_string()).then_some(()));
            (disk, daemon)
        }

        fn has_stored(&self, bot: &str) -> bool {
            let stored = self.database.stored();
            held_lines(bot, "all", Interval::Hourly, -19).iter().all(|line| stored.contains(line))
        }

        /// Has the other bot exported while its watermark cannot be written, and checks what is said of that.
        #[track_caller]
        fn check_outage(&self, disk: &SmallDisk, daemon: &Daemon, schedule: &str, words: &str) {
            // At the full hour another file of requests begins.
            let is_of_an_hour = |name: &str| {
                name.strip_prefix("requests.").is_some_and(|hour| hour.bytes().all(|byte| byte.is_ascii_digit()))
            };
            let files = || disk.files().into_iter().filter(|name| !is_of_an_hour(name)).collect::<Vec<_>>();
            let before = files();
            self.configure(&BOTS, schedule);
            assert!(daemon.reload());
            daemon.wait_for_log("cannot write the state folder", 1);
            daemon.wait_for_value(STATE_FAILING, 1.0);
            daemon.wait_until_ready();
            assert_eq!(daemon.get("/healthz").status, 200);
            assert!(self.has_stored("two"), "the points are where they should be");
            assert_eq!(disk.watermark("two"), day(-20).to_string(), "the old file stands");
            assert_eq!(files(), before, "nothing half-written stays behind");
            assert!(daemon.get("/").body.contains("The state folder cannot be written"), "{}", daemon.get("/").body);
            let said = daemon.logged("cannot write the state folder");
            assert!(said.len() == 1 && said[0].contains("ERROR"), "{said:?}");
            assert!(said[0].contains(words) && said[0].contains("check the disk"), "{said:?}");
        }

        #[track_caller]
        fn check_recovery(&self, disk: &SmallDisk, daemon: &Daemon) {
            daemon.wait_for_log("the state folder is writable again", 1);
            daemon.wait_for_value(STATE_FAILING, 0.0);
            assert_eq!(BOTS.map(|bot| disk.watermark(bot)), [day(-1).to_string(), day(-1).to_string()]);
            assert_eq!(daemon.logged("cannot write the state folder").len(), 1, "{}", daemon.log());
            assert!(BOTS.iter().all(|bot| errors_of(daemon, bot).is_empty()), "{}", daemon.log());
        }
    }

    #[test]
    #[ignore = "needs the servers that tests/run brings"]
    fn a_full_disk_stops_no_export_and_afterwards_requests_are_recorded_again() {
        let scene = Scene::new();
        let (disk, daemon) = scene.started(EVERY_SECOND);
        disk.fill();
        // Although no series comes further, and no watermark is to be written.
        daemon.wait_for_value(STATE_FAILING, 1.0);
        assert!(daemon.get("/").body.contains("requests cannot be recorded"), "{}", daemon.get("/").body);
        scene.check_outage(&disk, &daemon, EVERY_SECOND, "No space left on device");
        daemon.wait_for_ticks(2);
        let said = daemon.logged(LEDGER);
        assert!(said.len() == 1 && said[0].contains("No space left on device"), "{said:?}");
        disk.free();
        scene.check_recovery(&disk, &daemon);
        daemon.wait_for_log("requests are recorded again", 1);
        daemon.end();
        // A backfill or a daemon that starts now knows of those that were made before the disk was full or after it.
        scene.configure(&BOTS, &format!("{NEVER}\nrun_on_start = false"));
        let daemon = disk.daemon();
        for bot in BOTS {
            let known = format!("kore_trend_budget_used_ratio{{bot=\"{bot}\",window=\"hour\"}}");
            let known = (daemon.value(&known).unwrap() * f64::from(PER_HOUR)).round() as usize;
            let asked = scene.platform.asked_of(bot).len();
            assert!((1..=asked).contains(&known), "{known} requests of {asked} of {bot} are on record");
        }
        daemon.end();
    }

    #[test]
    #[ignore = "needs the servers that tests/run brings"]
    fn a_crash_on_a_full_disk_costs_questions_and_no_answers() {
        let scene = Scene::new();
        let (disk, daemon) = scene.started(NEVER);
        disk.fill();
        scene.check_outage(&disk, &daemon, NEVER, "No space left on device");
        daemon.signal("KILL");
        drop(daemon);

        scene.platform.forget();
        let daemon = disk.daemon();
        daemon.wait_until_ready();
        daemon.wait_for_value(STATE_FAILING, 1.0);
        let asked = scene.platform.asked_of("two");
        let windows: Vec<String> = asked.iter().map(|asked| asked.window().unwrap().to_string()).collect();
        let live_and_owed = [format!("{}..{}", day(-2), day(0)), format!("{}..{}", day(-20), day(-3))];
        assert_eq!(windows, live_and_owed, "what was not remembered is asked for again");
        assert!(disk.watermark("two") == day(-20).to_string() && !disk.path("recent.json").exists());
        // Its last figures cannot be kept for the page of the next one; that is all.
        let output = daemon.end();
        assert_eq!(output.stderr.matches("ERROR").count(), 1, "{}", output.stderr);

        disk.free();
        let daemon = disk.daemon();
        daemon.wait_until_ready();
        daemon.end();
        assert_eq!(disk.watermark("two"), day(-1).to_string());
        assert!(disk.path("recent.json").exists());
    }

    #[test]
    #[ignore = "needs the servers that tests/run brings"]
    fn a_read_only_state_folder_stops_no_export_and_starts_none() {
        let scene = Scene::new();
        let (disk, daemon) = scene.started(NEVER);
        disk.make_read_only();
        scene.check_outage(&disk, &daemon, NEVER, "Read-only file system");
        scene.platform.forget();
        for arguments in [&[][..], &["--once"], &["--backfill", "2026-08-01..2026-08-02"]] {
            let output = disk.run(arguments).expect_code(1);
            assert!(output.stderr.contains("the state folder state cannot be written"), "{}", output.stderr);
            assert!(output.stderr.contains("Read-only file system"), "{}", output.stderr);
        }
        assert!(scene.platform.asked().is_empty(), "refused before any request");
        disk.make_writable();
        scene.check_recovery(&disk, &daemon);
        daemon.end();
    }
}
