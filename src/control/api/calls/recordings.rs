//! Recordings as things that are kept: which there are, and their erasing.

use super::asking::page;
use crate::control::api::input::{Asked, IfMatch, Key, Named, PageSize, Said, Signed};
use crate::control::api::once::{Answers, Doing, once};
use crate::control::api::reply::{Outcome, Reply};
use crate::control::api::state::Api;
use crate::control::api::text::{Line, Sentence, SessionRef};
use crate::control::api::view::recording::{RecordingView, Recordings};
use crate::control::api::view::word;
use crate::control::recordings::{Listing, State as Become};
use crate::model::Verdict;
use axum::extract::State;
use serde::Deserialize;
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Which {
    Kept,
    Held,
    Asked,
    Erased,
}

/// Which recordings.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(in crate::control::api) struct Wish {
    #[param(inline)]
    tenant: Option<Line>,
    #[param(value_type = Option<word::RecordingState>, inline)]
    state: Option<Which>,
    /// `next` of the page before.
    #[param(inline)]
    after: Option<SessionRef>,
    #[param(value_type = Option<u64>, minimum = 1, maximum = 200)]
    limit: Option<PageSize>,
}

/// Recordings, newest first; a page may have fewer than asked for and a next one.
#[utoipa::path(
    get,
    path = "/api/v1/recordings",
    operation_id = "recordings",
    tag = "recordings",
    params(Wish),
    responses((status = 200, description = "Some recordings", body = Recordings))
)]
pub(in crate::control::api) async fn list(
    State(api): State<Arc<Api>>,
    Signed(who): Signed,
    Asked(wish): Asked<Wish>,
) -> Outcome {
    let asked = Listing {
        tenant: wish.tenant.map(|it| it.0),
        state: wish.state.map(|it| match it {
            Which::Kept => Become::Kept,
            Which::Held => Become::Held,
            Which::Asked => Become::Asked,
            Which::Erased => Become::Erased,
        }),
        after: wish.after.map(|it| it.0),
        limit: page(wish.limit),
    };
    let (found, next) = api.recordings.list(&api.control, &who, asked).await?;
    let now = api.control.now();
    Reply::ok(&Recordings {
        items: found.iter().map(|it| RecordingView::of(it, now)).collect(),
        next: next.map(|id| id.to_string()),
    })
}

/// What is known of one from outside.
#[utoipa::path(
    get,
    path = "/api/v1/recordings/{id}",
    operation_id = "recording",
    tag = "recordings",
    params(("id" = inline(SessionRef), Path, description = "The session")),
    responses((status = 200, description = "The recording", body = RecordingView))
)]
pub(in crate::control::api) async fn one(
    State(api): State<Arc<Api>>,
    Signed(who): Signed,
    Named(SessionRef(id)): Named<SessionRef>,
) -> Outcome {
    let found = api.recordings.one(&who, id).await?;
    Ok(Reply::ok(&RecordingView::of(&found, api.control.now()))?.at(found.version()))
}

/// Why it is to be erased.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::control::api) struct EraseBody {
    reason: Sentence,
}

/// Asks for a recording to be erased. Somebody else of the security role must agree.
#[utoipa::path(
    post,
    path = "/api/v1/recordings/{id}/erase",
    operation_id = "erase-recording",
    tag = "recordings",
    params(("id" = inline(SessionRef), Path, description = "The session"), Key, IfMatch),
    request_body = EraseBody,
    responses((status = 200, description = "The recording, still there", body = RecordingView))
)]
pub(in crate::control::api) async fn erase(
    State(api): State<Arc<Api>>,
    Signed(who): Signed,
    Named(SessionRef(id)): Named<SessionRef>,
    IfMatch(version): IfMatch,
    key: Key,
    said: Said<EraseBody>,
) -> Outcome {
    let doing = Doing {
        key,
        what: format!("erase-recording {id}"),
        digest: said.digest,
        answers: Answers::Kept,
    };
    once(&api, &who, doing, async {
        let reason = &said.value.reason.0;
        let asked = api
            .recordings
            .ask_erasing(&api.control, &who, id, reason, version);
        let seen = asked.await?;
        Ok(Reply::ok(&RecordingView::of(&seen, api.control.now()))?.at(seen.version()))
    })
    .await
}

/// An answer.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::control::api) struct EraseVoteBody {
    #[schema(value_type = word::Verdict)]
    verdict: Verdict,
    reason: Sentence,
}

/// Answers that. `approve` erases the recording at once and for good, and is never theirs who asked.
#[utoipa::path(
    post,
    path = "/api/v1/recordings/{id}/erase/votes",
    operation_id = "vote-erase-recording",
    tag = "recordings",
    params(("id" = inline(SessionRef), Path, description = "The session"), Key, IfMatch),
    request_body = EraseVoteBody,
    responses((status = 200, description = "The recording: erased, or kept", body = RecordingView))
)]
pub(in crate::control::api) async fn vote(
    State(api): State<Arc<Api>>,
    Signed(who): Signed,
    Named(SessionRef(id)): Named<SessionRef>,
    IfMatch(version): IfMatch,
    key: Key,
    said: Said<EraseVoteBody>,
) -> Outcome {
    let doing = Doing {
        key,
        what: format!("vote-erase-recording {id}"),
        digest: said.digest,
        answers: Answers::Kept,
    };
    let vote = said.value;
    once(&api, &who, doing, async {
        let (verdict, reason) = (vote.verdict, &vote.reason.0);
        let answered =
            api.recordings
                .answer_erasing(&api.control, &who, id, verdict, reason, version);
        let seen = answered.await?;
        Ok(Reply::ok(&RecordingView::of(&seen, api.control.now()))?.at(seen.version()))
    })
    .await
}
