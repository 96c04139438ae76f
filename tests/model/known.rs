//! Lives that once broke a promise, in their shortest form. They are played before any others.

use support::fake_influxdb::Generation;

use crate::history::{BotSetup, History, Loss, Setup, Step};

/// Each with what it showed.
pub(crate) fn lives() -> Vec<(&'static str, History)> {
    vec![("a clock is set and the machine sleeps while a request is under way: an open bucket", open_bucket())]
}

fn open_bucket() -> History {
    History {
        setup: Setup {
            bots: vec![BotSetup { zone: 0, channels: 1, daily: false }],
            beginning: 0,
            minutes_later: 526,
            v2: false,
            period: 15,
            refresh_days: 1,
            initial_days: 0,
            concurrency: 1,
            tight: true,
            checks_tokens: false,
            says_when: true,
            excludes_end: false,
            forgets: false,
            compresses: false,
            insists_on_length: false,
            generation: Generation::New2,
            seed: 2_462_786_149_613_555_879,
        },
        steps: vec![
            Step::Clock { seconds: 1546 },
            Step::Pass { minutes: 8 },
            Step::Kill { events: 28, away: 70, loss: Loss::Nothing },
            Step::Pass { minutes: 25 },
            Step::Disk { works: false },
            Step::Kill { events: 20, away: 125, loss: Loss::Nothing },
            Step::Suspend { minutes: 60 },
        ],
    }
}
