//! Everything outside the exporter, and what is known of it: one world for each life.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};

use jiff::civil::Date;
use kore_trend_exporter::config::Limits;
use kore_trend_exporter::domain::bot::Bot;
use kore_trend_exporter::domain::credentials::{Algorithm, SigningKey};
use kore_trend_exporter::domain::series::{Interval, Series};
use kore_trend_exporter::state::watermarks::Watermarks;
use support::platform::habits::{Desk, Habits};
use tokio::sync::Notify;

use crate::history::{DatabaseTrouble, Setup, Trouble};
use crate::time;
use crate::truth::{self, Bucket, Figures};

/// One of the exporter's processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Process {
    Daemon,
    Backfill,
}

/// A series, as all sides know it.
pub(crate) struct Known {
    pub(crate) series: Series,
    pub(crate) zone: usize,
    pub(crate) figures: Figures,
    pub(crate) trouble: Trouble,
    pub(crate) chance: u32,
    /// What the database holds: the revision of each bucket.
    pub(crate) stored: BTreeMap<Bucket, i64>,
    /// What of it a backfill wrote last.
    pub(crate) backfilled: BTreeSet<Bucket>,
    /// The watermark that was last found to be true.
    pub(crate) checked: Option<Date>,
    /// The first day that must be in the database in the end.
    pub(crate) owed: Option<Date>,
    /// Whether the configuration has it.
    pub(crate) is_exported: bool,
    /// Since when nothing keeps it from being exported, in true seconds.
    pub(crate) healthy: Option<i64>,
}

/// A request as the platform counts it.
#[derive(Clone, Copy)]
pub(crate) struct Arrival {
    pub(crate) at: i64,
    pub(crate) by: Process,
}

/// What happened in how many lives, for the report.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) steps: u64,
    pub(crate) starts: u64,
    pub(crate) kills: u64,
    pub(crate) ticks: u64,
    pub(crate) requests: u64,
    pub(crate) writes: u64,
    pub(crate) points: u64,
    pub(crate) backfills: u64,
    pub(crate) freshness_checks: u64,
    pub(crate) fresh_ticks: u64,
    pub(crate) virtual_hours: u64,
}

pub(crate) struct World {
    pub(crate) setup: Setup,
    pub(crate) folder: PathBuf,
    pub(crate) bots: Vec<Arc<Bot>>,
    pub(crate) series: Vec<Known>,
    pub(crate) dice: fastrand::Rng,
    pub(crate) database: (DatabaseTrouble, u32),
    /// What begins before this time, in true seconds, a retention may have dropped.
    pub(crate) kept_from: i64,
    /// When the clock was set last, and until when the limits may be exceeded for that, in true milliseconds.
    pub(crate) clock_set: i64,
    pub(crate) unsure_until: i64,
    /// When the last backfill ended, in true seconds.
    pub(crate) backfill_ended: i64,
    /// The limits that were ever in force, with their beginnings.
    pub(crate) limits: Vec<(i64, Limits)>,
    pub(crate) arrivals: HashMap<usize, VecDeque<Arrival>>,
    /// What the platform does besides what is documented, and what it remembers for it.
    pub(crate) habits: Habits,
    pub(crate) desk: Desk,
    /// Until when, in true seconds, the denials of each bot and the pauses after them may last.
    pub(crate) denied_until: Vec<i64>,
    /// Requests that the platform has not counted yet.
    pub(crate) on_their_way: u32,
    /// What the running daemon remembers.
    pub(crate) watermarks: Option<Arc<Watermarks>>,
    /// The processes are killed when so many more things have happened.
    pub(crate) kill_in: Option<u32>,
    pub(crate) kill: Arc<Notify>,
    /// Whether an answer may take long, and until when one might.
    pub(crate) is_slow: bool,
    pub(crate) slow_until: i64,
    /// The first promise that was broken, if one was.
    pub(crate) broken: Option<String>,
    pub(crate) log: VecDeque<String>,
    pub(crate) counts: Counts,
}

/// Shared by whatever runs in one thread.
pub(crate) type Shared = Arc<Mutex<World>>;

thread_local! {
    static CURRENT: RefCell<Option<Shared>> = const { RefCell::new(None) };
}

/// The world of this thread.
pub(crate) fn current() -> Shared {
    CURRENT.with_borrow(|world| Arc::clone(world.as_ref().unwrap()))
}

