//! What grants can carry in an app: its scopes in people's words, with the worst that each allows.

use super::load::Policy;
use super::row::{Row, RowEffect};
use super::scopes::{Told, carries};
use crate::model::{Scope, Tier};

/// A scope as people choose it.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct ScopeInfo {
    pub name: Scope,
    /// "See orders and invoices"; its actions where the policy has no words for it.
    pub sentence: String,
    /// The worst that it allows in this app.
    pub tier: Tier,
    /// Good in break-glass grants only.
    pub break_glass: bool,
}

impl Policy {
    /// The worst tier of the rows of `app` that these scopes permit. Scopes that permit nothing there are ordinary.
    pub fn tier_of(&self, app: &str, scopes: &[Scope]) -> Tier {
        let named = |told: &Told<'_>| scopes.iter().any(|scope| scope.as_str() == told.name);
        let told = self.scopes.iter().filter(named);
        told.filter_map(|told| self.worst(app, &told))
            .max()
            .unwrap_or_default()
    }

    /// The scopes that permit something in `app`, the mildest first, then by name.
    pub fn scopes_of(&self, app: &str) -> Vec<ScopeInfo> {
        let mut found: Vec<ScopeInfo> = self
            .scopes
            .iter()
            .filter_map(|told| {
                Some(ScopeInfo {
                    name: told.name.parse().ok()?,
                    sentence: told
                        .sentence
                        .map_or_else(|| told.patterns.join(", "), str::to_owned),
                    tier: self.worst(app, &told)?,
                    break_glass: told.break_glass,
                })
            })
            .collect();
        found.sort_by(|one, two| {
            (one.break_glass, one.tier, &one.name).cmp(&(two.break_glass, two.tier, &two.name))
        });
        found
    }

    /// Whether some scope of ordinary grants carries the action: whoever lacks it may ask for one that has it.
    pub fn may_be_asked(&self, action: &str) -> bool {
        let ordinary = self.scopes.iter().filter(|told| !told.break_glass);
        let mut patterns = ordinary.flat_map(|told| told.patterns);
        patterns.any(|pattern| carries(pattern, action))
    }

    /// The worst tier of what one scope permits in `app`; `None`: nothing.
    fn worst(&self, app: &str, told: &Told<'_>) -> Option<Tier> {
        let rows = self.rows.iter().filter(|row| row.permits(app, told));
        rows.map(|row| row.tier).max()
    }
}

impl Row {
    /// Whether a grant with this scope alone can be permitted something by this row.
    fn permits(&self, app: &str, told: &Told<'_>) -> bool {
        let never = self.never && self.effect == RowEffect::Allow;
        self.allows()
            && self.app.as_deref().is_none_or(|own| own == app)
            && (told.break_glass || !self.break_glass)
            && !(told.break_glass && never)
            && told
                .patterns
                .iter()
                .any(|pattern| carries(pattern, &self.action))
    }
}
