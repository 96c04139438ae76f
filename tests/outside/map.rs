//! The folders of `src` import one another as the table in docs/architecture.md says, and no other way.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// What is still to be cut, each file with the folder that it imports. Nothing may be added here.
const STILL: [(&str, &str); 3] = [
    ("domain/flatten.rs", "platform"),
    ("observe/endpoint/mod.rs", "platform"),
    ("observe/status/board.rs", "platform"),
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The names in backquotes, without the ending that tells a folder from a file.
fn names(cell: &str) -> impl Iterator<Item = String> {
    cell.split('`').skip(1).step_by(2).map(|name| name.trim_end_matches(".rs").trim_end_matches('/').to_owned())
}

/// Each folder with those that it may import.
fn table() -> BTreeMap<String, BTreeSet<String>> {
    let page = fs::read_to_string(root().join("docs/architecture.md")).unwrap();
    let map = page.split("## The map").nth(1).unwrap().split("\n## ").next().unwrap();
    let rows = map.lines().filter(|line| line.starts_with("| `")).map(|line| line.split('|').collect::<Vec<_>>());
    rows.flat_map(|cells| names(cells[1]).map(move |folder| (folder, names(cells[3]).collect()))).collect()
}

/// The source files below a folder but those of tests.
fn sources(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        let name = path.strip_prefix(root().join("src")).unwrap().to_str().unwrap().to_owned();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if name.ends_with(".rs") && !name.contains("tests") {
            found.push(name);
        }
    }
    found
}

#[test]
fn folders_import_what_the_map_allows() {
    let (table, mut wrong) = (table(), Vec::new());
    for file in sources(&root().join("src")) {
        let folder = file.split(['/', '.']).next().unwrap();
        // These three put everything together.
        if ["main", "lib", "startup"].contains(&folder) {
            continue;
        }
        let Some(allowed) = table.get(folder) else { panic!("docs/architecture.md does not know {folder}") };
        let text = fs::read_to_string(root().join("src").join(&file)).unwrap();
        let code = text.split("#[cfg(test)]").next().unwrap();
        for (number, line) in code.lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with("//")) {
            for imported in line
                .split("crate::")
                .skip(1)
                .map(|rest| rest.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap())
            {
                let is_folder = table.contains_key(imported) && imported != folder;
                if is_folder && !allowed.contains(imported) && !STILL.contains(&(file.as_str(), imported)) {
                    wrong.push(format!("src/{file}:{}: {folder} may not import {imported}", number + 1));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