pub(crate) fn lock(world: &Shared) -> MutexGuard<'_, World> {
    world.lock().unwrap()
}

const CHANNELS: [&str; 2] = ["all", "rtm"];

impl World {
    /// Makes it this thread's world.
    pub(crate) fn begin(setup: &Setup, folder: PathBuf) -> Shared {
        let beginning = crate::history::BEGINNINGS[setup.beginning].parse().unwrap();
        time::begin(truth::later(beginning, 60 * setup.minutes_later));
        let bots: Vec<Arc<Bot>> = (0..setup.bots.len()).map(|number| Arc::new(bot(setup, number))).collect();
        let mut series = Vec::new();
        for (number, bot) in bots.iter().enumerate() {
            for one in bot.series() {
                let zone = setup.bots[number].zone;
                let figures = Figures {
                    seed: truth::seed_of(setup.seed, &format!("{}/{} {}", bot.name, one.channel, one.interval)),
                    zone,
                    interval: one.interval,
                    refresh_days: setup.refresh_days,
                    v2: setup.v2,
                    recounts: Vec::new(),
                    final_at: i64::MAX,
                };
                series.push(Known {
                    series: one,
                    zone,
                    figures,
                    trouble: Trouble::None,
                    chance: 0,
                    stored: BTreeMap::new(),
                    backfilled: BTreeSet::new(),
                    checked: None,
                    owed: None,
                    is_exported: true,
                    healthy: None,
                });
            }
        }
        let world = World {
            setup: setup.clone(),
            folder,
            bots,
            series,
            dice: fastrand::Rng::with_seed(setup.seed),
            database: (DatabaseTrouble::None, 0),
            kept_from: i64::MIN,
            clock_set: i64::MIN,
            unsure_until: i64::MIN,
            backfill_ended: i64::MIN,
            limits: Vec::new(),
            arrivals: HashMap::new(),
            habits: crate::platform::habits(setup),
            desk: Desk::default(),
            denied_until: vec![i64::MIN; setup.bots.len()],
            on_their_way: 0,
            watermarks: None,
            kill_in: None,
            kill: Arc::new(Notify::new()),
            is_slow: false,
            slow_until: i64::MIN,
            broken: None,
            log: VecDeque::new(),
            counts: Counts::default(),
        };
        let world = Arc::new(Mutex::new(world));
        CURRENT.set(Some(Arc::clone(&world)));
        world
    }

    pub(crate) fn state_dir(&self) -> PathBuf {
        self.folder.join("state")
    }

    /// Whether something with so many cases in a hundred is the case.
    pub(crate) fn happens(&mut self, chance: u32) -> bool {
        self.dice.u32(0..100) < chance
    }

    /// Something happened at which a process may be killed.
    pub(crate) fn event(&mut self) {
        if let Some(left) = &mut self.kill_in {
            *left = left.saturating_sub(1);
            if *left == 0 {
                self.kill_in = None;
                self.note(|| "killed".to_owned());
                self.kill.notify_one();
            }
        }
    }

    /// Notes what happened, for whoever reads of a broken promise.
    pub(crate) fn note(&mut self, what: impl FnOnce() -> String) {
        if self.log.len() >= 120 {
            self.log.pop_front();
        }
        self.log.push_back(format!("{} {}", time::true_now(), what()));
    }

    /// A promise is broken.
    pub(crate) fn breaks(&mut self, promise: &str, how: String) {
        self.note(|| format!("BROKEN {promise}: {how}"));
        self.broken.get_or_insert_with(|| format!("{promise}: {how}"));
    }
}

fn bot(setup: &Setup, number: usize) -> Bot {
    let of = &setup.bots[number];
    let intervals = if of.daily { vec![Interval::Hourly, Interval::Daily] } else { vec![Interval::Hourly] };
    Bot {
        name: format!("bot-{number}").into(),
        id: format!("st-{number}").into(),
        client_id: format!("cs-{number}"),
        key: SigningKey::hmac(Algorithm::HS256, b"a secret"),
        encryption: None,
        time_zone: truth::zone(of.zone),
        channels: CHANNELS[..of.channels].iter().map(|&channel| channel.into()).collect(),
        intervals,
        tags: Vec::new(),
        cron: None,
    }
}
