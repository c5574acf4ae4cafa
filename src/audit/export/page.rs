//! `index.html` of a package: what happened, for people who have only a browser. One file, no script, nothing loaded.

use super::exchange::{download, is_page, url};
use super::facts::{Known, moment};
use super::package::Package;
use crate::audit::recording::{Tape, Taped};
use serde_json::Value;
use std::fmt::Write as _;

const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:72rem;padding:0 1rem;color:#1c2126;background:#fff}\
h1{font-size:1.5rem}h2{font-size:1.15rem;margin-top:2rem}table{border-collapse:collapse;width:100%}\
th,td{text-align:left;padding:.3rem .6rem .3rem 0;border-bottom:1px solid #d5d7da;vertical-align:top;overflow-wrap:anywhere}\
th{font-weight:600}.refused{background:#fdecee}.changed{background:#fff6e0}code{font-size:.85em;overflow-wrap:anywhere}\
dt{font-weight:600}dd{margin:0 0 .4rem}@media(prefers-color-scheme:dark){body{background:#16191d;color:#e6e8ea}\
th,td{border-color:#3a4048}.refused{background:#4a1a22}.changed{background:#43350f}}";

/// The whole page.
pub(super) fn html(package: &Package<'_>) -> String {
    let facts = package.facts;
    let mut out = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta http-equiv=\"content-security-policy\" \
         content=\"default-src 'none'; style-src 'unsafe-inline'\"><title>Session {id}</title><style>{STYLE}</style></head>\
         <body><h1>{operator} as {subject}</h1><p>{summary}</p>",
        id = escape(&facts.session),
        operator = escape(&facts.operator),
        subject = escape(&facts.subject),
        summary = escape(&summary(package)),
    );
    authority(&mut out, package);
    timeline(&mut out, &facts.exchanges);
    if let Ok(tape) = package.tape {
        recording(&mut out, tape);
    }
    out.push_str(HOW);
    out.push_str("</body></html>\n");
    out
}

const HOW: &str = "<h2>How to check this</h2><p>Run <code>locum audit verify-package FILE --vkey KEY</code> with the log's verifier key, \
taken from somewhere else than this package. It checks each file against the manifest, the manifest's signature, each record's hash, \
each record's place under the signed checkpoint, and each recorded body against the digest in its record. \
<code>recording/session.warc.gz</code> opens in ReplayWeb.page, <code>recording/session.har</code> in a browser's developer tools.</p>";

fn summary(package: &Package<'_>) -> String {
    let facts = package.facts;
    let (refused, through): (Vec<&Known>, Vec<&Known>) = facts
        .exchanges
        .iter()
        .partition(|it| it.is_own && it.status >= 400);
    let changed = through.iter().filter(|it| is_change(it)).count();
    let ticket = match facts.ticket.as_str() {
        "" => String::new(),
        ticket => format!(", for {ticket}"),
    };
    format!(
        "{} stood in for {} of {} in {}{ticket} ({}). {} requests were let through, {changed} of them to change something; {} were refused. \
         Made on {} by {} ({}).",
        facts.operator,
        facts.subject,
        facts.tenant,
        facts.app,
        facts.reason,
        through.len(),
        refused.len(),
        package.made.at,
        package.made.by,
        package.made.reason,
    )
}

fn is_change(known: &Known) -> bool {
    !matches!(known.method.as_str(), "GET" | "HEAD" | "OPTIONS" | "TRACE")
}

fn authority(out: &mut String, package: &Package<'_>) {
    out.push_str("<h2>Authority</h2><dl>");
    let dossier = package.dossier;
    for (title, value) in [("Request", &dossier.request), ("Grant", &dossier.grant)] {
        if let Some(Value::Object(members)) = value {
            let _ = write!(out, "<dt>{title}</dt><dd><table>");
            for (name, value) in members.iter().filter(|(_, value)| !value.is_null()) {
                row(out, "", &[name.clone(), plain(value)]);
            }
            out.push_str("</table></dd>");
        }
    }
    for vote in &dossier.votes {
        let text = |name: &str| vote.get(name).map(plain).unwrap_or_default();
        let words = format!("{} {} {}", text("verdict"), text("at"), text("reason"));
        let _ = write!(
            out,
            "<dt>Vote of {}</dt><dd>{}</dd>",
            escape(&text("person")),
            escape(&words)
        );
    }
    out.push_str("</dl>");
}

fn timeline(out: &mut String, exchanges: &[Known]) {
    out.push_str("<h2>Timeline</h2><table><tr><th>Time</th><th>Request</th><th>Action</th><th>Resource</th><th>Decision</th><th>Rule</th><th>Status</th><th>Records</th></tr>");
    for it in exchanges {
        let class = match (it.is_own && it.status >= 400, is_change(it)) {
            (true, _) => "refused",
            (false, true) => "changed",
            (false, false) => "",
        };
        let records: Vec<String> = it.records.iter().map(ToString::to_string).collect();
        let cells = [
            moment(it.at),
            format!("{} {}", it.method, it.target),
            it.action.clone(),
            it.resource.clone(),
            it.decision.clone(),
            it.rule.clone(),
            it.status.to_string(),
            records.join(", "),
        ];
        row(out, class, &cells);
    }
    out.push_str("</table>");
}

fn recording(out: &mut String, tape: &Tape) {
    let all = tape.exchanges();
    list(out, "Pages seen", all.iter().filter(|it| is_page(it)));
    let downloads = all.iter().filter(|it| download(it).is_some());
    list(out, "Downloads", downloads);
}

fn list<'t>(out: &mut String, title: &str, taped: impl Iterator<Item = &'t Taped>) {
    let _ = write!(
        out,
        "<h2>{title}</h2><table><tr><th>Time</th><th>Address</th><th>Status</th><th>Bytes</th><th>SHA-256 of what was shown</th></tr>"
    );
    for it in taped {
        let shown = it.shown.as_ref();
        let body = shown.and_then(|shown| shown.body.as_ref());
        let status = shown.and_then(|shown| shown.status).unwrap_or_default();
        let cells = [
            it.opened_at.to_string(),
            url(it),
            status.to_string(),
            body.map(|it| it.bytes.to_string()).unwrap_or_default(),
            body.map(|it| it.sha256.clone()).unwrap_or_default(),
        ];
        row(out, "", &cells);
    }
    out.push_str("</table>");
}

fn row(out: &mut String, class: &str, cells: &[String]) {
    let _ = write!(out, "<tr class=\"{class}\">");
    for cell in cells {
        let _ = write!(out, "<td>{}</td>", escape(cell));
    }
    out.push_str("</tr>");
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// For text and quoted attributes.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            _ => out.push(c),
        }
    }
    out
}
