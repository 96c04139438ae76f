//! Reads `[influxdb]` or `[file]`.

use std::path::PathBuf;

use super::environment::Environment;
use super::reader::Reader;
use super::secrets::{self, Places, Purpose};
use super::values::{duration, flag, service_url, some_path};
use super::{Destination, InfluxDb, ReadLanguage};

pub(super) fn read(reader: &mut Reader, environment: &Environment) -> Option<Destination> {
    if !reader.has("file") {
        return influxdb(reader, environment).map(Destination::InfluxDb);
    }
    if reader.has("influxdb") {
        reader.problem("file", "cannot be combined with influxdb; remove one of the two");
    }
    let default = || PathBuf::from("engagement.lp");
    reader.get_or("file.path", "the path of a file", default, some_path).map(Destination::File)
}

fn influxdb(reader: &mut Reader, environment: &Environment) -> Option<InfluxDb> {
    let url = service_url(reader, "influxdb.url", "http://localhost:8086");
    let none = "is missing; \"\" means that the database has none";
    let org = reader.required("influxdb.org", "the name of an organization, or \"\"", none, Some);
    let some = |text: String| (!text.is_empty()).then_some(text);
    let bucket = reader.required("influxdb.bucket", "the name of a bucket", "is missing", some);
    let languages = [("flux", ReadLanguage::Flux), ("influxql", ReadLanguage::InfluxQl)];
    let read = reader.choice("influxdb.read", &languages);
    if read == Some(ReadLanguage::Flux) && url.as_ref().is_some_and(|url| url.path() != "/") {
        reader
            .problem("influxdb.read", "\"flux\" cannot be used where influxdb.url has a path; set it to \"influxql\"");
    }
    let timeout = duration(reader, "influxdb.timeout", 30, false);
    let gzip = flag(reader, "influxdb.gzip", true);
    let token = secrets::read(reader, &Places::of("influxdb.token", Purpose::Database), environment);
    let read_token = Places::of("influxdb.read_token", Purpose::OptionalDatabase);
    let read_token = secrets::read(reader, &read_token, environment);
    Some(InfluxDb { url: url?, org: org?, bucket: bucket?, token: token?, read_token, read, timeout, gzip })
}
