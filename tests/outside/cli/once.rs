//! `--once`: what is owed arrives, once, as the platform holds it.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use kore_trend_exporter::domain::series::{Interval, Window, day_after};

use crate::support::platform::{SimulatedPlatform, held};
use crate::support::workspace::{Template, Workspace};

const BOTS: &str = "[bots.support]\nid = \"st-1\"\nclient_id = \"cs-1\"\nclient_secret = \"0123456789\"\n\
    channels = [\"all\", \"rtm\"]\nintervals = [\"hourly\", \"daily\"]\n";

#[test]
fn the_first_run_writes_what_the_platform_holds_and_a_steady_one_asks_once_a_series() {
    let platform = SimulatedPlatform::well(BOTS);
    let workspace = Workspace::with(&Template { platform_url: platform.url(), bots: BOTS, ..Template::default() });
    let output = workspace.run(&["--once"]);
    output.expect_code(0);
    assert_eq!(platform.asked().len(), 4);

    let now = Timestamp::now();
    let today = now.to_zoned(TimeZone::UTC).date();
    let window = Window { first: day_after(today, -7), last: day_after(today, -1) };
    let lines = workspace.sorted_lines("engagement.lp");
    for channel in ["all", "rtm"] {
        for (timestamp, users) in held("st-1", channel, Interval::Hourly, window) {
            let line =
                format!("user_engagement_hourly,bot=support,bot_id=st-1,channel={channel} users={users}i {timestamp}");
            assert!(lines.contains(&line), "{line}");
        }
        for (timestamp, users) in held("st-1", channel, Interval::Daily, window) {
            let line =
                format!("user_engagement_daily,bot=support,bot_id=st-1,channel={channel} users={users}i {timestamp}");
            assert!(lines.contains(&line), "{line}");
        }
    }
    let newest = lines.iter().filter_map(|line| line.rsplit(' ').next()?.parse::<i64>().ok()).max().unwrap();
    assert!(newest + 3600 <= Timestamp::now().as_second(), "the open hour is withheld");

    platform.forget();
    workspace.run(&["--once"]).expect_code(0);
    assert_eq!(platform.asked().len(), 4, "one request a series");
    assert!(platform.asked().iter().all(|asked| asked.window().unwrap().days() == 3));
}
