//! What each generation of InfluxDB says. Measured on 1.13.2, 2.7.12 and 3.10; the rest as their sources have it.

use serde_json::{Value, json};

use crate::server::Reply;

/// A generation, as far as its words differ from the others'.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Generation {
    /// 1.8 to 1.11.
    Old1,
    /// 1.12 and later.
    New1,
    /// 2.0 to 2.7.11.
    Old2,
    /// 2.7.12.
    New2,
    /// InfluxDB 3 Core.
    Core3,
}

/// All of them.
pub const GENERATIONS: [Generation; 5] =
    [Generation::Old1, Generation::New1, Generation::Old2, Generation::New2, Generation::Core3];

impl Generation {
    /// 1, 2 or 3.
    pub fn major(self) -> u8 {
        match self {
            Generation::Old1 | Generation::New1 => 1,
            Generation::Old2 | Generation::New2 => 2,
            Generation::Core3 => 3,
        }
    }

    /// As it tells its version.
    pub fn version(self) -> &'static str {
        match self {
            Generation::Old1 => "1.8.10",
            Generation::New1 => "1.13.2",
            Generation::Old2 => "v2.7.11",
            Generation::New2 => "v2.7.12",
            Generation::Core3 => "3.10.0",
        }
    }

    /// To `/ping`.
    pub fn ping(self) -> Reply {
        let (status, body, build) = match self {
            Generation::Core3 => {
                let body = json!({"product_name": "InfluxDB 3 Core", "version": self.version(), "revision": "0"});
                (200, body.to_string(), "Core")
            }
            _ => (204, String::new(), "OSS"),
        };
        let reply = Reply::from((status, body));
        reply.header("x-influxdb-version", self.version()).header("x-influxdb-build", build)
    }

    /// To `/health`.
    pub fn health(self) -> Reply {
        if self == Generation::Core3 {
            return (200, "OK".to_owned()).into();
        }
        let message = "ready for queries and writes";
        let body = json!({
            "name": "influxdb", "message": message, "status": "pass", "checks": [], "version": self.version(),
        });
        Reply::from((200, body.to_string())).header("content-type", "application/json; charset=utf-8")
    }

    /// A token that is wrong or missing.
    pub fn wrong_token(self) -> Reply {
        match self {
            Generation::Old1 | Generation::New1 => old(401, "authorization failed"),
            Generation::Old2 | Generation::New2 => Reply::refused(401, "unauthorized", "unauthorized access"),
            Generation::Core3 => (401, "{\"error\": \"the request was not authenticated\"}".to_owned()).into(),
        }
    }

    /// A bucket that is not there; InfluxDB 3 makes it instead.
    pub fn no_bucket(self, bucket: &str) -> Reply {
        match self {
            Generation::Old1 | Generation::New1 => {
                old(404, &format!("database not found: {:?}", bucket.split('/').next().unwrap_or_default()))
            }
            _ => Reply::refused(404, "not found", &format!("bucket {bucket:?} not found")),
        }
    }

    /// An organization that is not there, where there are any.
    pub fn no_organization(self, org: &str) -> Reply {
        Reply::refused(404, "not found", &format!("organization name {org:?} not found"))
    }

    /// So many points were older than the retention; the rest was stored. InfluxDB 3 says nothing of it.
    pub fn beyond_retention(self, points: usize) -> Reply {
        let long = format!(
            "partial write: dropped {points} points outside retention policy of duration 168h0m0s - oldest point \
             user_engagement_hourly,bot=support at 2026-01-01T00:00:00Z dropped because it violates a Retention Policy \
             Lower Bound at 2026-02-01T00:00:00Z, newest point user_engagement_hourly,bot=support at \
             2026-01-02T00:00:00Z dropped because it violates a Retention Policy Lower Bound at 2026-02-01T00:00:00Z \
             dropped={points} for database: 2f0e for retention policy: autogen"
        );
        let short = format!("partial write: points beyond retention policy dropped={points}");
        match self {
            Generation::Old1 => old(400, &short),
            Generation::New1 => old(400, &long),
            Generation::Old2 => unprocessable(&short),
            Generation::New2 => unprocessable(&long),
            Generation::Core3 => Reply::stored(),
        }
    }

    /// So many lines have a field of another type than the one that is stored; the other lines of the request were
    /// stored, but for InfluxDB 3, which stores none.
    pub fn type_conflict(self, measurement: &str, field: &str, lines: usize) -> Reply {
        let conflict = format!(
            "partial write: field type conflict: input field {field:?} on measurement {measurement:?} is type integer, \
             already exists as type float dropped={lines}"
        );
        match self {
            Generation::Old1 => old(400, &conflict),
            Generation::New1 => old(400, &format!("{conflict} for database: fake for retention policy: autogen")),
            Generation::Old2 => unprocessable(&conflict),
            Generation::New2 => unprocessable(&format!("{conflict} for database: 2f0e for retention policy: autogen")),
            Generation::Core3 => write_buffer(&format!(
                "line protocol parse failed: invalid column type for column '{field}', expected \
                 iox::column_type::field::float, got iox::column_type::field::integer"
            )),
        }
    }

    /// A line that is none; nothing was stored.
    pub fn malformed(self, line: &str) -> Reply {
        let words = format!("unable to parse '{line}': missing fields");
        match self {
            Generation::Old1 | Generation::New1 => old(400, &words),
            Generation::Old2 | Generation::New2 => Reply::refused(400, "invalid", &words),
            Generation::Core3 => {
                write_buffer("line protocol parse failed: Expected at least one space character, got end of input")
            }
        }
    }

    /// The disk is full; nothing was stored.
    pub fn disk_full(self) -> Reply {
        let words = "engine: error writing WAL entry: write /var/lib/influxdb/wal/1.wal: no space left on device";
        match self {
            Generation::Old1 | Generation::New1 => old(500, words),
            Generation::Old2 | Generation::New2 => {
                Reply::refused(500, "internal error", &format!("unexpected error writing points to database: {words}"))
            }
            Generation::Core3 => write_buffer(
                "error from wal: Generic LocalFileSystem error: Unable to copy data to file: No space left on device \
                 (os error 28)",
            ),
        }
    }

    /// No line at all, or comments only.
    pub fn empty(self) -> Reply {
        match self {
            Generation::Core3 => write_buffer("incoming write was empty"),
            _ => Reply::stored(),
        }
    }
}

