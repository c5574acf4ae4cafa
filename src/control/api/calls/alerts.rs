//! Alert channels: do they take what is sent?

use crate::control::api::input::{Said, Signed};
use crate::control::api::reply::{Outcome, Reply};
use crate::control::api::state::Api;
use crate::control::api::text::Line;
use crate::control::api::view::alert::{TestedChannel, TestedChannels};
use axum::extract::State;
use serde::Deserialize;
use std::sync::Arc;
use utoipa::ToSchema;

/// Which channels.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::control::api) struct TestBody {
    /// Absent: each.
    channel: Option<Line>,
}

/// Sends a marked test alert by each alert channel, or by one.
#[utoipa::path(
    post,
    path = "/api/v1/alerts/test",
    operation_id = "test-alerts",
    tag = "alerts",
    request_body = TestBody,
    responses((status = 200, description = "What each channel said", body = TestedChannels))
)]
pub(in crate::control::api) async fn test(
    State(api): State<Arc<Api>>,
    Signed(who): Signed,
    said: Said<TestBody>,
) -> Outcome {
    let channel = said.value.channel.as_ref().map(|it| it.0.as_str());
    let tried = api.control.test_alerts(&who, channel).await?;
    Reply::ok(&TestedChannels {
        items: tried.into_iter().map(TestedChannel::from).collect(),
    })
}
