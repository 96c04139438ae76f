//! A real InfluxDB 2 that is killed, loses its bucket, does not know its token any more, or has no disk left.

mod needs_influxdb2 {
    use crate::faults::surroundings::{
        check_confirmed, check_secrets, check_stored, remember, wait_for_outage, wait_for_recovery,
    };
    use crate::support::daemon::{Daemon, EVERY_SECOND};
    use crate::support::influxd::Influxd;
    use crate::support::influxdb::Database;
    use crate::support::platform::{SimulatedPlatform, day};
    use crate::support::workspace::{Template, Workspace, bots};

    const BOTS: [&str; 2] = ["one", "two"];
    const SECRETS: [&str; 2] = ["the secret of one, long enough", "the secret of two, long enough"];

    fn platform() -> SimulatedPlatform {
        SimulatedPlatform::well(&bots(BOTS, ""))
    }

    /// Exports these bots to a database every second, with its token in a file beside the configuration.
    fn configure(workspace: &Workspace, platform: &SimulatedPlatform, database: &Database, names: &[&str]) {
        let sink = database.config().replace(&format!("token = \"{}\"", database.token), "token_file = \"token\"");
        workspace.configure(&Template {
            platform_url: platform.url(),
            platform: "per_minute = 600",
            schedule: EVERY_SECOND,
            sink: &sink,
            bots: &bots(names.iter().copied(), ""),
            ..Template::default()
        });
    }

    /// Checks that an outage of the database makes the daemon ask the platform no more often: once a tick for each series, and once more to catch up.
    #[track_caller]
    fn check_patience(daemon: &Daemon, platform: &SimulatedPlatform) {
        for bot in BOTS {
            let asked = platform.asked_of(bot).len() as u64;
            let ticks = daemon.ticks();
            assert!(asked <= ticks + 2, "{bot} was asked for {asked} times in {ticks} ticks");
        }
    }

    #[test]
    #[ignore = "needs the servers that tests/run brings"]
    fn a_database_that_is_killed_and_started_again_gets_what_it_missed() {
        let mut influxd = Influxd::start();
        let (platform, database, workspace) = (platform(), influxd.database(), Workspace::new());
        workspace.write("token", &database.token);
        remember(&workspace, &BOTS, day(-20));
        configure(&workspace, &platform, &database, &["one"]);
        let daemon = Daemon::start(&workspace);
        daemon.wait_until_ready();

        influxd.kill();
        // Whose 19 days are owed in full.
        configure(&workspace, &platform, &database, &BOTS);
        assert!(daemon.reload());
        wait_for_outage(&daemon, &["two"], &["cannot reach the database", "influxdb.url"]);
        assert_eq!(workspace.watermark("two"), day(-20).to_string());

        influxd.start_again();
        wait_for_recovery(&daemon, &["two"], 1);
        let points = database.points();
        BOTS.iter().for_each(|bot| check_stored(&points, bot, -19));
        check_patience(&daemon, &platform);
        check_secrets(&daemon, &workspace, &[SECRETS.as_slice(), &[&database.token]].concat());
        daemon.end();
        BOTS.iter().for_each(|bot| assert_eq!(workspace.watermark(bot), day(-1).to_string()));
    }

    #[test]
    #[ignore = "needs the servers that tests/run brings"]
    fn a_bucket_that_is_deleted_and_made_again_gets_what_is_owed() {
        let (platform, mut database, workspace) = (platform(), Database::fresh(None), Workspace::new());
        database.token = database.new_token_for_all_buckets(&["write"]);
        let token = database.token.clone();
        workspace.write("token", &token);
        remember(&workspace, &BOTS, day(-20));
        configure(&workspace, &platform, &database, &["one"]);
        let daemon = Daemon::start(&workspace);
        daemon.wait_until_ready();

        database.delete_bucket();
        configure(&workspace, &platform, &database, &BOTS);
        assert!(daemon.reload());
        wait_for_outage(&daemon, &["two"], &["answered 404", &database.bucket, "influxdb.bucket", "must exist"]);
        assert_eq!(workspace.watermark("two"), day(-20).to_string());

        database.make_bucket();
        wait_for_recovery(&daemon, &["two"], 1);
        let points = database.points();
        check_stored(&points, "two", -19);
        check_patience(&daemon, &platform);
        // What was confirmed went with the bucket. It is neither owed nor new, and is had again by asking for it.
        workspace.run(&["--backfill", &format!("{}..", day(-19)), "--bot", "one"]).expect_code(0);
        check_stored(&database.points(), "one", -19);
        check_secrets(&daemon, &workspace, &[SECRETS.as_slice(), &[&token]].concat());
        daemon.end();
    }

