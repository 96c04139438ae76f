//! Says what it means that series are new here, or that points go to another destination or under other tags than at the
//! last tick.

use std::collections::BTreeSet;

use jiff::Timestamp;
use jiff::civil::Date;

use crate::config::Config;
use crate::domain::calendar;
use crate::domain::series::{Series, day_after};
use crate::domain::target::Target;
use crate::state::watermarks::Watermarks;

/// To be called before the first tick of these series.
pub fn say_changes(config: &Config, series: &[Series], watermarks: &Watermarks, now: Timestamp) {
    let identity = config.destination.identity();
    let initial_days = i64::from(config.schedule.initial_days);
    let before_initial = |one: &Series| day_after(calendar::today(&one.bot.time_zone, now), -initial_days - 1);
    let (mut new, mut before_new) = (0, None);
    let mut at_other_destination = 0;
    let mut at_other_last = None;
    let mut older: Option<(Date, Date)> = None;
    let mut with_other_tags = BTreeSet::new();
    for one in series {
        let target = Target::new(&identity, &one.bot);
        let Some((progress, before)) = watermarks.kept(&one.key()) else {
            new += 1;
            before_new = before_new.max(Some(before_initial(one)));
            continue;
        };
        let Some(before) = before else { continue };
        if before.destination != target.destination {
            at_other_destination += 1;
            let last = before_initial(one);
            at_other_last = at_other_last.max(Some(last));
            if progress.since <= last {
                let (first, end) = older.unwrap_or((progress.since, last));
                older = Some((first.min(progress.since), end.max(last)));
            }
        } else if before.tags != target.tags {
            with_other_tags.insert(&*one.bot.name);
        }
    }
    // Another shard may have exported them until now.
    if let Some(last) = before_new {
        tracing::info!(
            series = new,
            "no watermarks for new series: starting from initial_days; for older days run --backfill FROM..{last}"
        );
    }
    if let Some(last) = at_other_last {
        let range = older.map_or_else(|| format!("FROM..{last}"), |(from, to)| format!("{from}..{to}"));
        tracing::warn!(
            series = at_other_destination,
            "the watermarks belong to another destination: starting from initial_days; for older days run --backfill {range}"
        );
    }
    for bot in with_other_tags {
        tracing::warn!(
            bot,
            "the tags of bot {bot} changed: new points form new series beside the old ones; delete the old series, whose \
             points --verify counts"
        );
    }
}
