//! Reads `[influxdb]` or `[file]`.

use std::path::PathBuf;

use super::environment::Environment;
use super::reader::Reader;
use super::secrets::{self, Places, Purpose};
use super::values::{duration, service_url};
use super::{Destination, InfluxDb, ReadLanguage};

/// Every key of `[influxdb]`.
const INFLUXDB: [&str; 10] = [
    "influxdb.url",
    "influxdb.org",
    "influxdb.bucket",
    "influxdb.token",
    "influxdb.token_file",
    "influxdb.read_token",
    "influxdb.read_token_file",
    "influxdb.read",
    "influxdb.timeout",
    "influxdb.gzip",
];

pub(super) fn read(reader: &mut Reader, environment: &Environment) -> Option<Destination> {
    let path = reader.get("file.path", "the path of a file", |path: &PathBuf| !path.as_os_str().is_empty());
    if !reader.has("file") {
        return influxdb(reader, environment).map(Destination::InfluxDb);
    }
    reader.table("file");
    if reader.has("influxdb") {
        reader.problem("file", "cannot be combined with influxdb; remove one of the two");
    }
    INFLUXDB.into_iter().for_each(|key| reader.know(key));
    let path = if reader.has("file.path") { path } else { Some(PathBuf::from("engagement.lp")) };
    path.map(Destination::File)
}

fn influxdb(reader: &mut Reader, environment: &Environment) -> Option<InfluxDb> {
    let url = service_url(reader, "influxdb.url", "http://localhost:8086");
    let org = reader.get("influxdb.org", "the name of an organization, or \"\"", |_: &String| true);
    if !reader.has("influxdb.org") {
        reader.missing(&["influxdb.org"], "is missing; \"\" means that the database has none");
    }
    let bucket = reader.get("influxdb.bucket", "the name of a bucket", |text: &String| !text.is_empty());
    if !reader.has("influxdb.bucket") {
        reader.missing(&["influxdb.bucket"], "is missing");
    }
    let read = read_language(reader);
    if read == Some(ReadLanguage::Flux) && url.as_ref().is_some_and(|url| url.path() != "/") {
        reader
            .problem("influxdb.read", "\"flux\" cannot be used where influxdb.url has a path; set it to \"influxql\"");
    }
    let timeout = duration(reader, "influxdb.timeout", "30s", false);
    let gzip = reader.get("influxdb.gzip", "true or false", |_: &bool| true).unwrap_or(true);
    let mut token_at = |value, file, credential, purpose| {
        let places = Places { value: Some(value), file, credential, purpose };
        secrets::read(reader, &places, environment)
    };
    let token = token_at("influxdb.token", "influxdb.token_file", "influxdb.token", Purpose::Database);
    let read_token =
        token_at("influxdb.read_token", "influxdb.read_token_file", "influxdb.read_token", Purpose::OptionalDatabase);
    Some(InfluxDb { url: url?, org: org?, bucket: bucket?, token: token?, read_token, read, timeout, gzip })
}

fn read_language(reader: &mut Reader) -> Option<ReadLanguage> {
    let parse = |text: &str| match text {
        "flux" => Some(ReadLanguage::Flux),
        "influxql" => Some(ReadLanguage::InfluxQl),
        _ => None,
    };
    let text = reader.get("influxdb.read", "\"flux\" or \"influxql\"", |text: &String| parse(text).is_some());
    text.as_deref().and_then(parse)
}
