//! What happened, in numbers.

/// Of one lane, or of all.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    pub(super) episodes: u64,
    pub(super) kills_of_once: u64,
    pub(super) kills_of_backfill: u64,
    pub(super) kills_of_daemon: u64,
    /// Kills that took the power along.
    pub(super) power_cuts: u64,
    /// Power cuts after the program had ended by itself, with all that it promised.
    pub(super) power_cuts_at_rest: u64,
    /// Turns in which the program came to its end before its instant.
    pub(super) ended_before: u64,
    /// Kills that left a write in the database's hands.
    pub(super) writes_in_flight: u64,
    /// Kills that left a state file half replaced.
    pub(super) half_replaced: u64,
    /// Kills after which the database held more than the state folder knew of.
    pub(super) not_yet_remembered: u64,
    /// Power cuts that took something from the state folder.
    pub(super) forgotten: u64,
    /// Episodes in which a bot was asked as often as allowed.
    pub(super) limited_episodes: u64,
    pub(super) requests: u64,
    /// Figures of the database that were held against the platform's and against those before.
    pub(super) points_compared: u64,
}

impl Tally {
    pub(super) fn kills(&self) -> u64 {
        self.kills_of_once + self.kills_of_backfill + self.kills_of_daemon
    }

    pub(super) fn add(&mut self, other: &Tally) {
        self.episodes += other.episodes;
        self.kills_of_once += other.kills_of_once;
        self.kills_of_backfill += other.kills_of_backfill;
        self.kills_of_daemon += other.kills_of_daemon;
        self.power_cuts += other.power_cuts;
        self.power_cuts_at_rest += other.power_cuts_at_rest;
        self.ended_before += other.ended_before;
        self.writes_in_flight += other.writes_in_flight;
        self.half_replaced += other.half_replaced;
        self.not_yet_remembered += other.not_yet_remembered;
        self.forgotten += other.forgotten;
        self.limited_episodes += other.limited_episodes;
        self.requests += other.requests;
        self.points_compared += other.points_compared;
    }

    /// Panics if this shows nothing. Which of it a few kills meet is left to chance.
    pub(super) fn is_worth_something(&self, power_cuts: bool) {
        assert!(self.kills() > 0 && self.points_compared > 0, "{self:#?}");
        assert_eq!(power_cuts, self.power_cuts_at_rest > 0, "{self:#?}");
        if self.kills() >= 100 {
            for kills in [self.kills_of_once, self.kills_of_backfill, self.kills_of_daemon] {
                assert!(kills > 0, "a mode was never killed: {self:#?}");
            }
            // A state file that is half replaced is met by chance only: on a quick disk that takes microseconds.
            assert!(self.not_yet_remembered > 0, "{self:#?}");
            assert_eq!(power_cuts, self.power_cuts > 0, "{self:#?}");
        }
    }
}
