//! The house rules: how long files and functions may be, what a file begins with, which layer may see which,
//! and where a panic may stand.

use std::fs;
use std::path::{Path, PathBuf};

const FILE_LINES: usize = 500;
const FUNCTION_LINES: usize = 70;

/// The layers, and what each may import besides itself and `model`.
const LAYERS: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("config", &[]),
    ("policy", &[]),
    ("store", &[]),
    ("audit", &[]),
    ("telemetry", &[]),
    (
        "proxy",
        &["config", "policy", "store", "audit", "telemetry"],
    ),
    (
        "control",
        &["config", "policy", "store", "audit", "telemetry"],
    ),
    ("app", EVERYTHING),
    ("cli", EVERYTHING),
];

const EVERYTHING: &[&str] = &[
    "app",
    "audit",
    "cli",
    "config",
    "control",
    "policy",
    "proxy",
    "store",
    "telemetry",
];

/// Where a panic may stand outside tests: file, words on the line, and why it cannot happen or must.
const PANICS: &[(&str, &str, &str)] = &[];

/// A file of the repository, without the tests at its end.
struct Source {
    /// From the root of the repository, with `/`.
    name: String,
    lines: Vec<String>,
    /// How many of the lines are before the tests.
    product: usize,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn rust_files(dir: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            rust_files(&path, into);
        } else if path.extension().is_some_and(|ext| ext == "rs") {
            into.push(path);
        }
    }
}

fn sources(dirs: &[&str]) -> Vec<Source> {
    let mut files = Vec::new();
    for dir in dirs {
        rust_files(&root().join(dir), &mut files);
    }
    files.sort();
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).expect("a source file is text");
        let lines: Vec<String> = text.lines().map(str::to_owned).collect();
        let name = path.strip_prefix(root()).expect("it is under the root");
        let name = name.display().to_string();
        let product = product_lines(&lines);
        Source {
            name,
            lines,
            product,
        }
    };
    let mut all: Vec<Source> = files.into_iter().map(read).collect();
    let tests: Vec<String> = all.iter().flat_map(test_modules).collect();
    for source in &mut all {
        let module = source.name.trim_end_matches(".rs").trim_end_matches("/mod");
        let is_test = |test: &String| Path::new(module).starts_with(test);
        if tests.iter().any(is_test) {
            source.product = 0;
        }
    }
    all
}

/// The modules (`src/policy/tests`) that a file has under `#[cfg(test)]` in files of their own.
fn test_modules(file: &Source) -> Vec<String> {
    let module = file.name.trim_end_matches(".rs");
    let dir = module.trim_end_matches("/mod").trim_end_matches("/lib");
    let is_test = |n: &usize| {
        file.lines
            .get(*n)
            .is_some_and(|line| line.trim() == "#[cfg(test)]")
    };
    let tests = (0..file.lines.len()).filter(is_test);
    let names = tests.filter_map(|n| {
        let following = file.lines.get(n + 1..)?;
        let is_attribute = |line: &&String| line.trim_start().starts_with("#[");
        let next = following.iter().find(|line| !is_attribute(line))?;
        let name = next.trim().strip_suffix(';')?.rsplit_once("mod ")?.1;
        let mut attributes = following.iter().take_while(is_attribute);
        let path = attributes.find_map(|line| line.split_once("#[path = \""));
        let Some((_, path)) = path else {
            return Some(format!("{dir}/{name}"));
        };
        let beside = Path::new(&file.name).parent()?.display();
        Some(format!(
            "{beside}/{}",
            path.trim_end_matches("\"]").trim_end_matches(".rs")
        ))
    });
    names.collect()
}

