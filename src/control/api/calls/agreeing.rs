//! From a request to a session: votes, the customer's consent, and activation.

use super::asking::shown;
use crate::control::api::input::{IfMatch, Key, Named, Said, Signed};
use crate::control::api::once::{Answers, Doing, once};
use crate::control::api::reply::{Outcome, Reply};
use crate::control::api::state::Api;
use crate::control::api::text::{Digest, RequestRef, Sentence};
use crate::control::api::view::request::{ActivatedView, ConsentLinkView, RequestWithVotes};
use crate::control::api::view::word;
use crate::control::lifecycle::At;
use crate::model::{Binding, Verdict};
use axum::extract::State;
use serde::Deserialize;
use std::sync::Arc;
use utoipa::ToSchema;

/// A vote.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::control::api) struct VoteBody {
    /// Of the request as it was read: a vote is on exactly that.
    digest: Digest,
    #[schema(value_type = word::Verdict)]
    verdict: Verdict,
    /// Needed to deny.
    reason: Option<Sentence>,
}

/// Votes on a request.
#[utoipa::path(
    post,
    path = "/api/v1/requests/{id}/votes",
    operation_id = "vote",
    tag = "requests",
    params(("id" = inline(RequestRef), Path, description = "The request"), IfMatch, Key),
    request_body = VoteBody,
    responses((status = 200, description = "The request with the vote", body = RequestWithVotes))
)]
pub(in crate::control::api) async fn vote(
    State(api): State<Arc<Api>>,
    Signed(who): Signed,
    Named(RequestRef(id)): Named<RequestRef>,
    IfMatch(version): IfMatch,
    key: Key,
    said: Said<VoteBody>,
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
        let at = At { id, version };
        let made = api
            .control
            .vote(&who, at, &vote.digest.0, vote.verdict, reason)
            .await?;
        shown(&api, &who, &made).await
    })
    .await
}

/// Turns an approved request into a session. Needs a fresh proof of identity.
#[utoipa::path(
    post,
    path = "/api/v1/requests/{id}/activate",
    operation_id = "activate",
    tag = "requests",
    params(("id" = inline(RequestRef), Path, description = "The request"), IfMatch, Key),
    responses((status = 201, description = "The session's one-time start link", body = ActivatedView))
)]
pub(in crate::control::api) async fn activate(
    State(api): State<Arc<Api>>,
    Signed(who): Signed,
    Named(RequestRef(id)): Named<RequestRef>,
    IfMatch(version): IfMatch,
    key: Key,
) -> Outcome {
    let doing = Doing {
        key,
        what: format!("activate {id}"),
        digest: String::new(),
        answers: Answers::Secret,
    };
    once(&api, &who, doing, async {
        let at = At { id, version };
        let done = api.control.activate(&who, at, Binding::default()).await?;
        let location = format!("/api/v1/sessions/{}", done.session);
        Reply::created(&ActivatedView::from(&done), location)
    })
    .await
}

/// A fresh start link for a session that nobody started yet. The one before is void.
#[utoipa::path(
    post,
    path = "/api/v1/requests/{id}/start-link",
    operation_id = "start-link",
    tag = "requests",
    params(("id" = inline(RequestRef), Path, description = "The request"), IfMatch),
    responses((status = 200, description = "The session's one-time start link", body = ActivatedView))
)]
pub(in crate::control::api) async fn start_link(
    State(api): State<Arc<Api>>,
    Signed(who): Signed,
    Named(RequestRef(id)): Named<RequestRef>,
    IfMatch(version): IfMatch,
) -> Outcome {
    let made = api.control.start_again(&who, At { id, version }).await?;
    Reply::ok(&ActivatedView::from(&made))
}

/// Asks the customer to consent, by a link: mailed to their contact, or to be sent on where they have none.
#[utoipa::path(
    post,
    path = "/api/v1/requests/{id}/consent-link",
    operation_id = "consent-link",
    tag = "requests",
    params(("id" = inline(RequestRef), Path, description = "The request"), IfMatch),
    responses((status = 200, description = "Where the customer's link went", body = ConsentLinkView))
)]
pub(in crate::control::api) async fn consent_link(
    State(api): State<Arc<Api>>,
    Signed(who): Signed,
    Named(RequestRef(id)): Named<RequestRef>,
    IfMatch(version): IfMatch,
) -> Outcome {
    let made = api.control.consent_link(&who, At { id, version }).await?;
    Reply::ok(&ConsentLinkView::from(made))
}

/// The customer's answer.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::control::api) struct ConsentBody {
    /// `false`: the request is denied, or what came of it ends.
    agrees: bool,
}

/// The customer consents, refuses, or ends what they consented to: for their own auditor.
#[utoipa::path(
    post,
    path = "/api/v1/requests/{id}/consent",
    operation_id = "consent",
    tag = "requests",
    params(("id" = inline(RequestRef), Path, description = "The request"), IfMatch),
    request_body = ConsentBody,
    responses((status = 200, description = "The request", body = RequestWithVotes))
)]
pub(in crate::control::api) async fn consent(
    State(api): State<Arc<Api>>,
    Signed(who): Signed,
    Named(RequestRef(id)): Named<RequestRef>,
    IfMatch(version): IfMatch,
    said: Said<ConsentBody>,
) -> Outcome {
    let at = At { id, version };
    let made = api.control.consent_as(&who, at, said.value.agrees).await?;
    shown(&api, &who, &made).await
}
