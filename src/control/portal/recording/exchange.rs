//! One exchange: request and answer as they were, messages with their times, and what proves it.

use super::super::answer::{Shown, render};
use super::super::call::Call;
use super::super::frame::Frame;
use super::super::parts::{Id, When};
use super::view::{exchanged, here, size};
use crate::audit::export::decode;
use crate::audit::export::exchange::{is_page, is_text, media};
use crate::audit::recording::{From, Kind, Message, Side, Taped};
use crate::audit::tree::Proofs;
use crate::control::replay::View;
use askama::Template;
use std::path::Path;
use std::sync::Arc;

/// The longest text that is shown on the page. Bytes.
const MAX_SHOWN: usize = 256 << 10;
/// Messages on the page.
const MAX_MESSAGES: usize = 2000;

/// A side as the page has it.
struct Part {
    title: &'static str,
    /// What its download is called.
    name: &'static str,
    status: Option<u16>,
    headers: Vec<(String, String)>,
    text: Option<String>,
    size: String,
    sha256: String,
    notes: Vec<String>,
    has_bytes: bool,
}

struct Line {
    at: When,
    who: &'static str,
    kind: &'static str,
    text: String,
}

/// A record of this exchange, and what proves it.
struct Proved {
    seq: u64,
    what: String,
}

