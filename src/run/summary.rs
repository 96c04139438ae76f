//! What a one-shot run did: a table for standard output, a series a row.

use std::collections::BTreeMap;
use std::fmt;

use jiff::civil::Date;

use crate::domain::event::Confirmed;
use crate::domain::series::{Interval, Series};
use crate::domain::words::counted;
use crate::run::table;

/// How many days a spark line shows.
const SPARK_DAYS: usize = 31;

/// What was done for one series.
#[derive(Clone, Debug)]
pub struct Row {
    /// The series it speaks of.
    pub series: Series,
    /// Days that are confirmed so far.
    pub days: u64,
    /// Points that are confirmed so far.
    pub points: u64,
    /// Requests made so far.
    pub requests: u64,
    /// Days of zeros that were not written, for the platform may have deleted them.
    pub forgotten_days: usize,
    /// How it ended.
    pub outcome: Outcome,
    beyond_retention: u64,
    nonexistent: u64,
    /// The newest days' users; a bounded number of them, however long the range.
    users: BTreeMap<Date, i64>,
}

/// How it ended for one series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Not at all yet.
    Unfinished,
    /// Everything is confirmed.
    Complete,
    /// Something failed, and was logged.
    Failed,
}

impl Row {
    /// A series for which nothing was done yet.
    pub fn new(series: Series) -> Row {
        Row {
            series,
            days: 0,
            points: 0,
            requests: 0,
            forgotten_days: 0,
            outcome: Outcome::Unfinished,
            beyond_retention: 0,
            nonexistent: 0,
            users: BTreeMap::new(),
        }
    }

    /// So many days were not asked for, which the database would not keep. Returns how many points that are.
    pub fn skip(&mut self, days: u32) -> usize {
        let points = days * if self.series.interval == Interval::Hourly { 24 } else { 1 };
        self.beyond_retention += u64::from(points);
        points as usize
    }

    /// Adds a confirmed window.
    pub fn add(&mut self, confirmed: &Confirmed) {
        self.days += u64::from(confirmed.window.days());
        self.points += confirmed.points as u64;
        self.beyond_retention += confirmed.beyond_retention as u64;
        self.nonexistent += confirmed.nonexistent.len() as u64;
        self.forgotten_days += confirmed.forgotten.days;
        self.requests += confirmed.requests;
        self.users.extend(confirmed.days.iter().copied());
        while self.users.len() > SPARK_DAYS {
            self.users.pop_first();
        }
    }

    /// Ends it, after so many more requests.
    pub fn end(&mut self, outcome: Outcome, requests: u64) {
        self.outcome = outcome;
        self.requests += requests;
    }

    fn remark(&self) -> String {
        let mut remarks = vec![spark(self.users.values().copied())];
        match self.outcome {
            Outcome::Complete => {}
            Outcome::Failed => remarks.push("failed, see the log".to_owned()),
            Outcome::Unfinished => remarks.push("not finished".to_owned()),
        }
        if self.beyond_retention > 0 {
            remarks.push(format!("{} points older than the retention", self.beyond_retention));
        }
        if self.nonexistent > 0 {
            remarks.push(format!("{} in hours skipped by daylight saving", self.nonexistent));
        }
        if self.forgotten_days > 0 {
            remarks.push(format!("{} days of zeros not written", self.forgotten_days));
        }
        remarks.retain(|remark| !remark.is_empty());
        remarks.join("  ")
    }
}

/// One block for each figure, as high as it is among them.
fn spark(figures: impl Iterator<Item = i64> + Clone) -> String {
    const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let highest = figures.clone().max().unwrap_or(0).max(1);
    let block = |figure: i64| usize::try_from(figure.max(0).saturating_mul(7) / highest).unwrap_or(0).min(7);
    figures.map(|figure| BLOCKS[block(figure)]).collect()
}

/// The table of all series.
pub struct Summary<'a>(pub &'a [Row]);

impl fmt::Display for Summary<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let heading = table::Row::heading(&["days", "points", "requests"], "users by day");
        let row = |row: &Row| table::Row::of(&row.series, &[row.days, row.points, row.requests], row.remark());
        let rows: Vec<table::Row> = std::iter::once(heading).chain(self.0.iter().map(row)).collect();
        f.write_str(&table::aligned(&rows))?;
        let total = |of: fn(&Row) -> u64| self.0.iter().map(of).sum::<u64>();
        let complete = self.0.iter().filter(|row| row.outcome == Outcome::Complete).count();
        writeln!(
            f,
            "{complete} of {} series complete: {}, {} (users by day; for hourly series, the busiest hour)",
            self.0.len(),
            counted(total(|row| row.points), "point"),
            counted(total(|row| row.requests), "request")
        )
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use jiff::civil::date;

    use super::*;
    use crate::domain::bot::test_bot;
    use crate::domain::series::{Window, day_after};

    #[test]
    fn a_row_shows_what_was_done() {
        let series = |channel: &str| Series {
            bot: Arc::new(test_bot("support")),
            channel: channel.into(),
            interval: Interval::Daily,
        };
        let first = date(2026, 8, 1);
        let (mut done, mut failed) = (Row::new(series("all")), Row::new(series("msteams")));
        done.add(&Confirmed {
            window: Window { first, last: day_after(first, 3) },
            complete: None,
            platform_today: None,
            points: 4,
            beyond_retention: 0,
            requests: 2,
            newest: None,
            nonexistent: Vec::new(),
            forgotten: Default::default(),
            oddity: None,
            recent: Vec::new(),
            days: (0..4).map(|day| (day_after(first, day), day * 10)).collect(),
        });
        done.end(Outcome::Complete, 0);
        failed.end(Outcome::Failed, 5);
        let text = Summary(&[done, failed]).to_string();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "bot      channel  interval  days  points  requests  users by day");
        assert_eq!(lines[1], "support  all      daily        4       4         2  ▁▃▅█");
        assert_eq!(lines[2], "support  msteams  daily        0       0         5  failed, see the log");
        assert!(lines[3].starts_with("1 of 2 series complete: 4 points, 7 requests"));
    }
}
