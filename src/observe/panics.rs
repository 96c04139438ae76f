//! Keeps secrets inside the process: no core dump, no file for others, no words of a panic.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::io::Write;
use std::panic::PanicHookInfo;

use rustix::fs::Mode;
use rustix::process::{DumpableBehavior, set_dumpable_behavior, umask};

/// Call this first, before any thread or secret exists.
///
/// - Nothing is dumped where the process crashes, for its memory holds the secrets. A limit of the size would not do: the
///   kernel ignores a limit of 0 where it hands dumps to a program, as it does under many distributions (core(5)), and a
///   limit may be raised again by whoever starts the process. Not being dumpable also keeps other processes of the same
///   user from the memory and from `/proc/PID/environ`, where somebody may have put a secret; what the process reads of
///   itself under `/proc` stays readable to it.
/// - Files and folders are for the owner alone, and for the owner in any case: with an odd mask, such as 0777, the next
///   start could not read what this one wrote.
/// - A panic is told as a log line like any other, by its place alone.
pub fn guard() {
    // Fails on no kernel that this program runs on; without it everything but a crash is as it would be.
    let _not_to_be_dumped = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    umask(Mode::RWXG | Mode::RWXO);
    std::panic::set_hook(Box::new(tell_panic));
}

fn tell_panic(panic: &PanicHookInfo<'_>) {
    // What a panic says may hold anything, a secret as well; its place tells whoever has the source as much.
    let place = panic.location().map_or_else(|| "an unknown place".to_owned(), ToString::to_string);
    if !tracing::dispatcher::has_been_set() {
        let _nobody_reads = writeln!(std::io::stderr(), "internal error at {place}; please report this line");
        return;
    }
    let calls = Backtrace::capture();
    match calls.status() {
        // Names of functions, if RUST_BACKTRACE asks for them.
        BacktraceStatus::Captured => tracing::error!(%calls, "internal error at {place}; please report this line"),
        _ => tracing::error!("internal error at {place}; please report this line"),
    }
}
