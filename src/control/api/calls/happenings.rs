//! What happened lately, for those who watch.

use super::asking::page;
use crate::control::api::input::{Asked, PageSize, Signed};
use crate::control::api::reply::{Outcome, Reply};
use crate::control::api::state::Api;
use crate::control::api::text::Within;
use crate::control::api::view::happening::{HappeningView, Happenings};
use axum::extract::State;
use serde::Deserialize;
use std::sync::Arc;
use utoipa::IntoParams;

/// The largest number that every JSON reader can hold.
const MOST: u64 = 9_007_199_254_740_991;

/// Which part.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(in crate::control::api) struct Listing {
    /// `next` of the page before.
    #[param(value_type = Option<u64>, minimum = 1, maximum = 9_007_199_254_740_991i64)]
    before: Option<Within<1, MOST>>,
    #[param(value_type = Option<u64>, minimum = 1, maximum = 200)]
    limit: Option<PageSize>,
}

/// What happened, newest first, in the tenants that the caller may watch.
#[utoipa::path(
    get,
    path = "/api/v1/happenings",
    operation_id = "happenings",
    tag = "happenings",
    params(Listing),
    responses((status = 200, description = "What happened", body = Happenings))
)]
pub(in crate::control::api) async fn list(
    State(api): State<Arc<Api>>,
    Signed(who): Signed,
    Asked(asked): Asked<Listing>,
) -> Outcome {
    let before = asked.before.and_then(|it| i64::try_from(it.0).ok());
    let limit = page(asked.limit);
    let noted = api.control.happenings(&who, before, limit).await?;
    let last = noted.last().filter(|_| noted.len() == limit);
    Reply::ok(&Happenings {
        next: last.map(|it| it.sequence.to_string()),
        items: noted.iter().map(HappeningView::from).collect(),
    })
}
