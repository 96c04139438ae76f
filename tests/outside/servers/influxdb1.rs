//! From the platform to a real InfluxDB 1 and back, through the endpoint that it shares with InfluxDB 2.

mod needs_influxdb1 {
    use kore_trend_exporter::domain::series::{Interval, Window};

    use crate::support::expected::{BOTS, expected};
    use crate::support::influxdb::StoredPoint;
    use crate::support::influxdb1::{CREDENTIALS, GuardedInfluxd, OldDatabase};
    use crate::support::platform::{SimulatedPlatform, day, held};
    use crate::support::workspace::{Template, Workspace};

    const BOT: &str = "[bots.support]\nid = \"st-1\"\nclient_id = \"cs-1\"\nclient_secret = \"0123456789\"\n\
        intervals = [\"hourly\", \"daily\"]\n";

    fn workspace(sink: &str, platform: &SimulatedPlatform, api: &str, bots: &str) -> Workspace {
        Workspace::with(&Template { platform_url: platform.url(), platform: api, sink, bots, ..Template::default() })
    }

    /// Both days of a clock change are in it.
    fn check_round_trip(api: &'static str) {
        let database = OldDatabase::fresh();
        let platform = SimulatedPlatform::well(BOTS);
        let workspace = workspace(&database.config(), &platform, &format!("api = \"{api}\""), BOTS);
        let mut all: Vec<StoredPoint> = Vec::new();
        for (first, last) in [("2026-03-28", "2026-03-30"), ("2025-10-25", "2025-10-27"), ("2026-09-05", "2026-09-07")]
        {
            workspace.run(&["--backfill", &format!("{first}..{last}")]).expect_code(0);
            all.extend(expected(api == "v2", first, last));
        }
        all.sort();
        let found = database.points();
        let missing: Vec<_> = all.iter().filter(|point| !found.contains(point)).take(3).collect();
        let surplus: Vec<_> = found.iter().filter(|point| !all.contains(point)).take(3).collect();
        assert!(missing.is_empty() && surplus.is_empty(), "missing {missing:#?}\nsurplus {surplus:#?}");
        assert_eq!(found.len(), all.len());
    }

    #[test]
    #[ignore = "needs the servers that tests/run brings"]
    fn every_point_of_v1_is_what_the_platform_held() {
        check_round_trip("v1");
    }

    #[test]
    #[ignore = "needs the servers that tests/run brings"]
    fn every_point_of_v2_is_what_the_platform_held() {
        check_round_trip("v2");
    }

    #[test]
    #[ignore = "needs the servers that tests/run brings"]
    fn points_beyond_the_retention_are_dropped_and_confirmed() {
        let database = OldDatabase::keeping("3d");
        let platform = SimulatedPlatform::well(BOT);
        let workspace = workspace(&database.config(), &platform, "", BOT);
        let output = workspace.run(&["--once"]).expect_code(0);
        assert!(output.stdout.contains("points older than the retention"), "{}", output.stdout);

        let recent = held("st-1", "all", Interval::Hourly, Window { first: day(-2), last: day(-1) });
        let hourly: Vec<(i64, i64)> = database
            .points()
            .into_iter()
            .filter(|(measurement, ..)| measurement == "user_engagement_hourly")
            .map(|(.., time, value)| (time, value))
            .collect();
        assert!(recent.iter().all(|point| hourly.contains(point)));
        platform.forget();
        workspace.run(&["--once"]).expect_code(0);
        assert!(platform.asked().iter().all(|asked| asked.window().unwrap().days() == 3), "they are not owed any more");
    }

    #[test]
    #[ignore = "needs the servers that tests/run brings"]
    fn a_field_of_another_type_refuses_its_lines_only() {
        let database = OldDatabase::fresh();
        // Types are told apart by shard, which is a day here.
        database.write("user_engagement_hourly,bot=other users=1.5 1785844800").success();
        let platform = SimulatedPlatform::well(BOT);
        let workspace = workspace(&database.config(), &platform, "", BOT);
        let output = workspace.run(&["--backfill", "2026-08-04..2026-08-06"]).expect_code(1);
        for words in ["the database refused 24 points", "users", "conflict", "another type", "channel=\"all\""] {
            assert!(output.stderr.contains(words), "no {words:?} in\n{}", output.stderr);
        }
        assert!(output.stdout.contains("1 of 2 series complete"), "{}", output.stdout);
        let stored = |name: &str| database.points().iter().filter(|(measurement, ..)| measurement == name).count();
        assert_eq!(stored("user_engagement_daily"), 3, "the other measurement is written");
        assert_eq!(stored("user_engagement_hourly"), 48, "and so are the days without a conflict");
    }

    #[test]
    #[ignore = "needs the servers that tests/run brings"]
    fn a_database_that_is_not_there_is_said_and_everything_stays_owed() {
        let database = OldDatabase { name: "nowhere".to_owned(), ..OldDatabase::fresh() };
        let platform = SimulatedPlatform::well(BOT);
        let workspace = workspace(&database.config(), &platform, "", BOT);
        let output = workspace.run(&["--once"]).expect_code(1);
        for words in ["answered 404", "database not found", "influxdb.bucket"] {
            assert!(output.stderr.contains(words), "no {words:?} in\n{}", output.stderr);
        }
        let state: serde_json::Value = serde_json::from_str(&workspace.read("state/watermarks.json")).unwrap();
        let series = state["series"].as_array().unwrap();
        assert!(series.iter().all(|series| series["through"].is_null()), "every day is still owed: {state}");
    }

    #[test]
    #[ignore = "needs the servers that tests/run brings"]
    fn a_wrong_password_is_said_and_the_right_one_is_enough() {
        let influxd = GuardedInfluxd::start();
        let platform = SimulatedPlatform::well(BOT);
        let wrong = workspace(&influxd.config("owner:another-password"), &platform, "", BOT);
        let output = wrong.run(&["--once"]).expect_code(1);
        for words in ["answered 401", "influxdb token"] {
            assert!(output.stderr.contains(words), "no {words:?} in\n{}", output.stderr);
        }
        assert!(!output.stderr.contains("another-password"), "{}", output.stderr);
        let right = workspace(&influxd.config(CREDENTIALS), &platform, "", BOT);
        right.run(&["--once"]).expect_code(0);
        let answer = influxd.ask("SELECT count(\"users\") FROM user_engagement_daily");
        assert!(answer["results"][0]["series"][0]["values"][0][1].as_i64() >= Some(7), "{answer}");
    }
}
