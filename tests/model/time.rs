//! Three times: the true one, which the platform counts in; the wall clock of the exporter's machine, which may be
//! wrong; and tokio's, which is virtual, jumps from one timer to the next, and stands still while the machine sleeps.

use std::cell::Cell;

use jiff::Timestamp;
use tokio::time::Instant;

#[derive(Clone, Copy)]
struct Time {
    /// The true time, in Unix milliseconds, when the processes that run now were started.
    base: i64,
    started: Option<Instant>,
    /// How far the wall clock is ahead of the true time, in seconds.
    ahead: i64,
    /// How often it was set, or virtual time stood still.
    disturbances: u32,
}

thread_local! {
    static TIME: Cell<Time> = const { Cell::new(Time { base: 0, started: None, ahead: 0, disturbances: 0 }) };
}

/// A life begins.
pub(crate) fn begin(at: Timestamp) {
    TIME.set(Time { base: at.as_millisecond(), started: None, ahead: 0, disturbances: 0 });
}

/// Processes are started: from now on the virtual time counts. To be called within their runtime.
pub(crate) fn start() {
    TIME.set(Time { started: Some(Instant::now()), ..TIME.get() });
}

/// Processes have ended: time stands still until the next ones.
pub(crate) fn stop() {
    TIME.set(Time { base: true_milliseconds(), started: None, ..TIME.get() });
}

/// True time goes by without virtual time.
pub(crate) fn skip(milliseconds: i64) {
    let time = TIME.get();
    TIME.set(Time { base: time.base + milliseconds, disturbances: time.disturbances + 1, ..time });
}

/// The wall clock is set.
pub(crate) fn set_ahead(seconds: i64) {
    let time = TIME.get();
    TIME.set(Time { ahead: seconds, disturbances: time.disturbances + 1, ..time });
}

pub(crate) fn ahead() -> i64 {
    TIME.get().ahead
}

/// How often the wall clock was set, or the machine slept: a request under way then is dated as early as it can be.
pub(crate) fn disturbances() -> u32 {
    TIME.get().disturbances
}

pub(crate) fn true_milliseconds() -> i64 {
    let time = TIME.get();
    let passed = time.started.map_or(0, |started| started.elapsed().as_millis());
    time.base + i64::try_from(passed).unwrap()
}

/// The true time, in whole seconds.
pub(crate) fn true_seconds() -> i64 {
    true_milliseconds().div_euclid(1000)
}

pub(crate) fn true_now() -> Timestamp {
    Timestamp::from_millisecond(true_milliseconds()).unwrap()
}

/// The clock that the exporter is handed.
pub(crate) fn wall_clock() -> Timestamp {
    Timestamp::from_millisecond(true_milliseconds() + 1000 * TIME.get().ahead).unwrap()
}
