//! The exporter's processes: the program's own parts, handed this world's clock, platform and database.
//!
//! Of the program, only the daemon's loop is played: its select over signals, alarms and a beat every five seconds, of
//! which a life of weeks has too many. When a tick is due is the program's timetable; what a tick does is the program's.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use kore_trend_exporter::config::{Config, Destination, EndDate, Limits, Platform, Schedule};
use kore_trend_exporter::daemon::due::{self, Timetable};
use kore_trend_exporter::domain::series::Series;
use kore_trend_exporter::domain::slots::Cron;
use kore_trend_exporter::limits::limiter::{Limiter, Purpose};
use kore_trend_exporter::observe::console::Console;
use kore_trend_exporter::observe::metrics::Watch;
use kore_trend_exporter::observe::status::board::Board;
use kore_trend_exporter::run::job::Clients;
use kore_trend_exporter::run::progress::Show;
use kore_trend_exporter::run::summary::Row;
use kore_trend_exporter::run::{self, Env, Ticked};
use kore_trend_exporter::shutdown::Stop;
use kore_trend_exporter::state::StateError;
use kore_trend_exporter::state::backfill::Range;
use kore_trend_exporter::state::watermarks::Watermarks;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::history::Setup;
use crate::time::wall_clock;
use crate::world::{Process, World, current, lock};
use crate::{database, freshness, platform};

/// What of the configuration changes in a life.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Chosen {
    /// A bit for each series.
    pub(crate) series: u32,
    pub(crate) max_days: u32,
    pub(crate) more_limits: bool,
}

/// What a daemon is told.
pub(crate) enum Order {
    /// The clock was set, or the machine slept: its beat would find out.
    Look,
    Reload(Box<Config>, Vec<Series>),
}

/// The limits that are configured.
pub(crate) fn limits(setup: &Setup, more: bool) -> Limits {
    if !setup.tight {
        return Limits { per_minute: 60, per_hour: 1800, backfill_share: 0.5 };
    }
    let most_series = setup.bots.iter().map(|bot| bot.channels * if bot.daily { 2 } else { 1 }).max().unwrap();
    let of_an_hour = u32::try_from(most_series).unwrap() * u32::try_from((60 / setup.period).max(1)).unwrap();
    let times = if more { 2 } else { 1 };
    Limits {
        per_minute: times * (2 + u32::try_from(setup.seed % 4).unwrap()),
        per_hour: times * (2 * of_an_hour).max(8),
        backfill_share: 0.5,
    }
}

impl World {
    /// The configuration, and the series of it.
    pub(crate) fn configure(&mut self, chosen: Chosen) -> (Config, Vec<Series>) {
        let setup = &self.setup;
        let limits = limits(setup, chosen.more_limits);
        let schedule = Schedule {
            cron: Cron::parse(match setup.period {
                15 => "0 */15 * * * *",
                60 => "0 10 * * * *",
                _ => "0 10 */6 * * *",
            })
            .unwrap(),
            run_on_start: true,
            spread: Duration::from_secs(30),
            refresh_days: setup.refresh_days,
            initial_days: setup.initial_days,
            include_open: false,
        };
        let platform = Platform {
            url: "http://platform.invalid".parse().unwrap(),
            api: if setup.v2 {
                kore_trend_exporter::config::Api::V2
            } else {
                kore_trend_exporter::config::Api::V1(kore_trend_exporter::config::Send::Query)
            },
            end_date: if setup.excludes_end { EndDate::Excluded } else { EndDate::Included },
            timeout: platform::TIMEOUT,
            max_days_per_request: chosen.max_days,
            concurrency: setup.concurrency,
            limits,
        };
        let config = Config {
            state_dir: self.state_dir(),
            shutdown_grace: GRACE,
            schedule,
            platform,
            destination: Destination::File("unused".into()),
            admin: None,
            log_level: None,
            bots: self.bots.clone(),
            warnings: Vec::new(),
        };
        let count = self.series.len();
        let is_chosen = |number: usize| chosen.series >> number & 1 == 1 || chosen.series.is_multiple_of(1 << count);
        for (number, known) in self.series.iter_mut().enumerate() {
            known.is_exported = is_chosen(number);
        }
        self.limits.push((crate::time::true_milliseconds(), limits));
        let series = self.series.iter().filter(|known| known.is_exported).map(|known| known.series.clone()).collect();
        (config, series)
    }
}

/// How long a stop lets requests finish.
pub(crate) const GRACE: Duration = Duration::from_secs(20);

fn environment(process: Process, stop: Stop) -> Env {
    let watch = Watch::new(wall_clock());
    let (ask, open): (_, fn(&Destination) -> _) = match process {
        Process::Daemon => (platform::ask_for_daemon as fn(_) -> _, database::open_for_daemon),
        Process::Backfill => (platform::ask_for_backfill as fn(_) -> _, database::open_for_backfill),
    };
    Env {
        clock: wall_clock,
        ask,
        open,
        stop,
        simulated: true,
        dry_run: false,
        console: Console::default(),
        show: Show::Nothing,
        board: Arc::new(Board::new(Arc::clone(&watch.metrics))),
        watch,
        stored: Arc::default(),
    }
}

