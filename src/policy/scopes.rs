//! Scopes: which actions a grant's scopes carry.

use super::values;
use super::words::FnvMap;
use crate::model::Scope;

/// Which actions each scope carries, as bits by action number.
#[derive(Debug, Default)]
pub(super) struct Scopes {
    by_name: FnvMap<Box<str>, Carried>,
}

#[derive(Debug, Default)]
struct Carried {
    patterns: Vec<Box<str>>,
    actions: Vec<u64>,
    sentence: Option<Box<str>>,
    /// Good in break-glass grants only.
    break_glass: bool,
}

/// A scope as people are told of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Told<'s> {
    pub(super) name: &'s str,
    /// In people's words, where the policy has some.
    pub(super) sentence: Option<&'s str>,
    pub(super) patterns: &'s [Box<str>],
    pub(super) break_glass: bool,
}

impl Scopes {
    /// Adds patterns to a scope; several files may.
    pub(super) fn add(&mut self, scope: &str, patterns: impl IntoIterator<Item = String>) {
        let carried = self.by_name.entry(scope.into()).or_default();
        carried
            .patterns
            .extend(patterns.into_iter().map(String::into_boxed_str));
    }

    /// Gives a scope its sentence. `false`: it has another already.
    pub(super) fn describe(&mut self, scope: &str, sentence: &str) -> bool {
        let carried = self.by_name.entry(scope.into()).or_default();
        let known = carried.sentence.get_or_insert_with(|| sentence.into());
        **known == *sentence
    }

    /// Makes a scope good in break-glass grants only.
    pub(super) fn only_break_glass(&mut self, scope: &str) {
        self.by_name.entry(scope.into()).or_default().break_glass = true;
    }

    /// All scopes, sorted by nothing in particular.
    pub(super) fn iter(&self) -> impl Iterator<Item = Told<'_>> {
        self.by_name.iter().map(|(name, carried)| Told {
            name,
            sentence: carried.sentence.as_deref(),
            patterns: &carried.patterns,
            break_glass: carried.break_glass,
        })
    }

    /// Fixes the actions; `actions[n]` gets the number n.
    pub(super) fn compile(&mut self, actions: &[std::sync::Arc<str>]) {
        for carried in self.by_name.values_mut() {
            carried.actions = vec![0; actions.len().div_ceil(64)];
            for (nth, action) in actions.iter().enumerate() {
                if carried
                    .patterns
                    .iter()
                    .any(|pattern| carries(pattern, action))
                {
                    carried.actions[nth / 64] |= 1 << (nth % 64);
                }
            }
        }
    }

    /// Whether one of `scopes` carries the action with this number; scopes for emergencies do so only in a
    /// break-glass grant.
    pub(super) fn cover(&self, scopes: &[Scope], action: usize, break_glass: bool) -> bool {
        scopes.iter().any(|scope| {
            let carried = self.by_name.get(scope.as_str());
            let carried = carried.filter(|carried| break_glass || !carried.break_glass);
            let word = carried.and_then(|carried| carried.actions.get(action / 64));
            word.is_some_and(|word| word & (1 << (action % 64)) != 0)
        })
    }

    pub(super) fn len(&self) -> usize {
        self.by_name.len()
    }

    /// Whether any scope at all carries the action.
    pub(super) fn any_carries(&self, action: &str) -> bool {
        self.carrying(action).next().is_some()
    }

    /// The scopes that carry an action, sorted by nothing in particular.
    pub(super) fn carrying<'a>(&'a self, action: &'a str) -> impl Iterator<Item = &'a str> {
        let all = self.by_name.iter();
        all.filter(move |(_, carried)| carried.patterns.iter().any(|p| carries(p, action)))
            .map(|(name, _)| &**name)
    }

    /// Patterns that carry none of the actions, with their scope.
    pub(super) fn idle<'a>(
        &'a self,
        actions: &'a [std::sync::Arc<str>],
    ) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.by_name.iter().flat_map(move |(name, carried)| {
            let idle = move |pattern: &&str| !actions.iter().any(|a| carries(pattern, a));
            let patterns = carried.patterns.iter().map(|pattern| &**pattern);
            patterns.filter(idle).map(move |pattern| (&**name, pattern))
        })
    }
}

/// `orders.read`, `orders.*`, `*.read`, `*`.
pub(super) fn carries(pattern: &str, action: &str) -> bool {
    values::matches(pattern.as_bytes(), action.as_bytes(), false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_carries_what_its_patterns_match() -> Result<(), crate::model::scope::InvalidScope> {
        let mut scopes = Scopes::default();
        scopes.add("view", ["orders.read".to_owned(), "profile.*".to_owned()]);
        scopes.compile(&[
            "orders.read".into(),
            "orders.write".into(),
            "profile.x".into(),
        ]);
        let view = ["view".parse::<Scope>()?];
        let covered: Vec<bool> = (0..4).map(|n| scopes.cover(&view, n, false)).collect();
        assert_eq!(covered, [true, false, true, false]);
        assert!(!scopes.cover(&["other".parse()?], 0, false));
        assert!(!scopes.cover(&[], 0, true));
        scopes.only_break_glass("view");
        assert!(!scopes.cover(&view, 0, false));
        assert!(scopes.cover(&view, 0, true));
        Ok(())
    }
}
