//! Changes of Locum's own rules: what waits, and answering it.

use super::asking::page;
use crate::control::api::input::{Asked, Key, Named, PageSize, Said, Signed};
use crate::control::api::once::{Answers, Doing, once};
use crate::control::api::reply::{Outcome, Reply};
use crate::control::api::state::Api;
use crate::control::api::text::{ChangeRef, Digest, Sentence};
use crate::control::api::view::change::{ChangeView, Changes};
use crate::control::api::view::word;
use crate::model::{ChangeState, Verdict};
use crate::store::control::Query;
use axum::extract::State;
use serde::Deserialize;
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};

/// Which changes.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(in crate::control::api) struct Listing {
    #[param(value_type = Option<word::ChangeState>, inline)]
    state: Option<ChangeState>,
    /// `next` of the page before.
    #[param(inline)]
    after: Option<ChangeRef>,
    #[param(value_type = Option<u64>, minimum = 1, maximum = 200)]
    limit: Option<PageSize>,
}

/// Changes of Locum's own rules, newest first.
#[utoipa::path(
    get,
    path = "/api/v1/changes",
    operation_id = "changes",
    tag = "changes",
    params(Listing),
    responses((status = 200, description = "Some changes", body = Changes))
)]
pub(in crate::control::api) async fn list(
    State(api): State<Arc<Api>>,
    Signed(who): Signed,
    Asked(asked): Asked<Listing>,
) -> Outcome {
    let query = Query {
        states: asked.state.map(ChangeState::as_str).into_iter().collect(),
        after: asked.after.map(|it| it.0.to_string()),
        limit: page(asked.limit),
        ..Query::default()
    };
    let page = api.control.changes(&who, query).await?;
    Reply::ok(&Changes {
        items: page.items.iter().map(ChangeView::from).collect(),
        next: page.next,
    })
}

/// One change with the votes on it.
#[utoipa::path(
    get,
    path = "/api/v1/changes/{id}",
    operation_id = "change",
    tag = "changes",
    params(("id" = inline(ChangeRef), Path, description = "The change")),
    responses((status = 200, description = "The change", body = ChangeView))
)]
pub(in crate::control::api) async fn one(
    State(api): State<Arc<Api>>,
    Signed(who): Signed,
    Named(ChangeRef(id)): Named<ChangeRef>,
) -> Outcome {
    let change = api.control.change(&who, id).await?;
    Ok(Reply::ok(&ChangeView::from(&change))?.at(change.version))
}

/// An answer.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::control::api) struct ChangeVoteBody {
    /// Of the change as it was read: a vote is on exactly that.
    digest: Digest,
    #[schema(value_type = word::Verdict)]
    verdict: Verdict,
    /// Needed to deny.
    reason: Option<Sentence>,
}

/// Votes on a change. With enough votes it is in force a moment later.
#[utoipa::path(
    post,
    path = "/api/v1/changes/{id}/votes",
    operation_id = "vote-change",
    tag = "changes",
    params(("id" = inline(ChangeRef), Path, description = "The change"), Key),
    request_body = ChangeVoteBody,
    responses((status = 200, description = "The change with the vote", body = ChangeView))
)]
pub(in crate::control::api) async fn vote(
    State(api): State<Arc<Api>>,
    Signed(who): Signed,
    Named(ChangeRef(id)): Named<ChangeRef>,
    key: Key,
    said: Said<ChangeVoteBody>,
) -> Outcome {
    let doing = Doing {
        key,
        what: format!("vote {id}"),
        digest: said.digest,
        answers: Answers::Kept,
    };
    let vote = said.value;
    once(&api, &who, doing, async {
        let reason = vote.reason.as_ref().map(|it| it.0.as_str());
        let change = api
            .control
            .answer_change(&who, id, &vote.digest.0, vote.verdict, reason)
            .await?;
        Ok(Reply::ok(&ChangeView::from(&change))?.at(change.version))
    })
    .await
}
