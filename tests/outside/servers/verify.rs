//! `--verify` against real databases that were damaged on purpose.

use serde_json::Value;

use crate::support::process::Output;
use crate::support::workspace::Workspace;

const RANGE: &str = "2026-03-23..2026-04-05";
const BOT: &str = "[bots.support]\nid = \"st-1\"\nclient_id = \"cs-1\"\nclient_secret = \"0123456789\"\n\
    time_zone = \"Europe/Berlin\"\n";
const SERIES: &str = "user_engagement_hourly,bot=support,bot_id=st-1,channel=all";
/// 23:00 UTC of the evening before the first day: its midnight in Berlin.
const START: i64 = 1_774_220_400;
/// Fourteen days, one of them without an hour.
const POINTS: u64 = 14 * 24 - 1;

fn counts(workspace: &Workspace, more: &[&str], code: i32) -> [u64; 5] {
    let output: Output =
        workspace.run(&[&["--verify", RANGE, "--log-format", "json"], more].concat()).expect_code(code);
    let mut lines = output.stdout.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let series = lines.rfind(|line| line.get("series").is_some()).unwrap();
    ["equal", "missing", "different", "unexpected", "elsewhere"].map(|name| series[name].as_u64().unwrap())
}

/// Changes a point, adds one between two hours, and one under other tags; of the clock-change day a whole hour.
fn damage(hour: i64) -> String {
    let time = START + 3600 * hour;
    format!(
        "{SERIES} users=999999i {time}\n{SERIES} users=1i {}\n{SERIES},team=care users=1i {time}\n\
         {SERIES} users=999999i 1774746000\n",
        time + 1200
    )
}

mod needs_influxdb2 {
    use std::time::Duration;

    use super::{BOT, POINTS, RANGE, SERIES, START, counts, damage};
    use crate::support::influxdb::Database;
    use crate::support::platform::SimulatedPlatform;
    use crate::support::reverse_proxy::behind_a_path;
    use crate::support::workspace::{Template, Workspace};

    fn workspace(database: &Database, platform: &SimulatedPlatform, lines: &str, bots: &str) -> Workspace {
        let token = database.new_token(&["read", "write"]);
        let sink = format!("{}{lines}", database.config_with(&database.url, &token));
        Workspace::with(&Template { platform_url: platform.url(), sink: &sink, bots, ..Template::default() })
    }

    #[test]
    #[ignore = "needs the servers that tests/run brings"]
    fn the_truth_of_a_damaged_bucket_is_told_exactly_in_both_languages() {
        let platform = SimulatedPlatform::well(BOT);
        for lines in ["", "read = \"influxql\"\n"] {
            let database = Database::fresh(None);
            let workspace = workspace(&database, &platform, lines, BOT);
            workspace.run(&["--backfill", RANGE]).expect_code(0);
            assert_eq!(counts(&workspace, &[], 0), [POINTS, 0, 0, 0, 0], "{lines}");
            database.write(&damage(30)).success();
            assert_eq!(counts(&workspace, &[], 1), [POINTS - 2, 0, 2, 1, 1], "{lines}");
            assert_eq!(counts(&workspace, &["--repair"], 1), [POINTS, 0, 0, 1, 1], "{lines}");
            assert_eq!(database.points().len() as u64, POINTS + 2, "{lines}: nothing else is touched");
        }
    }

    #[test]
    #[ignore = "needs the servers that tests/run brings"]
    fn tags_that_are_called_like_columns_of_flux_are_compared() {
        for tag in ["table", "result", "_start", "_value"] {
            let bot = format!("{BOT}tags = {{ {tag} = \"care\" }}\n");
            let (platform, database) = (SimulatedPlatform::well(&bot), Database::fresh(None));
            let workspace = workspace(&database, &platform, "", &bot);
            workspace.run(&["--backfill", RANGE]).expect_code(0);
            assert_eq!(counts(&workspace, &[], 0), [POINTS, 0, 0, 0, 0], "{tag}");
        }
    }

    #[test]
    #[ignore = "needs the servers that tests/run brings"]
    fn a_database_behind_a_path_is_compared_in_influxql() {
        let (platform, database) = (SimulatedPlatform::well(BOT), Database::fresh(None));
        let proxy = behind_a_path("/db", &database.url);
        let token = database.new_token(&["read", "write"]);
        let sink = database.config_with(&format!("{}/db", proxy.url()), &token) + "read = \"influxql\"\n";
        let workspace =
            Workspace::with(&Template { platform_url: platform.url(), sink: &sink, bots: BOT, ..Template::default() });
        workspace.run(&["--backfill", RANGE]).expect_code(0);
        assert_eq!(counts(&workspace, &[], 0), [POINTS, 0, 0, 0, 0]);
        database.write(&damage(30)).success();
        assert_eq!(counts(&workspace, &[], 1), [POINTS - 2, 0, 2, 1, 1]);
        assert_eq!(counts(&workspace, &["--repair"], 1), [POINTS, 0, 0, 1, 1]);
    }

