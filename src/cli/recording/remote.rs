//! Recordings as the API tells of them.

use super::hold::{Hold, Release};
use super::list::List;
use crate::audit::recording::HoldOn;
use crate::cli::output::{Cell, Output, Tone};
use crate::cli::remote::{Client, list, show, text};
use crate::cli::{Context, Exit, Failure};
use serde_json::{Value, json};

/// What became of one.
pub(super) fn state(out: &mut Output, it: &Value) -> Result<(), Failure> {
    let (session, state) = (text(it, "/session"), text(it, "/state"));
    let words = match state.as_str() {
        "erased" => "is erased",
        "asked" => "is to be erased: asked for, not done",
        "held" => "is held",
        _ => "is kept",
    };
    out.line(format!("the recording of session {session} {words}"))
}

impl List {
    pub(super) fn remote(self, client: &Client, context: &mut Context) -> Result<Exit, Failure> {
        let limit = self.limit.to_string();
        let mut query = vec![("limit", limit.as_str())];
        query.extend(self.tenant.as_deref().map(|it| ("tenant", it)));
        query.extend(self.after.as_deref().map(|it| ("after", it)));
        if self.held {
            query.push(("state", "held"));
        }
        let mut page = client.get("recordings", &query)?;
        let mut holds = client.get("holds", &[])?;
        if let Some(fields) = page.as_object_mut() {
            fields.insert("holds".into(), holds["items"].take());
        }
        show(&mut context.out, &page, |out, page| {
            let rows: Vec<_> = list(page, "/items").iter().map(row).collect();
            out.table(&super::list::HEAD, &rows)?;
            for hold in list(page, "/holds") {
                out.line(format!(
                    "hold {} on {}: {} ({}, {})",
                    text(hold, "/id"),
                    text(hold, "/key").replacen(':', " ", 1),
                    text(hold, "/reason"),
                    text(hold, "/by"),
                    text(hold, "/at")
                ))?;
            }
            match text(page, "/next") {
                next if next.is_empty() => Ok(()),
                next => out.line(format!("more: --after {next}")),
            }
        })
    }
}

fn row(it: &Value) -> Vec<Cell> {
    let state = text(it, "/state");
    let (state, tone) = match state.as_str() {
        "erased" => (state, Tone::Faint),
        "held" => (format!("held by {}", text(it, "/holds/0/id")), Tone::Bad),
        "asked" => (
            format!("{} asks to erase", text(it, "/erasure/by")),
            Tone::Warn,
        ),
        _ => (state, Tone::Plain),
    };
    vec![
        text(it, "/session").into(),
        Cell::new(&state, tone),
        text(it, "/tenant").into(),
        text(it, "/subject").into(),
        text(it, "/operator").into(),
        text(it, "/app").into(),
        text(it, "/bytes").into(),
        text(it, "/written_at").into(),
    ]
}

impl Hold {
    pub(super) fn remote(self, client: &Client, context: &mut Context) -> Result<Exit, Failure> {
        let key = match super::on(self.session, self.tenant, self.subject)? {
            HoldOn::Session(id) => format!("session:{id}"),
            HoldOn::Tenant(id) => format!("tenant:{id}"),
            HoldOn::Subject(id) => format!("subject:{id}"),
        };
        let body = json!({ "key": key, "reason": self.reason });
        let placed = client.post(&["holds"], &body)?;
        show(&mut context.out, &placed, |out, it| {
            let (id, key) = (text(it, "/id"), text(it, "/key").replacen(':', " ", 1));
            out.line(format!("hold {id} on {key} is placed"))
        })
    }
}

impl Release {
    pub(super) fn remote(self, client: &Client, context: &mut Context) -> Result<Exit, Failure> {
        let body = json!({ "reason": self.reason });
        let released = client.post(&["holds", &self.id, "release"], &body)?;
        show(&mut context.out, &released, |out, it| {
            let (id, key) = (text(it, "/id"), text(it, "/key").replacen(':', " ", 1));
            out.line(format!("hold {id} on {key} is released"))
        })
    }
}