/// Tests stand last in a file, under `#[cfg(test)]`.
fn product_lines(lines: &[String]) -> usize {
    let at_tests = |n: usize| {
        let following = lines.get(n + 1..).unwrap_or_default();
        let next = following
            .iter()
            .find(|line| !line.trim_start().starts_with("#["));
        lines.get(n).is_some_and(|line| line == "#[cfg(test)]")
            && next.is_some_and(|line| line.contains("mod ") && line.ends_with('{'))
    };
    (0..lines.len())
        .find(|n| at_tests(*n))
        .unwrap_or(lines.len())
}

#[track_caller]
fn nothing(complaints: &[String]) {
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

#[test]
fn files_are_short() {
    let long = sources(&["src", "tests", "examples", "benches", "fuzz"]);
    let long = long.iter().filter(|file| file.lines.len() > FILE_LINES);
    let long = long.map(|file| {
        format!(
            "{}: {} lines, {FILE_LINES} allowed: split it by idea",
            file.name,
            file.lines.len()
        )
    });
    nothing(&long.collect::<Vec<_>>());
}

#[test]
fn files_say_what_they_are_for() {
    let silent = sources(&["src", "tests", "examples", "benches"]);
    let silent = silent.iter().filter(|file| {
        file.lines
            .first()
            .is_none_or(|line| !line.starts_with("//! "))
    });
    let silent = silent.map(|file| format!("{}: begin it with a `//!` line", file.name));
    nothing(&silent.collect::<Vec<_>>());
}

#[test]
fn functions_are_short() {
    let mut long = Vec::new();
    for file in sources(&["src", "tests", "examples", "benches"]) {
        for (start, length) in functions(&file.lines) {
            if length > FUNCTION_LINES {
                let place = format!("{}:{}", file.name, start + 1);
                long.push(format!(
                    "{place}: a function of {length} lines, {FUNCTION_LINES} allowed"
                ));
            }
        }
    }
    nothing(&long);
}

/// First line (from 0) and length of each function. Relies on rustfmt: a body ends at a brace in the column
/// of its `fn`.
fn functions(lines: &[String]) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    for (n, line) in lines.iter().enumerate() {
        let code = line.trim_start();
        let indent = line.len() - code.len();
        let head = code.split('(').next().unwrap_or("");
        let is_fn = head.split_whitespace().any(|word| word == "fn")
            && !code.starts_with("//")
            && !head.contains(['"', '=', '.']);
        if !is_fn || code.ends_with(';') || code.ends_with('}') {
            continue;
        }
        let end = format!("{}}}", " ".repeat(indent));
        // A signature without a body closes its parenthesis with a semicolon in the same column.
        let bodiless = format!("{})", " ".repeat(indent));
        let rest = lines.iter().enumerate().skip(n + 1);
        let mut rest = rest.take_while(|(_, l)| !(l.starts_with(&bodiless) && l.ends_with(';')));
        let close = rest.find(|(_, l)| l.starts_with(&end));
        if let Some((last, _)) = close {
            found.push((n, last - n + 1));
        }
    }
    found
}

#[test]
fn layers_see_only_what_is_below_them() {
    let mut wrong = Vec::new();
    for file in sources(&["src"]) {
        let Some(layer) = layer_of(&file.name) else {
            continue;
        };
        let Some((_, below)) = LAYERS.iter().find(|(name, _)| *name == layer) else {
            wrong.push(format!(
                "{}: {layer:?} is no layer: add it to LAYERS",
                file.name
            ));
            continue;
        };
        let text = file.lines.iter().take(file.product).map(String::as_str);
        for (line, seen) in imports(text) {
            let allowed = seen == layer || seen == "model" || below.contains(&seen.as_str());
            if !allowed {
                let place = format!("{}:{line}", file.name);
                wrong.push(format!("{place}: `{layer}` may not see `crate::{seen}`"));
            }
        }
    }
    nothing(&wrong);
}

/// `proxy` of `src/proxy/x.rs` and `app` of `src/app.rs`; none for the crate's own roots.
fn layer_of(name: &str) -> Option<&str> {
    let inner = name.strip_prefix("src/")?;
    let layer = inner.split(['/', '.']).next()?;
    (!matches!(inner, "lib.rs" | "main.rs")).then_some(layer)
}

