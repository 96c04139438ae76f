//! The database: which one it is, whether the token may write to the bucket, and how long it keeps points.

use std::io;

use super::{Finding, Report};
use crate::config::InfluxDb;
use crate::database::influxdb::InfluxDbSink;
use crate::database::influxdb::access::Access;
use crate::database::influxdb::generation::Generation;
use crate::database::influxdb::retention::{Retention, in_days};
use crate::database::read::Reader;

/// Asks the database what it can be asked without a point; returns it to be read, if it can be.
///
/// # Errors
///
/// If standard output is closed.
pub(super) async fn check(config: &InfluxDb, initial_days: u32, report: &mut Report) -> io::Result<Option<Reader>> {
    let database = match InfluxDbSink::new(config) {
        Ok(database) => database,
        Err(error) => {
            report.line("database", &Finding::Fail(format!("{error:#}")))?;
            return Ok(None);
        }
    };
    let reader = match database.open_to_read().await {
        Ok(reader) => reader,
        Err(failure) => {
            report.line("database", &Finding::fail(&failure, failure.advice()))?;
            return Ok(None);
        }
    };
    let known = match reader.generation() {
        Generation::Other => {
            let note = "it does not say which database it is: nothing at /ping and /health that is known";
            Finding::Note(format!("{}: {note}", config.url))
        }
        generation => Finding::Ok(format!("{} is {generation}", config.url)),
    };
    report.line("database", &known)?;
    let access = reader.access().await;
    // A database that is yet to be created keeps nothing, and has nothing to be read.
    let exists = !matches!(access, Ok(Access::WillBeCreated));
    let access = match access {
        Ok(Access::Granted) if config.org.is_empty() => {
            Finding::Ok(format!("the token may write to bucket {}", config.bucket))
        }
        Ok(Access::Granted) => {
            Finding::Ok(format!("the token may write to bucket {} (org {})", config.bucket, config.org))
        }
        Ok(Access::Accepted) => {
            Finding::Ok(format!("the token is accepted, and the database {} exists", config.bucket))
        }
        Ok(Access::WillBeCreated) => {
            Finding::Note(format!("the database {} does not exist: the first write creates it", config.bucket))
        }
        Ok(Access::Unknown(why)) => Finding::Note(format!("not known: {why}")),
        Err(failure) => Finding::fail(&failure, failure.advice()),
    };
    report.line("write access", &access)?;
    if matches!(access, Finding::Fail(_)) {
        return Ok(None);
    }
    if exists {
        report.line("retention", &retention(reader.retention().await, initial_days))?;
    }
    Ok(Some(Reader::Database(Box::new(reader))))
}

fn retention(found: Retention, initial_days: u32) -> Finding {
    match found {
        Retention::Unknown => {
            Finding::Note("unknown: the token may not read it, or the database does not report it".to_owned())
        }
        Retention::Forever => Finding::Ok("the bucket keeps points forever".to_owned()),
        Retention::For(kept) if kept.as_secs() < i64::from(initial_days + 1) * 86_400 => Finding::Fail(format!(
            "the bucket keeps points for {}, but the first run exports {initial_days} days: raise the bucket's retention \
             or lower schedule.initial_days",
            in_days(kept)
        )),
        Retention::For(kept) => Finding::Ok(format!("the bucket keeps points for {}", in_days(kept))),
    }
}
