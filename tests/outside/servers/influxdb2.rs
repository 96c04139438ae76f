//! From the platform to a real InfluxDB 2 and back: what is read there is what the platform held.

mod needs_influxdb2 {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use jiff::Timestamp;
    use kore_trend_exporter::domain::series::{Interval, Window, day_after};
    use serde_json::json;

    use crate::support::expected::{BOTS, expected};
    use crate::support::influxdb::{Database, StoredPoint};
    use crate::support::platform::{SimulatedPlatform, held};
    use crate::support::workspace::{Template, Workspace};

    const BOT: &str = "[bots.support]\nid = \"st-1\"\nclient_id = \"cs-1\"\nclient_secret = \"0123456789\"\n\
        intervals = [\"hourly\", \"daily\"]\n";

    fn workspace(database: &Database, platform: &SimulatedPlatform, api: &str, bots: &str) -> Workspace {
        let (sink, platform_url) = (database.config(), platform.url());
        Workspace::with(&Template { platform_url, platform: api, sink: &sink, bots, ..Template::default() })
    }

    /// Both days of a clock change are in it.
    fn check_round_trip(api: &'static str) {
        let database = Database::fresh(None);
        let platform = SimulatedPlatform::well(BOTS);
        let workspace = workspace(&database, &platform, &format!("api = \"{api}\""), BOTS);
        let mut all: Vec<StoredPoint> = Vec::new();
        for (first, last) in [("2026-03-28", "2026-03-30"), ("2025-10-25", "2025-10-27"), ("2026-09-05", "2026-09-07")]
        {
            workspace.run(&["--backfill", &format!("{first}..{last}")]).expect_code(0);
            all.extend(expected(api == "v2", first, last));
        }
        all.sort();
        // Three series over nine days of 24 hours and a day, but for the hour that the spring skips.
        let fields = if api == "v2" { 3 } else { 1 };
        assert_eq!(all.len(), (3 * 9 * 25 - 1) * fields);
        let found = database.points();
        let missing: Vec<_> = all.iter().filter(|point| !found.contains(point)).take(3).collect();
        let surplus: Vec<_> = found.iter().filter(|point| !all.contains(point)).take(3).collect();
        assert!(missing.is_empty() && surplus.is_empty(), "missing {missing:#?}\nsurplus {surplus:#?}");
        assert_eq!(found.len(), all.len());
        check_by_influxql(&database, &all);
    }

