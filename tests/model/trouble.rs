//! What goes wrong in a life: either side, the disk, the clock, and what a machine loses.

use crate::history::{Loss, Step, Trouble};
use crate::life::{Life, Running};
use crate::process::Order;
use crate::time;
use crate::world::{World, lock};

impl Life {
    pub(crate) fn set_clock(&self, seconds: i64, running: &Running) {
        let mut world = lock(&self.world);
        if seconds != time::ahead() {
            world.clock_set = time::true_milliseconds();
            if world.backfill_ended == i64::MAX {
                world.may_misdate_requests();
            }
        }
        time::set_ahead(seconds);
        world.set_healthy(|_| false);
        drop(running.orders.send(Order::Look));
    }

    /// From now on one side fails so.
    pub(crate) fn trouble(&self, step: &Step) {
        match *step {
            Step::Platform { series, trouble, chance } => self.trouble_platform(series, trouble, chance),
            Step::Database { trouble, chance } => {
                let mut world = lock(&self.world);
                world.database = (trouble, chance);
                world.set_healthy(|_| false);
            }
            Step::Others { bot, requests } => {
                let mut world = lock(&self.world);
                let World { desk, bots, .. } = &mut *world;
                let bot = bot % bots.len();
                let seconds = if requests > 100 { 3600 } else { 60 };
                desk.crowd(&bots[bot].id, requests, seconds, time::true_milliseconds());
                world.is_denied(bot);
            }
            Step::Deny { bot, minutes, says_when } => {
                let mut world = lock(&self.world);
                let World { desk, bots, .. } = &mut *world;
                let bot = bot % bots.len();
                desk.deny(&bots[bot].id, 60 * minutes, says_when, time::true_milliseconds());
                world.is_denied(bot);
            }
            _ => {}
        }
    }

    pub(crate) fn trouble_platform(&self, series: Option<usize>, trouble: Trouble, chance: u32) {
        let mut world = lock(&self.world);
        let count = world.series.len();
        let chosen = |number: usize| series.is_none_or(|series| series % count == number);
        for (_, known) in world.series.iter_mut().enumerate().filter(|(number, _)| chosen(*number)) {
            (known.trouble, known.chance) = (trouble, chance);
        }
        world.set_healthy(|number| !chosen(number));
    }

    /// A folder that is not there cannot be written.
    pub(crate) fn set_disk(&self, works: bool) {
        let state = lock(&self.world).state_dir();
        let away = state.with_extension("away");
        match works {
            true if away.exists() => std::fs::rename(away, state).unwrap(),
            false if state.exists() => std::fs::rename(state, away).unwrap(),
            _ => {}
        }
    }

    pub(crate) fn lose(&self, loss: Loss) {
        self.set_disk(true);
        let mut world = lock(&self.world);
        let state = world.state_dir();
        match loss {
            Loss::Nothing => {}
            Loss::Ledger => {
                for entry in std::fs::read_dir(&state).into_iter().flatten().flatten() {
                    if entry.file_name().to_string_lossy().starts_with("requests.") {
                        std::fs::remove_file(entry.path()).unwrap();
                    }
                }
                world.arrivals.clear();
                world.desk.forget();
            }
            Loss::Watermarks | Loss::Garbled => {
                let file = state.join("watermarks.json");
                if loss == Loss::Garbled {
                    std::fs::write(file, "{\"version\":1,\"series\":[{").unwrap();
                } else {
                    let _none = std::fs::remove_file(file);
                }
                // It costs one poll of the initial days; what was owed before them is told to the person on call.
                world.series.iter_mut().for_each(|known| known.owed = None);
            }
        }
    }
}
