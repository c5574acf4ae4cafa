//! After-action reviews: which are due, one, and its verdict.

use super::asking::page;
use crate::control::api::input::{Asked, IfMatch, Named, PageSize, Said, Signed};
use crate::control::api::reply::{Outcome, Reply};
use crate::control::api::state::Api;
use crate::control::api::text::{Few, ReviewRef, Sentence};
use crate::control::api::view::review::{ReviewView, Reviews};
use crate::control::api::view::word;
use crate::control::lifecycle::Finding;
use crate::model::ReviewState;
use crate::store::control::Query;
use axum::extract::State;
use serde::Deserialize;
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};

/// Which reviews.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(in crate::control::api) struct Listing {
    #[param(value_type = Option<word::ReviewState>, inline)]
    state: Option<ReviewState>,
    /// `next` of the page before.
    #[param(inline)]
    after: Option<ReviewRef>,
    #[param(value_type = Option<u64>, minimum = 1, maximum = 200)]
    limit: Option<PageSize>,
}

/// Reviews, newest first.
#[utoipa::path(
    get,
    path = "/api/v1/reviews",
    operation_id = "reviews",
    tag = "reviews",
    params(Listing),
    responses((status = 200, description = "Some reviews", body = Reviews))
)]
pub(in crate::control::api) async fn list(
    State(api): State<Arc<Api>>,
    Signed(who): Signed,
    Asked(asked): Asked<Listing>,
) -> Outcome {
    let query = Query {
        states: asked.state.iter().map(|it| it.as_str()).collect(),
        after: asked.after.map(|it| it.0.to_string()),
        limit: page(asked.limit),
        ..Query::default()
    };
    let (page, now) = (api.control.reviews(&who, query).await?, api.control.now());
    Reply::ok(&Reviews {
        items: page
            .items
            .iter()
            .map(|it| ReviewView::of(it, now))
            .collect(),
        next: page.next,
    })
}

/// One review.
#[utoipa::path(
    get,
    path = "/api/v1/reviews/{id}",
    operation_id = "review",
    tag = "reviews",
    params(("id" = inline(ReviewRef), Path, description = "The review")),
    responses((status = 200, description = "The review", body = ReviewView))
)]
pub(in crate::control::api) async fn one(
    State(api): State<Arc<Api>>,
    Signed(who): Signed,
    Named(ReviewRef(id)): Named<ReviewRef>,
) -> Outcome {
    let review = api.control.one_review(&who, id).await?;
    Ok(Reply::ok(&ReviewView::of(&review, api.control.now()))?.at(review.version))
}

/// What a reviewer found.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::control::api) struct VerdictBody {
    /// Whether breaking the glass was right: certified, or rejected.
    justified: bool,
    /// What was touched, and why that was right or not.
    findings: Sentence,
    /// What must be done now.
    #[serde(default)]
    #[schema(value_type = Vec<Sentence>, max_items = 20)]
    follow_ups: Few<Sentence, 0, 20>,
}

/// Certifies or rejects.
#[utoipa::path(
    post,
    path = "/api/v1/reviews/{id}/verdict",
    operation_id = "review-verdict",
    tag = "reviews",
    params(("id" = inline(ReviewRef), Path, description = "The review"), IfMatch),
    request_body = VerdictBody,
    responses((status = 200, description = "The review, closed", body = ReviewView))
)]
pub(in crate::control::api) async fn verdict(
    State(api): State<Arc<Api>>,
    Signed(who): Signed,
    Named(ReviewRef(id)): Named<ReviewRef>,
    IfMatch(version): IfMatch,
    said: Said<VerdictBody>,
) -> Outcome {
    let said = said.value;
    let found = Finding {
        justified: said.justified,
        findings: said.findings.0,
        follow_ups: said.follow_ups.0.into_iter().map(|it| it.0).collect(),
    };
    let review = api.control.review(&who, id, found, version).await?;
    Ok(Reply::ok(&ReviewView::of(&review, api.control.now()))?.at(review.version))
}
