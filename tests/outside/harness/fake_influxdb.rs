//! The fake InfluxDB does what the tests built on it rely on.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::support::fake_influxdb::words::GENERATIONS;
use crate::support::fake_influxdb::{FakeInfluxDb, Generation, Options, Reply};
use crate::support::http::send;

#[test]
fn a_write_is_recorded_and_its_lines_are_stored() {
    let database = FakeInfluxDb::accepting();
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(b"m f=1i 1\nm f=2i 2\n").unwrap();
    let packed = encoder.finish().unwrap();
    let length = packed.len();

    let url = format!("{}/api/v2/write?org=kore&bucket=fake&precision=s", database.url());
    let answer = send(|client| client.post(url).header("Content-Encoding", "gzip").body(packed));

    assert_eq!(answer.status, 204);
    assert_eq!(database.stored(), ["m f=1i 1", "m f=2i 2"]);
    let request = &database.requests()[0];
    assert_eq!(request.query["precision"], "s");
    assert_eq!(request.headers["content-encoding"], "gzip");
    assert_eq!(request.body, "m f=1i 1\nm f=2i 2\n");
    assert_eq!(request.wire_length, length);
}

#[test]
fn the_script_decides_by_request_and_number() {
    let database = FakeInfluxDb::start(|request, number| match number {
        1 => Reply::refused(503, "unavailable", "later").header("retry-after", 7),
        _ if request.body.contains("bad") => (400, String::from("bad line")).into(),
        _ => Reply::stored(),
    });
    let write = |lines: &'static str| {
        let answer = send(|client| client.post(format!("{}/api/v2/write", database.url())).body(lines));
        (answer.status, answer.body)
    };
    assert_eq!(write("m f=1i 1"), (503, r#"{"code":"unavailable","message":"later"}"#.to_owned()));
    assert_eq!(write("bad"), (400, "bad line".to_owned()));
    assert_eq!(write("m f=3i 3"), (204, String::new()));
    assert_eq!(database.stored(), ["m f=3i 3"]);
    assert_eq!(database.requests().len(), 3);
}

#[test]
fn a_write_can_be_left_without_an_answer() {
    let database = FakeInfluxDb::start(|_, _| Reply::hang_up());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let sent = runtime.block_on(client.post(format!("{}/api/v2/write", database.url())).body("m f=1i 1").send());
    assert!(sent.is_err());
    assert_eq!(database.requests().len(), 1);
    assert!(database.stored().is_empty());
}

#[test]
fn its_health_is_that_of_an_influxdb() {
    let database = FakeInfluxDb::accepting();
    let health = send(|client| client.get(format!("{}/health", database.url()))).json();
    assert_eq!(health["status"], "pass");
}

/// What a write is answered.
fn write(database: &FakeInfluxDb, bucket: &str, token: &str, lines: &str) -> (u16, String) {
    let url = format!("{}/api/v2/write?bucket={bucket}", database.url());
    let authorization = format!("Token {token}");
    let answer = send(|client| client.post(url).header("Authorization", authorization).body(lines.to_owned()));
    (answer.status, answer.body)
}

/// What a query finds.
fn query(database: &FakeInfluxDb, query: &str) -> serde_json::Value {
    let parameters = [("db", "fake"), ("epoch", "s"), ("q", query)];
    send(|client| client.get(format!("{}/query", database.url())).query(&parameters)).json()["results"][0].clone()
}

#[test]
fn each_generation_has_its_own_statuses() {
    let now = jiff::Timestamp::now().as_second();
    let statuses = GENERATIONS.map(|generation| {
        let options = Options::new(generation).retention_days(2).buckets(&["fake"]).token("right");
        let database = options.start();
        let write = |bucket, token, lines: &str| write(&database, bucket, token, lines).0;
        let old = format!("m f=1i {now}\nm f=1i {}", now - 3 * 86_400);
        let statuses = [
            write("fake", "wrong", &format!("m f=1i {now}")),
            write("other", "right", &format!("m f=1i {now}")),
            write("fake", "right", &old),
            write("fake", "right", &format!("m f=2.5 {now}\nm g=1i {now}")),
            write("fake", "right", "nothing"),
            write("fake", "right", "# nothing"),
        ];
        assert!(database.stored().iter().all(|line| line.ends_with(&now.to_string())), "{:?}", database.stored());
        assert_eq!(database.stored().len(), 2, "{generation:?}");
        statuses
    });
    assert_eq!(
        statuses,
        [
            [401, 404, 400, 400, 400, 204],
            [401, 404, 400, 400, 400, 204],
            [401, 404, 422, 422, 400, 204],
            [401, 404, 422, 422, 400, 204],
            [401, 204, 204, 400, 400, 400],
        ]
    );
}

#[test]
fn what_is_stored_is_read_by_influxql() {
    let database = FakeInfluxDb::accepting();
    let lines = "m,bot=a,channel=all users=1i,new=2i 100\nm,bot=a,channel=all users=3i 200\nm,bot=b users=9i 150\n\
                 m,bot=a,channel=all users=4i 200";
    assert_eq!(write(&database, "fake", "any", lines).0, 204);
    let found =
        query(&database, "SELECT \"users\", new FROM \"m\" WHERE \"bot\" = 'a' AND time >= 100s AND time < 201s");
    let expected = serde_json::json!([[100, 1, 2], [200, 4, null]]);
    assert_eq!((&found["series"][0]["values"], &found["series"][1]), (&expected, &serde_json::Value::Null));
    let found =
        query(&database, "SELECT * FROM m WHERE time > '1970-01-01T00:02:00Z' GROUP BY * ORDER BY time DESC LIMIT 1");
    let tags = serde_json::json!([{ "bot": "a", "channel": "all" }, { "bot": "b", "channel": "" }]);
    let of_series = |name: &str| -> serde_json::Value {
        found["series"].as_array().unwrap().iter().map(|series| series[name].clone()).collect()
    };
    assert_eq!(
        (of_series("tags"), of_series("columns")[0].clone()),
        (tags, serde_json::json!(["time", "new", "users"]))
    );
    assert_eq!(of_series("values"), serde_json::json!([[[200, null, 4]], [[150, null, 9]]]));
    let first = query(&database, "SELECT first(\"users\") FROM m WHERE bot='a'");
    assert_eq!(first["series"][0]["values"], serde_json::json!([[100, 1]]));
    assert!(query(&database, "SELECT users FROM m WHERE bot = 'c'")["series"].is_null());
    assert!(query(&database, "DROP MEASUREMENT m")["error"].is_string());
}

#[test]
fn a_retention_is_told_and_a_query_over_too_many_days_is_not_answered() {
    let database = Options::new(Generation::Core3).retention_days(7).most_days_per_query(3).start();
    let policies = query(&database, "SHOW RETENTION POLICIES");
    assert_eq!(policies["series"][0]["values"][0][1], "168h0m0s");
    let select = |until: i64| query(&database, &format!("SELECT users FROM m WHERE time >= 0s AND time < {until}s"));
    assert!(select(3 * 86_400)["error"].is_null());
    assert!(select(4 * 86_400)["error"].as_str().unwrap().contains("Parquet files"));
}
