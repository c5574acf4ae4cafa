//! One record as a row: who did what, about what, and what came of it.

use super::parts::{Pill, When};
use super::told;
use crate::audit::index::Field;
use crate::audit::tail::Entry;

/// A row, as templates want it.
pub(super) struct Row {
    pub(super) sequence: u64,
    pub(super) at: When,
    pub(super) who: String,
    pub(super) what: String,
    /// The method and path are shown as code.
    pub(super) is_exchange: bool,
    pub(super) about: Vec<(&'static str, String)>,
    pub(super) pill: Option<Pill>,
    pub(super) refused: bool,
    /// A page of ours about it, and its word.
    pub(super) link: Option<(String, &'static str)>,
}

/// What is worth reading beside the clause: a field of the index, or a member of `locum`.
const FIELDS: [(&str, Field); 6] = [
    ("as", Field::Subject),
    ("customer", Field::Tenant),
    ("ticket", Field::Ticket),
    ("action", Field::Action),
    ("resource", Field::Resource),
    ("rule", Field::Rule),
];
const MEMBERS: [(&str, &str); 11] = [
    ("reason", "reason"),
    ("step", "step"),
    ("cause", "cause"),
    ("detail", "detail"),
    ("problem", "problem"),
    ("kind", "kind"),
    ("findings", "findings"),
    ("query", "query"),
    ("key", "key"),
    ("sink", "sink"),
    ("path", "path"),
];

pub(super) fn row(entry: &Entry) -> Row {
    let of = |field: Field| field.values(&entry.json).next().unwrap_or_default();
    let event = entry.event();
    let is_exchange = event.starts_with("exchange.");
    let refused = event.ends_with("refused");
    let mut about = Vec::new();
    for (name, field) in FIELDS {
        let value = of(field);
        // Every step has an operation: its own name.
        if !value.is_empty() && !(field == Field::Action && (!is_exchange || value == "unknown")) {
            about.push((name, value.to_owned()));
        }
    }
    for (name, member) in MEMBERS {
        if let Some(value) = entry.text(&["locum", member]).filter(|it| !it.is_empty()) {
            about.push((name, value.to_owned()));
        }
    }
    if let Some(why) = entry.text(&["status_detail"]).filter(|it| !it.is_empty()) {
        about.push(("why", why.to_owned()));
    }
    Row {
        sequence: entry.sequence,
        at: When::exact(entry.at()),
        who: who(entry).to_owned(),
        what: what(entry, is_exchange),
        is_exchange,
        about,
        pill: pill(entry, event),
        refused,
        link: link(entry),
    }
}

fn who(entry: &Entry) -> &str {
    let paths: [&[&str]; 3] = [
        &["actor", "user", "uid"],
        &["locum", "by"],
        &["locum", "operator"],
    ];
    let mut found = paths.iter().filter_map(|path| entry.text(path));
    found.next().unwrap_or("Locum")
}

fn what(entry: &Entry, is_exchange: bool) -> String {
    if !is_exchange {
        return told::clause(entry.event()).to_owned();
    }
    let method = Field::Method.values(&entry.json).next().unwrap_or_default();
    let path = entry.text(&["http_request", "url", "path"]);
    let path = path.or_else(|| entry.text(&["locum", "raw_target"]));
    format!("{method} {}", path.unwrap_or_default())
        .trim()
        .to_owned()
}

fn pill(entry: &Entry, event: &str) -> Option<Pill> {
    Some(match event {
        "exchange.opened" => Pill::new("", "Asked"),
        "exchange.refused" | "control.refused" => Pill::new("bad", "Refused"),
        "exchange.answered" => Pill::new("", "Answered"),
        "exchange.aborted" => Pill::new("warn", "Aborted"),
        "exchange.closed" => match entry.text(&["locum", "outcome"]) {
            Some("done") => Pill::new("good", "Done"),
            Some("cut") => Pill::new("warn", "Cut"),
            Some("failed") => Pill::new("warn", "Failed"),
            Some("refused") => Pill::new("bad", "Refused"),
            _ => Pill::new("warn", "Aborted"),
        },
        _ => return None,
    })
}

fn link(entry: &Entry) -> Option<(String, &'static str)> {
    let text = |name: &str| entry.text(&["locum", name]).filter(|it| is_id(it));
    let session = text("session").map(|id| (format!("/sessions/{id}"), "Session"));
    session.or_else(|| text("request").map(|id| (format!("/requests/{id}"), "Request")))
}

/// Ids are letters and digits: nothing else goes into a link.
fn is_id(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}
