//! Locks: who is kept out, setting one, lifting one.

use super::asking::page;
use crate::control::api::input::{Asked, IfMatch, Key as Once, Named, PageSize, Said, Signed};
use crate::control::api::once::{Answers, Doing, once};
use crate::control::api::reply::{Outcome, Reply};
use crate::control::api::state::Api;
use crate::control::api::text::{Key, LockRef, Moment, Sentence};
use crate::control::api::view::lock::{LockSet, LockView, Locks};
use crate::control::api::view::word;
use crate::store::control::Query;
use axum::extract::State;
use serde::Deserialize;
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};

/// Whether a lock was lifted.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum LockState {
    Held,
    Lifted,
}

/// Which locks.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(in crate::control::api) struct Listing {
    #[param(value_type = Option<word::LockState>, inline)]
    state: Option<LockState>,
    /// `next` of the page before.
    #[param(inline)]
    after: Option<LockRef>,
    #[param(value_type = Option<u64>, minimum = 1, maximum = 200)]
    limit: Option<PageSize>,
}

/// Locks, newest first.
#[utoipa::path(
    get,
    path = "/api/v1/locks",
    operation_id = "locks",
    tag = "locks",
    params(Listing),
    responses((status = 200, description = "Some locks", body = Locks))
)]
pub(in crate::control::api) async fn list(
    State(api): State<Arc<Api>>,
    Signed(who): Signed,
    Asked(asked): Asked<Listing>,
) -> Outcome {
    let state = asked.state.map(|it| match it {
        LockState::Held => "held",
        LockState::Lifted => "lifted",
    });
    let query = Query {
        states: state.into_iter().collect(),
        after: asked.after.map(|it| it.0.to_string()),
        limit: page(asked.limit),
        ..Query::default()
    };
    let (page, now) = (api.control.locks(&who, query).await?, api.control.now());
    Reply::ok(&Locks {
        items: page.items.iter().map(|it| LockView::of(it, now)).collect(),
        next: page.next,
    })
}

/// What is locked, why, and until when.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::control::api) struct LockBody {
    key: Key,
    reason: Sentence,
    /// Absent: until it is lifted.
    until: Option<Moment>,
}

/// Locks, and ends what lives under the key.
#[utoipa::path(
    post,
    path = "/api/v1/locks",
    operation_id = "lock",
    tag = "locks",
    params(Once),
    request_body = LockBody,
    responses((status = 201, description = "The lock", body = LockSet))
)]
pub(in crate::control::api) async fn set(
    State(api): State<Arc<Api>>,
    Signed(who): Signed,
    key: Once,
    said: Said<LockBody>,
) -> Outcome {
    let doing = Doing {
        key,
        what: "lock".to_owned(),
        digest: said.digest,
        answers: Answers::Kept,
    };
    let LockBody { key, reason, until } = said.value;
    once(&api, &who, doing, async {
        let until = until.map(|it| it.0);
        let (lock, ended) = api.control.lock(&who, key.0, &reason.0, until).await?;
        let location = format!("/api/v1/locks/{}", lock.id);
        let view = LockSet {
            lock: LockView::of(&lock, api.control.now()),
            ended,
        };
        Ok(Reply::created(&view, location)?.at(lock.version))
    })
    .await
}

/// Why it is lifted.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::control::api) struct LiftBody {
    reason: Sentence,
}

/// Lifts a lock.
#[utoipa::path(
    post,
    path = "/api/v1/locks/{id}/lift",
    operation_id = "lift-lock",
    tag = "locks",
    params(("id" = inline(LockRef), Path, description = "The lock"), IfMatch),
    request_body = LiftBody,
    responses((status = 200, description = "The lock, lifted", body = LockView))
)]
pub(in crate::control::api) async fn lift(
    State(api): State<Arc<Api>>,
    Signed(who): Signed,
    Named(LockRef(id)): Named<LockRef>,
    IfMatch(version): IfMatch,
    said: Said<LiftBody>,
) -> Outcome {
    let reason = &said.value.reason.0;
    let lock = api.control.unlock(&who, id, reason, version).await?;
    Ok(Reply::ok(&LockView::of(&lock, api.control.now()))?.at(lock.version))
}
