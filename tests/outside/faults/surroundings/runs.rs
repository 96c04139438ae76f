//! Runs that end, on disks that fill up: what was stored is stored, what could not be remembered is told by the exit
//! code, and the same command continues.

mod needs_namespaces {
    use std::collections::BTreeSet;

    use jiff::tz::TimeZone;
    use kore_trend_exporter::domain::series::Interval;
    use serde_json::Value;

    use crate::faults::surroundings::{remember, wait_for_outage, wait_for_recovery};
    use crate::support::daemon::EVERY_SECOND;
    use crate::support::fake_influxdb::FakeInfluxDb;
    use crate::support::namespace::{Namespace, fill};
    use crate::support::platform::{SimulatedPlatform, day, held_lines};
    use crate::support::process::Running;
    use crate::support::server::{Gate, Reply};
    use crate::support::small_disk::SmallDisk;
    use crate::support::wait_for;
    use crate::support::workspace::{Template, Workspace, bots};

    #[test]
    #[ignore = "needs the servers that tests/run brings"]
    fn once_on_a_full_disk_says_that_it_could_not_remember() {
        let (bots, workspace) = (bots(["one"], ""), Workspace::new());
        let platform = SimulatedPlatform::well(&bots);
        workspace.configure(&Template { platform_url: platform.url(), bots: &bots, ..Template::default() });
        let disk = SmallDisk::new(&workspace);
        fill(&disk.path("filler"));
        let output = disk.run(&["--once"]).expect_code(1);
        assert!(output.stderr.contains("No space left on device"), "{}", output.stderr);
        assert!(platform.asked().is_empty(), "without a place for its state it does not begin");

        disk.free();
        disk.run(&["--once"]).expect_code(0);
        assert_eq!(disk.watermark("one"), day(-1).to_string());
        std::fs::remove_file(disk.path("watermarks.json")).unwrap();
        disk.fill();
        let output = disk.run(&["--once"]).expect_code(1);
        assert!(
            output.stderr.contains("the points are written, but the progress cannot be saved"),
            "{}",
            output.stderr
        );
        let lines = workspace.sorted_lines("engagement.lp");
        assert!(held_lines("one", "all", Interval::Hourly, -7).iter().all(|line| lines.contains(line)));

        disk.free();
        disk.run(&["--once"]).expect_code(0);
        assert_eq!(disk.watermark("one"), day(-1).to_string());
    }

    #[test]
    #[ignore = "needs the servers that tests/run brings"]
    fn a_backfill_whose_progress_cannot_be_written_goes_on_and_after_a_crash_asks_again() {
        let (bots, workspace) = (bots(["one"], ""), Workspace::new());
        let [before, within] = [Gate::closed(), Gate::closed()];
        let gates = [(day(-20), before.clone()), (day(-15), within.clone())];
        let platform = SimulatedPlatform::start(&bots, move |asked, _| {
            let gate = gates.iter().find(|(day, _)| asked.asks_for(*day));
            gate.map(|(_, gate)| Reply::own().behind(gate))
        });
        let database = FakeInfluxDb::accepting();
        workspace.configure(&Template {
            platform_url: platform.url(),
            platform: "per_minute = 600\nmax_days_per_request = 1",
            sink: &database.config(),
            bots: &bots,
            ..Template::default()
        });
        let disk = SmallDisk::new(&workspace);
        let arguments = ["--backfill", &format!("{}..{}", day(-25), day(-10))];
        let through = || {
            let progress = std::fs::read(disk.path("backfill.json")).ok()?;
            let progress: Value = serde_json::from_slice(&progress).unwrap();
            progress["series"][0]["through"].as_str().map(str::to_owned)
        };
        let asks_for = |offset| platform.asked().iter().any(|asked| asked.asks_for(day(offset)));

        let run = Running::start(disk.command(&arguments));
        wait_for("progress up to the first gate", || (through() == Some(day(-21).to_string())).then_some(()));
        disk.fill();
        before.open();
        wait_for("days up to the second gate", || asks_for(-15).then_some(()));
        wait_for("word of the disk", || run.stderr().contains("cannot write the state folder").then_some(()));
        assert_eq!(through(), Some(day(-21).to_string()), "the old progress stands");
        run.signal("KILL");
        let killed = run.finish();
        assert_eq!(killed.stderr.matches("cannot write the state folder").count(), 1, "{}", killed.stderr);

        // Again on the full disk: it continues from what is remembered, and has nothing to remember in the end.
        platform.forget();
        within.open();
        disk.run(&arguments).expect_code(0);
        assert!(!asks_for(-21) && (-20..=-10).all(asks_for), "{:?}", platform.asked());
        let stored: BTreeSet<String> = database.stored().into_iter().collect();
        let lines = held_lines("one", "all", Interval::Hourly, -25);
        assert!(lines[..16 * 24].iter().all(|line| stored.contains(line)));
        assert!(!disk.path("backfill.json").exists() && !disk.path("watermarks.json").exists());
    }

    #[test]
    #[ignore = "needs the servers that tests/run brings"]
    fn a_file_of_points_on_a_full_disk_holds_whole_lines_and_gets_the_rest_later() {
        let (bots, workspace) = (bots(["one"], ""), Workspace::new());
        let platform = SimulatedPlatform::well(&bots);
        let sink = "[file]\npath = \"out/engagement.lp\"\n";
        let template = Template { platform_url: platform.url(), platform: "per_minute = 600", ..Template::default() };
        workspace.configure(&Template { schedule: EVERY_SECOND, sink, bots: &bots, ..template });
        remember(&workspace, &["one"], day(-20));
        std::fs::create_dir(workspace.path("out")).unwrap();
        let namespace = Namespace::with_disk(&workspace.path("out"), 512);
        let out = |name: &str| namespace.path(&workspace.path("out").join(name));
        fill(&out("filler"));
        // Room for the live days, and for some lines of those that are owed.
        std::fs::write(out("filler"), vec![0; 504 << 10]).unwrap();
        let mut command = workspace.command();
        command.env("KORE_TREND__ADMIN__LISTEN", "127.0.0.1:0");
        let daemon = crate::support::daemon::Daemon::launch(namespace.enter(&command));
        wait_for_outage(&daemon, &["one"], &["failed to write the points", "No space left", "check disk space"]);
        let text = std::fs::read_to_string(out("engagement.lp")).unwrap();
        assert!(text.ends_with('\n'));
        let live_from = day(-2).to_zoned(TimeZone::UTC).unwrap().timestamp().as_second();
        let is_live = |line: &str| line.rsplit(' ').next().unwrap().parse::<i64>().unwrap() >= live_from;
        assert!(text.lines().all(is_live), "nothing that is not confirmed: {text}");
        assert_eq!(workspace.watermark("one"), day(-20).to_string());

        std::fs::remove_file(out("filler")).unwrap();
        wait_for_recovery(&daemon, &["one"], 1);
        daemon.end();
        let text = std::fs::read_to_string(out("engagement.lp")).unwrap();
        let lines: BTreeSet<&str> = text.lines().collect();
        assert!(held_lines("one", "all", Interval::Hourly, -19).iter().all(|line| lines.contains(line.as_str())));
        assert!(text.ends_with('\n') && lines.iter().all(|line| line.starts_with("user_engagement_hourly,bot=one,")));
        assert_eq!(workspace.watermark("one"), day(-1).to_string());
    }
}
