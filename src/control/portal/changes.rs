//! Changes of Locum's own rules: what differs, and this person's answer.

use super::answer::{Shown, back_to, render};
use super::call::Call;
use super::frame::Frame;
use super::nav::Here;
use super::parts::{Id, Left, Pill, When};
use super::requests::Voted;
use crate::control::duties;
use crate::control::refusal::{Kind, Refusal};
use crate::model::{Brought, Change, ChangeId, ChangeState, ChangeVote, Verdict};
use crate::store::control::Query;
use askama::Template;

/// Earlier changes that the page of the policy lists.
const EARLIER: usize = 20;

/// One change in a list.
pub(super) struct Row {
    pub(super) id: String,
    pub(super) short: Id,
    pub(super) kinds: String,
    pub(super) count: String,
    pub(super) at: When,
    pub(super) left: Option<Left>,
    pub(super) agreed: String,
    pub(super) pill: Pill,
    pub(super) waits: bool,
}

/// Those that wait, and the last ones that do not; nothing for those who may not know of them.
pub(super) async fn rows(call: &Call) -> Result<(Vec<Row>, Vec<Row>), Refusal> {
    let query = Query {
        limit: EARLIER,
        ..Query::default()
    };
    let page = call.control().changes(call.caller(), query).await?;
    let rows = page.items.iter().map(|it| row(call, it));
    Ok(rows.partition(|it| it.waits))
}

fn row(call: &Call, change: &Change) -> Row {
    let now = call.control().now();
    Row {
        id: change.id.to_string(),
        short: Id::of(change.id),
        kinds: kinds(change),
        count: match change.differs.len() {
            1 => "1 thing differs".to_owned(),
            n => format!("{n} things differ"),
        },
        at: When::at(change.at),
        left: change
            .state
            .is_open()
            .then(|| Left::until(change.expires_at, now)),
        agreed: format!("{} of {} agreed", agreed(change), change.needed),
        pill: pill(change),
        waits: change.state.is_open(),
    }
}

fn kinds(change: &Change) -> String {
    let words = change.kinds.iter().map(|kind| kind.replace('-', " "));
    words.collect::<Vec<_>>().join(", ")
}

fn agreed(change: &Change) -> usize {
    let votes = change.votes.iter();
    votes.filter(|it| it.verdict == Verdict::Approve).count()
}

const fn pill(change: &Change) -> Pill {
    match (change.state, change.brought) {
        (ChangeState::Pending, _) => Pill::new("warn", "Waits for votes"),
        (ChangeState::Agreed, Brought::Start) => Pill::new("good", "Agreed: waits for a start"),
        (ChangeState::Agreed, Brought::Reload) => Pill::new("good", "Agreed"),
        (ChangeState::Taken, _) => Pill::new("good", "Came into force"),
        (ChangeState::Denied, _) => Pill::new("bad", "Denied"),
        (ChangeState::Expired, _) => Pill::new("", "Expired"),
        (ChangeState::Void, _) => Pill::new("", "Void"),
    }
}

#[derive(Template)]
#[template(path = "change.html")]
struct Page {
    frame: Frame,
    id: String,
    short: Id,
    pill: Pill,
    left: Option<Left>,
    question: String,
    by: String,
    authors: String,
    at: When,
    how: Option<&'static str>,
    differs: Vec<String>,
    digest: String,
    before: String,
    others: String,
    votes: Vec<Voted>,
    needed: u8,
    closed_why: Option<String>,
    /// Why this person cannot answer, with its reason.
    cannot: Option<(String, &'static str)>,
    typed: String,
}

pub(super) async fn one(call: Call) -> Shown {
    let id = call.id()?;
    show(&call, id, None).await
}

async fn show(call: &Call, id: ChangeId, trouble: Option<&Refusal>) -> Shown {
    let control = call.control();
    let change = control.change(call.caller(), id).await?;
    let now = control.now();
    let cannot =
        duties::may_answer_change(call.caller(), &change, Verdict::Approve, None, now).err();
    let mut frame = call.frame("Change", Here::Policy).await;
    frame.trouble(trouble, &format!("/policy/changes/{id}"));
    let page = Page {
        frame,
        id: id.to_string(),
        short: Id::of(id),
        pill: pill(&change),
        left: change
            .state
            .is_open()
            .then(|| Left::until(change.expires_at, now)),
        question: format!("May Locum’s own rules change: {}?", kinds(&change)),
        by: change.by.clone(),
        authors: change.authors.join(", "),
        at: When::at(change.at),
        how: change.state.is_open().then_some(match change.brought {
            Brought::Reload => {
                "It comes into force by itself with the last vote, if the files are still these."
            }
            Brought::Start => {
                "A start with it was refused. With the last vote the next start may have it."
            }
        }),
        differs: change.differs.clone(),
        digest: change.digest.clone(),
        before: change.before.clone(),
        others: others(&change, cannot.is_none()),
        votes: change.votes.iter().map(voted).collect(),
        needed: change.needed,
        closed_why: change.closed_why.clone(),
        cannot: cannot.map(|why| (why.detail, why.reason)),
        typed: call.form.get("reason").to_owned(),
    };
    render(trouble, &page)
}

fn voted(vote: &ChangeVote) -> Voted {
    Voted {
        who: vote.name.clone().unwrap_or_else(|| vote.person.clone()),
        pill: match vote.verdict {
            Verdict::Approve => Pill::new("good", "Agreed"),
            Verdict::Deny => Pill::new("bad", "Denied"),
        },
        reason: vote.reason.clone(),
        at: When::at(vote.at),
        void: None,
    }
}

/// Who must agree, in a sentence: for somebody who may answer, who else.
fn others(change: &Change, may_answer: bool) -> String {
    let missing = usize::from(change.needed).saturating_sub(agreed(change));
    match (change.state, missing) {
        (ChangeState::Pending, 0 | 1) if may_answer => {
            "Your answer decides; nobody else needs to agree.".to_owned()
        }
        (ChangeState::Pending, _) if may_answer => {
            "One other person must agree as well.".to_owned()
        }
        _ => format!("{} of {} agreed.", agreed(change), change.needed),
    }
}

/// Approve or deny exactly what was seen.
pub(super) async fn vote(call: Call) -> Shown {
    let id: ChangeId = call.id()?;
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
        .answer_change(call.caller(), id, digest, verdict, reason)
        .await;
    match (voted, verdict) {
        (Ok(_), Verdict::Approve) => Ok(back_to("/policy", "change-approved")),
        (Ok(_), Verdict::Deny) => Ok(back_to("/policy", "change-denied")),
        (Err(refusal), _) => show(&call, id, Some(&refusal)).await,
    }
}
