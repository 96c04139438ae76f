//! The program from outside: the built binary, run as a user runs it, against a simulated platform and real databases.
//!
//! One binary for all of it, so that it links once. A test that needs more than this machine has by itself is ignored here
//! and run by `tests/run`; it stands in a module called `needs_…`, after a row of the table there, which is left out where
//! the need cannot be met.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    missing_docs,
    reason = "a helper of a test fails by panicking, and is read where it is used"
)]

extern crate support;

mod architecture;
mod cli;
mod daemon;
mod documentation;
mod faults;
mod grafana;
mod harness;
mod servers;
