//! The token that tells a receiver that a support session ended: CAEP 1.0 `session-revoked` in an SSF 1.0 envelope.

use super::event::SESSION_REVOKED;
use crate::model::{EndCause, Timestamp, Transmission};
use serde_json::{Value, json};

/// Its claims, issued at `now`. The `jti` is the same at each attempt; `toe` says when the session ended.
pub(super) fn claims(it: &Transmission, issuer: &str, audience: &str, now: Timestamp) -> Value {
    let opaque = |id: &str| json!({ "format": "opaque", "id": id });
    // The user of a support session is its operator: a receiver that ends all of a user's sessions must not end the
    // customer's own.
    let subject = json!({
        "format": "complex",
        "user": opaque(&it.operator),
        "session": opaque(&it.session),
        "tenant": opaque(&it.tenant),
    });
    let ended = it.ended_at.seconds();
    json!({
        "iss": issuer,
        "aud": audience,
        "iat": now.seconds(),
        "jti": it.id,
        "toe": ended,
        "txn": it.grant,
        "sub_id": subject,
        "events": { SESSION_REVOKED: {
            "event_timestamp": ended,
            "initiating_entity": initiator(it.cause),
            "reason_admin": { "en": format!("The support session {}.", it.cause.told()) },
            "support": {
                "app": it.app,
                "subject": it.subject,
                "ticket": it.ticket,
                "cause": it.cause.as_str(),
            },
        } },
    })
}

/// CAEP 1.0 §2: who set it off.
const fn initiator(cause: EndCause) -> &'static str {
    match cause {
        EndCause::Operator => "user",
        EndCause::Revoked | EndCause::Locked | EndCause::Customer => "admin",
        EndCause::Expired
        | EndCause::Idle
        | EndCause::Budget
        | EndCause::BindingBroken
        | EndCause::TicketClosed => "policy",
        EndCause::SignedOut | EndCause::Signalled => "system",
    }
}
