//! What is owed: from what was confirmed to the days to ask for. Pure; takes `today`.

use std::collections::VecDeque;

use jiff::civil::Date;

use crate::domain::series::{Window, day_after, days_between};

/// How far one series has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// The first day that was ever owed. Set once, so that days of a first run that failed are not forgotten.
    pub since: Date,
    /// The watermark: the last day that is complete and confirmed, all days from `since` on included.
    pub through: Option<Date>,
}

/// What a tick asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reach {
    /// Days before today that every tick asks for again.
    pub refresh_days: u32,
    /// Days before today that the first tick asks for.
    pub initial_days: u32,
    /// The longest window, in days, at least 1.
    pub max_days: u32,
}

/// The windows of one tick, in the order in which they are fetched, and the progress they start from.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// The live days first, then what is owed, oldest first. Without a gap from the first day to the last.
    pub windows: Vec<Window>,
    /// The first of the live days.
    pub live_from: Date,
    /// The first of all days.
    pub first: Date,
    /// What the series starts this tick with.
    pub progress: Progress,
}

/// The platform keeps figures for at least this many days, however it is set up.
pub const SURELY_KEPT: i64 = 28;

/// Plans one tick of one series on the day `today` of its bot's zone.
///
/// After an outage the days before the first unconfirmed one are owed as well, which the missed ticks would have asked
/// for again: none that the platform may have deleted by now, for it reports zeros for those.
pub fn tick(known: Option<Progress>, today: Date, reach: Reach) -> Plan {
    let progress = start(known, today, reach);
    let refresh = i64::from(reach.refresh_days);
    let live_from = day_after(today, -refresh).max(progress.since);
    let next = progress.next();
    let refreshed_from = |day: Date| day.max(day_after(today, -SURELY_KEPT)).max(progress.since).min(next);
    let first = match next < live_from {
        true => refreshed_from(day_after(next, -refresh)),
        // The same for the days that one missed day leaves: they come with the live ones.
        false => refreshed_from(day_after(next, 1 - refresh)).min(live_from),
    };
    let all = Window { first, last: today };
    let is_apart = next < live_from && (known.is_some() || all.days() > reach.max_days);
    let (owed, live) =
        all.split_before(live_from).filter(|_| is_apart).map_or((None, all), |(owed, live)| (Some(owed), live));
    let live_pieces = chunks(live, reach.max_days).into_iter().rev();
    let owed_pieces = owed.into_iter().flat_map(|owed| chunks(owed, reach.max_days));
    Plan { windows: live_pieces.chain(owed_pieces).collect(), live_from, first, progress }
}

/// What a tick starts from. A watermark that is not in the past was set under another clock or in another time zone: the
/// series goes back to the initial days, and no further, for the platform may have deleted earlier ones.
pub fn start(known: Option<Progress>, today: Date, reach: Reach) -> Progress {
    let initial = day_after(today, -i64::from(reach.initial_days));
    let mut progress = known.unwrap_or(Progress { since: initial, through: None });
    if progress.since > today {
        progress.since = initial;
    }
    if progress.through >= Some(today) {
        progress.through = Some(day_after(initial, -1)).filter(|through| *through >= progress.since);
    }
    progress
}

/// Divides a window into pieces of at most `max_days` days, oldest first.
pub fn chunks(window: Window, max_days: u32) -> Vec<Window> {
    let step = i64::from(max_days.max(1));
    let count = (days_between(window.first, window.last) + step) / step;
    let piece = |number: i64| {
        let first = day_after(window.first, number * step);
        Window { first, last: day_after(first, step - 1).min(window.last) }
    };
    (0..count).map(piece).collect()
}

/// Goes on with the halves of a window that the platform cannot answer at once, unless it is a single day. Returns
/// whether it can be divided.
///
/// `newest_first` is the order of live days. Where the platform refuses so many days whatever they are, what follows is
/// divided as well; a slow answer says nothing about other days.
pub fn narrow(windows: &mut VecDeque<Window>, window: Window, newest_first: bool, refuses_length: bool) -> bool {
    let Some((older, newer)) = window.halves() else { return false };
    if refuses_length {
        let longest = older.days().max(newer.days());
        *windows = windows.drain(..).flat_map(|window| chunks(window, longest)).collect();
    }
    let [first, second] = if newest_first { [newer, older] } else { [older, newer] };
    windows.push_front(second);
    windows.push_front(first);
    true
}

impl Progress {
    /// The first day that is not confirmed.
    pub fn next(&self) -> Date {
        self.through.map_or(self.since, |through| day_after(through, 1))
    }

    /// Moves the watermark over confirmed, complete windows: only forward, and only over days that follow each other
    /// from `first` on, where the plan begins. Days to refresh before the watermark are thus not lost if the rest of a
    /// tick is.
    pub fn advance(&mut self, first: Date, confirmed: &[Window]) {
        let mut next = first.min(self.next());
        while let Some(window) = confirmed.iter().find(|window| window.contains(next)) {
            next = day_after(window.last, 1);
        }
        if next > self.next() {
            self.through = Some(day_after(next, -1));
        }
    }
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