#[derive(Template)]
#[template(path = "recording_exchange.html")]
struct One {
    frame: Frame,
    id: String,
    exchange: String,
    short: Id,
    method: String,
    origin: String,
    target: String,
    at: When,
    facts: Vec<(&'static str, String)>,
    parts: Vec<Part>,
    lines: Vec<Line>,
    more: usize,
    gaps: Vec<String>,
    proofs: Vec<Proved>,
    page: bool,
}

pub(crate) async fn one(call: Call) -> Shown {
    let (view, id) = match exchanged(&call).await? {
        Ok(found) => found,
        Err(elsewhere) => return Ok(elsewhere),
    };
    let Some(taped) = view.exchange(id).cloned() else {
        return Err(crate::control::refusal::Refusal::not_found());
    };
    let journal = call.web.recordings.exporter.journal.clone();
    let (reading, exchange) = (Arc::clone(&view), taped.clone());
    let read = tokio::task::spawn_blocking(move || {
        (
            parts(&reading, &exchange),
            proofs(&reading, &exchange, &journal),
        )
    });
    let (parts, proofs) = read.await.unwrap_or_default();
    let page = One {
        frame: call.frame("Recording", here(&call)).await,
        id: view.session.to_string(),
        exchange: id.to_string(),
        short: Id::of(id),
        method: taped.method.clone(),
        origin: taped.origin.clone(),
        target: taped.target.clone(),
        at: When::exact(taped.opened_at),
        facts: facts(&view, &taped),
        parts,
        lines: taped.messages.iter().take(MAX_MESSAGES).map(line).collect(),
        more: taped.messages.len().saturating_sub(MAX_MESSAGES),
        gaps: taped.gaps.iter().map(|it| it.why.clone()).collect(),
        proofs,
        page: is_page(&taped) && call.web.recordings.replay.load().enabled,
    };
    render(None, &page)
}

fn facts(view: &View, taped: &Taped) -> Vec<(&'static str, String)> {
    let known = view.facts.exchange(&taped.exchange.to_string());
    let known = known.cloned().unwrap_or_default();
    let rule = if known.rule.is_empty() {
        taped.rule.clone()
    } else {
        known.rule
    };
    let all = [
        ("Decision", known.decision),
        ("Rule", rule),
        ("Action", taped.action.clone()),
        ("Resource", known.resource),
        ("Outcome", taped.outcome.clone()),
        ("Protocol", taped.protocol.clone()),
    ];
    all.into_iter()
        .filter(|(_, value)| !value.is_empty())
        .collect()
}

/// The request, what the operator saw, and, where it was something else, what the app had sent.
fn parts(view: &View, taped: &Taped) -> Vec<Part> {
    let mut parts = Vec::new();
    parts.extend(
        taped
            .request
            .as_ref()
            .map(|it| part(view, it, "Request", "request")),
    );
    parts.extend(
        taped
            .shown
            .as_ref()
            .map(|it| part(view, it, "Answer, as the operator got it", "shown")),
    );
    let received = taped.received.as_ref().filter(|received| {
        let shown = taped.shown.as_ref();
        shown.is_none_or(|it| it.headers != received.headers || it.body != received.body)
    });
    parts.extend(received.map(|it| part(view, it, "Answer, as the app sent it", "received")));
    parts
}

fn part(view: &View, side: &Side, title: &'static str, name: &'static str) -> Part {
    let body = side.body.as_ref();
    let headers = side.headers.iter();
    let mut notes = Vec::new();
    if let Some(body) = body {
        notes.extend(
            body.withheld
                .as_ref()
                .map(|why| format!("Not stored: {why}.")),
        );
        notes.extend(
            body.redacted
                .then(|| "Some of it was taken out before it was stored.".to_owned()),
        );
        notes.extend((!body.is_whole).then(|| "It is not whole.".to_owned()));
    }
    let stored = body.filter(|it| it.bytes > 0 && it.withheld.is_none());
    let text = stored.filter(|_| is_text(&media(side))).and_then(|body| {
        let plain = decode::plain(side, body, view.tape.read(body), MAX_SHOWN);
        match plain {
            Ok(plain) => pretty(side, &plain),
            Err(why) => {
                notes.push(format!("Not shown here: {why}."));
                None
            }
        }
    });
    Part {
        title,
        name,
        status: side.status,
        headers: headers
            .map(|(name, value)| (name.clone(), String::from_utf8_lossy(value).into_owned()))
            .collect(),
        text,
        size: body.map(|it| size(it.bytes)).unwrap_or_default(),
        sha256: body.map(|it| it.sha256.clone()).unwrap_or_default(),
        notes,
        has_bytes: stored.is_some(),
    }
}

/// JSON with its levels, everything else as it is.
fn pretty(side: &Side, plain: &[u8]) -> Option<String> {
    if media(side).ends_with("json")
        && let Ok(value) = serde_json::from_slice::<serde_json::Value>(plain)
    {
        return Some(format!("{value:#}"));
    }
    decode::text(side, plain)
}

fn line(it: &Message) -> Line {
    let text = match (&it.withheld, it.kind) {
        (Some(why), _) => format!("not stored: {why}"),
        (None, Kind::Text | Kind::Event) => {
            let text = String::from_utf8_lossy(&it.payload).into_owned();
            let value = serde_json::from_str::<serde_json::Value>(&text);
            value.map_or(text, |value| format!("{value:#}"))
        }
        (None, _) => format!("{} bytes", it.bytes),
    };
    Line {
        at: When::clock(it.at),
        who: match it.from {
            From::Operator => "operator",
            From::App => "app",
        },
        kind: match it.kind {
            Kind::Text => "text",
            Kind::Binary => "binary",
            Kind::Ping => "ping",
            Kind::Pong => "pong",
            Kind::Close => "close",
            Kind::Event => "event",
        },
        text,
    }
}

/// Each record of the exchange, with its place in the log.
fn proofs(view: &View, taped: &Taped, journal: &Path) -> Vec<Proved> {
    let known = view.facts.exchange(&taped.exchange.to_string());
    let records = known.map(|it| it.records.as_slice()).unwrap_or_default();
    let log = Proofs::of_all(journal);
    let proved = |seq: &u64| Proved {
        seq: *seq,
        what: match log.as_ref().map(|log| log.inclusion(*seq)) {
            Ok(Ok(proof)) => format!(
                "leaf {} under the checkpoint of {} records of {}, by {} hashes",
                proof.index,
                proof.checkpoint.size,
                proof.checkpoint.origin,
                proof.hashes.len()
            ),
            Ok(Err(why)) => why.to_string(),
            Err(why) => why.to_string(),
        },
    };
    records.iter().map(proved).collect()
}
