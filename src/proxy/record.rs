//! Which exchanges are recorded, and the beginning of each: by route, tier and break-glass.

use super::authenticate::Authenticated;
use super::body::ResponseBody;
use super::close::Closer;
use super::decide::Permitted;
use super::inbound::Inbound;
use super::refusal::Refusal;
use super::setup::{Recording, Setup};
use super::way::Way;
use super::worker::Plane;
use crate::audit::recording::{About, Overrun, Start, Tap, Which};
use crate::audit::{Outcome, Protocol};
use crate::model::{Decision, Grant, OnOverrun, Record, RecordRule, Tier, Timestamp};
use crate::policy::Verdict;
use http::Response;

/// How a permitted exchange is recorded.
pub fn rule(recording: &Recording, grant: &Grant, verdict: &Verdict) -> RecordRule {
    let by_tier = of_tier(recording, grant, verdict.decision.tier);
    if grant.break_glass {
        // No row makes an emergency's recording less.
        return by_tier;
    }
    let record = match verdict.record {
        None => by_tier.record,
        Some(wanted) if verdict.also.is_empty() => wanted,
        // Several operations in one body: as the one that wants the most.
        Some(wanted) => wanted.max(by_tier.record),
    };
    RecordRule { record, ..by_tier }
}

/// How an exchange that Locum answers itself is recorded.
pub fn rule_of_refusal(
    recording: &Recording,
    grant: &Grant,
    decision: Option<&Decision>,
) -> RecordRule {
    let tier = decision.map_or(Tier::Ordinary, |decision| decision.tier);
    RecordRule {
        // Nothing is forwarded, so nothing is left to refuse.
        on_overrun: OnOverrun::Gap,
        ..of_tier(recording, grant, tier)
    }
}

fn of_tier(recording: &Recording, grant: &Grant, tier: Tier) -> RecordRule {
    if grant.break_glass {
        return RecordRule {
            record: Record::Bodies,
            on_overrun: recording.break_glass,
        };
    }
    match tier {
        Tier::Ordinary => recording.ordinary,
        Tier::Sensitive => recording.sensitive,
        Tier::Privileged => recording.privileged,
    }
}

/// Begins the recording of a permitted exchange; `None` where nothing of it is recorded.
pub async fn begin(
    way: &Way<'_>,
    inbound: &Inbound,
    authenticated: &Authenticated,
    permitted: &Permitted,
) -> Result<Option<Tap>, Overrun> {
    if way.record.record == Record::None {
        return Ok(None);
    }
    let target = permitted.target().as_str();
    let decision = Some(permitted.decision());
    let (about, origin) = about(way.setup, inbound, authenticated, decision);
    let start = start(inbound, &origin, decision, target);
    let recorder = &way.worker.plane().recorder;
    let tap = recorder.begin(way.record, about, &start).await?;
    tap.headers(Which::Request, None, &inbound.parts.headers)?;
    Ok(Some(tap))
}

/// Records what Locum answers by itself: the operator saw it.
pub fn answered(
    plane: &Plane,
    setup: &Setup,
    inbound: &Inbound,
    authenticated: &Authenticated,
    rule: RecordRule,
    decision: Option<&Decision>,
    response: &Response<ResponseBody>,
) {
    if rule.record == Record::None {
        return;
    }
    let target = inbound.opening().target;
    let target = String::from_utf8_lossy(target);
    let (about, origin) = about(setup, inbound, authenticated, decision);
    let start = start(inbound, &origin, decision, &target);
    let tap = plane.recorder.begin_anyhow(rule.record, about, &start);
    // With `gap` neither fails.
    let _ = tap.headers(Which::Request, None, &inbound.parts.headers);
    show(&tap, response);
    let outcome = if response.status().as_u16() < 400 {
        "answered"
    } else {
        "refused"
    };
    tap.end(outcome, true);
}

/// Locum's own answer, as the operator gets it.
pub fn show(tap: &Tap, response: &Response<ResponseBody>) {
    let status = Some(response.status().as_u16());
    // What Locum says stays true where it cannot be recorded; the tape says that it is missing.
    let _ = tap.headers(Which::Shown, status, response.headers());
    if let Some(whole) = response.body().own() {
        let _ = tap.data(Which::Shown, &whole);
    }
    tap.rewrites();
}

/// Closes an exchange that was opened and got Locum's own answer.
pub fn close_answered(
    closer: Closer,
    outcome: Outcome,
    cause: &str,
    shown: &Response<ResponseBody>,
) {
    if let Some(tap) = &closer.tap {
        show(tap, shown);
    }
    closer.close(outcome, cause, 0, None);
}

/// Whose recording it is, and the origin that the operator's browser asked.
fn about(
    setup: &Setup,
    inbound: &Inbound,
    authenticated: &Authenticated,
    decision: Option<&Decision>,
) -> (About, String) {
    let session = &authenticated.session;
    let tier = decision.map_or(Tier::Ordinary, |decision| decision.tier);
    let about = About::new(session.id, &session.grant, tier, Timestamp::now());
    let host = String::from_utf8_lossy(inbound.host());
    (about, format!("{}://{host}", setup.scheme))
}

fn start<'a>(
    inbound: &'a Inbound,
    origin: &'a str,
    decision: Option<&'a Decision>,
    target: &'a str,
) -> Start<'a> {
    let opening = inbound.opening();
    Start {
        exchange: inbound.exchange,
        origin,
        method: opening.method,
        target,
        protocol: protocol(opening.protocol),
        rule: decision.map_or("", |decision| &decision.rule),
        action: decision.map_or("", |decision| &decision.action),
    }
}

const fn protocol(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Http1 => "http/1.1",
        Protocol::Http2 => "h2",
        Protocol::WebSocket => "websocket",
    }
}

/// 503: what must be recorded cannot be.
pub fn refusal() -> Refusal {
    Refusal::unavailable(
        "recording",
        "This must be recorded, and recordings cannot be written now, so it was not done or not shown.",
    )
}