/// InfluxDB 3 with as many databases as Core allows.
pub fn too_many_databases() -> Reply {
    write_buffer("catalog update error: Adding a new database would exceed limit of 5 databases")
}

/// InfluxDB 3 asked to make a database of a name that is not allowed.
pub fn bad_database_name(name: &str) -> Reply {
    write_buffer(&format!("namespace name '{name}' contains invalid character, allowed are alphanumeric, _, - and /"))
}

/// InfluxDB 3, 200 all the same: the query would read more files than it may.
pub fn too_many_files() -> Value {
    let message = "Query would scan 433 Parquet files, exceeding the file limit. InfluxDB 3 Core caps file access to prevent \
                   performance degradation and memory issues. Use a narrower time range, or increase the limit with the \
                   --query-file-limit option.";
    json!({ "results": [{ "statement_id": 0, "error": message }] })
}

/// The newer endpoint of InfluxDB 3, and of a proxy before it: lines by their numbers.
pub fn numbered_lines(lines: &[(usize, &str)]) -> Reply {
    let message = "invalid column type for column 'users', expected iox::column_type::field::float, got \
                   iox::column_type::field::integer";
    let data = lines
        .iter()
        .map(|(number, line)| json!({"original_line": line, "line_number": number, "error_message": message}));
    let body = json!({"error": "partial write of line protocol occurred", "data": data.collect::<Vec<_>>()});
    (400, body.to_string()).into()
}

/// As InfluxDB 1 refuses.
fn old(status: u16, message: &str) -> Reply {
    Reply::from((status, json!({ "error": message }).to_string()))
        .header("x-influxdb-error", message.replace('\n', " "))
}

fn unprocessable(message: &str) -> Reply {
    Reply::refused(422, "unprocessable entity", &format!("failure writing points to database: {message}"))
}

fn write_buffer(message: &str) -> Reply {
    Reply::refused(400, "invalid", &format!("write buffer error: {message}"))
}
