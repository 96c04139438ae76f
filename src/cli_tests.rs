//! The command line, as it is resolved.

use clap::CommandFactory;
use jiff::civil::date;

use super::*;

const TODAY: &str = "2026-11-22T12:00:00Z";

fn resolve(arguments: &[&str], environment: Environment) -> Result<Invocation, String> {
    let all = std::iter::once("kore-trend-exporter").chain(arguments.iter().copied());
    let arguments = Arguments::try_parse_from(all).map_err(|error| error.to_string())?;
    arguments.resolve(&environment, TODAY.parse().unwrap()).map_err(|error| error.to_string())
}

#[test]
fn the_flags_are_consistent() {
    Arguments::command().debug_assert();
}

#[test]
fn modes_are_told_apart() {
    let mode = |arguments: &[&str]| resolve(arguments, Environment::default()).unwrap().mode;
    assert_eq!(mode(&[]), Mode::Daemon);
    assert_eq!(mode(&["--once", "--dry-run"]), Mode::Once);
    assert_eq!(mode(&["--check"]), Mode::Check);
    let range = Range { from: date(2026, 1, 1), to: None };
    assert_eq!(mode(&["--backfill", "2026-01-01.."]), Mode::Backfill { range, restart: false });
    let verify = |repair, strict| Mode::Verify { range, repair, strict };
    assert_eq!(mode(&["--verify", "2026-01-01.."]), verify(false, false));
    assert_eq!(mode(&["--verify", "2026-01-01..", "--repair", "--strict"]), verify(true, true));
}

#[test]
fn what_cannot_be_meant_is_refused() {
    for arguments in [
        &["--once", "--check"][..],
        &["--once", "--backfill", "2026-01-01.."],
        &["--check", "--backfill", "2026-01-01.."],
        &["--dry-run"],
        &["--check", "--dry-run"],
        &["--restart"],
        &["--once", "--restart"],
        &["--backfill", "2026-01-01"],
        &["--backfill", "2026-02-30.."],
        &["--backfill", "..2026-01-01"],
        &["--backfill", "2026-1-1.."],
        &["--backfill", "2026-01-02..2026-01-01"],
        &["--backfill", "2026-01-02..2999-01-01"],
        &["--backfill", "2999-01-02.."],
        &["--verify", "2999-01-02.."],
        &["--verify", "2026-01-02..2026-01-01"],
        &["--once", "--verify", "2026-01-01.."],
        &["--backfill", "2026-01-01..", "--verify", "2026-01-01.."],
        &["--verify", "2026-01-01..", "--dry-run"],
        &["--verify", "2026-01-01..", "--restart"],
        &["--repair"],
        &["--once", "--repair"],
        &["--check", "--strict"],
        &["--backfill", "2026-01-01..", "--strict"],
        &["--shard", "3/3"],
        &["--shard", "1"],
        &["--shard", "0/0"],
        &["--shard", "0/4000000000"],
        &["--log-level", "loud=very"],
        &["--log-format", "xml"],
        &["--unknown"],
        &["once"],
    ] {
        assert!(resolve(arguments, Environment::default()).is_err(), "{arguments:?}");
    }
}

#[test]
fn of_many_names_some_are_told() {
    let names: Vec<String> = (10..60).map(|number| format!("bot-{number}")).collect();
    let told = |count: usize| {
        let known = names.iter().take(count).map(String::as_str).collect();
        all_known("--bot", &["bot-0".to_owned()], &known).unwrap_err().to_string()
    };
    assert_eq!(told(2), "--bot bot-0: not configured; configured: bot-10, bot-11");
    assert!(told(20).ends_with("bot-28, bot-29") && told(50).ends_with("bot-28, bot-29 and 30 more"), "{}", told(50));
}

#[test]
fn a_range_ends_today_at_the_latest_by_whichever_today() {
    let today = date(2026, 11, 22);
    for flag in ["--backfill", "--verify"] {
        let is_sensible = |range: &str| {
            let mode = resolve(&[flag, range], Environment::default()).unwrap().mode;
            mode.range_is_sensible(today).is_ok()
        };
        for range in ["2026-11-22..2026-11-22", "2026-11-21..", "0001-01-01..2026-11-22"] {
            assert!(is_sensible(range), "{flag} {range}");
        }
        // At noon UTC it is the next day in the earliest zone.
        for range in ["2026-11-23..2026-11-23", "2026-11-20..2026-11-23", "2026-11-22.."] {
            assert!(!is_sensible(range), "{flag} {range}");
        }
    }
}

#[test]
fn the_configuration_may_be_named_by_a_variable_and_an_empty_one_names_nothing() {
    let source = |arguments: &[&str], value| match resolve(arguments, Environment::from([("KORE_TREND_CONFIG", value)]))
        .unwrap()
        .source
    {
        Source::File(path) => path.display().to_string(),
        other => other.name(),
    };
    assert_eq!(source(&["--once"], "a.toml"), "a.toml");
    assert_eq!(source(&["--once", "-c", "b.toml"], "a.toml"), "b.toml");
    assert_eq!(source(&["--once", "--demo"], "a.toml"), "a.toml");
    assert_eq!(source(&["--once", "--demo"], ""), "the demo's configuration");
}

#[test]
fn a_pod_of_an_indexed_job_knows_its_shard() {
    let shard = |variables: Environment| resolve(&["--once"], variables).map(|invocation| invocation.selection.shard);
    let both = Environment::from([("JOB_COMPLETION_INDEX", "2"), ("KORE_TREND_SHARDS", "3")]);
    assert_eq!(shard(both), Ok(Some(Shard { index: 2, count: 3 })));
    assert_eq!(shard(Environment::from([("JOB_COMPLETION_INDEX", "2")])), Ok(None));
    assert!(shard(Environment::from([("KORE_TREND_SHARDS", "3")])).is_err());
    assert!(shard(Environment::from([("JOB_COMPLETION_INDEX", "3"), ("KORE_TREND_SHARDS", "3")])).is_err());
}
