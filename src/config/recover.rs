//! All problems at once: where some keys cannot be read, the others are still checked against each other.

use super::document::{Table, Value};
use super::keys::root::Config;
use super::problem::{Found, Place, Problem};
use super::schema::Section as _;
use super::{Files, check};
use std::path::Path;

/// What does not fit together in a file whose keys have the problems `found` so far. A problem that may
/// only follow from one of those is left out.
pub(super) fn more_problems(
    path: &Path,
    root: &Table,
    files: Files,
    found: &Found,
) -> Vec<Problem> {
    let known: Vec<&Problem> = found.iter().collect();
    // A name that cannot be read would be missed wherever it is referred to.
    if known
        .iter()
        .any(|problem| problem.key.rsplit('.').next() == Some("name"))
    {
        return Vec::new();
    }
    let mut repaired = root.clone();
    for problem in &known {
        repaired.remove(&problem.key);
    }
    let mut ignored = Found::lenient(path);
    let Some(config) = Config::read_table(&repaired, &Place::Default, "", &mut ignored) else {
        return Vec::new();
    };
    let mut more = Found::new(path);
    check::all(&config, root, files, &mut more);
    let may_follow = |problem: &Problem| known.iter().any(|cause| follows(problem, cause, root));
    let all = more.into_list().into_iter();
    all.filter(|problem| !may_follow(problem)).collect()
}

/// Whether `problem` may be there only because of `cause`.
fn follows(problem: &Problem, cause: &Problem, root: &Table) -> bool {
    let (key, other) = (problem.key.as_str(), cause.key.as_str());
    if is_within(key, other) || is_within(other, key) {
        return true;
    }
    // What is missing may be what was misspelt, and what has no effect may want the key that was.
    let is_written = root.nearest(key).is_some_and(|(_, exact)| exact);
    table_of(key) == table_of(other)
        && (!is_written || problem.message.starts_with("has no effect"))
}

fn is_within(key: &str, table: &str) -> bool {
    let rest = key.strip_prefix(table);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

fn table_of(key: &str) -> &str {
    key.rsplit_once('.').map_or("", |(table, _)| table)
}

impl Table {
    /// Removes the value at a dotted path, if it is there; an element of a list leaves the others.
    fn remove(&mut self, path: &str) {
        let (step, rest) = path.split_once('.').unwrap_or((path, ""));
        let (name, index) = step.split_once('[').unwrap_or((step, ""));
        if rest.is_empty() && index.is_empty() {
            self.entries.retain(|entry| entry.name != name);
            return;
        }
        let index = index.trim_end_matches(']').parse::<usize>();
        let Some(entry) = self.entries.iter_mut().find(|entry| entry.name == name) else {
            return;
        };
        match (&mut entry.item.value, index) {
            (Value::Table(inner), _) => inner.remove(rest),
            (Value::List(list), Ok(n)) if rest.is_empty() && n < list.len() => {
                list.remove(n);
            }
            (Value::List(list), Ok(n)) => {
                if let Some(Value::Table(inner)) = list.get_mut(n).map(|item| &mut item.value) {
                    inner.remove(rest);
                }
            }
            _ => {}
        }
    }
}
