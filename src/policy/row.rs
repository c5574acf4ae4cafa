//! One row of the policy, compiled.

use super::cedar::Condition;
use super::matchers::{Matchers, Needs};
use super::methods::Methods;
use super::pack::PackRows;
use super::pattern::Pattern;
use super::template::Template;
use crate::model::{Findings, Record, Tier};
use std::sync::Arc;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RowEffect {
    Allow,
    Deny,
    /// Allows what is safe, denies the rest.
    ReadOnly,
}

impl RowEffect {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
            Self::ReadOnly => "read-only",
        }
    }
}

/// A compiled row.
pub(super) struct Row {
    pub(super) id: Arc<str>,
    /// `None`: all apps.
    pub(super) app: Option<Box<str>>,
    pub(super) methods: Methods,
    pub(super) pattern: Pattern,
    pub(super) matchers: Matchers,
    pub(super) needs: Needs,
    pub(super) action: Arc<str>,
    /// The action's number among the policy's actions.
    pub(super) action_number: usize,
    pub(super) resource: Template,
    pub(super) effect: RowEffect,
    pub(super) tier: Tier,
    /// How much of its exchanges is recorded; `None`: as their tier says.
    pub(super) record: Option<Record>,
    pub(super) message: Option<Arc<str>>,
    /// Said where no scope of the grant carries the action.
    pub(super) out_of_scope: Arc<str>,
    pub(super) relax: Findings,
    /// A deny row that break-glass does not lift; an allow row that is not for break-glass.
    pub(super) never: bool,
    /// An allow row for break-glass grants only; it lifts deny rows that are not `never`.
    pub(super) break_glass: bool,
    pub(super) overrides: PackRows,
    pub(super) when: Option<Condition>,
    pub(super) file: Arc<str>,
    pub(super) line: usize,
    /// `match` as written, for explanations.
    pub(super) written: Box<str>,
    /// `when` as written, and its line.
    pub(super) condition: Option<(Box<str>, usize)>,
}

impl std::fmt::Debug for Row {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Row({} {})", self.id, self.written)
    }
}

impl Row {
    pub(super) fn allows(&self) -> bool {
        self.effect != RowEffect::Deny
    }

    pub(super) fn denies(&self) -> bool {
        self.effect != RowEffect::Allow
    }
}
