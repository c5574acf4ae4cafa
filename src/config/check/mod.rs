//! What no key can see alone: names that must exist, keys that need or exclude each other, files that
//! must be readable.

mod access;
mod alerts;
mod apps;
mod files;
mod identity;
mod listeners;
mod rest;
mod sinks;
mod upstreams;

use super::Config;
use super::Files;
use super::document::Table;
use super::problem::{Found, Place};
use std::fmt::Display;

/// Checks everything, adding to `found`.
pub(super) fn all(config: &Config, root: &Table, files: Files, found: &mut Found) {
    let mut check = Check {
        config,
        root,
        found,
    };
    listeners::check(&mut check);
    upstreams::check(&mut check);
    apps::check(&mut check);
    access::check(&mut check);
    rest::check(&mut check);
    sinks::check(&mut check);
    identity::check(&mut check);
    alerts::check(&mut check);
    if files == Files::Check {
        files::check(&mut check);
    }
}

struct Check<'a> {
    config: &'a Config,
    root: &'a Table,
    found: &'a mut Found,
}

impl Check<'_> {
    /// Adds a problem at `key`, with its line and value as they were written.
    fn problem(&mut self, key: &str, message: impl Into<String>, remedy: impl Into<String>) {
        let (place, value) = match self.root.nearest(key) {
            Some((item, true)) => (item.place.clone(), item.shown()),
            Some((item, false)) => (item.place.clone(), None),
            None => (Place::Default, None),
        };
        self.found.add(&place, key, value, message, remedy);
    }

    /// Whether somebody wrote this key.
    fn is_written(&self, key: &str) -> bool {
        self.root.nearest(key).is_some_and(|(_, exact)| exact)
    }

    /// Adds a problem for each name in a list of tables that another one has already.
    fn unique<N: PartialEq + Display>(&mut self, list: &str, field: &str, names: &[N]) {
        for (n, name) in names.iter().enumerate() {
            if let Some(first) = names.iter().position(|other| other == name)
                && first < n
            {
                let message = format!("{list}[{first}] has it already");
                let key = format!("{list}[{n}].{field}");
                self.problem(&key, message, "names must differ: choose another");
            }
        }
    }
}