/// The line (from 1) and top-level module of each `crate::…` path, `use crate::{a, b::c}` included.
fn imports<'a>(lines: impl Iterator<Item = &'a str>) -> Vec<(usize, String)> {
    let code: Vec<_> = lines.map(without_comment).collect();
    let text = code.join("\n");
    let mut found = Vec::new();
    for (at, path) in text.match_indices("crate::") {
        let line = 1 + text[..at].matches('\n').count();
        let rest = &text[at + path.len()..];
        let names = match rest.strip_prefix('{') {
            Some(group) => names_in_group(group),
            None => vec![word(rest)],
        };
        found.extend(
            names
                .into_iter()
                .filter(|n| !n.is_empty())
                .map(|name| (line, name)),
        );
    }
    found
}

/// The lower-case word that a text begins with: a module's name, nothing for a type's.
fn word(text: &str) -> String {
    let is_letter = |c: &char| c.is_ascii_lowercase() || c.is_ascii_digit() || *c == '_';
    text.trim_start().chars().take_while(is_letter).collect()
}

/// The first word of each member of `{a, b::{c, d}}`, the opening brace already taken.
fn names_in_group(text: &str) -> Vec<String> {
    let mut names = vec![word(text)];
    let mut depth = 1;
    for (at, c) in text.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 1 => names.push(word(&text[at + 1..])),
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    names
}

fn without_comment(line: &str) -> &str {
    line.split("//").next().unwrap_or("")
}

#[test]
fn imports_are_found_in_every_form() {
    let text = "use crate::model::Grant;\n// use crate::cli;\nuse crate::{\n    policy::{A, b},\n    store,\n};\nlet x = crate::audit::open(crate::VERSION);";
    let found = imports(text.lines());
    let found: Vec<_> = found
        .iter()
        .map(|(line, name)| (*line, name.as_str()))
        .collect();
    assert_eq!(
        found,
        [(1, "model"), (3, "policy"), (3, "store"), (7, "audit")]
    );
}

#[test]
fn nothing_panics_on_what_came_from_outside() {
    let panics = [
        ".unwrap()",
        ".expect(",
        "panic!(",
        "unreachable!(",
        "todo!(",
        "unimplemented!(",
    ];
    let mut wrong = Vec::new();
    let mut used = vec![false; PANICS.len()];
    for file in sources(&["src"]) {
        for (n, line) in file.lines.iter().take(file.product).enumerate() {
            let code = without_comment(line);
            if !panics.iter().any(|panic| code.contains(panic)) {
                continue;
            }
            let known = PANICS
                .iter()
                .position(|(name, words, _)| *name == file.name && code.contains(words));
            match known {
                Some(known) => used[known] = true,
                None => wrong.push(format!("{}:{}: {}", file.name, n + 1, code.trim())),
            }
        }
    }
    for ((name, words, _), used) in PANICS.iter().zip(used) {
        if !used {
            wrong.push(format!(
                "{name}: no line has {words:?} any more: take it out of PANICS"
            ));
        }
    }
    nothing(&wrong);
}

#[test]
fn functions_are_measured_to_their_closing_brace() {
    let text = "fn a() {\n    b();\n}\n\ntrait T {\n    fn c(\n        &self,\n    );\n    fn d(&self) {\n        e();\n    }\n}";
    let lines: Vec<String> = text.lines().map(str::to_owned).collect();
    assert_eq!(functions(&lines), [(0, 3), (8, 3)]);
}

