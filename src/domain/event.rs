//! What happens to a series while it is exported: plain data for whatever counts, shows or remembers it.

use jiff::civil::Date;

use crate::domain::flatten::Forgotten;
use crate::domain::series::Window;

/// What may happen to a series. Small, for it waits in queues that have room for many.
#[derive(Clone, Debug)]
pub enum SeriesEvent {
    /// A window is confirmed by the database.
    Confirmed(Box<Confirmed>),
    /// The series ended early.
    Failed {
        /// Why.
        failure: Box<SeriesFailure>,
        /// The window it was at.
        window: Window,
        /// Requests since the last event.
        requests: u64,
    },
    /// The program is shutting down; so many requests since the last event.
    Stopped(u64),
    /// Every window is confirmed.
    Done,
}

/// What is known of a window after its points were confirmed.
#[derive(Clone, Debug)]
pub struct Confirmed {
    /// The days asked for.
    pub window: Window,
    /// The part of it that was over, which the watermark may move over.
    pub complete: Option<Window>,
    /// Points that were stored.
    pub points: usize,
    /// Points that the database dropped, for they are older than what its bucket retains.
    pub beyond_retention: usize,
    /// The platform's today in the bot's zone, if it told the time.
    pub platform_today: Option<Date>,
    /// Requests it took, retries included.
    pub requests: u64,
    /// The timestamp of the newest point, in Unix seconds.
    pub newest: Option<i64>,
    /// Buckets with users whose local hour (or whole day: `None`) daylight saving skipped: day and hour.
    pub nonexistent: Vec<(Date, Option<usize>)>,
    /// What the platform may have deleted, for it reports zeros only: not written.
    pub forgotten: Forgotten,
    /// A mismatch in the answer that deserves a look but fails nothing.
    pub oddity: Option<String>,
    /// A figure for each day that has points.
    pub days: Vec<(Date, i64)>,
    /// Of a tick's last days the users by day and hour; those of a day are at hour 0.
    pub recent: Vec<(Date, usize, i64)>,
}

/// Why a series ended before its windows were done.
#[derive(Clone, Debug, PartialEq)]
pub struct SeriesFailure {
    /// A word for this kind of failure, by which a new one is told from one that lasts.
    pub kind: String,
    /// What failed and what the other side said.
    pub error: String,
    /// The next step for the person on call.
    pub advice: String,
    /// Whose failure it is.
    pub scope: FailureScope,
    /// Whether the other side did not accept the credentials.
    pub is_denied: bool,
    /// Points that the database refused one by one.
    pub refused_points: usize,
    /// How far this machine's clock is ahead of the platform's, in seconds, where the platform told the time.
    pub clock_ahead: Option<i64>,
}

/// Whose failure it is: what stops many series is said once for all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FailureScope {
    /// The series' own.
    Series,
    /// That of all series of the bot.
    Bot,
    /// That of all series of the platform.
    Platform,
    /// That of all series of the database.
    Database,
}
