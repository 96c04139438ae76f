//! One episode: from an empty state folder and an empty bucket, kill by kill, until all is done.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use jiff::civil::Date;
use kore_trend_exporter::domain::series::{Window, day_after};

use super::dice::{self, After, Dice, Mode};
use super::disk::Disk;
use super::judge::{Judge, State, stored};
use super::platform::RevisedPlatform;
use super::settle::{changes, settle};
use super::tally::Tally;
use crate::support::daemon::EVERY_SECOND;
use crate::support::influxdb::Database;
use crate::support::platform::day;
use crate::support::process::{Output, Running};
use crate::support::workspace::{Template, Workspace, bots};

const BOTS: [&str; 2] = ["one", "two"];
const SERIES: usize = 8;

/// Kills, or runs that end before theirs.
const TURNS: u64 = 10;

/// Days of the first tick, and of a backfill; with two days a request, enough for some seconds.
const INITIAL_DAYS: i64 = 24;
const BACKFILL_DAYS: i64 = 15;

/// Requests a minute for a bot in an episode that shows the limit: fewer than the first tick wants.
const LIMIT: usize = 20;

struct Episode<'a> {
    dice: &'a mut Dice,
    disk: Option<&'a mut Disk>,
    tally: &'a mut Tally,
    platform: RevisedPlatform,
    database: Database,
    workspace: Workspace,
    state: PathBuf,
    judge: Judge,
    /// The first day of the first tick.
    initial: Date,
    limited: bool,
    /// The backfill that is under way, or the next one.
    range: Window,
    /// What a reader of a failure wants to know.
    story: Story,
}

/// Printed if the test fails.
#[derive(Default)]
struct Story(Vec<String>);

impl Drop for Story {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the story of this episode:\n{}", self.0.join("\n"));
        }
    }
}

/// Plays one, with as many kills as are still wanted.
pub(super) fn play(dice: &mut Dice, disk: Option<&mut Disk>, tally: &mut Tally, kills: u64) {
    let mut episode = Episode::begin(dice, disk, tally);
    for _ in 0..TURNS {
        if episode.tally.kills() >= kills {
            break;
        }
        episode.turn();
    }
    episode.finish();
}

