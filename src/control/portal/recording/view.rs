//! What the pages of a recording have in common: whose view it is, which exchange, and where that stands in the navigation.

use super::super::answer::go;
use super::super::call::Call;
use super::super::nav::{self, Here};
use crate::control::duties;
use crate::control::refusal::Refusal;
use crate::control::replay::View;
use crate::model::{ExchangeId, SessionId};
use axum::response::Response;
use std::sync::Arc;

/// The page of the navigation that recordings belong to, for this person.
pub(super) fn here(call: &Call) -> Here {
    let candidates = [Here::Evidence, Here::Live, Here::Customer];
    let is_for = |here: &Here| call.is_any(nav::roles(*here));
    candidates.into_iter().find(is_for).unwrap_or(Here::Nowhere)
}

/// The open view of whoever asks, on the session in the path.
pub(super) fn viewed(call: &Call) -> Result<Option<Arc<View>>, Refusal> {
    let id: SessionId = call.id()?;
    let (views, now) = (&call.web.recordings.views, call.control().now());
    Ok(views.of(call.visit.login, id, now))
}

/// The same, and the exchange in the path. Where no view is open, the reason is asked for first.
pub(super) async fn exchanged(
    call: &Call,
) -> Result<Result<(Arc<View>, ExchangeId), Response>, Refusal> {
    // Whoever lost their seat since they stated the reason sees no more.
    head(call).await?;
    let id: SessionId = call.id()?;
    let Some(view) = viewed(call)? else {
        return Ok(Err(go(&format!("/sessions/{id}/recording"))));
    };
    let exchange = call.ids.get(1).and_then(|text| text.parse().ok());
    let exchange: ExchangeId = exchange.ok_or_else(Refusal::not_found)?;
    view.exchange(exchange).ok_or_else(Refusal::not_found)?;
    Ok(Ok((view, exchange)))
}

/// Who stood in for whom, for somebody who may see the recording.
pub(super) async fn head(call: &Call) -> Result<String, Refusal> {
    let (stored, _) = call.control().session(call.caller(), call.id()?).await?;
    let grant = &stored.grant;
    let settings = call.web.recordings.replay.load();
    duties::may_see_recording(call.caller(), grant, settings.tenant_auditors)?;
    Ok(format!(
        "{} as {}",
        grant.operator_label(),
        grant.subject.id
    ))
}

/// "12 bytes", "3.4 KiB".
pub(super) fn size(bytes: u64) -> String {
    let tenths = |unit: u64| format!("{}.{}", bytes / unit, bytes % unit * 10 / unit);
    match bytes {
        0..1024 => format!("{bytes} bytes"),
        1024..1_048_576 => format!("{} KiB", tenths(1024)),
        _ => format!("{} MiB", tenths(1_048_576)),
    }
}
