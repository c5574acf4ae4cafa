//! Legal holds: while one is on a recording, nobody erases it.

use crate::audit::recording::HoldOn;
use crate::control::api::input::{Key as Once, Named, Said, Signed};
use crate::control::api::once::{Answers, Doing, once};
use crate::control::api::reply::{Outcome, Reply};
use crate::control::api::state::Api;
use crate::control::api::text::{HoldRef, Key, Sentence};
use crate::control::api::view::recording::{HoldView, Holds};
use crate::control::refusal::{Problem, Refusal};
use crate::model::LockKey;
use axum::extract::State;
use serde::Deserialize;
use std::sync::Arc;
use utoipa::ToSchema;

/// Holds, the oldest first.
#[utoipa::path(
    get,
    path = "/api/v1/holds",
    operation_id = "holds",
    tag = "recordings",
    responses((status = 200, description = "All that you may see", body = Holds))
)]
pub(in crate::control::api) async fn list(
    State(api): State<Arc<Api>>,
    Signed(who): Signed,
) -> Outcome {
    let holds = api.recordings.holds(&who).await?;
    Reply::ok(&Holds {
        items: holds.iter().map(HoldView::from).collect(),
    })
}

/// What is held, and why.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::control::api) struct HoldBody {
    /// A session, a tenant or a subject: what is to come too.
    key: Key,
    reason: Sentence,
}

/// Forbids erasing recordings: nobody and no retention does until the hold is released.
#[utoipa::path(
    post,
    path = "/api/v1/holds",
    operation_id = "hold-recordings",
    tag = "recordings",
    params(Once),
    request_body = HoldBody,
    responses((status = 201, description = "The hold", body = HoldView))
)]
pub(in crate::control::api) async fn place(
    State(api): State<Arc<Api>>,
    Signed(who): Signed,
    key: Once,
    said: Said<HoldBody>,
) -> Outcome {
    let doing = Doing {
        key,
        what: "hold-recordings".to_owned(),
        digest: said.digest,
        answers: Answers::Kept,
    };
    let HoldBody { key, reason } = said.value;
    once(&api, &who, doing, async {
        let on = on(key.0)?;
        let hold = api
            .recordings
            .hold(&api.control, &who, on, &reason.0)
            .await?;
        let location = format!("/api/v1/holds/{}", hold.id);
        Reply::created(&HoldView::from(&hold), location)
    })
    .await
}

fn on(key: LockKey) -> Result<HoldOn, Refusal> {
    let on = match key {
        LockKey::Session(id) => id.parse().ok().map(HoldOn::Session),
        LockKey::Tenant(id) => Some(HoldOn::Tenant(id)),
        LockKey::Subject(id) => Some(HoldOn::Subject(id)),
        _ => None,
    };
    on.ok_or_else(|| {
        Refusal::invalid(vec![Problem {
            field: "key".to_owned(),
            message: "hold a session, a tenant or a subject".to_owned(),
        }])
    })
}

/// Why it is released.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::control::api) struct ReleaseBody {
    reason: Sentence,
}

/// Takes a hold away.
#[utoipa::path(
    post,
    path = "/api/v1/holds/{id}/release",
    operation_id = "release-hold",
    tag = "recordings",
    params(("id" = inline(HoldRef), Path, description = "The hold"), Once),
    request_body = ReleaseBody,
    responses((status = 200, description = "The hold that was", body = HoldView))
)]
pub(in crate::control::api) async fn release(
    State(api): State<Arc<Api>>,
    Signed(who): Signed,
    Named(HoldRef(id)): Named<HoldRef>,
    key: Once,
    said: Said<ReleaseBody>,
) -> Outcome {
    let doing = Doing {
        key,
        what: format!("release-hold {id}"),
        digest: said.digest,
        answers: Answers::Kept,
    };
    once(&api, &who, doing, async {
        let reason = &said.value.reason.0;
        let released = api
            .recordings
            .release(&api.control, &who, &id, reason)
            .await?;
        Reply::ok(&HoldView::from(&released))
    })
    .await
}
