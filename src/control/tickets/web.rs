//! `POST /hooks/ticket[/<system>]`: a ticket system says that a ticket is closed, and what was granted for it ends.

use super::hook::{Hook, HookBounds, HookRefused, HookSays};
use crate::control::desk::Control;
use crate::control::refusal::{Kind, Refusal};
use crate::control::web::extract::Problem;
use crate::control::web::shared::Shared;
use crate::model::{EndCause, LockKey};
use crate::telemetry::metrics::Limit;
use axum::Router;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::routing::post;
use http::{HeaderMap, StatusCode};

/// The ticket systems' way in. No sign-in: the signature is the proof.
pub fn router() -> Router<Shared> {
    Router::new()
        .route("/hooks/ticket", post(from_the_only_one))
        .route("/hooks/ticket/{system}", post(from_a_named_one))
}

async fn from_the_only_one(
    State(web): State<Shared>,
    headers: HeaderMap,
    body: Body,
) -> Result<StatusCode, Problem> {
    Ok(receive(&web.control, None, &headers, body).await?)
}

async fn from_a_named_one(
    State(web): State<Shared>,
    Path(system): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<StatusCode, Problem> {
    Ok(receive(&web.control, Some(&system), &headers, body).await?)
}

/// Believes a message or not, and does what it says. The same answer whether or not anything ended.
pub(super) async fn receive(
    control: &Control,
    system: Option<&str>,
    headers: &HeaderMap,
    body: Body,
) -> Result<StatusCode, Refusal> {
    let bounds = control.tickets.hook_bounds(system);
    let HookBounds { bytes, time } = bounds.map_err(|why| refused(&why))?;
    let reading = tokio::time::timeout(time, axum::body::to_bytes(body, bytes));
    let body = match reading.await {
        Ok(Ok(body)) => body,
        Ok(Err(_)) => {
            control.metrics.hit(Limit::TicketHookBytes);
            let detail = format!("A message has at most {bytes} bytes.");
            return Err(Refusal::new(Kind::Invalid, "hook.body", detail));
        }
        Err(_) => {
            control.metrics.hit(Limit::TicketHookTimeout);
            let detail = "The message did not come in time.";
            return Err(Refusal::new(Kind::Invalid, "hook.body", detail));
        }
    };
    let now = control.now();
    let hook = Hook {
        system,
        headers,
        body: &body,
        now,
    };
    let says = control.tickets.hook(&hook).map_err(|why| {
        tracing::warn!(%why, system, "a ticket system's message was not believed");
        refused(&why)
    })?;
    act(control, &says).await?;
    control.tickets.hook_done(&says, now);
    Ok(StatusCode::NO_CONTENT)
}

async fn act(control: &Control, says: &HookSays) -> Result<(), Refusal> {
    let Some(ticket) = &says.closed else {
        return Ok(());
    };
    // Remembered over a restart, too: a replay ends nothing.
    let (system, mark, until) = (says.system.clone(), says.seen, says.until);
    let name = system.clone();
    let known = control
        .run("looking for a message", move |tx| {
            Ok(tx.was_acted_on(&name, &mark)?)
        })
        .await?;
    if known {
        return Ok(());
    }
    let key = LockKey::Ticket(ticket.clone());
    let by = format!("ticket-system:{}", says.system);
    let over = control
        .end_because(key, EndCause::TicketClosed, &by)
        .await?;
    control
        .run("noting a message", move |tx| {
            Ok(tx.acted_on(&system, &mark, until)?)
        })
        .await?;
    tracing::info!(system = says.system, sessions = over, "a ticket was closed");
    Ok(())
}

fn refused(why: &HookRefused) -> Refusal {
    let (kind, reason) = match why {
        HookRefused::NoSystem => return Refusal::not_found(),
        HookRefused::Unsigned(_) => (Kind::Unauthenticated, "hook.unsigned"),
        HookRefused::Forged => (Kind::Unauthenticated, "hook.forged"),
        HookRefused::Stale => (Kind::Unauthenticated, "hook.stale"),
        HookRefused::Unreadable(_) => (Kind::Invalid, "hook.unreadable"),
        HookRefused::Foreign => (Kind::Forbidden, "hook.foreign"),
    };
    Refusal::new(kind, reason, format!("Not believed: {why}."))
}
