//! The fake InfluxDB does what the tests built on it rely on.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::support::fake_influxdb::{FakeInfluxDb, Reply};
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
