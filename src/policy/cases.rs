//! `policy test`: the cases beside the policy files.

use super::options::LoadOptions;
use super::problem::Problems;
use std::fmt;
use std::path::PathBuf;

/// How one case came out.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct CaseOutcome {
    pub file: String,
    pub line: usize,
    pub name: String,
    /// `None`: as expected.
    pub failure: Option<String>,
}

/// All cases. `Display` prints it for a person.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct TestReport {
    pub digest: String,
    pub cases: Vec<CaseOutcome>,
    /// Ids of own rows that decide in no case.
    pub uncovered: Vec<String>,
}

impl TestReport {
    /// Whether there are cases and all came out as expected.
    pub fn passed(&self) -> bool {
        !self.cases.is_empty() && self.cases.iter().all(|case| case.failure.is_none())
    }
}

impl fmt::Display for TestReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.digest)
    }
}

/// Loads the policy and runs the `*.cases.toml` beside it.
pub fn test(_paths: &[PathBuf], _options: &LoadOptions) -> Result<TestReport, Problems> {
    unimplemented!("the next commit")
}