#[test]
fn no_two_files_import_each_other() {
    let files = sources(&["src"]);
    let mut seen: Vec<(&str, Vec<&str>)> = Vec::new();
    for file in &files {
        let may = |other: &&str| *other != file.name;
        let paths = paths(file);
        let others = paths.iter().filter_map(|path| file_of(path, &files));
        seen.push((&file.name, others.filter(may).collect()));
    }
    // Whoever sees nobody, or is seen by nobody, stands in no circle; what is left when all those are gone does.
    loop {
        let before = seen.len();
        let names: Vec<&str> = seen.iter().map(|(name, _)| *name).collect();
        for (_, others) in &mut seen {
            others.retain(|other| names.contains(other));
        }
        let all: Vec<&str> = seen.iter().flat_map(|(_, others)| others.clone()).collect();
        seen.retain(|(name, others)| !others.is_empty() && all.contains(name));
        if seen.len() == before {
            break;
        }
    }
    let circles = seen.iter().map(|(name, others)| {
        let others = others.join(", ");
        format!("{name} is in a circle with {others}: move what they share to a file of its own")
    });
    nothing(&circles.collect::<Vec<_>>());
}

/// Every `crate::…` and `super::…` of a file as a path from the root: `src/proxy/body/Tally`.
fn paths(file: &Source) -> Vec<String> {
    let code = file.lines.iter().take(file.product);
    let code: Vec<_> = code.map(|line| without_comment(line)).collect();
    let text = code.join("\n");
    let module = file.name.trim_end_matches(".rs").trim_end_matches("/mod");
    let mut found = Vec::new();
    for (at, _) in text.match_indices("crate::") {
        tree(&text[at + "crate::".len()..], "src", &mut found);
    }
    for (at, _) in text.match_indices("super::") {
        let (mut rest, mut base) = (&text[at..], Path::new(module));
        if text[..at].ends_with("super::") {
            continue;
        }
        while let Some(outer) = rest.strip_prefix("super::") {
            (rest, base) = (outer, base.parent().unwrap_or(base));
        }
        tree(rest, &base.display().to_string(), &mut found);
    }
    found
}

/// The paths under `base` that a path or a tree of `use` names; returns what follows it.
fn tree<'t>(text: &'t str, base: &str, found: &mut Vec<String>) -> &'t str {
    let is_name = |c: char| c.is_alphanumeric() || c == '_';
    let text = text.trim_start();
    if let Some(mut group) = text.strip_prefix('{') {
        loop {
            group = tree(group, base, found).trim_start();
            let Some(next) = group.strip_prefix(',') else {
                return group.strip_prefix('}').unwrap_or(group);
            };
            group = next;
        }
    }
    let rest = text.trim_start_matches(is_name);
    let path = format!("{base}/{}", &text[..text.len() - rest.len()]);
    if let Some(inner) = rest.strip_prefix("::") {
        return tree(inner, &path, found);
    }
    found.push(path);
    let rest = rest.strip_prefix('*').unwrap_or(rest);
    rest.strip_prefix(" as ")
        .map_or(rest, |name| name.trim_start_matches(is_name))
}

/// The file that holds what a path names: the innermost module on it that is a file.
fn file_of<'s>(path: &str, files: &'s [Source]) -> Option<&'s str> {
    Path::new(path).ancestors().find_map(|module| {
        let module = module.display();
        let (plain, folder) = (format!("{module}.rs"), format!("{module}/mod.rs"));
        let mut names = files.iter().map(|file| file.name.as_str());
        names.find(|name| *name == plain || *name == folder)
    })
}

#[test]
fn paths_are_found_in_every_form() {
    let text = "use super::{a::{B, C as _}, d::*, E};\nlet x = super::super::f(crate::g::H::<I>);";
    let lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let file = Source {
        name: "src/proxy/body/tally.rs".into(),
        product: lines.len(),
        lines,
    };
    assert_eq!(
        paths(&file),
        [
            "src/g/H/",
            "src/proxy/body/a/B",
            "src/proxy/body/a/C",
            "src/proxy/body/d/",
            "src/proxy/body/E",
            "src/proxy/f",
        ]
    );
}
