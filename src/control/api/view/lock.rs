//! Locks.

use super::word::LockState;
use crate::control::api::text::{Key, LockRef, Moment};
use crate::model::{Lock, Timestamp};
use serde::Serialize;
use utoipa::ToSchema;

/// A lock as it stands.
#[derive(Serialize, ToSchema)]
#[schema(as = Lock)]
pub(in crate::control::api) struct LockView {
    id: LockRef,
    #[schema(value_type = String, example = "tenant:acme")]
    key: Key,
    reason: String,
    by: String,
    at: Moment,
    /// `null`: until it is lifted.
    until: Option<Moment>,
    state: LockState,
    lifted_at: Option<Moment>,
    lifted_by: Option<String>,
    /// Whether it refuses now: held, and its time not over.
    holds: bool,
    /// The `ETag`.
    version: i64,
}

/// A lock that was set just now.
#[derive(Serialize, ToSchema)]
#[schema(as = LockSet)]
pub(in crate::control::api) struct LockSet {
    #[serde(flatten)]
    pub lock: LockView,
    /// How many sessions it ended.
    pub ended: usize,
}

/// Some locks, newest first.
#[derive(Serialize, ToSchema)]
pub(in crate::control::api) struct Locks {
    pub items: Vec<LockView>,
    /// Give it as `after` for the next page; `null`: that was all.
    pub next: Option<String>,
}

impl LockView {
    pub(in crate::control::api) fn of(it: &Lock, now: Timestamp) -> Self {
        Self {
            id: LockRef(it.id),
            key: Key(it.key.clone()),
            reason: it.reason.clone(),
            by: it.by.clone(),
            at: Moment(it.at),
            until: it.until.map(Moment),
            state: LockState(if it.lifted_at.is_some() {
                "lifted"
            } else {
                "held"
            }),
            lifted_at: it.lifted_at.map(Moment),
            lifted_by: it.lifted_by.clone(),
            holds: it.holds(now),
            version: it.version,
        }
    }
}