    /// The same figures by the other query language, as sums and counts of each measurement and field.
    #[track_caller]
    fn check_by_influxql(database: &Database, all: &[StoredPoint]) {
        let mut figures: BTreeMap<(&str, &str), Vec<(i64, i64)>> = BTreeMap::new();
        for (measurement, _, field, time, value) in all {
            figures.entry((measurement, field)).or_default().push((*time, *value));
        }
        for ((measurement, field), mut expected) in figures {
            expected.sort_unstable();
            let answer = database.influxql(&format!("SELECT \"{field}\" FROM {measurement}"));
            let values = answer["results"][0]["series"][0]["values"].as_array().unwrap();
            let mut found: Vec<(i64, i64)> =
                values.iter().map(|row| (row[0].as_i64().unwrap(), row[1].as_i64().unwrap())).collect();
            found.sort_unstable();
            assert_eq!(found, expected, "{measurement} {field}");
        }
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
    fn writing_again_replaces() {
        let database = Database::fresh(None);
        let platform = SimulatedPlatform::start(BOT, |asked, number| {
            let users = if number <= 2 { 5 } else { 7 };
            let daily = asked.query["aggregation_type"].eq_ignore_ascii_case("daily");
            let (key, date) = (if daily { "users" } else { "3 - 4" }, "Aug 06 2026");
            Some((200, json!({ "results": [{ "date": date, key: users }], "totalResults": 1 }).to_string()).into())
        });
        let workspace = workspace(&database, &platform, "", BOT);
        for users in [5, 7] {
            workspace.run(&["--backfill", "2026-08-06..2026-08-06"]).expect_code(0);
            let points: Vec<(String, i64, i64)> = database
                .points()
                .into_iter()
                .map(|(measurement, _, _, time, value)| (measurement, time, value))
                .collect();
            let expected = [("daily", 1_785_974_400, users), ("hourly", 1_785_974_400 + 3 * 3600, users)];
            let expected = expected.map(|(interval, time, users)| (format!("user_engagement_{interval}"), time, users));
            assert_eq!(points, expected);
        }
        let answer = database.influxql("SELECT \"users\" FROM user_engagement_daily WHERE bot = 'support'");
        assert_eq!(answer["results"][0]["series"][0]["values"], json!([[1_785_974_400, 7]]));
    }

    #[test]
    #[ignore = "needs the servers that tests/run brings"]
    fn points_beyond_the_retention_are_dropped_and_confirmed() {
        let database = Database::fresh(Some(Duration::from_secs(3 * 86_400)));
        let platform = SimulatedPlatform::well(BOT);
        let workspace = workspace(&database, &platform, "", BOT);
        let output = workspace.run(&["--once"]).expect_code(0);
        assert!(output.stderr.contains("older than the bucket's retention"), "{}", output.stderr);
        assert!(output.stdout.contains("points older than the retention"), "{}", output.stdout);

        let now = Timestamp::now();
        let today = now.to_zoned(jiff::tz::TimeZone::UTC).date();
        let window = Window { first: day_after(today, -2), last: day_after(today, -1) };
        let points = database.points();
        let hourly: Vec<(i64, i64)> = points
            .iter()
            .filter(|(measurement, ..)| measurement == "user_engagement_hourly")
            .map(|(.., time, value)| (*time, *value))
            .collect();
        let recent = held("st-1", "all", Interval::Hourly, window);
        assert!(recent.iter().all(|point| hourly.contains(point)));
        assert!(hourly.iter().all(|(time, _)| *time > now.as_second() - 4 * 86_400), "the old ones are not there");

        platform.forget();
        workspace.run(&["--once"]).expect_code(0);
        assert!(platform.asked().iter().all(|asked| asked.window().unwrap().days() == 3), "they are not owed any more");
    }

    #[test]
    #[ignore = "needs the servers that tests/run brings"]
    fn a_field_of_another_type_refuses_its_lines_only() {
        let database = Database::fresh(None);
        // Types are told apart by shard, a week from Monday, 2026-08-03; another program's point is in the same one.
        database.write("user_engagement_hourly,bot=other users=1.5 1785801600").success();
        let platform = SimulatedPlatform::well(BOT);
        let workspace = workspace(&database, &platform, "", BOT);
        let output = workspace.run(&["--backfill", "2026-08-04..2026-08-06"]).expect_code(1);
        for words in ["the database refused 72 points", "users", "conflict", "another type", "channel=\"all\""] {
            assert!(output.stderr.contains(words), "no {words:?} in\n{}", output.stderr);
        }
        assert!(output.stdout.contains("1 of 2 series complete"), "{}", output.stdout);
        assert!(workspace.path("state/backfill.json").exists(), "the refused days stay owed");
        let flux = format!(
            "from(bucket: \"{}\") |> range(start: 2026-08-01T00:00:00Z, stop: 2026-08-10T00:00:00Z) |> filter(fn: (r) => \
             r._measurement == \"user_engagement_daily\")",
            database.bucket
        );
        assert_eq!(database.flux(&flux).len(), 3, "the other measurement is written");
    }

    #[test]
    #[ignore = "needs the servers that tests/run brings"]
    fn a_wrong_token_and_a_bucket_that_is_not_there_are_said_and_everything_stays_owed() {
        let database = Database::fresh(None);
        let platform = SimulatedPlatform::well(BOT);
        let workspace = workspace(&database, &platform, "", BOT);
        let config = workspace.read("config.toml");
        for (right, wrong, words) in [
            (&database.token, "canary-of-another-token", ["answered 401", "influxdb token"]),
            (&database.bucket, "nowhere", ["answered 404", "influxdb.bucket"]),
        ] {
            workspace.write("config.toml", &config.replace(right.as_str(), wrong));
            let output = workspace.run(&["--once"]).expect_code(1);
            for word in words {
                assert!(output.stderr.contains(word), "no {word:?} in\n{}", output.stderr);
            }
            assert!(!output.stderr.contains("canary"), "{}", output.stderr);
        }
        platform.forget();
        workspace.write("config.toml", &config);
        workspace.run(&["--once"]).expect_code(0);
        let today = Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date();
        assert!(platform.asked().iter().any(|asked| asked.asks_for(day_after(today, -7))), "the first day is owed");
        assert!(!database.points().is_empty());
    }
}