    #[test]
    #[ignore = "needs the servers that tests/run brings"]
    fn a_token_that_is_revoked_is_missed_until_another_one_is_in_its_file() {
        let (platform, mut database, workspace) = (platform(), Database::fresh(None), Workspace::new());
        workspace.write("token", &database.token);
        remember(&workspace, &BOTS, day(-20));
        configure(&workspace, &platform, &database, &["one"]);
        let daemon = Daemon::start(&workspace);
        daemon.wait_until_ready();

        let first = database.token.clone();
        database.revoke(&first);
        configure(&workspace, &platform, &database, &BOTS);
        assert!(daemon.reload());
        wait_for_outage(&daemon, &["two"], &["answered 401", "influxdb token"]);
        // In the middle of a rotation there may be no file.
        std::fs::remove_file(workspace.path("token")).unwrap();
        daemon.wait_for_ticks(3);
        let second = database.new_token(&["write"]);
        workspace.write("token", &second);
        wait_for_recovery(&daemon, &["two"], 1);
        let points = database.points();
        BOTS.iter().for_each(|bot| check_stored(&points, bot, -19));
        assert_eq!(daemon.logged("credentials were rejected; loaded the changed ones").len(), 1);

        check_patience(&daemon, &platform);
        daemon.end();

        // A bucket that is made again is another one to the tokens of the first. At its start the daemon writes all.
        database.delete_bucket();
        database.make_bucket();
        let daemon = Daemon::start(&workspace);
        wait_for_outage(&daemon, &BOTS, &["influxdb token"]);
        workspace.write("token", &database.token);
        wait_for_recovery(&daemon, &BOTS, 1);
        let points = database.points();
        BOTS.iter().for_each(|bot| check_stored(&points, bot, -2));
        check_secrets(&daemon, &workspace, &[SECRETS.as_slice(), &[&first, &second, &database.token]].concat());
        daemon.end();
    }

    mod needs_namespaces {
        use jiff::civil::time;
        use uuid::Uuid;

        use super::*;
        use crate::support::namespace::fill;
        use crate::support::server::{Gate, Reply};
        use crate::support::wait_for;

        #[test]
        #[ignore = "needs the servers that tests/run brings"]
        fn a_database_without_disk_confirms_nothing_that_it_does_not_keep() {
            let mut influxd = Influxd::with_small_disk();
            let (database, workspace, gate) = (influxd.database(), Workspace::new(), Gate::closed());
            let closed = gate.clone();
            // Of each bot, the tenth day from now is asked for by itself, when those before it are stored.
            let platform = SimulatedPlatform::start(&bots(BOTS, ""), move |asked, _| {
                asked.asks_for(day(-10)).then(|| Reply::own().behind(&closed))
            });
            workspace.write("token", &database.token);
            remember(&workspace, &BOTS, day(-20));
            configure(&workspace, &platform, &database, &BOTS);
            let with_days = workspace.read("config.toml").replace("per_minute", "max_days_per_request = 1\nper_minute");
            workspace.write("config.toml", &with_days);
            let daemon = Daemon::start(&workspace);
            let asks = |bot: &str| platform.asked_of(bot).iter().any(|asked| asked.asks_for(day(-10)));
            wait_for("all that comes before", || BOTS.iter().all(|bot| asks(bot)).then_some(()));
            fill(&influxd.on_disk("filler"));
            (-10..=0).for_each(|offset| use_up(&database, offset));
            gate.open();
            wait_for_outage(&daemon, &BOTS, &["answered 500", "no space left on device", "disk is full"]);

            // What the daemon takes for stored, a database that has lost its memory must still have.
            daemon.signal("STOP");
            influxd.kill();
            std::fs::remove_file(influxd.on_disk("filler")).unwrap();
            influxd.start_again();
            let points = database.points();
            for bot in BOTS {
                let through = workspace.watermark(bot);
                let known = (-20..-1).find(|offset| through == day(*offset).to_string());
                let known = known.unwrap_or_else(|| panic!("{bot} has come to {through}"));
                assert!(known >= -12, "{bot} has come no further than {through}");
                check_confirmed(&points, bot, -19, known);
            }
            daemon.signal("CONT");
            wait_for_recovery(&daemon, &BOTS, 1);
            let points = database.points();
            BOTS.iter().for_each(|bot| check_stored(&points, bot, -19));
            check_secrets(&daemon, &workspace, &[SECRETS.as_slice(), &[&database.token]].concat());
            daemon.end();
            BOTS.iter().for_each(|bot| assert_eq!(workspace.watermark(bot), day(-1).to_string()));
        }

        /// A log has some room within its last block on a full disk: writes to that of this day until there is none.
        fn use_up(database: &Database, offset: i64) {
            let noon = day(offset).to_datetime(time(12, 0, 0, 0)).in_tz("UTC").unwrap().timestamp().as_second();
            let line = |second| format!("filler f={}i {}\n", Uuid::new_v4().as_u64_pair().0 >> 1, noon + second);
            while database.write(&(0..50).map(line).collect::<String>()).status == 204 {}
        }
    }
}
