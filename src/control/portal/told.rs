//! What happened, in words: one clause for each code of the control plane's history.

use crate::model::Happened;

const TOLD: [(&str, &str); 60] = [
    ("request.created", "asked for access"),
    ("request.approved", "everybody agreed"),
    ("request.cancelled", "took the request back"),
    ("request.expired", "the request expired"),
    ("request.ticket-checked", "the ticket was checked"),
    ("vote.approve", "agreed"),
    ("vote.deny", "did not agree"),
    ("consent.asked", "made the customer’s consent link"),
    ("consent.given", "the customer consented"),
    ("consent.refused", "the customer did not consent"),
    ("session.activated", "activated the grant"),
    ("session.link-renewed", "made a fresh start link"),
    ("session.end-asked", "ended the session"),
    ("session.all-ended", "ended all sessions of a key"),
    ("session.started", "opened the session"),
    ("session.ended", "the session was over"),
    ("session.exported", "exported the session"),
    ("recording.viewed", "looked at the recording"),
    ("break-glass.opened", "broke the glass"),
    ("alert.raised", "raised an alert"),
    ("alert.taken", "the alert was taken"),
    ("alert.failed", "the alert reached nobody"),
    ("review.certified", "certified the use of break-glass"),
    (
        "review.rejected",
        "found the use of break-glass not justified",
    ),
    ("review.overdue", "the review is overdue"),
    ("lock.set", "locked"),
    ("lock.lifted", "lifted a lock"),
    ("workload.registered", "registered a workload"),
    ("workload.renewed", "renewed a workload"),
    ("workload.disabled", "disabled a workload"),
    ("workload.shared", "a workload is used from several places"),
    ("control.refused", "was refused"),
    ("api.call", "called the API"),
    ("records.searched", "looked for records"),
    ("records.exported", "exported records"),
    ("grant.issued", "was granted access"),
    ("grant.revoked", "the grant was revoked"),
    ("alert", "something to look at"),
    ("websocket.ended", "a WebSocket ended"),
    ("shadow.differs", "the candidate policy decides otherwise"),
    ("process.started", "Locum started"),
    ("process.stopped", "Locum stopped"),
    ("policy.refused", "a policy was not loaded"),
    ("config.refused", "a configuration was not loaded"),
    ("sink.state", "a sink changed"),
    ("index.rebuilt", "the index is made anew"),
    ("journal.recovered", "a torn end was cut"),
    ("segment.sealed", "a segment was sealed"),
    ("segment.carried", "exchanges were open as a segment ended"),
    ("login.in", "signed in"),
    ("login.out", "signed out"),
    ("change.asked", "brought other rules"),
    ("change.approve", "agreed to other rules"),
    ("change.deny", "did not agree to other rules"),
    ("change.agreed", "enough people agreed to other rules"),
    ("change.taken", "brought rules into force"),
    ("change.expired", "the change of rules expired"),
    ("change.void", "the change of rules is void"),
    ("policy.loaded", "a policy was loaded"),
    ("config.reloaded", "the configuration was loaded anew"),
];

/// The clause for a code; the code itself where nobody wrote one.
pub(super) fn clause(code: &str) -> &str {
    let known = TOLD.iter().find(|(known, _)| *known == code);
    known.map_or(code, |(_, told)| told)
}

/// What is worth reading beside the clause.
pub(super) fn details(happened: &Happened) -> Vec<(String, String)> {
    const SHOWN: [&str; 22] = [
        "kinds",
        "differs",
        "reason",
        "step",
        "key",
        "cause",
        "findings",
        "follow_ups",
        "approved_by",
        "scopes",
        "minutes",
        "state",
        "workload",
        "owner",
        "incident",
        "channels",
        "why",
        "sessions",
        "path",
        "review",
        "link",
        "to",
    ];
    let shown = happened
        .details
        .iter()
        .filter(|(name, value)| SHOWN.contains(&name.as_str()) && !value.is_empty());
    shown
        .map(|(name, value)| (name.replace('_', " "), value.clone()))
        .collect()
}

/// Whether somebody was refused.
pub(super) fn is_refusal(happened: &Happened) -> bool {
    happened.code == "control.refused"
}
