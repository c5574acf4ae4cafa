//! How a request is shown to people.

use crate::cli::Failure;
use crate::cli::output::{Cell, Output, Tone};
use crate::cli::remote::{flag, list, number, text, texts};
use serde_json::Value;

/// All of one request, so that somebody can answer it.
pub(in crate::cli) fn details(out: &mut Output, it: &Value) -> Result<(), Failure> {
    let person = |name: &str, id: &str| match (text(it, name), text(it, id)) {
        (name, id) if name.is_empty() => id,
        (name, id) => format!("{name} <{id}>"),
    };
    let demanded = format!(
        "{} approval(s){}",
        number(it, "/needs/approvals"),
        if flag(it, "/needs/consent") {
            " and the customer's consent"
        } else {
            ""
        }
    );
    let closed = match (text(it, "/closed_by"), text(it, "/closed_reason")) {
        (by, _) if by.is_empty() => String::new(),
        (by, why) if why.is_empty() => format!("by {by}"),
        (by, why) => format!("by {by}: {why}"),
    };
    out.facts(&[
        ("request", text(it, "/id")),
        ("state", text(it, "/state")),
        ("operator", person("/operator/name", "/operator/id")),
        ("as", person("/subject/name", "/subject/id")),
        ("of", person("/tenant/name", "/tenant/id")),
        ("app", text(it, "/app")),
        ("account", text(it, "/class")),
        ("scopes", texts(it, "/scopes")),
        ("tier", text(it, "/tier")),
        ("for", format!("{}m", number(it, "/minutes"))),
        (
            "ticket",
            [text(it, "/ticket"), text(it, "/ticket_title")]
                .join(" ")
                .trim()
                .to_owned(),
        ),
        ("incident", text(it, "/incident")),
        (
            "why",
            format!("{} ({})", text(it, "/reason"), text(it, "/reason_code")),
        ),
        ("elevates", text(it, "/elevates")),
        ("needs", demanded),
        ("rules", texts(it, "/needs/rules")),
        ("asked", text(it, "/created_at")),
        ("until", text(it, "/expires_at")),
        ("consented", text(it, "/consented_at")),
        ("closed", closed),
        ("grant", text(it, "/grant")),
        ("session", text(it, "/session")),
        ("digest", text(it, "/digest")),
    ])?;
    votes(out, list(it, "/votes"))
}

fn votes(out: &mut Output, votes: &[Value]) -> Result<(), Failure> {
    if votes.is_empty() {
        return Ok(());
    }
    let row = |vote: &Value| {
        let verdict = text(vote, "/verdict");
        let tone = if verdict == "approve" {
            Tone::Good
        } else {
            Tone::Bad
        };
        vec![
            Cell::new(&verdict, tone),
            text(vote, "/person").into(),
            text(vote, "/at").into(),
            if flag(vote, "/counts") {
                "counts"
            } else {
                "void"
            }
            .into(),
            text(vote, "/reason").into(),
        ]
    };
    let rows: Vec<_> = votes.iter().map(row).collect();
    out.line("")?;
    out.table(&["VOTE", "PERSON", "AT", "", "REASON"], &rows)
}

/// One line a request.
pub(super) fn table(out: &mut Output, items: &[Value]) -> Result<(), Failure> {
    let row = |it: &Value| {
        let state = text(it, "/state");
        let tone = match state.as_str() {
            "approved" | "activated" => Tone::Good,
            "denied" => Tone::Bad,
            "pending" | "queued" => Tone::Warn,
            _ => Tone::Faint,
        };
        vec![
            text(it, "/id").into(),
            Cell::new(&state, tone),
            text(it, "/operator/id").into(),
            text(it, "/subject/id").into(),
            text(it, "/tenant/id").into(),
            texts(it, "/scopes").into(),
            text(it, "/ticket").into(),
            text(it, "/expires_at").into(),
        ]
    };
    let rows: Vec<_> = items.iter().map(row).collect();
    if rows.is_empty() {
        return out.line("no requests");
    }
    out.table(
        &[
            "REQUEST", "STATE", "OPERATOR", "AS", "OF", "SCOPES", "TICKET", "UNTIL",
        ],
        &rows,
    )
}

/// A session that waits for its operator's browser.
pub(in crate::cli) fn started(out: &mut Output, it: &Value) -> Result<(), Failure> {
    out.facts(&[
        ("session", text(it, "/session")),
        ("grant", text(it, "/grant")),
        ("until", text(it, "/expires_at")),
        ("start by", text(it, "/start_by")),
        ("start", text(it, "/start_url")),
    ])
}
