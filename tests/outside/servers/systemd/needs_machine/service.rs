//! A machine in which the program is installed as the documentation says, between a simulated platform and a real database.

use std::net::TcpListener;

use kore_trend_exporter::domain::series::{Interval, Window};

use crate::servers::systemd::{UNITS, text};
use crate::support::http::{Answer, send};
use crate::support::influxdb::Database;
use crate::support::machine::Machine;
use crate::support::platform::{SimulatedPlatform, day, held};
use crate::support::wait_for;

/// The unit of the daemon.
pub(super) const DAEMON: &str = "kore-trend-exporter.service";
/// The unit of a single run.
pub(super) const ONCE: &str = "kore-trend-exporter-once.service";

/// The configured bot with its secret, as the platform knows it.
pub(super) const BOT: &str = "[bots.support]\nid = \"st-support\"\nclient_id = \"cs-support\"\n\
    client_secret = \"the secret of support, long enough\"\n";
pub(super) const CLIENT_SECRET: &str = "the secret of support, long enough";

/// The folder whose files the units pass on as credentials.
pub(super) const SECRETS: &str = "/etc/kore-trend-exporter/credentials";

/// The machine and both ends.
pub(super) struct Service {
    pub(super) platform: SimulatedPlatform,
    pub(super) database: Database,
    pub(super) machine: Machine,
    /// Where the daemon's HTTP endpoint is.
    pub(super) admin: String,
}

impl Service {
    /// Everything is in its place, and nothing runs.
    pub(super) fn installed(platform: SimulatedPlatform) -> Service {
        let admin = free_address();
        let service = Service { platform, database: Database::fresh(None), machine: Machine::boot(), admin };
        let machine = &service.machine;
        let program = std::fs::read(env!("CARGO_BIN_EXE_kore-trend-exporter")).unwrap();
        machine.install("/usr/local/bin/kore-trend-exporter", "755", program);
        for unit in UNITS {
            machine.install(&format!("/etc/systemd/system/{unit}"), "644", text(unit));
        }
        machine.sh(&format!("install -d -m 700 {SECRETS}"));
        machine.install(&format!("{SECRETS}/influxdb.token"), "600", format!("{}\n", service.database.token));
        machine.install(&format!("{SECRETS}/support.client_secret"), "600", format!("{CLIENT_SECRET}\n"));
        service.configure("channels = [\"all\"]");
        // A test does not wait for half a minute.
        service.drop_in(DAEMON, "RestartSec=100ms");
        service
    }

    /// The same, with the daemon running.
    pub(super) fn started() -> Service {
        let service = Service::installed(SimulatedPlatform::well(BOT));
        service.machine.sh(&format!("systemctl start {DAEMON}"));
        service
    }

    /// Writes the configuration, with these lines at the end of its only bot. A tick begins every second.
    pub(super) fn configure(&self, lines: &str) {
        let Service { platform, database, admin, .. } = self;
        let (platform_url, Database { url, org, bucket, .. }) = (platform.url(), database);
        let config = format!(
            "[schedule]\ncron = \"* * * * * *\"\nspread = \"0s\"\ninitial_days = 2\n\
             [platform]\nurl = \"{platform_url}\"\nper_minute = 6000\nper_hour = 60000\n\
             [influxdb]\nurl = \"{url}\"\norg = \"{org}\"\nbucket = \"{bucket}\"\n\
             [admin]\nlisten = \"{admin}\"\n\
             [bots.support]\nid = \"st-support\"\nclient_id = \"cs-support\"\n{lines}\n"
        );
        self.machine.install("/etc/kore-trend-exporter/config.toml", "644", config);
    }

    /// Adds lines to the section `[Service]` of a unit, as `systemctl edit` does.
    pub(super) fn drop_in(&self, unit: &str, lines: &str) {
        let path = format!("/etc/systemd/system/{unit}.d/override.conf");
        self.machine.install(&path, "644", format!("[Service]\n{lines}\n"));
        self.machine.sh("systemctl daemon-reload");
    }

    /// Asks the daemon's HTTP endpoint, which must answer.
    #[track_caller]
    pub(super) fn get(&self, path: &str) -> Answer {
        send(|client| client.get(format!("http://{}{path}", self.admin)))
    }

    /// Waits until the daemon's metrics hold this line.
    #[track_caller]
    pub(super) fn wait_for_metric(&self, line: &str) {
        wait_for(line, || self.get("/metrics").success().lines().any(|found| found == line).then_some(()));
    }

    /// Waits until all that the platform has for a channel, of yesterday and the day before, is in the database.
    #[track_caller]
    pub(super) fn wait_for_points(&self, channel: &str) {
        let expected = held("st-support", channel, Interval::Hourly, Window { first: day(-2), last: day(-1) });
        assert_eq!(expected.len(), 48);
        wait_for(&format!("all points of the channel {channel}"), || {
            let stored = self.database.points();
            let of_channel = stored.iter().filter(|(_, tags, ..)| tags["channel"] == channel);
            let of_channel: Vec<(i64, i64)> = of_channel.map(|(.., time, users)| (*time, *users)).collect();
            expected.iter().all(|point| of_channel.contains(point)).then_some(())
        });
    }
}

/// Where nobody listens. The network is shared, so the usual port may be taken; and ports that the kernel hands out may
/// be, by the time that the daemon listens.
fn free_address() -> String {
    let ports = std::iter::repeat_with(|| 20_000 + uuid::Uuid::new_v4().as_u128() as u16 % 12_000);
    let mut addresses = ports.map(|port| format!("127.0.0.1:{port}"));
    addresses.find(|address| TcpListener::bind(address).is_ok()).unwrap()
}
