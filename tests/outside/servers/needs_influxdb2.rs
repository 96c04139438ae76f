//! What needs a real InfluxDB 2.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::support::influxdb::Database;

#[test]
#[ignore = "needs the servers that tests/run brings"]
fn a_written_point_is_read_back_by_flux_and_influxql() {
    let database = Database::fresh(None);
    let line = "user_engagement_hourly,bot=a\\ b,channel=all users=20i,new_users=3i 1596672000\n";
    let other = "user_engagement_daily,bot=a\\ b,channel=x\\,\"y\",team=care users=5i 1596585600\n";
    database.write(&format!("{line}{other}")).success();
    database.write(&line.replace("users=20i", "users=21i")).success();

    let hourly = BTreeMap::from([("bot", "a b"), ("channel", "all")]);
    let daily = BTreeMap::from([("bot", "a b"), ("channel", "x,\"y\""), ("team", "care")]);
    let expected = [
        ("user_engagement_daily", &daily, "users", 1_596_585_600, 5),
        ("user_engagement_hourly", &hourly, "new_users", 1_596_672_000, 3),
        ("user_engagement_hourly", &hourly, "users", 1_596_672_000, 21),
    ];
    let expected = expected.map(|(measurement, tags, field, time, value)| {
        let tags: BTreeMap<String, String> =
            tags.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect();
        (measurement.to_owned(), tags, field.to_owned(), time, value)
    });
    assert_eq!(database.points(), expected);

    let answer = database.influxql("SELECT \"users\" FROM user_engagement_hourly WHERE bot = 'a b'");
    assert_eq!(answer["results"][0]["series"][0]["values"], serde_json::json!([[1_596_672_000, 21]]));
}

#[test]
#[ignore = "needs the servers that tests/run brings"]
fn the_token_of_a_fresh_bucket_writes_there_only() {
    let database = Database::fresh(None);
    let mut elsewhere = Database::fresh(None);
    elsewhere.token = database.token.clone();
    assert_eq!(database.write("m f=1i 1").status, 204);
    assert_eq!(elsewhere.write("m f=1i 1").status, 403);
    assert!(elsewhere.points().is_empty());
}

#[test]
#[ignore = "needs the servers that tests/run brings"]
fn a_point_beyond_the_retention_is_refused() {
    let database = Database::fresh(Some(Duration::from_secs(3600)));
    let answer = database.write("m f=1i 1596672000");
    assert_eq!(answer.status, 422);
    assert!(answer.body.contains("outside retention policy"), "{answer:?}");
}
