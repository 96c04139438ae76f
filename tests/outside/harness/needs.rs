//! What is left out where a need cannot be met is what says that it has this need, and nothing else.

use std::collections::BTreeSet;
use std::process::Command;

use crate::support::process::Running;
use crate::support::repository;

/// The tests of this binary that are ignored.
fn ignored() -> Vec<String> {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--list", "--ignored"]);
    let listed = Running::start(command).finish().expect_code(0).stdout;
    listed.lines().filter_map(|line| line.strip_suffix(": test")).map(str::to_owned).collect()
}

/// The modules above a test that are named after a need.
fn needs(test: &str) -> impl Iterator<Item = &str> {
    test.split("::").filter(|part| part.starts_with("needs_"))
}

#[test]
fn every_ignored_test_stands_below_what_it_needs() {
    let without: Vec<String> = ignored().into_iter().filter(|test| needs(test).next().is_none()).collect();
    assert!(without.is_empty(), "not below a module called needs_…: {without:?}");
}

#[test]
fn every_need_is_known_to_the_script_that_meets_it() {
    let script = std::fs::read_to_string(repository().join("tests/run")).unwrap();
    let rows = script.lines().filter_map(|line| line.strip_prefix("need needs_")?.split(' ').next());
    let known: BTreeSet<String> = rows.map(|name| format!("needs_{name}")).collect();
    let all = ignored();
    let used: BTreeSet<String> = all.iter().flat_map(|test| needs(test)).map(str::to_owned).collect();
    assert_eq!(known, used);
}
