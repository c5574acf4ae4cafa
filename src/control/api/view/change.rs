//! Changes of Locum's own rules, and the votes on them.

use super::word::{Brought, ChangeState, Verdict};
use crate::control::api::text::{ChangeRef, Digest, Moment};
use crate::model::{Change, ChangeVote};
use serde::Serialize;
use utoipa::ToSchema;

/// Other rules than those in force, as somebody brought them.
#[derive(Serialize, ToSchema)]
#[schema(as = Change)]
pub(in crate::control::api) struct ChangeView {
    id: ChangeRef,
    /// Of what would be in force. A vote names it.
    digest: Digest,
    /// Of what is in force meanwhile.
    before: Digest,
    /// What it touches: `route-policy`, `access-policy`, `roles`, `keys`, `configuration`.
    kinds: Vec<String>,
    /// What differs, a line each.
    differs: Vec<String>,
    brought: Brought,
    /// Who brought it.
    by: String,
    /// Persons whose change it may be: none of them votes.
    authors: Vec<String>,
    at: Moment,
    /// Not in force by then: expired.
    expires_at: Moment,
    /// Different people who must agree.
    needed: u8,
    votes: Vec<ChangeVoteView>,
    state: ChangeState,
    closed_reason: Option<String>,
    /// The `ETag`.
    version: i64,
}

/// One person's answer.
#[derive(Serialize, ToSchema)]
#[schema(as = ChangeVote)]
pub(in crate::control::api) struct ChangeVoteView {
    person: String,
    name: Option<String>,
    verdict: Verdict,
    reason: Option<String>,
    at: Moment,
}

/// Some changes, newest first.
#[derive(Serialize, ToSchema)]
pub(in crate::control::api) struct Changes {
    pub items: Vec<ChangeView>,
    /// Give it as `after` for the next page; `null`: that was all.
    pub next: Option<String>,
}

impl From<&Change> for ChangeView {
    fn from(it: &Change) -> Self {
        Self {
            id: ChangeRef(it.id),
            digest: Digest(it.digest.clone()),
            before: Digest(it.before.clone()),
            kinds: it.kinds.clone(),
            differs: it.differs.clone(),
            brought: Brought(it.brought.as_str()),
            by: it.by.clone(),
            authors: it.authors.clone(),
            at: Moment(it.at),
            expires_at: Moment(it.expires_at),
            needed: it.needed,
            votes: it.votes.iter().map(ChangeVoteView::from).collect(),
            state: ChangeState(it.state.as_str()),
            closed_reason: it.closed_why.clone(),
            version: it.version,
        }
    }
}

impl From<&ChangeVote> for ChangeVoteView {
    fn from(it: &ChangeVote) -> Self {
        Self {
            person: it.person.clone(),
            name: it.name.clone(),
            verdict: Verdict(it.verdict.as_str()),
            reason: it.reason.clone(),
            at: Moment(it.at),
        }
    }
}
