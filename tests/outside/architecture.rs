//! The map of the source: which folder may use which, and that no two files use each other in a circle.
//!
//! It reads `use` declarations and paths in the code as text, tests aside. What a folder's `mod.rs` says of the files of
//! its own folder is no use of them: it stands for all of them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Each folder, or file beside the folders, with those that it may use; every one may use the leaves.
const MAP: [(&str, &str); 11] = [
    ("domain", ""),
    ("config", "domain"),
    ("state", "domain"),
    ("limits", "domain config"),
    ("observe", "domain config state limits"),
    ("platform", "domain config state observe limits"),
    ("database", "domain config state observe"),
    ("run", "domain config state observe limits platform database"),
    ("demo", "domain config platform"),
    ("cli startup manual", "domain config state observe demo cli"),
    ("daemon main", "domain config state observe limits platform database run startup cli manual daemon"),
];

/// What uses none of the others.
const LEAVES: [&str; 2] = ["http", "shutdown"];

/// A use of one file by another.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Use {
    from: String,
    to: String,
    line: usize,
}

/// The text of every source file but tests, by its path below `src`.
fn sources() -> BTreeMap<String, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut sources = BTreeMap::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
            if path.is_dir() {
                folders.push(path);
            } else if name.ends_with(".rs") && !name.contains("tests") {
                let text = std::fs::read_to_string(&path).unwrap();
                let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap().to_owned();
                sources.insert(name, code);
            }
        }
    }
    sources
}

/// The path of a file's module, such as `["run", "job"]`.
fn module(file: &str) -> Vec<&str> {
    let path = file.trim_end_matches(".rs");
    path.trim_end_matches("/mod").split('/').filter(|step| *step != "lib" && *step != "main").collect()
}

/// The file in which a path such as `crate::run::job::Clients` leads, seen from a file.
fn file_of(path: &str, from: &str, files: &BTreeMap<Vec<&str>, &str>) -> Option<String> {
    let mut steps = module(from);
    let mut rest: Vec<&str> = path.split("::").map(str::trim).collect();
    match rest.remove(0) {
        "crate" | "kore_trend_exporter" => steps.clear(),
        "super" => {
            steps.pop();
            while rest.first() == Some(&"super") {
                rest.remove(0);
                steps.pop();
            }
        }
        _ => {}
    }
    steps.extend(rest);
    (1..=steps.len()).rev().find_map(|length| files.get(&steps[..length])).map(|file| (*file).to_owned())
}

/// The paths of a `use` with braces, each by itself.
fn flat(tree: &str) -> Vec<String> {
    let Some((prefix, rest)) = tree.split_once('{') else { return vec![tree.trim().to_owned()] };
    let inner = rest.rsplit_once('}').map_or(rest, |(inner, _)| inner);
    let (mut parts, mut depth, mut start) = (Vec::new(), 0, 0);
    for (place, letter) in inner.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&inner[start..place]);
                start = place + 1;
            }
            _ => {}
        }
    }
    parts.push(&inner[start..]);
    let parts = parts.into_iter().filter(|part| !part.trim().is_empty());
    parts.flat_map(|part| flat(&format!("{}{}", prefix.trim(), part.trim()))).collect()
}

/// Every path in the code that begins in this crate, with its line.
fn paths(code: &str) -> Vec<(String, usize)> {
    let code: String = code.lines().map(|line| line.split("//").next().unwrap_or_default().to_owned() + "\n").collect();
    let starts = ["crate::", "super::", "self::", "kore_trend_exporter::"];
    let mut found = Vec::new();
    for start in starts.iter().flat_map(|start| code.match_indices(start)).map(|(place, _)| place) {
        let before = &code[..start];
        if before.ends_with(|letter: char| letter.is_alphanumeric() || letter == '_' || letter == ':') {
            continue;
        }
        let declared = before.rsplit(';').next().is_some_and(|since| since.trim_start().ends_with("use "));
        let is_part = |letter: char| letter.is_alphanumeric() || letter == '_' || letter == ':';
        let end = if declared { code[start..].find(';') } else { code[start..].find(|letter| !is_part(letter)) };
        let path = &code[start..end.map_or(code.len(), |end| start + end)];
        let line = before.matches('\n').count() + 1;
        found.extend(flat(path).into_iter().map(|path| (path, line)));
    }
    found
}

/// Which file uses which.
fn uses() -> BTreeSet<Use> {
    let sources = sources();
    let files: BTreeMap<Vec<&str>, &str> = sources.keys().map(|file| (module(file), file.as_str())).collect();
    let mut uses: BTreeMap<(String, String), usize> = BTreeMap::new();
    for (from, code) in &sources {
        for (path, line) in paths(code) {
            if let Some(to) = file_of(&path, from, &files).filter(|to| to != from) {
                uses.entry((from.clone(), to)).or_insert(line);
            }
        }
    }
    uses.into_iter().map(|((from, to), line)| Use { from, to, line }).collect()
}

/// The folder of a file, or its own name if it stands beside the folders.
fn folder(file: &str) -> &str {
    file.split('/').next().unwrap().trim_end_matches(".rs")
}

#[test]
fn every_folder_uses_only_what_the_map_allows() {
    for Use { from, to, line } in uses() {
        let (user, used) = (folder(&from), folder(&to));
        if user == used || LEAVES.contains(&used) || user == "lib" {
            continue;
        }
        let row = MAP.iter().find(|(folders, _)| folders.split(' ').any(|folder| folder == user));
        let allowed = match row {
            Some((_, allowed)) => allowed,
            None if LEAVES.contains(&user) => "",
            None => panic!("src/{from} is not on the map"),
        };
        assert!(
            allowed.split(' ').any(|folder| folder == used),
            "src/{from}:{line} uses src/{to}: {user} may use {allowed} and {LEAVES:?} only"
        );
    }
}

#[test]
fn no_two_files_use_each_other_in_a_circle() {
    let uses: Vec<Use> = uses().into_iter().filter(|one| !is_own_file(one)).collect();
    for start in &uses {
        // The shortest way back.
        let mut ways: Vec<Vec<&Use>> = vec![vec![start]];
        let mut seen: BTreeSet<&str> = BTreeSet::new();
        while let Some(way) = ways.pop() {
            let at = way[way.len() - 1].to.as_str();
            if at == start.from {
                let way: Vec<String> =
                    way.iter().map(|one| format!("src/{}:{} uses src/{}", one.from, one.line, one.to)).collect();
                panic!("a circle:\n{}", way.join("\n"));
            }
            if seen.insert(at) {
                let next = uses.iter().filter(|one| one.from == at);
                let longer = next.map(|one| way.iter().copied().chain([one]).collect());
                ways.splice(0..0, longer);
            }
        }
    }
}

/// Whether a folder's `mod.rs` uses a file of its folder.
fn is_own_file(one: &Use) -> bool {
    let own = one.from.strip_suffix("mod.rs").map(str::to_owned).unwrap_or(one.from.replace(".rs", "/"));
    one.to.starts_with(&own) || own == "lib/" || own == "main/"
}

#[test]
fn paths_are_read_as_the_compiler_reads_them() {
    let code = "use crate::a::{b::{self, C}, d};\npub use super::e;\nfn f() { crate::g::h(self::i::J) } // crate::no\n";
    let mut found = paths(code);
    found.sort();
    let expected = [
        ("crate::a::b::C", 1),
        ("crate::a::b::self", 1),
        ("crate::a::d", 1),
        ("crate::g::h", 3),
        ("self::i::J", 3),
        ("super::e", 2),
    ];
    assert_eq!(found, expected.map(|(path, line)| (path.to_owned(), line)));
}
