//! The question for a reason, and what was recorded, by page.

use super::super::answer::{Shown, go, render};
use super::super::call::Call;
use super::super::frame::Frame;
use super::super::parts::{Left, When};
use super::view::{head, here, size, viewed};
use crate::audit::export::exchange as read;
use crate::audit::recording::Taped;
use crate::control::recordings::Purpose;
use crate::control::refusal::{Kind, Refusal};
use crate::control::replay::View;
use crate::model::SessionId;
use askama::Template;
use std::collections::HashMap;

#[derive(Template)]
#[template(path = "recording_ask.html")]
struct Ask {
    frame: Frame,
    id: String,
    head: String,
    typed: String,
    wrong: Option<String>,
}

/// One exchange in the list.
struct Row {
    id: String,
    at: When,
    method: String,
    path: String,
    status: u16,
    bytes: String,
    /// `refused`, `changed` or nothing.
    class: &'static str,
    rule: String,
    page: bool,
    live: usize,
}

struct Download {
    id: String,
    name: String,
    bytes: u64,
    sha256: String,
}

/// A page and what it loaded.
struct Group {
    title: String,
    /// The page was opened before: which time this is, from 1.
    nth: usize,
    id: Option<String>,
    rows: Vec<Row>,
}

#[derive(Template)]
#[template(path = "recording.html")]
struct List {
    frame: Frame,
    id: String,
    head: String,
    reason: String,
    left: Left,
    replays: bool,
    groups: Vec<Group>,
    downloads: Vec<Download>,
    gaps: Vec<String>,
    more: usize,
}

/// The list, or the question for a reason.
pub(crate) async fn show(call: Call) -> Shown {
    match viewed(&call)? {
        Some(view) => list(&call, &view).await,
        None => ask(&call, None).await,
    }
}

async fn ask(call: &Call, trouble: Option<&Refusal>) -> Shown {
    let id: SessionId = call.id()?;
    let head = head(call).await?;
    let mut frame = call.frame("Recording", here(call)).await;
    frame.trouble(trouble, &format!("/sessions/{id}/recording"));
    let wrong = trouble.and_then(|it| it.problems.first());
    let page = Ask {
        frame,
        id: id.to_string(),
        head,
        typed: call.form.get("reason").to_owned(),
        wrong: wrong.map(|problem| problem.message.clone()),
    };
    render(trouble, &page)
}

/// Takes the reason and opens the view.
pub(crate) async fn open(call: Call) -> Shown {
    let id: SessionId = call.id()?;
    let purpose = Purpose {
        reason: call.form.get("reason").to_owned(),
        over: "portal",
        doing: "replay".to_owned(),
    };
    let (recordings, control) = (&call.web.recordings, &call.web.control);
    let look = recordings.look(control, call.caller(), call.visit.login, id, purpose);
    match look.await {
        Ok(_) => Ok(go(&format!("/sessions/{id}/recording"))),
        Err(refusal) if matches!(refusal.kind, Kind::Forbidden) => Err(refusal),
        Err(refusal) => ask(&call, Some(&refusal)).await,
    }
}

async fn list(call: &Call, view: &View) -> Shown {
    let head = head(call).await?;
    let taped = view.tape.exchanges();
    let downloads = taped.iter().filter_map(|it| {
        let body = it.shown.as_ref()?.body.as_ref()?;
        Some(Download {
            id: it.exchange.to_string(),
            name: read::download(it)?,
            bytes: body.bytes,
            sha256: body.sha256.clone(),
        })
    });
    let shown = call.control().settings.load().bounds.recording_rows;
    let page = List {
        frame: call.frame("Recording", here(call)).await,
        id: view.session.to_string(),
        head,
        reason: view.reason.clone(),
        left: Left::until(view.until, call.control().now()),
        replays: call.web.recordings.replay.load().enabled,
        groups: groups(view, shown),
        downloads: downloads.collect(),
        gaps: view.tape.gaps().iter().map(|it| it.why.clone()).collect(),
        more: taped.len().saturating_sub(shown),
    };
    render(None, &page)
}

/// By page: what came after a page and before the next one is its own.
fn groups(view: &View, shown: usize) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    let mut seen: HashMap<String, usize> = HashMap::new();
    for taped in view.tape.exchanges().iter().take(shown) {
        let row = row(view, taped);
        if row.page || groups.is_empty() {
            let title = if row.page {
                row.path.clone()
            } else {
                "Before the first page".to_owned()
            };
            let nth = seen.entry(title.clone()).or_insert(0);
            *nth += 1;
            groups.push(Group {
                nth: *nth,
                title,
                id: row.page.then(|| row.id.clone()),
                rows: Vec::new(),
            });
        }
        if let Some(group) = groups.last_mut() {
            group.rows.push(row);
        }
    }
    groups
}

fn row(view: &View, taped: &Taped) -> Row {
    let id = taped.exchange.to_string();
    let known = view.facts.exchange(&id);
    let shown = taped.shown.as_ref();
    let bytes = shown.and_then(|it| it.body.as_ref()).map(|it| it.bytes);
    let is_change = !matches!(taped.method.as_str(), "GET" | "HEAD" | "OPTIONS" | "TRACE");
    let is_refused = known.is_some_and(|it| it.is_own && it.status >= 400);
    Row {
        at: When::exact(taped.opened_at),
        method: taped.method.clone(),
        path: taped.target.clone(),
        status: shown.and_then(|it| it.status).unwrap_or_default(),
        bytes: bytes.map(size).unwrap_or_default(),
        class: match (is_refused, is_change) {
            (true, _) => "refused",
            (false, true) => "changed",
            (false, false) => "",
        },
        rule: known.map_or_else(|| taped.rule.clone(), |it| it.rule.clone()),
        page: read::is_page(taped),
        live: taped.messages.len(),
        id,
    }
}
