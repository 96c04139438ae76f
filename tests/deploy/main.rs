//! The packages and the image as they are shipped. `tests/packages` builds them and runs these tests, which nothing else does.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    missing_docs,
    reason = "a helper of a test fails by panicking, and is read where it is used"
)]

extern crate support;

mod image;
mod packages;
