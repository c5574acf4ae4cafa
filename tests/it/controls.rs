//! `docs/controls.md` names only what there is: each control, file, key and test.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: impl AsRef<Path>) -> String {
    std::fs::read_to_string(root().join(path)).expect("a file of the repository")
}

/// The text of every source file below a folder.
fn sources(dir: &Path, into: &mut String) {
    for entry in std::fs::read_dir(dir).expect("a folder").flatten() {
        let path = entry.path();
        let is_code = path.extension().is_some_and(|it| it == "rs" || it == "mjs");
        if path.is_dir() && !path.ends_with("node_modules") {
            sources(&path, into);
        } else if is_code {
            into.push_str(&std::fs::read_to_string(&path).expect("text"));
        }
    }
}

/// The rows of the tables: number, and the cells after it.
fn rows(text: &str) -> Vec<(String, Vec<String>)> {
    let rows = text.lines().filter_map(|line| {
        let mut cells = line.strip_prefix("| ")?.split(" | ").map(str::to_owned);
        let number = cells.next()?;
        let rest = number.get(1..)?;
        let is_control = !rest.is_empty() && rest.bytes().all(|it| it.is_ascii_digit());
        is_control.then(|| (number, cells.collect()))
    });
    rows.collect()
}

/// What stands between backticks.
fn named(cell: &str) -> impl Iterator<Item = &str> {
    cell.split('`').skip(1).step_by(2)
}

#[test]
fn every_control_has_its_row() {
    let text = read("docs/controls.md");
    let found: BTreeSet<String> = rows(&text).into_iter().map(|(number, _)| number).collect();
    let wanted = [("I", 12), ("B", 7), ("M", 5), ("W", 5), ("S", 8)];
    let wanted = wanted
        .iter()
        .flat_map(|(family, count)| (1..=*count).map(move |n| format!("{family}{n}")));
    assert_eq!(found, wanted.collect());
}

#[test]
fn what_controls_name_exists() {
    let text = read("docs/controls.md");
    let keys = read("docs/configuration.md").replace("[]", "");
    let mut code = String::new();
    for dir in ["src", "tests"] {
        sources(&root().join(dir), &mut code);
    }
    let mut missing = Vec::new();
    for (number, cells) in rows(&text) {
        let [_, files, settings, tests, _] = cells.as_slice() else {
            panic!("{number} has not the cells that its table has");
        };
        assert!(named(tests).next().is_some(), "{number} names a test");
        for file in named(files).filter(|it| !root().join(it).is_file()) {
            missing.push(format!("{number}: file {file}"));
        }
        for key in named(settings) {
            if !keys.contains(&format!("`{key}`")) && !keys.contains(&format!("[{key}]")) {
                missing.push(format!("{number}: key {key}"));
            }
        }
        for test in named(tests) {
            let rust = code.contains(&format!("fn {test}("));
            if !rust && !code.contains(&format!("'{test}'")) {
                missing.push(format!("{number}: test {test}"));
            }
        }
    }
    assert_eq!(missing, Vec::<String>::new());
}
