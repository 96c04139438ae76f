//! What needs VictoriaMetrics.

use crate::support::{unique, victoriametrics};

#[test]
#[ignore = "needs the servers that tests/run brings"]
fn a_written_point_is_exported() {
    let bot = unique("st");
    let line = format!("user_engagement_hourly,bot_id={bot},channel=all users=20i 1596672000\n");
    victoriametrics::write(&line).success();

    let series = victoriametrics::export("bot_id", &bot);
    assert_eq!(series.len(), 1, "{series:?}");
    assert_eq!(series[0].labels["__name__"], "user_engagement_hourly_users");
    assert_eq!(series[0].labels["channel"], "all");
    assert_eq!(series[0].samples, [(1_596_672_000, 20.0)]);
}
