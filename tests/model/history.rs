//! What may happen in the life of an exporter, and how such lives are drawn by lot.

use kore_trend_exporter::domain::series::day_after;
use proptest::prelude::*;
use support::fake_influxdb::Generation;
use support::fake_influxdb::words::GENERATIONS;

/// One life: how everything is set up, and what then happens.
#[derive(Clone, Debug)]
pub(crate) struct History {
    pub(crate) setup: Setup,
    pub(crate) steps: Vec<Step>,
}

/// What stays as it is for a whole life.
#[derive(Clone, Debug)]
pub(crate) struct Setup {
    pub(crate) bots: Vec<BotSetup>,
    /// When the life begins: one of [`BEGINNINGS`], and so many minutes later.
    pub(crate) beginning: usize,
    pub(crate) minutes_later: i64,
    pub(crate) v2: bool,
    /// Minutes from slot to slot.
    pub(crate) period: i64,
    pub(crate) refresh_days: u32,
    pub(crate) initial_days: u32,
    pub(crate) concurrency: usize,
    /// Limits that steady ticks just fit into, instead of generous ones.
    pub(crate) tight: bool,
    /// Whether the platform refuses tokens that a wrong clock made.
    pub(crate) checks_tokens: bool,
    /// Whether a bot that breaks a limit is told when it may ask again.
    pub(crate) says_when: bool,
    /// Whether the platform leaves out the last day that it is asked for.
    pub(crate) excludes_end: bool,
    /// Whether old days come back as zeros.
    pub(crate) forgets: bool,
    /// Whether answers are compressed although nobody asked for it.
    pub(crate) compresses: bool,
    /// Whether a request must say how long its body is.
    pub(crate) insists_on_length: bool,
    /// Whose words the database speaks.
    pub(crate) generation: Generation,
    /// Of figures, travel times, jitter and chances.
    pub(crate) seed: u64,
}

/// One bot.
#[derive(Clone, Debug)]
pub(crate) struct BotSetup {
    pub(crate) zone: usize,
    pub(crate) channels: usize,
    pub(crate) daily: bool,
}

/// Zones with clock changes of an hour, of half an hour, at midnight, and without any.
pub(crate) const ZONES: [&str; 5] = ["UTC", "Europe/Berlin", "America/Santiago", "Australia/Lord_Howe", "Asia/Kolkata"];

/// Shortly before clock changes of those zones, a month's and a year's end, and an ordinary day.
pub(crate) const BEGINNINGS: [&str; 6] = [
    "2026-03-27T00:00:00Z",
    "2026-04-02T00:00:00Z",
    "2026-09-04T00:00:00Z",
    "2026-10-23T00:00:00Z",
    "2026-12-30T00:00:00Z",
    "2026-08-06T00:00:00Z",
];

/// Something that happens.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// Time goes by.
    Pass { minutes: u64 },
    /// The machine sleeps, and its monotonic clock with it.
    Suspend { minutes: i64 },
    /// The wall clock is set: so much ahead of the true time.
    Clock { seconds: i64 },
    /// From now on the platform answers this series, or all of them, so in so many of a hundred cases.
    Platform { series: Option<usize>, trouble: Trouble, chance: u32 },
    /// Somebody else uses up the limits of a bot.
    Others { bot: usize, requests: usize },
    /// The platform denies a bot, whatever it does, and says until when or not.
    Deny { bot: usize, minutes: i64, says_when: bool },
    /// From now on the database does.
    Database { trouble: DatabaseTrouble, chance: u32 },
    /// The state folder can be written, or not.
    Disk { works: bool },
    /// The processes are killed when so many further things have happened, or after a while, and started again.
    Kill { events: u32, away: i64, loss: Loss },
    /// The processes are told to end, and started again.
    Stop { away: i64 },
    /// Another configuration.
    Reload { series: u32, max_days: u32, more_limits: bool },
    /// A backfill beside the daemon, or the same one again.
    Backfill { days_ago: i64, days: i64 },
    /// The platform counts a day again, so many days ago.
    Revise { days_ago: i64 },
}

/// How the platform fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    None,
    Status(u16),
    /// Answers days that nobody asked for.
    Foreign,
    /// 413 for more than so many days.
    TooLong(i64),
    /// 504 for more than so many days.
    Slow(i64),
    HangUp,
    Silent,
    CutOff,
    Malformed,
    /// An answer that holds this day of the month is not as documented.
    PoisonedDay(i8),
    /// An answer after so many seconds.
    Late(u64),
}

