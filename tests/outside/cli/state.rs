//! The state folder: what is kept there, what is not believed, and who may read it.

use std::os::unix::fs::PermissionsExt;
use std::sync::{Mutex, mpsc};

use crate::support::fake_influxdb::{FakeInfluxDb, Reply};
use crate::support::platform::SimulatedPlatform;
use crate::support::wait_for;
use crate::support::workspace::{Template, Workspace};

const BOT: &str = "[bots.support]\nid = \"st-1\"\nclient_id = \"cs-1\"\nclient_secret = \"0123456789\"\n";

fn started(bots: &str) -> (SimulatedPlatform, Workspace) {
    let platform = SimulatedPlatform::well(bots);
    let workspace = Workspace::with(&Template { platform_url: platform.url(), bots, ..Template::default() });
    (platform, workspace)
}

#[test]
fn watermarks_that_cannot_be_read_are_set_aside_and_the_run_succeeds() {
    for garbage in [
        "garbage",
        "",
        "[]",
        "{}",
        "{\"version\":1}",
        "{\"version\":0,\"series\":[]}",
        "{\"version\":1,\"series\":[{\"bot\":\"support\"}]}",
        "{\"version\":1,\"series\":[",
    ] {
        let (platform, workspace) = started(BOT);
        workspace.write("state/watermarks.json", garbage);
        let output = workspace.run(&["--once"]).expect_code(0);
        assert!(output.stderr.contains("WARN"), "{}", output.stderr);
        assert!(output.stderr.contains("cannot read the watermarks"), "{}", output.stderr);
        let aside = files_in(&workspace).into_iter().find(|name| name.starts_with("watermarks.json.unreadable-"));
        assert_eq!(workspace.read(&format!("state/{}", aside.expect(garbage))), garbage);
        assert_eq!(platform.asked()[0].window().unwrap().days(), 8, "as on the first day");

        workspace.run(&["--once"]).expect_code(0);
        assert_eq!(platform.asked()[1].window().unwrap().days(), 3, "the new watermarks hold");
    }
}