/// `--backfill`, until it ends.
pub(crate) async fn backfill(
    config: Config,
    series: Vec<Series>,
    range: Range,
    stop: Stop,
) -> Result<Vec<Row>, StateError> {
    let env = environment(Process::Backfill, stop);
    run::backfill(&config, series, range, false, &env).await
}

/// The daemon, until it is told to stop.
pub(crate) async fn daemon(config: Config, series: Vec<Series>, stop: Stop, orders: mpsc::UnboundedReceiver<Order>) {
    let env = environment(Process::Daemon, stop);
    let _lock = run::take_folder(&config.state_dir).unwrap();
    let watermarks = Arc::new(Watermarks::load(&config.state_dir, wall_clock(), true).unwrap());
    lock(&current()).watermarks = Some(Arc::clone(&watermarks));
    let limiter = run::limiter(&config, &env).unwrap();
    let clients = run::clients(&config, Arc::clone(&limiter), Purpose::Live, &env).unwrap();
    let mut daemon = Daemon {
        config: Arc::new(config),
        series: BTreeMap::new(),
        clients,
        env: env.clone(),
        watermarks: Arc::clone(&watermarks),
        timetable: Timetable::default(),
        running: JoinSet::new(),
        busy: BTreeSet::new(),
    };
    daemon.export(series);
    let board = Arc::clone(&env.board);
    watermarks.saved_while(daemon.live(orders, &limiter), |saved| board.state_saved(saved)).await;
    board.state_saved(watermarks.save().await);
}

struct Daemon {
    config: Arc<Config>,
    /// By the bot's name.
    series: BTreeMap<String, Vec<Series>>,
    clients: Arc<Clients>,
    env: Env,
    watermarks: Arc<Watermarks>,
    timetable: Timetable,
    running: JoinSet<(String, Ticked)>,
    /// Bots with a running tick, or one that waits for its delay.
    busy: BTreeSet<String>,
}

impl Daemon {
    async fn live(&mut self, mut orders: mpsc::UnboundedReceiver<Order>, limiter: &Arc<Limiter>) {
        let all: Vec<String> = self.series.keys().cloned().collect();
        all.into_iter().for_each(|bot| self.start(&bot, Duration::ZERO));
        let stop = self.env.stop.clone();
        while !(stop.is_told() && self.running.is_empty()) {
            let next = self.timetable.next().first().map(|next| next.at.duration_since(wall_clock()));
            let wait = next.map_or(Duration::from_secs(86_400), |next| Duration::try_from(next).unwrap_or_default());
            tokio::select! {
                biased;
                () = stop.told(), if !stop.is_told() => {}
                Some(order) = orders.recv() => match order {
                    Order::Look => {}
                    Order::Reload(config, series) => {
                        limiter.set_limits(config.platform.limits);
                        self.clients = run::clients(&config, Arc::clone(limiter), Purpose::Live, &self.env).unwrap();
                        self.config = Arc::new(*config);
                        self.export(series);
                        let unwell: BTreeSet<String> =
                            self.env.board.not_well().into_iter().map(|series| series.bot.name.to_string()).collect();
                        unwell.iter().for_each(|bot| self.start(bot, Duration::ZERO));
                    }
                },
                Some(ended) = self.running.join_next() => {
                    let (bot, _ticked) = ended.unwrap();
                    self.busy.remove(&bot);
                    lock(&current()).note(|| format!("the tick of {bot} has ended"));
                }
                () = tokio::time::sleep(wait), if !stop.is_told() => {}
            }
            if !stop.is_told() {
                self.look();
            }
        }
    }

    /// Begins the ticks that are due.
    fn look(&mut self) {
        for due in self.timetable.due(wall_clock()) {
            for bot in due.bots {
                let first = self.series.get(&bot).and_then(|series| series.first());
                let delay = first.map(|series| due::delay(&series.bot, self.config.schedule.spread));
                self.start(&bot, delay.unwrap_or_default());
            }
        }
    }

    fn export(&mut self, series: Vec<Series>) {
        self.env.board.expect(&series);
        self.series.clear();
        for series in series {
            self.series.entry(series.bot.name.to_string()).or_default().push(series);
        }
        let bots = self.series.values().filter_map(|series| Some(series.first()?.bot.as_ref()));
        self.timetable.set(bots, &self.config.schedule, wall_clock());
    }

    fn start(&mut self, bot: &str, delay: Duration) {
        let Some(series) = self.series.get(bot).cloned() else { return };
        if !self.busy.insert(bot.to_owned()) {
            return;
        }
        let (config, clients) = (Arc::clone(&self.config), Arc::clone(&self.clients));
        let (watermarks, env, bot) = (Arc::clone(&self.watermarks), self.env.clone(), bot.to_owned());
        let tick = lock(&current()).tick_begins(&series, delay);
        drop(tokio::spawn(freshness::look_at(tick.clone())));
        self.running.spawn(async move {
            if env.stop.or(tokio::time::sleep(delay)).await.is_err() {
                return (bot, Ticked { rows: Vec::new(), was_left: false });
            }
            let ticked = run::tick(&config, series, &watermarks, clients, &env).await;
            lock(&current()).check_complete(&tick, &ticked.rows);
            (bot, ticked)
        });
    }
}
