//! Approvals: what waits for this person's answer, and one request to answer.

use super::answer::{Shown, back_to, render};
use super::call::Call;
use super::frame::Frame;
use super::nav::Here;
use super::parts::{Id, Left, Pill, When};
use super::requests::{Facts, Voted, facts, voted};
use super::words;
use crate::control::duties;
use crate::control::lifecycle::Seen;
use crate::control::refusal::{Kind, Refusal};
use crate::model::{AccessRequest, Reach, RequestId, RequestState, Role, Verdict};
use crate::store::control::Query;
use askama::Template;

struct Waiting {
    id: String,
    question: String,
    unusual: Vec<String>,
    at: When,
    left: Left,
    agreed: String,
}

#[derive(Template)]
#[template(path = "approvals.html")]
struct List {
    frame: Frame,
    waiting: Vec<Waiting>,
}

pub(super) async fn list(call: Call) -> Shown {
    call.needs(Here::Approvals)?;
    let control = call.control();
    let mut waiting = Vec::new();
    for seen in control.to_answer(call.caller()).await? {
        waiting.push(summary(&call, &seen).await);
    }
    let frame = call.frame("Approvals", Here::Approvals).await;
    render(None, &List { frame, waiting })
}

async fn summary(call: &Call, seen: &Seen) -> Waiting {
    let control = call.control();
    let (request, now) = (&seen.request, control.now());
    let known = control.routes.scopes(&request.app);
    let agreed = duties::agreed(request, &seen.votes, now).len();
    Waiting {
        id: request.id.to_string(),
        question: words::question(request, &known),
        unusual: unusual(call, request).await,
        at: When::at(request.created_at),
        left: Left::until(request.expires_at, now),
        agreed: format!("{agreed} of {} agreed", request.needs.approvals),
    }
}

async fn unusual(call: &Call, request: &AccessRequest) -> Vec<String> {
    let settings = call.control().settings.load_full();
    let query = Query {
        person: Some(request.operator.id.clone()),
        tenants: Reach::Only(vec![request.tenant.id.clone()]),
        ..Query::default()
    };
    let is_first = call
        .control()
        .run("reading earlier requests", move |tx| {
            Ok(tx.count::<AccessRequest>(&query)? <= 1)
        })
        .await;
    // Where it cannot be read, nothing is claimed.
    let is_first = is_first.unwrap_or(false);
    words::unusual(
        request,
        settings.default_time,
        settings.zone_minutes,
        is_first,
    )
}

#[derive(Template)]
#[template(path = "approval.html")]
struct One {
    frame: Frame,
    id: String,
    short: Id,
    question: String,
    unusual: Vec<String>,
    others: String,
    facts: Facts,
    votes: Vec<Voted>,
    needed: u8,
    digest: String,
    pill: Pill,
    left: Option<Left>,
    /// Why this person cannot answer, with its reason.
    cannot: Option<(String, &'static str)>,
    typed: String,
}

pub(super) async fn one(call: Call) -> Shown {
    let id = call.id()?;
    show(&call, id, None).await
}

async fn show(call: &Call, id: RequestId, trouble: Option<&Refusal>) -> Shown {
    let control = call.control();
    let seen = control.request(call.caller(), id).await?;
    let (request, now) = (&seen.request, control.now());
    let cannot = duties::may_vote(
        call.caller(),
        request,
        &seen.votes,
        Verdict::Approve,
        None,
        now,
    );
    let mut frame = call.frame("Approval", Here::Approvals).await;
    frame.trouble(trouble, &format!("/approvals/{id}"));
    let page = One {
        frame,
        id: id.to_string(),
        short: Id::of(id),
        question: words::question(request, &control.routes.scopes(&request.app)),
        unusual: unusual(call, request).await,
        others: others(
            &seen,
            duties::agreed(request, &seen.votes, now).len(),
            cannot.is_ok(),
        ),
        facts: facts(call, request),
        votes: seen
            .votes
            .iter()
            .map(|it| voted(it, request, now))
            .collect(),
        needed: request.needs.approvals,
        digest: request.digest(),
        pill: Pill::request(request),
        left: request
            .state
            .is_open()
            .then(|| Left::until(request.expires_at, now)),
        cannot: cannot.err().map(|why| (why.detail, why.reason)),
        typed: call.form.get("reason").to_owned(),
    };
    render(trouble, &page)
}

/// Who must agree, in a sentence: for somebody who may answer, who else.
fn others(seen: &Seen, agreed: usize, may_answer: bool) -> String {
    let needs = &seen.request.needs;
    let missing = usize::from(needs.approvals).saturating_sub(agreed);
    let consent = match (needs.consent, seen.request.consented.is_some()) {
        (true, false) => " The customer must consent as well.",
        (true, true) => " The customer consented.",
        (false, _) => "",
    };
    let people = match (seen.request.state, missing) {
        (RequestState::Pending, 0 | 1) if may_answer => {
            "Your answer decides; nobody else of us needs to agree.".to_owned()
        }
        (RequestState::Pending, 2) if may_answer => {
            "One other person must agree as well.".to_owned()
        }
        (RequestState::Pending, n) if may_answer => {
            format!("{} other people must agree as well.", n - 1)
        }
        _ => format!("{agreed} of {} agreed.", needs.approvals),
    };
    format!("{people}{consent}")
}

/// Approve or deny. The form carries the digest of what was seen: if the request is another by now, nothing counts.
pub(super) async fn vote(call: Call) -> Shown {
    let id: RequestId = call.id()?;
    let verdict = match call.form.get("verdict") {
        "approve" => Verdict::Approve,
        "deny" => Verdict::Deny,
        _ => {
            let refusal = Refusal::new(Kind::Invalid, "vote.verdict", "Approve or deny.");
            return show(&call, id, Some(&refusal)).await;
        }
    };
    let reason = super::ask::one_line(call.form.get("reason"));
    let reason = Some(reason.as_str()).filter(|text| !text.is_empty());
    let digest = call.form.get("digest");
    let voted = call
        .control()
        .vote(call.caller(), id, digest, verdict, reason)
        .await;
    match voted {
        Ok(_) => {
            let done = if verdict == Verdict::Approve {
                "approved"
            } else {
                "denied"
            };
            let back = if call.is_any(&[Role::Approver]) {
                "/approvals"
            } else {
                "/"
            };
            Ok(back_to(back, done))
        }
        Err(refusal) => show(&call, id, Some(&refusal)).await,
    }
}