fn files_in(workspace: &Workspace) -> Vec<String> {
    let entries = std::fs::read_dir(workspace.path("state")).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn watermarks_of_a_newer_release_are_refused_with_78() {
    let (platform, workspace) = started(BOT);
    let newer = "{\"version\":2,\"series\":\"in another shape\"}";
    workspace.write("state/watermarks.json", newer);
    for arguments in [&["--once"][..], &["--once", "--dry-run"]] {
        let output = workspace.run(arguments).expect_code(78);
        assert!(
            output.stderr.contains("watermarks.json has format version 2, but this release supports up to 1"),
            "{}",
            output.stderr
        );
    }
    assert!(platform.asked().is_empty());
    let output = workspace.run(&["--check"]).expect_code(1);
    assert!(
        output.stdout.contains("FAIL  state folder: state/watermarks.json has format version 2"),
        "{}",
        output.stdout
    );
    assert_eq!(workspace.read("state/watermarks.json"), newer);
}

#[test]
fn a_state_folder_that_cannot_be_made_is_told_before_any_request() {
    let (platform, workspace) = started(BOT);
    workspace.write("state", "a file in the way");
    for arguments in [&["--once"][..], &["--backfill", "2026-08-01..2026-08-02"]] {
        let output = workspace.run(arguments).expect_code(1);
        assert!(output.stderr.contains("the state folder state cannot be created"), "{}", output.stderr);
        assert!(output.stderr.contains("set state_dir"), "{}", output.stderr);
    }
    assert!(platform.asked().is_empty() && !workspace.path("engagement.lp").exists());
}

#[test]
fn the_state_is_for_its_owner_only() {
    let platform = SimulatedPlatform::start(BOT, |_, number| (number > 1).then(|| (400, String::new()).into()));
    let workspace = Workspace::with(&Template { platform_url: platform.url(), bots: BOT, ..Template::default() });
    let run = |arguments: &[&str], code| {
        let mut command = workspace.command();
        command.env("KORE_TREND__STATE_DIR", "deep/er/state").args(arguments);
        crate::support::process::Running::start(command).finish().expect_code(code);
    };
    run(&["--once"], 0);
    run(&["--backfill", "2026-08-01..2026-08-02"], 1);
    let mode = |name: &str| std::fs::metadata(workspace.path(name)).unwrap().permissions().mode() & 0o777;
    for folder in ["deep", "deep/er", "deep/er/state"] {
        assert_eq!(mode(folder), 0o700, "{folder}");
    }
    let files = std::fs::read_dir(workspace.path("deep/er/state")).unwrap().map(|entry| entry.unwrap().file_name());
    let files: Vec<String> = files.map(|name| name.into_string().unwrap()).collect();
    for file in ["watermarks.json", "backfill.json", "requests.lock", "lock", "backfill.lock"] {
        assert!(files.iter().any(|name| name == file), "{file}: {files:?}");
    }
    for file in files {
        assert_eq!(mode(&format!("deep/er/state/{file}")), 0o600, "{file}");
    }
}

#[test]
fn a_second_process_on_the_same_state_is_refused_and_a_backfill_is_not() {
    let platform = SimulatedPlatform::well(BOT);
    let (release, released) = mpsc::channel::<()>();
    let released = Mutex::new(released);
    let database = FakeInfluxDb::start(move |_, number| {
        if number == 1 {
            let _released_or_gone = released.lock().unwrap().recv();
        }
        Reply::stored()
    });
    let sink = database.config();
    let workspace =
        Workspace::with(&Template { platform_url: platform.url(), sink: &sink, bots: BOT, ..Template::default() });
    let first = workspace.start(&["--once"]);
    wait_for("the first write", || (!database.requests().is_empty()).then_some(()));

    let second = workspace.run(&["--once"]).expect_code(1);
    let refusal = format!("another exporter (process {}) is using the state folder state", first.id());
    assert!(second.stderr.contains(&refusal), "{}", second.stderr);
    assert_eq!(platform.asked().len(), 1, "the second asked nothing");
    workspace.run(&["--backfill", "2026-08-01..2026-08-02"]).expect_code(0);
    workspace.run(&["--once", "--dry-run"]).expect_code(0);
    release.send(()).unwrap();
    first.finish().expect_code(0);
}

#[test]
fn the_shards_together_export_each_bot_once() {
    let bot = |number| {
        format!(
            "[bots.bot-{number}]\nid = \"st-{number}\"\nclient_id = \"cs-{number}\"\nclient_secret = \"0123456789\"\n"
        )
    };
    let bots: String = (0..8).map(bot).collect();
    let (platform, workspace) = started(&bots);
    let mut shares = Vec::new();
    for shard in ["0/2", "1/2"] {
        platform.forget();
        workspace.run(&["--once", "--dry-run", "--shard", shard]).expect_code(0);
        shares.push(platform.asked().iter().map(|asked| asked.bot_id().to_owned()).collect::<Vec<_>>());
    }
    assert!(shares.iter().all(|share| share.len() >= 2), "{shares:?}");
    let mut all = shares.concat();
    all.sort();
    assert_eq!(all, (0..8).map(|number| format!("st-{number}")).collect::<Vec<_>>());

    platform.forget();
    let mut command = workspace.command();
    command.args(["--once", "--dry-run"]).envs([("JOB_COMPLETION_INDEX", "1"), ("KORE_TREND_SHARDS", "2")]);
    crate::support::process::Running::start(command).finish().expect_code(0);
    let mut of_a_pod: Vec<String> = platform.asked().iter().map(|asked| asked.bot_id().to_owned()).collect();
    let mut of_the_flag = shares.remove(1);
    of_a_pod.sort();
    of_the_flag.sort();
    assert_eq!(of_a_pod, of_the_flag);
}
