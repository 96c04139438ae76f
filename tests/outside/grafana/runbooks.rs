//! What alerts and dashboards name as the text that says what to do: that it is there, and that the README's command makes
//! addresses of all of it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::process::Running;
use crate::support::workspace::Workspace;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The rules and the dashboards, below the repository's root.
fn files() -> Vec<PathBuf> {
    let mut files = vec![PathBuf::from("grafana/alerts/prometheus-rules.yml")];
    for folder in ["grafana/provisioning/alerting", "grafana/dashboards"] {
        let entries = std::fs::read_dir(root().join(folder)).unwrap();
        files.extend(entries.map(|entry| Path::new(folder).join(entry.unwrap().file_name())));
    }
    files
}

/// What stands between quotes and begins like this.
fn quoted<'a>(text: &'a str, beginning: &str) -> Vec<&'a str> {
    text.split('"').filter(|part| part.starts_with(beginning)).collect()
}

/// The anchors of a page's headings.
fn anchors(page: &str) -> BTreeSet<String> {
    let kept = |letter: &char| letter.is_alphanumeric() || "-_ ".contains(*letter);
    let headings =
        page.lines().filter_map(|line| line.strip_prefix('#')).map(|line| line.trim_start_matches('#').trim());
    headings.map(|title| title.to_lowercase().chars().filter(kept).collect::<String>().replace(' ', "-")).collect()
}

#[test]
fn every_text_that_is_named_is_there() {
    let mut found = 0;
    for file in files() {
        for text in quoted(&read(&root().join(&file)), "docs/") {
            let (page, anchor) = text.split_once('#').unwrap_or_else(|| panic!("{}: {text}", file.display()));
            assert!(anchors(&read(&root().join(page))).contains(anchor), "{}: {text}", file.display());
            found += 1;
        }
    }
    assert!(found > 17, "{found}");
}

#[test]
fn the_readmes_command_makes_addresses_of_all_texts() {
    let readme = read(&root().join("grafana/README.md"));
    let command = readme.lines().find(|line| line.starts_with("sed ")).unwrap();
    let folder = Workspace::new();
    for file in files() {
        folder.write(file.to_str().unwrap(), &read(&root().join(&file)));
    }
    let mut shell = Command::new("sh");
    shell.current_dir(folder.path("")).args(["-c", command]);
    Running::start(shell).finish().expect_code(0);
    let address = "https://wiki.example.com/kore-trend-exporter/";
    for file in files() {
        let (before, after) = (read(&root().join(&file)), folder.read(file.to_str().unwrap()));
        assert!(before.replace("\"docs/", &format!("\"{address}docs/")) == after, "{}", file.display());
        assert_eq!(quoted(&before, "docs/").len(), quoted(&after, address).len(), "{}", file.display());
    }
}
