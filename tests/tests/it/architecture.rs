//! Rules of the house that a reader relies on, held by reading the checkout.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use ralex_tests::app::checkout;

/// The floor of every crate under `server/`; arrows point down.
const FLOORS: [(&str, u8); 25] = [
    ("kernel", 0),
    ("store", 1),
    ("mail", 1),
    ("audit", 2),
    ("access", 2),
    ("vault", 3),
    ("identity", 3),
    ("budgets", 3),
    ("providers", 3),
    ("guardrails", 3),
    ("approvals", 3),
    ("usage", 3),
    ("glass", 4),
    ("routing", 4),
    ("rules", 4),
    ("sinks", 4),
    ("scim", 4),
    ("portability", 4),
    ("sso", 4),
    ("broker", 5),
    ("retention", 5),
    ("changes", 5),
    ("monitor", 6),
    ("reports", 6),
    ("ralex", 7),
];

/// Access records what it decides, so within their floor this one arrow stands.
const BESIDE: [(&str, &str); 1] = [("access", "audit")];

fn rust_files() -> Vec<PathBuf> {
    let mut files = Vec::new();
    for folder in ["server", "openapi", "console/src", "tests"] {
        collect(&checkout().join(folder), &mut files);
    }
    assert!(files.len() > 100, "the checkout was not found");
    files
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.map(Result::unwrap) {
        let path = entry.path();
        let name = entry.file_name();
        if path.is_dir() && !["target", "node_modules"].iter().any(|other| name == *other) {
            collect(&path, files);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            files.push(path);
        }
    }
}

/// Fails with every file of which `wrong` says something.
fn every_file(wrong: impl Fn(&Path, &str) -> Option<String>) {
    let found: Vec<String> = rust_files()
        .iter()
        .filter_map(|path| {
            let said = wrong(path, &fs::read_to_string(path).unwrap())?;
            Some(format!("{}: {said}", path.strip_prefix(checkout()).unwrap().display()))
        })
        .collect();
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn arrows_between_crates_point_down() {
    let floors = BTreeMap::from(FLOORS);
    let mut wrong = Vec::new();
    for entry in fs::read_dir(checkout().join("server")).unwrap().map(Result::unwrap) {
        let name = entry.file_name().into_string().unwrap();
        let floor = floors.get(name.as_str());
        let floor = floor.unwrap_or_else(|| panic!("server/{name} stands on no floor"));
        let manifest = fs::read_to_string(entry.path().join("Cargo.toml")).unwrap();
        let manifest: toml::Table = manifest.parse().unwrap();
        let Some(uses) = manifest.get("dependencies").and_then(toml::Value::as_table) else {
            continue;
        };
        for used in uses.keys().filter_map(|used| used.strip_prefix("ralex-")) {
            // The contract belongs to no floor: it holds no rules and reaches for nothing.
            let Some(below) = floors.get(used) else { continue };
            if below >= floor && !BESIDE.contains(&(&name, used)) {
                wrong.push(format!("{name} (floor {floor}) uses {used} (floor {below})"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_contract_uses_no_crate_but_the_kernel() {
    let manifest = fs::read_to_string(checkout().join("openapi/Cargo.toml")).unwrap();
    let manifest: toml::Table = manifest.parse().unwrap();
    let uses = manifest["dependencies"].as_table().unwrap();
    let ours: Vec<_> = uses.keys().filter(|name| name.starts_with("ralex-")).collect();
    assert_eq!(ours, ["ralex-kernel"]);
}

#[test]
fn every_file_begins_by_saying_what_it_is() {
    every_file(|_, text| (!text.starts_with("//! ")).then(|| "opens without `//!`".to_owned()));
}

#[test]
fn no_file_needs_a_table_of_contents() {
    every_file(|_, text| {
        let lines = text.lines().count();
        (lines > 500).then(|| format!("{lines} lines"))
    });
}

#[test]
fn no_file_is_named_for_what_is_left_over() {
    let vague = ["utils", "util", "helpers", "helper", "common", "types", "manager", "misc"];
    every_file(|path, _| {
        let mut parts = path.iter().map(|part| part.to_string_lossy());
        let found = parts.find(|part| vague.contains(&part.trim_end_matches(".rs")));
        found.map(|part| format!("`{part}` says nothing about what is in it"))
    });
}

#[test]
fn nothing_is_left_to_do_in_comments() {
    // Put together here, so that this file does not name them.
    let marks = [["TO", "DO"], ["FIX", "ME"], ["XX", "X"], ["HA", "CK"]].map(|mark| mark.concat());
    every_file(|_, text| {
        let words = |line: &str| -> Vec<String> {
            line.split(|it: char| !it.is_alphanumeric()).map(str::to_owned).collect()
        };
        let line = text.lines().find(|line| words(line).iter().any(|word| marks.contains(word)));
        line.map(|line| format!("`{}`", line.trim()))
    });
}
