//! What the benchmarks stand on: both ends in this process, and a configuration that leads to them.

use std::fmt::Write;
use std::path::Path;
use std::time::Duration;

use super::fake_influxdb::FakeInfluxDb;
use super::platform::{Options, SimulatedPlatform};

/// Which bots there are, and how the platform is.
pub struct Setting<'a> {
    pub bots: usize,
    pub channels: &'a [&'a str],
    /// Until the platform answers.
    pub latency: Duration,
    /// Whether the platform speaks TLS, with a certificate next to the configuration.
    pub tls: bool,
    /// The configuration besides what leads to both ends and the bots.
    pub lines: &'a str,
}

/// Both ends.
pub struct Services {
    pub platform: SimulatedPlatform,
    /// Takes everything and keeps nothing.
    pub database: FakeInfluxDb,
}

impl Services {
    /// Starts them and writes the configuration that leads to them.
    pub fn start(folder: &Path, setting: &Setting) -> Services {
        let bots = bots(setting);
        let options = Options::new(&bots).latency(setting.latency);
        let platform = if setting.tls { options.tls(folder) } else { options }.start();
        let database = FakeInfluxDb::counting();
        // Limits that leave the pace to both ends.
        let text = format!(
            "{}\n[platform]\nurl = \"{}\"\nper_minute = 100000\nper_hour = 1000000\n{}{bots}",
            setting.lines,
            platform.url(),
            database.config(),
        );
        std::fs::write(folder.join("config.toml"), text).unwrap();
        Services { platform, database }
    }
}

fn bots(setting: &Setting) -> String {
    let mut text = String::new();
    for bot in 0..setting.bots {
        writeln!(
            text,
            "[bots.bot-{bot:04}]\nid = \"st-00000000-0000-4000-8000-{bot:012}\"\n\
             client_id = \"cs-00000000-0000-4000-8000-{bot:012}\"\nclient_secret = \"a secret of thirty-two octets {bot}\"\nchannels = {:?}",
            setting.channels
        )
        .unwrap();
    }
    text
}
