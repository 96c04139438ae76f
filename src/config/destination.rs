//! Reads `[influxdb]` or `[file]`.

use std::path::PathBuf;

use reqwest::Url;
use secrecy::ExposeSecret;

use super::layers::Environment;
use super::reader::{Reader, quoted};
use super::secrets::{self, Places};
use super::values::{duration, service_url};
use super::{Destination, InfluxDb};

pub(super) fn read(reader: &mut Reader, environment: &Environment) -> Option<Destination> {
    let path = reader.get("file.path", "the path of a file", |path: &PathBuf| !path.as_os_str().is_empty());
    if reader.has("file") {
        reader.table("file");
        if reader.has("influxdb") {
            reader.problem("file", "is given beside influxdb; points go to one of them");
        }
        let path = if reader.has("file.path") { path } else { Some(PathBuf::from("engagement.lp")) };
        let _registered = influxdb_keys(reader);
        for key in ["influxdb.token", "influxdb.token_file"] {
            reader.get_secret(key);
        }
        return path.map(Destination::File);
    }
    let keys = influxdb_keys(reader);
    let places = Places {
        value: Some("influxdb.token"),
        file: "influxdb.token_file",
        credential: "influxdb.token",
        for_platform: false,
    };
    let token = secrets::read(reader, &places, environment);
    if token.as_ref().is_some_and(|token| token.expose_secret().chars().any(char::is_control)) {
        let key = if reader.has("influxdb.token") { "influxdb.token" } else { "influxdb.token_file" };
        reader.problem(key, "the secret holds a control character, such as a line break, which no HTTP header may");
    }
    let (url, org, bucket, timeout, gzip) = keys;
    Some(Destination::InfluxDb(InfluxDb { url: url?, org, bucket, token: token?, timeout, gzip }))
}

type Keys = (Option<Url>, String, String, std::time::Duration, bool);

fn influxdb_keys(reader: &mut Reader) -> Keys {
    let url = service_url(reader, "influxdb.url", "http://localhost:8086");
    if let Some(url) = &url
        && url.path() != "/"
    {
        let found = quoted(url.path());
        reader.problem("influxdb.url", format!("found the path {found}, must have none: the write API is at the root"));
    }
    let name = |text: &String| !text.is_empty();
    let org = reader.get("influxdb.org", "the name of an organization", name).unwrap_or_else(|| "sre".to_owned());
    let bucket = reader.get("influxdb.bucket", "the name of a bucket", name).unwrap_or_else(|| "engagement".to_owned());
    let timeout = duration(reader, "influxdb.timeout", "30s", false);
    let gzip = reader.get("influxdb.gzip", "true or false", |_: &bool| true).unwrap_or(true);
    (url, org, bucket, timeout, gzip)
}
