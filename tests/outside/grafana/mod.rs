//! The dashboards in `grafana/`: that they are current, that they are well formed, and that every query of theirs finds
//! in a real database what the platform held.

#[path = "../../../grafana/generate/dashboards/mod.rs"]
mod dashboards;

mod alerts;
mod drawn;
mod health;
mod held;
mod languages;
mod lint;
mod panels;
mod provisioning;
mod runbooks;
mod shown;
mod truth;

use crate::support::grafana::text;

#[test]
fn the_committed_dashboards_are_current() {
    let current = dashboards::all();
    for (file, dashboard) in &current {
        assert_eq!(text(file), dashboards::text(dashboard), "run cargo run --example dashboards");
    }
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("grafana/dashboards");
    assert_eq!(std::fs::read_dir(folder).unwrap().count(), current.len(), "a dashboard that nothing generates");
}

mod needs_influxdb2 {
    use super::held::special_lines;
    use super::truth::{Source, check, seed};
    use crate::support::influxdb::Database;

    #[test]
    #[ignore = "needs the servers that tests/run brings"]
    fn every_query_in_both_languages_finds_what_the_platform_held() {
        let database = Database::fresh(None);
        seed(&database.config());
        database.write(&special_lines()).success();
        for dashboard in ["user-engagement", "bot-fleet"] {
            check(&format!("{dashboard}-influxql.json"), &Source::InfluxQl2(&database));
            check(&format!("{dashboard}-flux.json"), &Source::Flux(&database));
        }
    }

    /// As the provisioned data sources have it: in InfluxQL by the header that they send.
    #[test]
    #[ignore = "needs the servers that tests/run brings"]
    fn a_token_that_may_read_the_bucket_is_enough() {
        let mut database = Database::fresh(None);
        database.write("user_engagement_daily,bot=a,bot_id=st-a,channel=all users=5i 1785974400").success();
        database.operator_token = database.new_token(&["read"]);
        let answer = database.influxql("SELECT \"users\" FROM \"user_engagement_daily\"");
        assert_eq!(answer["results"][0]["series"][0]["values"], serde_json::json!([[1_785_974_400, 5]]));
        assert!(database.influxql("SHOW TAG VALUES FROM /^user_/ WITH KEY = \"bot\"").to_string().contains("\"a\""));
    }
}

/// InfluxDB 1 has no Flux.
mod needs_influxdb1 {
    use super::held::special_lines;
    use super::truth::{Source, check, seed};
    use crate::support::influxdb1::OldDatabase;

    #[test]
    #[ignore = "needs the servers that tests/run brings"]
    fn every_query_in_influxql_finds_the_same_in_influxdb_1() {
        let database = OldDatabase::fresh();
        let workspace = seed("[file]\npath = \"engagement.lp\"\n");
        database.write(&workspace.read("engagement.lp")).success();
        database.write(&special_lines()).success();
        for dashboard in ["user-engagement", "bot-fleet"] {
            check(&format!("{dashboard}-influxql.json"), &Source::InfluxQl1(&database));
        }
    }
}
