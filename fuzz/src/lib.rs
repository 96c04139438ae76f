//! What must hold for any input, whoever wrote it: one function for each kind, which panics where it does not hold.
//!
//! libFuzzer calls them with what it makes up (`fuzz_targets/`, `fuzz/run`), and the program's ordinary tests with the
//! inputs in `seeds/`, so that what was found once stays found without a nightly Rust.

pub mod admin;
pub mod answer;
pub mod configuration;
pub mod dates;
pub mod headers;
mod ledger;
pub mod lines;
pub mod state;

/// Panics where an input shows that something does not hold.
pub type Check = fn(&[u8]);

/// The targets by name; the inputs to start from are in the folder of that name.
pub const TARGETS: [(&str, Check); 8] = [
    ("answer_v1", answer::check_v1),
    ("answer_v2", answer::check_v2),
    ("configuration", configuration::check),
    ("headers", headers::check),
    ("dates", dates::check),
    ("state", state::check),
    ("admin", admin::check),
    ("lines", lines::check),
];
