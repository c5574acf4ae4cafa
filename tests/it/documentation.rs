//! `docs/configuration.md` and `docs/cli.md` are what the code says. `UPDATE_DOCS=1 cargo test` writes them.

use std::fmt::Write as _;
use std::path::Path;

const CLI: &str = "\
# The command line

<!-- Written by `UPDATE_DOCS=1 cargo test`; a test fails where this file differs. -->

## Exit codes

| code | meaning |
| --- | --- |
| 0 | done, and the answer is yes |
| 1 | done, and the answer is no: a check, a test or a verification failed, there is no such thing, or the portal refused the step and said why |
| 2 | the command line makes no sense |
| 3 | cannot: a file, the store or the network is out of reach, or the configuration cannot be used |
| 4 | the portal does not know who asks, or wants a fresh proof of it: `locum login` |

Answers go to stdout, errors to stderr with what to try. `--json` answers with one JSON value a line; its fields stay,
new ones may come. Colours show on a terminal only, and never with `NO_COLOR`. A closed pipe (`| head`) is no
error.
";

#[track_caller]
fn is_up_to_date(file: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, text).expect("the docs directory is writable");
    }
    let there = std::fs::read_to_string(&path).unwrap_or_default();
    let differs = there
        .lines()
        .zip(text.lines())
        .position(|(a, b)| a != b)
        .map(|n| n + 1);
    let shorter = 1 + there.lines().count().min(text.lines().count());
    assert!(
        there == text,
        "{file} is not what the code says (line {}): run UPDATE_DOCS=1 cargo test",
        differs.unwrap_or(shorter)
    );
}

#[test]
fn configuration() {
    is_up_to_date(
        "docs/configuration.md",
        &locum::config::documentation::markdown(),
    );
}

#[test]
fn command_line() {
    fn each(mut command: clap::Command, path: &str, out: &mut String) {
        let path = format!("{path} {}", command.get_name()).trim().to_owned();
        let inner: Vec<_> = command.get_subcommands().cloned().collect();
        let help = command.render_long_help().to_string();
        let help: Vec<_> = help.lines().map(str::trim_end).collect();
        let _ = write!(
            out,
            "\n## `{path}`\n\n```text\n{}\n```\n",
            help.join("\n").trim_end()
        );
        for command in inner {
            each(command, &path, out);
        }
    }
    let mut command = locum::cli::command().term_width(100);
    command.build();
    let mut text = CLI.to_owned();
    each(command, "", &mut text);
    is_up_to_date("docs/cli.md", &text);
}

#[test]
fn every_key_can_be_set_from_the_environment_under_its_own_name() {
    let keys = locum::config::documentation::list();
    let mut names: Vec<_> = keys.iter().map(|key| &key.environment).collect();
    let count = names.len();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), count);
    assert!(count > 100, "{count}");
}

/// Keys that nothing acts on yet. A key that is refused or ignored by the code must not be offered, so this
/// list is to become empty.
const UNREAD: &[&str] = &[];

/// Keys that only say that something is meant; the check of the configuration acts on them.
const CONSENT: &[&str] = &["listeners.ops.expose"];

#[test]
fn every_key_is_acted_on() {
    fn read(dir: &Path, into: &mut String) {
        for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() && !path.ends_with("src/config") {
                read(&path, into);
            } else if path.extension().is_some_and(|ext| ext == "rs") {
                into.push_str(&std::fs::read_to_string(&path).unwrap_or_default());
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut code = String::new();
    read(&root.join("src"), &mut code);
    code.push_str(&std::fs::read_to_string(root.join("src/config/mod.rs")).unwrap_or_default());
    let is_read = |name: &str| {
        let uses = code.match_indices(name);
        let mut uses = uses.map(|(at, _)| (&code[..at], &code[at + name.len()..]));
        uses.any(|(before, after)| {
            let begins = before.ends_with('.') || before.ends_with("\n.");
            begins && !after.starts_with(|c: char| c.is_ascii_alphanumeric() || "_(".contains(c))
        })
    };
    let keys = locum::config::documentation::list();
    let name = |path: &str| path.rsplit('.').next().unwrap_or_default().to_owned();
    let idle = keys.iter().filter(|key| !is_read(&name(&key.path)));
    let idle = idle.map(|key| key.path.as_str());
    let idle: Vec<_> = idle.filter(|key| !CONSENT.contains(key)).collect();
    assert_eq!(
        idle, UNREAD,
        "these keys have no effect: wire or remove them"
    );
}
