//! A simulated platform: what `--demo` asks in the place of the real one, and what the tests from outside talk to.
//!
//! It listens on a loopback port of this process, accepts the configured bots' own credentials and answers as the
//! platform's documentation says. Its figures come from a [model](figures) that remembers nothing: the same bucket is
//! the same figure in every run, so a dashboard can be tried, and a test can say what it expects.

mod answers;
pub mod figures;
mod gate;
mod platform;
mod question;
pub mod tokens;

pub use self::platform::Platform;

/// Which of the real platform's habits the simulated one has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Behaviour {
    /// A few buckets are never sent by v1; v2, which always sends all, has a zero there.
    pub holes: bool,
    /// Buckets that ended less than 24 hours ago are still growing.
    pub revisions: bool,
    /// Now and then an answer is a 429 or a 503.
    pub faults: bool,
}

impl Behaviour {
    /// Every habit, as a demonstration wants it.
    pub const LIVELY: Behaviour = Behaviour { holes: true, revisions: true, faults: true };
    /// No habit: the final figures, always and at once.
    pub const STEADY: Behaviour = Behaviour { holes: false, revisions: false, faults: false };
}

/// The configuration of `--demo` where none is named: two bots, and a file for their points.
pub const CONFIG: &str = r#"
state_dir = "demo"

[schedule]
cron = "0 * * * * *"
spread = "0s"
initial_days = 14

[file]
path = "demo/engagement.lp"

[bots.support]
id = "st-de300001-5a1e-4b07-8c0d-000000000001"
client_id = "cs-de300001-5a1e-4b07-8c0d-000000000002"
client_secret = "not-a-secret-the-demo-support-bot"
time_zone = "UTC"
channels = ["all", "rtm", "msteams"]
intervals = ["hourly", "daily"]
tags = { team = "care" }

[bots.sales]
id = "st-de300002-5a1e-4b07-8c0d-000000000005"
client_id = "cs-de300002-5a1e-4b07-8c0d-000000000004"
client_secret = "not-a-secret-the-demo-sales-bot"
time_zone = "Europe/Berlin"
channels = ["all", "wfacebook", "ivr"]
intervals = ["hourly", "daily"]
tags = { team = "sales" }
"#;

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;
    use crate::config::{Environment, Source, load};
    use crate::domain::series::{ALL_CHANNELS, day_after};

    #[test]
    fn the_configuration_loads_without_a_warning() {
        let config = load(&Source::BuiltIn("the demo's configuration", CONFIG), &Environment::default()).unwrap();
        assert_eq!(config.bots.iter().map(|bot| &*bot.name).collect::<Vec<_>>(), ["sales", "support"]);
        assert!(config.warnings.is_empty(), "{:?}", config.warnings);
    }

    #[test]
    fn the_channels_of_its_bots_account_for_all_users() {
        let config = load(&Source::BuiltIn("the demo's configuration", CONFIG), &Environment::default()).unwrap();
        for bot in &config.bots {
            for day in (0..400).map(|days| day_after(date(2026, 1, 1), days)) {
                let users = |channel: &str| figures::daily(&bot.id, channel, day, false).unwrap();
                let (all, named): (Vec<&str>, Vec<&str>) =
                    bot.channels.iter().map(AsRef::as_ref).partition(|channel| *channel == ALL_CHANNELS);
                let sum: i64 = named.into_iter().map(users).sum();
                assert!(users(all[0]) <= sum, "{} {day}: {} > {sum}", bot.name, users(all[0]));
            }
        }
    }
}
