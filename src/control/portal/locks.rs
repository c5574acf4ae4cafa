//! Locks: what is locked now, why and by whom; setting and lifting.

use super::answer::{Shown, back_to, render};
use super::call::Call;
use super::frame::Frame;
use super::live::key;
use super::nav::Here;
use super::parts::{Id, Pill, When};
use crate::control::duties;
use crate::control::refusal::Refusal;
use crate::model::{Lock, LockId, Role};
use crate::store::control::Query;
use askama::Template;
use std::time::Duration;

/// Locks that hold and are shown; an id beyond is found by its key.
const HELD: usize = 1000;

struct Row {
    id: String,
    short: Id,
    key: String,
    reason: String,
    by: String,
    at: When,
    until: Option<When>,
    lifted: Option<(String, When)>,
    pill: Pill,
    version: i64,
    may_lift: bool,
}

#[derive(Template)]
#[template(path = "locks.html")]
struct Page {
    frame: Frame,
    held: Vec<Row>,
    past: Vec<Row>,
    is_first: bool,
    /// Where the next page is.
    older: Option<String>,
    may_lock: bool,
    typed_key: String,
    typed_reason: String,
    hours: String,
    wrong: Option<String>,
}

pub(super) async fn list(call: Call) -> Shown {
    call.needs(Here::Locks)?;
    show(&call, None).await
}

async fn show(call: &Call, trouble: Option<&Refusal>) -> Shown {
    let control = call.control();
    let now = control.now();
    let after = call.query.given("after").map(str::to_owned);
    let is_first = after.is_none();
    let page = Query {
        after,
        ..Query::default()
    };
    let page = control.locks(call.caller(), page).await?;
    let older = page.next.map(|next| format!("/locks?after={next}"));
    let mut past = page.items;
    past.retain(|it| !it.holds(now));
    // What holds is whole, on the first page, however old it is.
    let mut held = Vec::new();
    if is_first {
        let query = Query {
            states: vec!["held"],
            limit: HELD,
            ..Query::default()
        };
        held = control.locks(call.caller(), query).await?.items;
        held.retain(|it| it.holds(now));
    }
    let rows = |locks: &[Lock], holds: bool| locks.iter().map(|it| row(call, it, holds)).collect();
    let mut frame = call.frame("Locks", Here::Locks).await;
    frame.trouble(trouble, "/locks");
    let wrong = trouble.and_then(|it| it.problems.iter().find(|it| it.field == "key"));
    let page = Page {
        frame,
        held: rows(&held, true),
        past: rows(&past, false),
        is_first,
        older,
        may_lock: call.is_any(&[Role::Security]),
        typed_key: call.form.get("key").to_owned(),
        typed_reason: call.form.get("reason").to_owned(),
        hours: call.form.get("hours").to_owned(),
        wrong: wrong.map(|it| it.message.clone()),
    };
    render(trouble, &page)
}

fn row(call: &Call, lock: &Lock, holds: bool) -> Row {
    let lifted = lock.lifted_by.clone().zip(lock.lifted_at);
    Row {
        id: lock.id.to_string(),
        short: Id::of(lock.id),
        key: lock.key.to_string(),
        reason: lock.reason.clone(),
        by: lock.by.clone(),
        at: When::at(lock.at),
        until: lock.until.map(When::at),
        pill: match (holds, &lifted) {
            (true, _) => Pill::new("bad", "Locked"),
            (false, Some(_)) => Pill::new("", "Lifted"),
            (false, None) => Pill::new("", "Over"),
        },
        lifted: lifted.map(|(by, at)| (by, When::at(at))),
        version: lock.version,
        may_lift: holds && duties::may_lock(call.caller(), &lock.key).is_ok(),
    }
}

pub(super) async fn set(call: Call) -> Shown {
    let control = call.control();
    let reason = super::ask::one_line(call.form.get("reason"));
    let hours: u64 = call.form.get("hours").parse().unwrap_or(0);
    let until = (hours > 0).then(|| {
        control
            .now()
            .plus(Duration::from_secs(hours.saturating_mul(3600)))
    });
    let done = match key(call.form.get("key")) {
        Ok(key) => control
            .lock(call.caller(), key, &reason, until)
            .await
            .map(|_| ()),
        Err(refusal) => Err(refusal),
    };
    match done {
        Ok(()) => Ok(back_to("/locks", "locked")),
        Err(refusal) if call.needs(Here::Locks).is_err() => Err(refusal),
        Err(refusal) => show(&call, Some(&refusal)).await,
    }
}

pub(super) async fn lift(call: Call) -> Shown {
    let id: LockId = call.id()?;
    let reason = super::ask::one_line(call.form.get("reason"));
    let version = call.form.get("version").parse().ok();
    match call
        .control()
        .unlock(call.caller(), id, &reason, version)
        .await
    {
        Ok(_) => Ok(back_to("/locks", "unlocked")),
        Err(refusal) if call.needs(Here::Locks).is_err() => Err(refusal),
        Err(refusal) => show(&call, Some(&refusal)).await,
    }
}