    #[test]
    #[ignore = "needs the servers that tests/run brings"]
    fn a_healthy_database_of_150_000_points_is_equal() {
        let bot = format!("{BOT}channels = [\"all\", \"rtm\", \"msteams\"]\n");
        let (platform, database) = (SimulatedPlatform::well(&bot), Database::fresh(None));
        let workspace = workspace(&database, &platform, "", &bot);
        // So that the request limits are not what the test waits for.
        let config = workspace.read("config.toml").replace("[platform]", "[platform]\nmax_days_per_request = 400");
        workspace.write("config.toml", &config);
        // 2,084 days in three channels, with six hours skipped in each.
        let range = "2020-01-01..2025-09-14";
        workspace.run(&["--backfill", range]).expect_code(0);
        let output = workspace.run(&["--verify", range]).expect_code(0);
        assert!(
            output.stdout.contains("the database equals the platform: 150030 points of 3 series"),
            "{}",
            output.stdout
        );
    }

    #[test]
    #[ignore = "needs the servers that tests/run brings"]
    fn a_field_of_another_type_is_different_and_a_missing_day_is_missing() {
        let platform = SimulatedPlatform::well(BOT);
        for lines in ["", "read = \"influxql\"\n"] {
            let database = Database::fresh(None);
            let workspace = workspace(&database, &platform, lines, BOT);
            // The second week has a shard of its own, in which the field is of another type first.
            let second_week = START + 8 * 86_400;
            database.write(&format!("{SERIES} users=5 {second_week}\n")).success();
            workspace.run(&["--backfill", "2026-03-23..2026-03-28"]).expect_code(0);
            let [equal, missing, different, unexpected, elsewhere] = counts(&workspace, &[], 1);
            assert_eq!((equal, different, unexpected, elsewhere), (6 * 24, 1, 0, 0), "{lines}");
            assert_eq!(missing, POINTS - 6 * 24 - 1, "{lines}");
        }
    }

    #[test]
    #[ignore = "needs the servers that tests/run brings"]
    fn the_three_fields_of_v2_are_compared() {
        let platform = SimulatedPlatform::well(BOT);
        let database = Database::fresh(None);
        let workspace = workspace(&database, &platform, "", BOT);
        let config = workspace.read("config.toml").replace("[platform]", "[platform]\napi = \"v2\"");
        workspace.write("config.toml", &config);
        workspace.run(&["--backfill", RANGE]).expect_code(0);
        assert_eq!(counts(&workspace, &[], 0)[1..], [0, 0, 0, 0]);
        database.write(&format!("{SERIES} new_users=999999i {}\n", START + 36_000)).success();
        assert_eq!(counts(&workspace, &[], 1)[1..], [0, 1, 0, 0]);
    }

    #[test]
    #[ignore = "needs the servers that tests/run brings"]
    fn a_token_that_may_only_write_is_told_so() {
        let platform = SimulatedPlatform::well(BOT);
        let database = Database::fresh(None);
        let sink = database.config();
        let workspace =
            Workspace::with(&Template { platform_url: platform.url(), sink: &sink, bots: BOT, ..Template::default() });
        workspace.run(&["--backfill", RANGE]).expect_code(0);
        let output = workspace.run(&["--verify", RANGE]).expect_code(1);
        assert!(output.stderr.contains("influxdb.read_token_file"), "{}", output.stderr);
        workspace.write("reader", &database.new_token(&["read"]));
        let config = workspace.read("config.toml").replace("token = ", "read_token_file = \"reader\"\ntoken = ");
        workspace.write("config.toml", &config);
        assert_eq!(counts(&workspace, &[], 0), [POINTS, 0, 0, 0, 0]);
    }

    #[test]
    #[ignore = "needs the servers that tests/run brings"]
    fn what_lies_beyond_the_retention_is_not_compared() {
        let platform = SimulatedPlatform::well(BOT);
        let database = Database::fresh(Some(Duration::from_secs(10 * 86_400)));
        let workspace = workspace(&database, &platform, "", BOT);
        let range = format!("{}..", crate::support::platform::day(-20));
        workspace.run(&["--backfill", &range]).expect_code(0);
        let output = workspace.run(&["--verify", &range]).expect_code(0);
        assert!(output.stdout.contains("beyond the retention"), "{}", output.stdout);
    }
}

mod needs_influxdb1 {
    use super::{BOT, POINTS, RANGE, counts, damage};
    use crate::support::influxdb1::OldDatabase;
    use crate::support::platform::SimulatedPlatform;
    use crate::support::workspace::{Template, Workspace};

    #[test]
    #[ignore = "needs the servers that tests/run brings"]
    fn the_truth_of_a_damaged_database_is_told_exactly() {
        let platform = SimulatedPlatform::well(BOT);
        let database = OldDatabase::fresh();
        let sink = database.config();
        let workspace =
            Workspace::with(&Template { platform_url: platform.url(), sink: &sink, bots: BOT, ..Template::default() });
        workspace.run(&["--backfill", RANGE]).expect_code(0);
        assert_eq!(counts(&workspace, &[], 0), [POINTS, 0, 0, 0, 0]);
        database.write(&damage(30)).success();
        assert_eq!(counts(&workspace, &[], 1), [POINTS - 2, 0, 2, 1, 1]);
        assert_eq!(counts(&workspace, &["--repair"], 1), [POINTS, 0, 0, 1, 1]);
    }
}
