//! The documentation agrees with itself and with the program.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use support::workspace::Workspace;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(page: &Path) -> String {
    std::fs::read_to_string(page).unwrap_or_else(|error| panic!("{}: {error}", page.display()))
}

/// Every page that people read.
fn pages() -> Vec<PathBuf> {
    let top = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md", "grafana/README.md"];
    let guides = root().join("docs").read_dir().unwrap().map(|entry| entry.unwrap().path());
    top.map(|page| root().join(page))
        .into_iter()
        .chain(guides.filter(|path| path.extension() == Some("md".as_ref())))
        .collect()
}

/// The lines of a page outside its code blocks.
fn prose(page: &str) -> impl Iterator<Item = &str> {
    let mut in_code = false;
    page.lines().filter(move |line| {
        let is_fence = line.trim_start().starts_with("```");
        in_code ^= is_fence;
        !in_code && !is_fence
    })
}

/// The anchors of a page's headings, as GitHub makes them.
fn anchors(page: &str) -> BTreeSet<String> {
    let headings = prose(page).filter(|line| line.starts_with('#')).map(|line| line.trim_start_matches('#').trim());
    let kept = |letter: &char| letter.is_alphanumeric() || "-_ ".contains(*letter);
    headings.map(|title| title.to_lowercase().chars().filter(kept).collect::<String>().replace(' ', "-")).collect()
}

#[test]
fn every_link_leads_somewhere() {
    for page in pages() {
        let text = read(&page);
        let all: String = prose(&text).flat_map(|line| [line, "\n"]).collect();
        for link in all.split("](").skip(1).map(|rest| rest.split(')').next().unwrap()) {
            if link.starts_with("http") {
                continue;
            }
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = if file.is_empty() { page.clone() } else { page.parent().unwrap().join(file) };
            assert!(target.exists(), "{}: {link}", page.display());
            assert!(anchor.is_empty() || anchors(&read(&target)).contains(anchor), "{}: {link}", page.display());
        }
    }
}

#[test]
fn the_readme_stays_short_and_its_two_commands_stay_near_the_top() {
    let readme = read(&root().join("README.md"));
    assert!(readme.lines().count() <= 200);
    for command in ["cargo run --release -- --demo --once", "tests/run"] {
        assert!(readme.lines().position(|line| line == command).is_some_and(|line| line < 60), "{command}");
    }
}

#[test]
fn the_readmes_configuration_is_complete() {
    let readme = read(&root().join("README.md"));
    let workspace = Workspace::new();
    let config = readme.split("```toml\n").nth(1).unwrap().split("```").next().unwrap();
    workspace.write("config.toml", config);
    workspace.write("secrets/influxdb-token", "a token\n");
    workspace.write("secrets/support", "a secret that is long enough\n");
    let output = workspace.run(&["-c", "config.toml", "--demo", "--once", "--dry-run"]).expect_code(0);
    assert!(output.stdout.contains("user_engagement_daily,bot=support"), "{output:?}");
}
