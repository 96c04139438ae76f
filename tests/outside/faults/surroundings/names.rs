//! Names of hosts that lead nowhere for a while, and then to another machine.

mod needs_namespaces {
    use std::net::SocketAddrV4;

    use kore_trend_exporter::domain::series::Interval;

    use crate::faults::surroundings::{remember, wait_for_outage, wait_for_recovery};
    use crate::support::daemon::{Daemon, EVERY_SECOND};
    use crate::support::fake_influxdb::FakeInfluxDb;
    use crate::support::name_server::{NameServer, Says};
    use crate::support::namespace::Namespace;
    use crate::support::platform::{SimulatedPlatform, day, held_lines};
    use crate::support::server::Reply;
    use crate::support::workspace::{Template, Workspace, bots};
    use crate::support::{loopback, wait_for};

    /// Every way in which a name may fail.
    const FAILURES: [Says; 3] = [Says::ServerFailure, Says::NoSuchName, Says::Nothing];

    /// What the log says of each of them, between the side that it is about and what to check.
    const WORDS: &str = "failed to lookup address information";

    /// Two machines that have a server on the same port.
    fn machines() -> [SocketAddrV4; 2] {
        let first = loopback::socket();
        [first, SocketAddrV4::new(loopback::address(), first.port())]
    }

    fn leads_to(machine: SocketAddrV4) -> Says {
        Says::Address(*machine.ip())
    }

    /// A daemon that asks the name server of this namespace.
    fn start(workspace: &Workspace, namespace: &Namespace) -> Daemon {
        let mut command = workspace.command();
        command.env("KORE_TREND__ADMIN__LISTEN", "127.0.0.1:0");
        Daemon::launch(namespace.enter(&command))
    }

    #[test]
    #[ignore = "needs the servers that tests/run brings"]
    fn a_platform_whose_name_fails_and_then_leads_elsewhere_is_followed() {
        std::thread::scope(|scope| {
            for says in FAILURES {
                scope.spawn(move || check_platform(says));
            }
        });
    }

    fn check_platform(says: Says) {
        let (bots, machines, workspace) = (bots(["one"], ""), machines(), Workspace::new());
        let platform_at = |machine| SimulatedPlatform::start_on(machine, &bots, |_, _| None);
        let first = platform_at(machines[0]);
        workspace.configure(&Template {
            platform_url: &format!("http://platform.test:{}", machines[0].port()),
            schedule: EVERY_SECOND,
            bots: &bots,
            ..Template::default()
        });
        remember(&workspace, &["one"], day(-20));
        let names = NameServer::start(says);
        let namespace = names.namespace(&workspace);
        let daemon = start(&workspace, &namespace);
        wait_for_outage(&daemon, &["one"], &["cannot reach the platform", WORDS, "platform.url", "DNS"]);
        assert!(names.asked() >= 5 && first.asked().is_empty());
        assert_eq!(workspace.watermark("one"), day(-20).to_string());

        names.say(leads_to(machines[0]));
        wait_for_recovery(&daemon, &["one"], 1);
        let lines = workspace.sorted_lines("engagement.lp");
        assert!(held_lines("one", "all", Interval::Hourly, -19).iter().all(|line| lines.contains(line)));
        wait_for("the watermark", || (workspace.watermark("one") == day(-1).to_string()).then_some(()));

        let second = platform_at(machines[1]);
        names.say(leads_to(machines[1]));
        drop(first);
        wait_for("a request where the name leads now", || (!second.asked().is_empty()).then_some(()));
        daemon.wait_until_ready();
        daemon.end();
    }

    #[test]
    #[ignore = "needs the servers that tests/run brings"]
    fn a_database_whose_name_fails_and_then_leads_elsewhere_is_followed() {
        std::thread::scope(|scope| {
            for says in FAILURES {
                scope.spawn(move || check_database(says));
            }
        });
    }

    /// Figures of yesterday that change with each request, so that there is always something to write.
    fn growing(number: usize) -> Reply {
        let yesterday = day(-1).strftime("%b %d %Y");
        (200, format!("{{\"results\":[{{\"date\":\"{yesterday}\",\"1 - 2\":{number}}}]}}")).into()
    }

    fn check_database(says: Says) {
        let (bots, machines, workspace) = (bots(["one"], ""), machines(), Workspace::new());
        let platform = SimulatedPlatform::start(&bots, |_, number| Some(growing(number)));
        let database_at = |machine| FakeInfluxDb::start_on(machine, |_, _| Reply::stored());
        let first = database_at(machines[0]);
        workspace.configure(&Template {
            platform_url: platform.url(),
            platform: "per_minute = 600",
            schedule: EVERY_SECOND,
            sink: &first.config().replace(&machines[0].ip().to_string(), "database.test"),
            bots: &bots,
            ..Template::default()
        });
        let names = NameServer::start(leads_to(machines[0]));
        let namespace = names.namespace(&workspace);
        let daemon = start(&workspace, &namespace);
        daemon.wait_until_ready();
        assert!(!first.stored().is_empty());

        names.say(says);
        drop(first);
        wait_for_outage(&daemon, &["one"], &["cannot reach the database", WORDS, "influxdb.url", "DNS"]);

        let second = database_at(machines[1]);
        names.say(leads_to(machines[1]));
        wait_for_recovery(&daemon, &["one"], 1);
        assert!(!second.stored().is_empty(), "confirmed by the one where the name leads now");
        daemon.end();
    }

    #[test]
    #[ignore = "needs the servers that tests/run brings"]
    fn a_name_is_followed_although_the_old_address_still_answers() {
        let (bots, machines, workspace) = (bots(["one"], ""), machines(), Workspace::new());
        let platforms =
            machines.map(|machine| SimulatedPlatform::start_on(machine, &bots, |_, number| Some(growing(number))));
        // Beside the platform, on the same port of both machines.
        let port = loopback::port(*machines[0].ip());
        let databases = machines
            .map(|machine| FakeInfluxDb::start_on(SocketAddrV4::new(*machine.ip(), port), |_, _| Reply::stored()));
        workspace.configure(&Template {
            platform_url: &format!("http://platform.test:{}", machines[0].port()),
            // Not so often that its connections are never idle.
            schedule: "cron = \"*/12 * * * * *\"\nspread = \"0s\"",
            sink: &databases[0].config().replace(&machines[0].ip().to_string(), "database.test"),
            bots: &bots,
            ..Template::default()
        });
        let names = NameServer::start(leads_to(machines[0]));
        let namespace = names.namespace(&workspace);
        let daemon = start(&workspace, &namespace);
        daemon.wait_until_ready();
        assert!(!databases[0].stored().is_empty());

        names.say(leads_to(machines[1]));
        wait_for("a write where the name leads now", || (!databases[1].stored().is_empty()).then_some(()));
        assert!(!platforms[1].asked().is_empty());
        daemon.wait_until_ready();
        assert!(daemon.logged("ERROR").is_empty(), "{}", daemon.log());
        daemon.end();
    }
}
