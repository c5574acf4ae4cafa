//! A record as one line of `ArcSight`'s Common Event Format, version 0. docs/sinks.md shows the mapping.

use super::view::View;
use serde_json::Value;
use std::fmt::Write as _;

/// The record's member for each key of the extension, first found first.
const KEYS: [(&str, &[&[&str]]); 17] = [
    ("rt", &[&["time"]]),
    ("externalId", &[&["metadata", "uid"]]),
    ("act", &[&["api", "operation"]]),
    ("outcome", &[&["locum", "outcome"], &["locum", "decision"]]),
    ("reason", &[&["status_detail"], &["locum", "cause"]]),
    (
        "suser",
        &[&["actor", "user", "uid"], &["locum", "operator"]],
    ),
    (
        "duser",
        &[&["locum", "subject", "uid"], &["locum", "subject_id"]],
    ),
    ("src", &[&["src_endpoint", "ip"]]),
    ("spt", &[&["src_endpoint", "port"]]),
    ("dhost", &[&["http_request", "url", "hostname"]]),
    (
        "requestMethod",
        &[&["http_request", "http_method"], &["locum", "method"]],
    ),
    (
        "request",
        &[
            &["http_request", "url", "path"],
            &["http_request", "url", "url_string"],
        ],
    ),
    (
        "requestClientApplication",
        &[&["http_request", "user_agent"]],
    ),
    ("in", &[&["http_response", "body_length"]]),
    ("out", &[&["http_request", "body_length"]]),
    ("app", &[&["api", "service", "name"], &["locum", "app"]]),
    ("msg", &[&["locum", "detail"], &["locum", "problem"]]),
];

/// The six texts that CEF leaves to whoever sends: their labels and members.
const CUSTOM: [(&str, &[&[&str]]); 6] = [
    ("exchange", &[&["metadata", "correlation_uid"]]),
    ("session", &[&["locum", "session"]]),
    (
        "tenant",
        &[&["locum", "tenant", "uid"], &["locum", "tenant_id"]],
    ),
    ("ticket", &[&["locum", "ticket"]]),
    ("rule", &[&["locum", "rule"]]),
    ("hash", &[&["hash"]]),
];

pub(super) fn line(view: &View) -> String {
    let mut out = String::with_capacity(512);
    out.push_str("CEF:0|Locum|Locum|");
    header(&mut out, env!("CARGO_PKG_VERSION"));
    header(&mut out, view.event());
    header(&mut out, &name(view));
    // OCSF 1 informational … 5 critical; CEF 0 lowest … 10 highest.
    let severity = match view.severity() {
        0 | 1 => 1,
        2 => 3,
        3 => 5,
        4 => 8,
        _ => 10,
    };
    // Writing into a String cannot fail.
    let _ = write!(out, "{severity}|");
    let start = out.len();
    for (key, members) in KEYS {
        if let Some(value) = first(view, members) {
            pair(&mut out, start, key, &value);
        }
    }
    for (n, (label, members)) in CUSTOM.into_iter().enumerate() {
        if let Some(value) = first(view, members) {
            let n = n + 1;
            pair(&mut out, start, &format!("cs{n}Label"), label);
            pair(&mut out, start, &format!("cs{n}"), &value);
        }
    }
    if let Some(seq) = first(view, &[&["seq"]]) {
        pair(&mut out, start, "cn1Label", "seq");
        pair(&mut out, start, "cn1", &seq);
    }
    out
}

fn name(view: &View) -> String {
    let what = view.text(&["api", "operation"]);
    let event = view.event();
    if what.is_empty() || what == event {
        event.to_owned()
    } else {
        format!("{event} {what}")
    }
}

fn first(view: &View, members: &[&[&str]]) -> Option<String> {
    let found = members.iter().find_map(|path| view.value(path))?;
    let text = match found {
        Value::String(text) => text.clone(),
        Value::Null => return None,
        other => other.to_string(),
    };
    (!text.is_empty()).then_some(text)
}

/// In the header `|` and `\` are escaped, and lines do not break.
fn header(out: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '|' | '\\' => out.extend(['\\', c]),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out.push('|');
}

/// In the extension `=` and `\` are escaped, and a line's end is written `\n`.
fn pair(out: &mut String, start: usize, key: &str, value: &str) {
    if out.len() > start {
        out.push(' ');
    }
    out.push_str(key);
    out.push('=');
    for c in value.chars() {
        match c {
            '=' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_people_typed_cannot_break_out_of_its_key() {
        let view = View {
            json: json!({
                "time": 7, "severity_id": 4, "seq": 3, "hash": "ab",
                "metadata": {"uid": "x/open", "event_code": "exchange|refused\\"},
                "actor": {"user": {"uid": "ada act=x"}},
                "http_request": {"url": {"path": "/a=b\\\nduser=root"}},
            }),
        };
        assert_eq!(
            line(&view),
            format!(
                "CEF:0|Locum|Locum|{}|exchange\\|refused\\\\|exchange\\|refused\\\\|8|rt=7 externalId=x/open \
                 suser=ada act\\=x request=/a\\=b\\\\\\nduser\\=root cs6Label=hash cs6=ab cn1Label=seq cn1=3",
                env!("CARGO_PKG_VERSION")
            )
        );
    }
}
