//! What the process keeps to itself, whatever it was started with: its memory, its files, and the words of a panic.

use std::any::Any;
use std::backtrace::{Backtrace, BacktraceStatus};
use std::io::Write;
use std::panic::PanicHookInfo;

use rustix::fs::Mode;
use rustix::process::{DumpableBehavior, set_dumpable_behavior, umask};

/// To be called before anything else, while there is one thread and no secret yet.
///
/// - Nothing is dumped where the process crashes, for its memory holds the secrets. A limit of the size would not do: the
///   kernel ignores a limit of 0 where it hands dumps to a program, as it does under many distributions (core(5)), and a
///   limit may be raised again by whoever starts the process. Not being dumpable also keeps other processes of the same
///   user from the memory and from `/proc/PID/environ`, where somebody may have put a secret; what the process reads of
///   itself under `/proc` stays readable to it.
/// - Files and folders are for the owner alone, and for the owner in any case: with an odd mask, such as 0777, the next
///   start could not read what this one wrote.
/// - A panic, which is a defect, is told as a log line like any other, without words that may hold anything.
pub fn guard() {
    // Fails on no kernel that this program runs on; without it everything but a crash is as it would be.
    let _not_to_be_dumped = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    umask(Mode::RWXG | Mode::RWXO);
    std::panic::set_hook(Box::new(tell_panic));
}

fn tell_panic(panic: &PanicHookInfo<'_>) {
    let place = panic.location().map_or_else(|| "a place that is not known".to_owned(), ToString::to_string);
    let words = words_of(panic.payload());
    if !tracing::dispatcher::has_been_set() {
        let _nobody_reads = writeln!(std::io::stderr(), "a defect in this program at {place}: {words}");
        return;
    }
    let calls = Backtrace::capture();
    match calls.status() {
        // Names of functions, if RUST_BACKTRACE asks for them.
        BacktraceStatus::Captured => tracing::error!(%calls, "a defect in this program at {place}: {words}"),
        _ => tracing::error!("a defect in this program at {place}: {words}"),
    }
}

/// What a panic says, where that stands in the source as it is. What was put together while the program ran may hold
/// anything, a secret as well.
pub fn words_of(panic: &(dyn Any + Send)) -> &'static str {
    panic.downcast_ref::<&'static str>().copied().unwrap_or("with words that are not shown, for they may hold a secret")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_stands_in_the_source_is_shown_of_a_panic() {
        let words = |panics: fn()| words_of(&*std::panic::catch_unwind(panics).unwrap_err());
        assert_eq!(words(|| panic!("a literal")), "a literal");
        for shown in [words(|| panic!("the secret is {}", "canary".to_owned())), words(|| assert_eq!("canary", ""))] {
            assert!(shown.contains("not shown"), "{shown}");
        }
    }
}
