//! A candidate policy beside the live one: where would it decide otherwise?

use super::verdict::{Verdict, Why};
use crate::model::{Effect, Tier};
use std::sync::Arc;

/// One request on which the two policies differ.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Difference {
    pub live: Side,
    pub candidate: Side,
}

/// What one policy said.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Side {
    pub digest: Arc<str>,
    pub effect: Effect,
    pub rule: Arc<str>,
    pub action: Arc<str>,
    pub resource: Arc<str>,
    pub tier: Tier,
    pub why: Why,
}

/// Compares verdicts of the live policy and a candidate. Acts on nothing.
#[derive(Clone, Debug)]
pub struct Differ {
    live: Arc<str>,
    candidate: Arc<str>,
}

impl Differ {
    /// `live` and `candidate` are the digests of the two policies.
    pub fn new(live: &str, candidate: &str) -> Self {
        Self {
            live: live.into(),
            candidate: candidate.into(),
        }
    }

    /// What to record, if the two verdicts differ in effect, rule, action, resource or tier.
    pub fn compare(&self, live: &Verdict, candidate: &Verdict) -> Option<Difference> {
        let same = live.decision.effect == candidate.decision.effect
            && live.decision.rule == candidate.decision.rule
            && live.decision.action == candidate.decision.action
            && live.decision.resource == candidate.decision.resource
            && live.decision.tier == candidate.decision.tier
            && live.websocket == candidate.websocket;
        (!same).then(|| Difference {
            live: side(&self.live, live),
            candidate: side(&self.candidate, candidate),
        })
    }
}

fn side(digest: &Arc<str>, verdict: &Verdict) -> Side {
    let decision = &verdict.decision;
    Side {
        digest: Arc::clone(digest),
        effect: decision.effect,
        rule: Arc::clone(&decision.rule),
        action: Arc::clone(&decision.action),
        resource: Arc::clone(&decision.resource),
        tier: decision.tier,
        why: verdict.why,
    }
}