/// How the database fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DatabaseTrouble {
    None,
    Status(u16),
    /// It does not accept the token.
    Denied,
    /// It has no such bucket; InfluxDB 3 would make it.
    NoBucket,
    DiskFull,
    /// It keeps points for so many days.
    Retention(i64),
    /// Half of the lines are stored, and then it says 500.
    HalfStored,
    /// Stored, but the answer is lost.
    Lost,
    Silent,
    /// 413 for more than so many lines.
    TooLarge(usize),
    /// It has the fields of this series with another type; the others of that write are stored or not.
    Refuses(usize),
    /// Stored after so many seconds.
    Late(u64),
}

/// What of the state folder is lost while no process runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Loss {
    Nothing,
    Watermarks,
    /// Their file holds something else.
    Garbled,
    Ledger,
}

/// The most series that a life has.
pub(crate) const MOST_SERIES: usize = 12;

/// All lives.
pub(crate) fn history() -> impl Strategy<Value = History> {
    (setup(), at_first(), prop::collection::vec(step(), 3..18)).prop_map(|(mut setup, mut steps, later)| {
        steps.extend(later);
        // Which days are old, a wrong clock does not tell.
        setup.forgets &= !steps.iter().any(|step| matches!(step, Step::Clock { .. }));
        for step in &mut steps {
            if let Step::Platform { trouble: Trouble::PoisonedDay(day), .. } = step {
                // One that matters: about where the life begins.
                let beginning: jiff::Timestamp = BEGINNINGS[setup.beginning].parse().unwrap();
                let date = beginning.to_zoned(jiff::tz::TimeZone::UTC).date();
                *day = day_after(date, i64::from(*day) - 8).day();
            }
        }
        History { setup, steps }
    })
}

/// What is wrong from the beginning, when more days are owed than the live ones: above all what lies with some days, or
/// with their number.
fn at_first() -> impl Strategy<Value = Vec<Step>> {
    let trouble = prop_oneof![
        3 => (1..8_i8).prop_map(Trouble::PoisonedDay),
        2 => (1..8_i64).prop_map(Trouble::TooLong),
        1 => (1..8_i64).prop_map(Trouble::Slow),
        2 => trouble(),
    ];
    let which = prop::option::weighted(0.6, 0..MOST_SERIES);
    let of_series = (which, trouble).prop_map(|(series, trouble)| Step::Platform { series, trouble, chance: 100 });
    let step = prop_oneof![8 => of_series, 1 => others(), 1 => denial()];
    prop_oneof![1 => Just(Vec::new()), 1 => prop::collection::vec(step, 1..3)]
}

fn setup() -> impl Strategy<Value = Setup> {
    let bot = (0..ZONES.len(), 1..=2_usize, any::<bool>());
    let bots = prop::collection::vec(bot.prop_map(|(zone, channels, daily)| BotSetup { zone, channels, daily }), 1..=3);
    let when = (0..BEGINNINGS.len(), 0..1440_i64, prop_oneof![Just(15), Just(60), Just(360)]);
    let reach = (1..=3_u32, prop_oneof![2 => 0..=6_u32, 1 => 5..=12_u32], 1..=8_usize);
    let habits = (any::<[bool; 3]>(), any::<bool>(), prop::bool::weighted(0.2), any::<bool>());
    let between = (prop::bool::weighted(0.3), any::<bool>(), prop::sample::select(GENERATIONS.to_vec()));
    (bots, when, reach, habits, between, any::<u64>()).prop_map(|(bots, when, reach, habits, between, seed)| {
        let ([v2, tight, checks], says_when, excludes_end, forgets) = habits;
        Setup {
            bots,
            beginning: when.0,
            minutes_later: when.1,
            v2,
            period: when.2,
            refresh_days: reach.0,
            initial_days: reach.1,
            concurrency: reach.2,
            tight,
            checks_tokens: checks,
            says_when,
            excludes_end,
            forgets,
            compresses: between.0,
            insists_on_length: between.1,
            generation: between.2,
            seed,
        }
    })
}

