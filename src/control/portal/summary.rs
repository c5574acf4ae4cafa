//! A session in one paragraph that an auditor can paste: who, as whom, why, who agreed, when, and what was touched.

use super::views::{Outcome, Recorded};
use super::words;
use crate::control::desk::ScopeChoice;
use crate::model::{Grant, Timestamp};
use crate::store::Stored;

/// What the journal counts.
pub(super) struct Tally {
    pub(super) read: usize,
    pub(super) changed: usize,
    pub(super) refused: usize,
}

/// Things named before the rest is only counted.
const NAMED: usize = 8;

pub(super) fn tally(recorded: &Recorded) -> Tally {
    let count = |outcome| {
        recorded
            .exchanges
            .iter()
            .filter(|it| it.outcome == outcome)
            .count()
    };
    Tally {
        read: count(Outcome::Read),
        changed: count(Outcome::Changed),
        refused: count(Outcome::Refused),
    }
}

/// The paragraph.
pub(super) fn summary(
    stored: &Stored,
    known: &[ScopeChoice],
    recorded: Option<&Recorded>,
    now: Timestamp,
) -> String {
    let grant = &stored.grant;
    let mut sentences = vec![who(grant, known), agreed(grant), lasted(stored, now)];
    sentences.extend(recorded.into_iter().flat_map(touched));
    sentences.join(" ")
}

fn who(grant: &Grant, known: &[ScopeChoice]) -> String {
    let ticket = match grant.ticket.as_str() {
        "" => String::new(),
        ticket => format!(", for {ticket}"),
    };
    format!(
        "{} ({}) stood in for {} of {} in {}, able to {}{ticket} ({}).",
        grant.operator_label(),
        grant.operator.id,
        grant.subject.id,
        grant.tenant_label(),
        grant.app,
        words::able_to(&grant.scopes, known),
        grant.reason,
    )
}

fn agreed(grant: &Grant) -> String {
    match grant.approvals.as_slice() {
        [] if grant.break_glass => "It was break-glass: nobody agreed beforehand.".to_owned(),
        [] => "No approval was asked for.".to_owned(),
        people => format!("{} agreed.", words::list(people)),
    }
}

fn lasted(stored: &Stored, now: Timestamp) -> String {
    let expires = stored.grant.expires_at;
    match (stored.session.started_at, &stored.session.ended) {
        (None, None) if now >= expires => "It was never opened.".to_owned(),
        (None, None) => "It has not been opened yet.".to_owned(),
        (None, Some(ended)) => format!("It was never opened, and {}.", ended.cause.told()),
        (Some(at), None) if now < expires => format!(
            "It began on {}, and is open until {} at most.",
            at.to_minute(),
            expires.to_minute()
        ),
        (Some(at), None) => {
            format!(
                "It lasted from {} to {}.",
                at.to_minute(),
                expires.to_minute()
            )
        }
        (Some(at), Some(ended)) => format!(
            "It lasted from {} to {} and {}{}.",
            at.to_minute(),
            ended.at.to_minute(),
            ended.cause.told(),
            ended
                .who()
                .map(|who| format!(" by {who}"))
                .unwrap_or_default(),
        ),
    }
}

/// What was read, changed and refused.
fn touched(recorded: &Recorded) -> Vec<String> {
    let tally = tally(recorded);
    let through = tally.read + tally.changed;
    let were = |count: usize| if count == 1 { "was" } else { "were" };
    let requests = if through == 1 { "request" } else { "requests" };
    let mut sentences = vec![format!(
        "{through} {requests} {} let through, {} of them to change something; {} {} refused.",
        were(through),
        tally.changed,
        tally.refused,
        were(tally.refused),
    )];
    let changed = recorded
        .exchanges
        .iter()
        .filter(|it| it.outcome == Outcome::Changed);
    let mut changed: Vec<&str> = changed
        .map(|it| match it.resource.as_str() {
            "" => it.action.as_str(),
            resource => resource,
        })
        .collect();
    changed.sort_unstable();
    changed.dedup();
    let more = changed.len().saturating_sub(NAMED);
    changed.truncate(NAMED);
    match (changed.as_slice(), more) {
        ([], _) => {}
        (changed, 0) => sentences.push(format!("Changed: {}.", changed.join(", "))),
        (changed, more) => {
            sentences.push(format!("Changed: {} and {more} more.", changed.join(", ")));
        }
    }
    sentences
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::portal::Exchange;

    #[test]
    fn what_was_touched_is_counted_and_named_once() {
        let exchange = |outcome, resource: &str| Exchange {
            at: Timestamp::from_millis(0),
            exchange: "x".into(),
            method: "GET".into(),
            path: "/".into(),
            action: "orders.note".into(),
            resource: resource.into(),
            rule: "order-note".into(),
            status: 200,
            is_page: false,
            outcome,
        };
        let recorded = Recorded {
            exchanges: vec![
                exchange(Outcome::Read, "order:1"),
                exchange(Outcome::Changed, "order:1"),
                exchange(Outcome::Changed, "order:1"),
                exchange(Outcome::Changed, ""),
                exchange(Outcome::Refused, ""),
            ],
            cut: false,
        };
        assert_eq!(
            touched(&recorded),
            [
                "4 requests were let through, 3 of them to change something; 1 was refused.",
                "Changed: order:1, orders.note."
            ]
        );
    }
}