impl<'a> Episode<'a> {
    fn begin(dice: &'a mut Dice, mut disk: Option<&'a mut Disk>, tally: &'a mut Tally) -> Episode<'a> {
        let bots = bots(BOTS, "channels = [\"all\", \"rtm\"]\nintervals = [\"hourly\", \"daily\"]");
        let platform = RevisedPlatform::start(&bots, dice);
        let database = Database::fresh(None);
        let limited = dice.chance(15);
        let per_minute = if limited { LIMIT } else { 1_000_000 };
        let workspace = Workspace::with(&Template {
            platform_url: platform.url(),
            platform: &format!(
                "max_days_per_request = 2\nconcurrency = 3\nper_minute = {per_minute}\nper_hour = 1_000_000"
            ),
            schedule: &format!("{EVERY_SECOND}\ninitial_days = {INITIAL_DAYS}"),
            sink: &database.config(),
            bots: &bots,
            ..Template::default()
        });
        let state = match &mut disk {
            Some(disk) => {
                disk.format();
                disk.path().join("var/state")
            }
            None => workspace.path("var/state"),
        };
        let initial = day(-INITIAL_DAYS);
        let mut episode = Episode {
            dice,
            disk,
            tally,
            platform,
            database,
            workspace,
            state,
            judge: Judge::default(),
            initial,
            limited,
            range: Window { first: initial, last: initial },
            story: Story::default(),
        };
        episode.next_range();
        episode
    }

    /// Backfills never reach the days of a tick, nor those of another.
    fn next_range(&mut self) {
        let last = day_after(self.range.first, -2);
        self.range = Window { first: day_after(last, 1 - BACKFILL_DAYS), last };
    }

    fn turn(&mut self) {
        let (mode, instant) = (self.dice.mode(), self.dice.instant());
        let cut = self.disk.is_some() && self.dice.chance(45);
        self.story.0.push(format!(
            "{mode:?}, {instant:?}, {}, backfill of {}",
            if cut { "cut" } else { "kill" },
            self.range
        ));
        let yesterday = day(-1);
        let mut running: Vec<(Mode, Running)> = match mode {
            Mode::Both => vec![Mode::Daemon, Mode::Backfill],
            one => vec![one],
        }
        .into_iter()
        .map(|mode| (mode, self.start(mode, false)))
        .collect();
        self.wait_for(instant, &mut running);

        running.iter_mut().for_each(|(_, running)| running.kill());
        let image = self.disk.as_ref().filter(|_| cut).map(|disk| disk.image());
        let ended: Vec<(Mode, Output)> = running.into_iter().map(|(mode, running)| (mode, running.finish())).collect();
        self.tally.writes_in_flight += u64::from(settle(&self.database.url));
        let mut killed = 0;
        for (mode, output) in ended {
            killed += u64::from(output.code.is_none());
            match (mode, output.code) {
                (Mode::Once, None) => self.tally.kills_of_once += 1,
                (Mode::Backfill, None) => self.tally.kills_of_backfill += 1,
                (_, None) => self.tally.kills_of_daemon += 1,
                _ => self.ended(mode, output, yesterday),
            }
        }
        self.tally.ended_before += u64::from(killed == 0);
        if let Some(image) = &image {
            let before = State::read(&self.state);
            self.disk.as_mut().unwrap().boot(image);
            self.tally.forgotten += u64::from(before != State::read(&self.state));
            match killed {
                0 => self.tally.power_cuts_at_rest += 1,
                _ => self.tally.power_cuts += 1,
            }
        }
        self.look(image.is_some());
    }

    fn start(&self, mode: Mode, unlimited: bool) -> Running {
        let mut command = self.workspace.command();
        command.env("KORE_TREND__STATE_DIR", &self.state);
        if unlimited {
            command.env("KORE_TREND__PLATFORM__PER_MINUTE", "1000000");
        }
        match mode {
            Mode::Once => command.arg("--once"),
            Mode::Backfill => command.args(["--backfill", &self.range.to_string()]),
            Mode::Daemon | Mode::Both => &mut command,
        };
        Running::start(command)
    }

    /// Until the instant has come, everything has ended, or it has taken long enough.
    fn wait_for(&self, instant: dice::Instant, running: &mut [(Mode, Running)]) {
        let started = Instant::now();
        let patience = Duration::from_millis(if self.limited { 3_000 } else { 5_000 });
        let requests = self.platform.requests();
        let (mut seen, mut changed) = (changes(&self.state), 0);
        loop {
            let now = changes(&self.state);
            changed += u64::from(now != seen);
            seen = now;
            let has_come = match instant.after {
                After::Start => true,
                After::Requests(count) => self.platform.requests() >= requests + count,
                After::Changes(count) => changed >= count,
            };
            if has_come {
                std::thread::sleep(instant.delay);
                return;
            }
            if running.iter_mut().all(|(_, running)| running.has_ended()) || started.elapsed() > patience {
                return;
            }
            std::thread::sleep(Duration::from_micros(500));
        }
    }

    /// The program has ended by itself: all that it was asked for must be there, also after a power cut.
    fn ended(&mut self, mode: Mode, output: Output, yesterday: Date) {
        output.expect_code(0);
        let state = State::read(&self.state);
        let window = match mode {
            Mode::Backfill => {
                assert!(state.backfill().is_none(), "{state:#?}");
                self.range
            }
            _ => {
                Judge::must_be_through(&state, yesterday, SERIES);
                Window { first: self.initial, last: yesterday }
            }
        };
        self.judge.is_promised(state, window, &self.database, &self.platform);
        if mode == Mode::Backfill {
            self.next_range();
        }
    }

    fn look(&mut self, after_power_cut: bool) {
        let Episode { state, range, database, platform, tally, .. } = self;
        self.judge.look(state, *range, after_power_cut, database, platform, tally);
    }

    /// Lets both modes come to their end, cuts the power once more, and compares everything.
    fn finish(mut self) {
        if self.limited {
            let most = self.platform.most_in_a_minute();
            assert!(most <= LIMIT, "{most} requests for one bot within a minute, {LIMIT} are allowed");
            self.tally.limited_episodes += u64::from(most == LIMIT);
        }
        let yesterday = day(-1);
        for mode in [Mode::Backfill, Mode::Once] {
            self.story.0.push(format!("{mode:?} to its end"));
            let output = self.start(mode, true).finish();
            self.ended(mode, output, yesterday);
        }
        if let Some(disk) = &mut self.disk {
            let image = disk.image();
            disk.boot(&image);
            self.tally.power_cuts_at_rest += 1;
        }
        self.look(self.disk.is_some());
        let (found, latest) = (stored(&self.database), self.platform.latest());
        assert!(found == latest, "the database is not equal to the platform");
        self.tally.points_compared += found.len() as u64;
        self.tally.requests += self.platform.requests();
    }
}