fn step() -> impl Strategy<Value = Step> {
    let minutes = || prop_oneof![3 => 1..90_i64, 2 => 60..600_i64, 1 => 600..4000_i64];
    let seconds = prop_oneof![
        2 => Just(0_i64),
        2 => -120..120_i64,
        2 => -9000..9000_i64,
        1 => -1_000_000..1_000_000_i64,
        1 => -4_000_000..4_000_000_i64
    ];
    let which = || prop::option::weighted(0.6, 0..MOST_SERIES);
    let chance = || prop_oneof![Just(100), 10..90_u32];
    let loss = prop_oneof![6 => Just(Loss::Nothing), 1 => Just(Loss::Watermarks), 1 => Just(Loss::Garbled),
        1 => Just(Loss::Ledger)];
    prop_oneof![
        7 => minutes().prop_map(|minutes| Step::Pass { minutes: minutes.unsigned_abs() }),
        1 => minutes().prop_map(|minutes| Step::Suspend { minutes }),
        1 => seconds.prop_map(|seconds| Step::Clock { seconds }),
        4 => (which(), trouble(), chance()).prop_map(|(series, trouble, chance)| Step::Platform { series, trouble, chance }),
        1 => others(),
        1 => denial(),
        3 => (database_trouble(), chance()).prop_map(|(trouble, chance)| Step::Database { trouble, chance }),
        1 => any::<bool>().prop_map(|works| Step::Disk { works }),
        3 => (0..60_u32, minutes(), loss).prop_map(|(events, away, loss)| Step::Kill { events, away, loss }),
        1 => minutes().prop_map(|away| Step::Stop { away }),
        1 => (1..1_u32 << MOST_SERIES, 1..32_u32, any::<bool>())
            .prop_map(|(series, max_days, more_limits)| Step::Reload { series, max_days, more_limits }),
        1 => (0..30_i64, 1..30_i64).prop_map(|(days_ago, days)| Step::Backfill { days_ago, days }),
        2 => (0..4_i64).prop_map(|days_ago| Step::Revise { days_ago }),
    ]
}

fn others() -> impl Strategy<Value = Step> {
    let requests = prop_oneof![30..70_usize, 1700..1900_usize];
    (0..3_usize, requests).prop_map(|(bot, requests)| Step::Others { bot, requests })
}

fn denial() -> impl Strategy<Value = Step> {
    let minutes = prop_oneof![1..20_i64, 50..70_i64];
    (0..3_usize, minutes, any::<bool>()).prop_map(|(bot, minutes, says_when)| Step::Deny { bot, minutes, says_when })
}

fn trouble() -> impl Strategy<Value = Trouble> {
    prop_oneof![
        3 => Just(Trouble::None),
        3 => prop::sample::select(vec![400_u16, 401, 403, 404, 408, 412, 500, 502, 503]).prop_map(Trouble::Status),
        1 => Just(Trouble::Foreign),
        1 => (1..20_i64).prop_map(Trouble::TooLong),
        1 => (1..20_i64).prop_map(Trouble::Slow),
        1 => Just(Trouble::HangUp),
        1 => Just(Trouble::Silent),
        1 => Just(Trouble::CutOff),
        1 => Just(Trouble::Malformed),
        2 => (1..14_i8).prop_map(Trouble::PoisonedDay),
        1 => (1..29_u64).prop_map(Trouble::Late),
    ]
}

fn database_trouble() -> impl Strategy<Value = DatabaseTrouble> {
    prop_oneof![
        3 => Just(DatabaseTrouble::None),
        2 => prop::sample::select(vec![429_u16, 500, 503]).prop_map(DatabaseTrouble::Status),
        1 => Just(DatabaseTrouble::Denied),
        1 => Just(DatabaseTrouble::NoBucket),
        1 => Just(DatabaseTrouble::DiskFull),
        1 => (6..12_i64).prop_map(DatabaseTrouble::Retention),
        1 => Just(DatabaseTrouble::HalfStored),
        2 => Just(DatabaseTrouble::Lost),
        1 => Just(DatabaseTrouble::Silent),
        1 => (1..60_usize).prop_map(DatabaseTrouble::TooLarge),
        1 => (0..MOST_SERIES).prop_map(DatabaseTrouble::Refuses),
        1 => (1..29_u64).prop_map(DatabaseTrouble::Late),
    ]
}
