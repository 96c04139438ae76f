//! What an end with 0 promises, after a power cut; one fact at a time.

mod needs_power_cut {
    use std::process::Command;

    use super::super::disk::Disk;
    use crate::support::platform::SimulatedPlatform;
    use crate::support::process::Running;
    use crate::support::workspace::{Template, Workspace, bots};

    /// The program with its state on the disk.
    fn command(workspace: &Workspace, disk: &Disk, arguments: &[&str]) -> Command {
        let mut command = workspace.command();
        command.env("KORE_TREND__STATE_DIR", disk.path().join("deep/er/state")).args(arguments);
        command
    }

    fn run(workspace: &Workspace, disk: &Disk, arguments: &[&str]) {
        Running::start(command(workspace, disk, arguments)).finish().expect_code(0);
    }

    fn cut(disk: &mut Disk) {
        let image = disk.image();
        disk.boot(&image);
    }

    #[test]
    #[ignore = "needs the servers that tests/run brings"]
    fn what_was_not_synced_is_forgotten_and_what_was_is_not() {
        let mut disk = Disk::new();
        let [synced, other] = ["synced", "other"].map(|name| disk.path().join(name));
        std::fs::write(&synced, "kept").unwrap();
        std::fs::File::open(&synced).unwrap().sync_all().unwrap();
        std::fs::write(&other, "lost").unwrap();
        cut(&mut disk);
        assert_eq!(std::fs::read_to_string(&synced).unwrap(), "kept");
        assert!(!other.exists());
    }

    #[test]
    #[ignore = "needs the servers that tests/run brings"]
    fn watermarks_of_a_run_that_ended_well_are_there() {
        let bots = bots(["support"], "");
        let platform = SimulatedPlatform::well(&bots);
        let workspace = Workspace::with(&Template { platform_url: platform.url(), bots: &bots, ..Template::default() });
        let mut disk = Disk::new();
        for days in [8, 3, 3] {
            platform.forget();
            run(&workspace, &disk, &["--once"]);
            assert_eq!(platform.asked()[0].window().unwrap().days(), days);
            cut(&mut disk);
        }
    }

    #[test]
    #[ignore = "needs the servers that tests/run brings"]
    fn a_backfill_that_was_done_is_not_back() {
        let bots = bots(["support"], "");
        let platform = SimulatedPlatform::well(&bots);
        let workspace = Workspace::with(&Template { platform_url: platform.url(), bots: &bots, ..Template::default() });
        let mut disk = Disk::new();
        for range in ["2026-08-01..2026-08-04", "2026-07-01..2026-07-04"] {
            run(&workspace, &disk, &["--backfill", range]);
            cut(&mut disk);
            assert!(!disk.path().join("deep/er/state/backfill.json").exists());
        }
    }
}
