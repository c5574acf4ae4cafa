//! `policy check`: every error at once, and what only deserves a warning.

use super::load::Policy;
use super::options::LoadOptions;
use super::pack::Pack;
use super::problem::{Problem, Problems};
use super::row::Row;
use std::fmt;
use std::path::PathBuf;

/// What a policy without errors looks like. `Display` prints it for a person.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct CheckReport {
    pub digest: String,
    /// The policy's own rows.
    pub rows: usize,
    pub scopes: usize,
    /// Rows of the built-in pack that are on.
    pub pack_rows: usize,
    pub cedar_policies: usize,
    pub warnings: Vec<Problem>,
}

/// Loads and examines the files. `Err` has every error.
pub fn check(paths: &[PathBuf], options: &LoadOptions) -> Result<CheckReport, Problems> {
    Policy::load(paths, options).map(|policy| policy.report())
}

impl Policy {
    /// Counts and warnings.
    pub fn report(&self) -> CheckReport {
        let mut warnings = Vec::new();
        for row in self.rows.iter().filter(|row| row.allows()) {
            if !self.scopes.any_carries(&row.action) {
                let what = format!(
                    "no scope carries {}, so {} permits nobody",
                    row.action, row.id
                );
                warnings.push(row.problem("action", what, "Add the action to a scope in [scopes]"));
            }
            warnings.extend(self.under_the_pack(row));
        }
        let mut idle: Vec<(&str, &str)> = self.scopes.idle(&self.actions).collect();
        idle.sort_unstable();
        warnings.extend(idle.into_iter().map(|(scope, pattern)| Problem {
            file: "policy".to_owned(),
            line: 0,
            key: format!("scopes.{scope}"),
            what: format!("{pattern:?} carries no action of any row"),
            remedy: "Remove it or mend its spelling".to_owned(),
        }));
        CheckReport {
            digest: self.digest().to_owned(),
            rows: self.rows.len(),
            scopes: self.scopes.len(),
            pack_rows: usize::try_from(self.pack_on.count_ones()).unwrap_or_default(),
            cedar_policies: self.forbids.as_ref().map_or(0, super::cedar::Forbids::len),
            warnings,
        }
    }

    /// An allow row whose every request the pack denies by the row's own static words.
    fn under_the_pack(&self, row: &Row) -> Option<Problem> {
        let hits = row.hits(self.pack) & self.pack_on & !row.overrides;
        let nth = usize::try_from(hits.trailing_zeros()).ok()?;
        let pack = self
            .pack
            .rows
            .get(nth)
            .filter(|pack| !row.break_glass || pack.never)?;
        let what = format!(
            "{} of the built-in pack denies what {} allows",
            pack.id, row.id
        );
        Some(row.problem(
            "match",
            what,
            format!(
                "Write overrides = [{:?}] if it is meant, or break_glass = true",
                pack.id
            ),
        ))
    }
}

impl fmt::Display for CheckReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for warning in &self.warnings {
            writeln!(f, "warning: {warning}")?;
        }
        let version = Pack::shipped().map_or(0, |pack| pack.version);
        write!(
            f,
            "policy {}: {} rows, {} scopes, {} rows of the built-in pack (version {version}), {} Cedar policies, {} warnings",
            self.digest,
            self.rows,
            self.scopes,
            self.pack_rows,
            self.cedar_policies,
            self.warnings.len()
        )
    }
}
