//! What can be told without asking anybody: the state folder, the schedules, the file.

use std::io;
use std::path::Path;

use jiff::{SignedDuration, Timestamp};

use super::Finding;
use crate::config::Config;
use crate::domain::bot::Bot;
use crate::domain::series::Series;
use crate::domain::words::counted;
use crate::limits::limiter::Purpose;
use crate::run::Env;
use crate::state::watermarks::Watermarks;

pub(super) fn state_folder(folder: &Path) -> Finding {
    if !folder.is_dir() {
        return may_be_created(folder);
    }
    if let Err(error) = Watermarks::load(folder, Timestamp::UNIX_EPOCH, false) {
        return Finding::Fail(error.to_string());
    }
    may_be_written(folder, tempfile::Builder::new().prefix(".check-").tempfile_in(folder))
}

/// What an attempt to write there tells.
fn may_be_written<T>(path: &Path, attempt: io::Result<T>) -> Finding {
    match attempt {
        Ok(_) => Finding::Ok(format!("{} is writable", path.display())),
        Err(error) => {
            Finding::Fail(format!("{} cannot be written: {error}; check its owner and permissions", path.display()))
        }
    }
}

/// Whether something that does not exist could be created, judged by the nearest folder that does.
fn may_be_created(path: &Path) -> Finding {
    let parents =
        path.ancestors().skip(1).map(|parent| if parent.as_os_str().is_empty() { Path::new(".") } else { parent });
    let existing = parents.into_iter().find(|parent| parent.exists()).unwrap_or(Path::new("/"));
    let access = rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK;
    let path_shown = path.display();
    match rustix::fs::access(existing, access) {
        Ok(()) if existing.is_dir() && !path.exists() => {
            Finding::Ok(format!("{path_shown} does not exist yet and will be created"))
        }
        Ok(()) => Finding::Fail(format!("{path_shown} cannot be created: another file is in the way")),
        Err(error) => Finding::Fail(format!("{path_shown} cannot be created in {}: {error}", existing.display())),
    }
}

/// Whether a steady tick, one request a series, fits into the limits of its bot.
///
/// The platform counts by the bot's id, so the series of every name that it is given count.
pub(super) fn schedule(config: &Config, bot: &Bot, series: &[Series], env: &Env) -> Finding {
    let ticks_of = |bot: &Bot| {
        let cron = bot.cron.as_ref().unwrap_or(&config.schedule.cron);
        cron.most_ticks_an_hour((env.clock)().as_second())
    };
    let same_bot = || series.iter().filter(|series| series.bot.id == bot.id);
    let limits = config.platform.limits;
    let an_hour: usize = same_bot().map(|series| ticks_of(&series.bot)).sum();
    let (ticks, series) = (ticks_of(bot), same_bot().count());
    let least = limits.least_time(series as u64, Purpose::Live).unwrap_or_default();
    let least = SignedDuration::try_from(least).unwrap_or_default();
    let found = format!("{} a tick, at most {an_hour} an hour", counted(series as u64, "request"));
    let advice = "tick less often or export fewer series";
    if an_hour > usize::try_from(limits.per_hour).unwrap_or(usize::MAX) {
        return Finding::Fail(format!("{found}, but the limit is {}: {advice}", limits.per_hour));
    }
    if ticks > 0 && least.as_secs().saturating_mul(i64::try_from(ticks).unwrap_or(i64::MAX)) > 3600 {
        return Finding::Fail(format!("{found}, but one tick takes at least {least:#}: {advice}"));
    }
    Finding::Ok(format!("{found}; the limits are {} a minute and {} an hour", limits.per_minute, limits.per_hour))
}

pub(super) fn file(path: &Path) -> Finding {
    if !path.exists() {
        return may_be_created(path);
    }
    if !path.is_file() {
        return Finding::Fail(format!("{} cannot be written: it is not a regular file", path.display()));
    }
    may_be_written(path, std::fs::File::options().append(true).open(path))
}
