//! Live sessions: who, as whom, since when, how long yet; an end on each row; and one field that ends or locks all of a key.

use super::answer::{Shown, back_to, render};
use super::call::Call;
use super::frame::Frame;
use super::nav::Here;
use super::parts::{Address, Id, Left, Pill, When};
use crate::control::duties;
use crate::control::lifecycle::Which;
use crate::control::refusal::{Kind, Problem, Refusal};
use crate::model::{LockKey, Role};
use crate::store::Stored;
use askama::Template;

struct Row {
    id: String,
    short: Id,
    operator: String,
    operator_shown: Address,
    operator_id: Address,
    is_named: bool,
    subject: Address,
    subject_id: String,
    tenant: String,
    app: String,
    ticket: String,
    since: Option<When>,
    last: Option<When>,
    /// Requests so far, and how many were refused; a few seconds old.
    requests: u64,
    refusals: u64,
    left: Left,
    pill: Pill,
    emergency: bool,
    may_end: bool,
}

/// The table, and what is said where it is empty.
struct Table {
    rows: Vec<Row>,
    more: usize,
    /// What was searched for.
    search: String,
}

#[derive(Template)]
#[template(path = "live.html")]
struct Page {
    frame: Frame,
    table: Table,
    poll: String,
    may_lock: bool,
    typed_key: String,
    typed_reason: String,
    wrong: Option<String>,
}

#[derive(Template)]
#[template(path = "live_part.html")]
struct Part {
    table: Table,
}

pub(super) async fn list(call: Call) -> Shown {
    call.needs(Here::Live)?;
    show(&call, None).await
}

pub(super) async fn part(call: Call) -> Shown {
    call.needs(Here::Live)?;
    let table = table(&call).await?;
    render(None, &Part { table })
}

async fn show(call: &Call, trouble: Option<&Refusal>) -> Shown {
    let mut frame = call.frame("Live sessions", Here::Live).await;
    frame.trouble(trouble, "/live");
    let wrong = trouble.and_then(|it| it.problems.first());
    let table = table(call).await?;
    let mut poll = url::form_urlencoded::Serializer::for_suffix(String::from("/parts/live?"), 12);
    poll.append_pair("search", &table.search);
    let page = Page {
        frame,
        poll: poll.finish(),
        table,
        may_lock: call.is_any(&[Role::Security]),
        typed_key: call.form.get("key").to_owned(),
        typed_reason: call.form.get("reason").to_owned(),
        wrong: wrong.map(|problem| problem.message.clone()),
    };
    render(trouble, &page)
}

async fn table(call: &Call) -> Result<Table, Refusal> {
    let (control, caller) = (call.control(), call.caller());
    let now = control.now();
    let search = call.query.get("search").to_owned();
    let mut open = control.sessions(caller, Which::Reached).await?;
    open.retain(|it| it.grant.expires_at > now && is_like(it, &search));
    let shown = control.settings.load().bounds.live_rows;
    let more = open.len().saturating_sub(shown);
    let rows = open.iter().take(shown).map(|stored| {
        let grant = &stored.grant;
        Row {
            id: stored.session.id.to_string(),
            short: Id::of(stored.session.id),
            operator: grant.operator_label().to_owned(),
            operator_shown: Address::of(grant.operator_label()),
            operator_id: Address::of(&grant.operator.id),
            is_named: grant.operator_label() != grant.operator.id,
            subject: Address::of(&grant.subject.id),
            subject_id: grant.subject.id.clone(),
            tenant: grant.tenant_label().to_owned(),
            app: grant.app.clone(),
            ticket: grant.ticket.clone(),
            since: stored.session.started_at.map(When::clock),
            last: stored.last_used.map(When::clock),
            requests: stored.used.map_or(0, |it| it.requests),
            refusals: stored.used.map_or(0, |it| it.refusals),
            left: Left::until(grant.expires_at, now),
            pill: Pill::session(stored.state()),
            emergency: grant.break_glass,
            may_end: duties::may_end(caller, grant).is_ok(),
        }
    });
    Ok(Table {
        rows: rows.collect(),
        more,
        search,
    })
}

fn is_like(stored: &Stored, search: &str) -> bool {
    let grant = &stored.grant;
    let search = search.to_lowercase();
    let texts = [
        grant.operator_label(),
        &grant.operator.id,
        &grant.subject.id,
        &grant.tenant.id,
        grant.tenant_label(),
        &grant.ticket,
        &grant.app,
    ];
    search.is_empty()
        || texts
            .iter()
            .any(|text| text.to_lowercase().contains(&search))
}

/// The one field: a key, and whether to end what is open or to lock it as well.
pub(super) async fn act(call: Call) -> Shown {
    let reason = super::ask::one_line(call.form.get("reason"));
    let done = match key(call.form.get("key")) {
        Err(refusal) => Err(refusal),
        Ok(key) if call.form.get("do") == "lock" => {
            let done = call.control().lock(call.caller(), key, &reason, None).await;
            done.map(|_| "locked")
        }
        Ok(_) if call.form.get("do") != "end" => {
            let detail = "Choose: lock and end, or end only.";
            Err(Refusal::new(Kind::Invalid, "live.what", detail))
        }
        Ok(key) => {
            let done = call.control().end_all(call.caller(), key, &reason).await;
            done.map(|count| {
                if count == 0 {
                    "none-ended"
                } else {
                    "ended-all"
                }
            })
        }
    };
    match done {
        Ok(done) => Ok(back_to("/live", done)),
        Err(refusal) if call.needs(Here::Live).is_err() => Err(refusal),
        Err(refusal) => show(&call, Some(&refusal)).await,
    }
}

/// `tenant:acme` and its like.
pub(super) fn key(text: &str) -> Result<LockKey, Refusal> {
    text.parse().map_err(|_| {
        Refusal::invalid(vec![Problem {
            field: "key".to_owned(),
            message: "is a kind and a name: operator:PERSON, subject:USER, tenant:NAME, ticket:ID, app:NAME, session:ID, or all".to_owned(),
        }])
    })
}
