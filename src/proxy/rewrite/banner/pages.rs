//! What is served under `/.locum/` for the banner: the session's state, its own page, the page after the end.

use super::escape::escape;
use super::prepared::Facts;
use crate::model::{Ended, Timestamp};
use bytes::Bytes;
use std::fmt::Write as _;

/// A static asset under `/.locum/`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asset {
    pub content_type: &'static str,
    pub cache_control: &'static str,
    pub bytes: &'static [u8],
}

/// A page of Locum's own. Serve it as `text/html; charset=utf-8` with `cache-control: no-store` and this policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    pub html: String,
    /// The `content-security-policy` that it needs, and no more.
    pub policy: &'static str,
}

/// Style from here, forms to here, nothing else.
const POLICY: &str = "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

/// The answer to a service worker's script: it registers, and handles nothing. A real one would answer navigations
/// from its own cache, with documents that were fetched without a banner. Serve it as `text/javascript`.
pub const SERVICE_WORKER: &str = "// Support sessions run without service workers.\nself.addEventListener('install', () => self.skipWaiting());\n";

/// The asset at this path, `None` for all others.
pub fn asset(path: &str) -> Option<Asset> {
    (path == "/.locum/page.css").then_some(Asset {
        content_type: "text/css; charset=utf-8",
        cache_control: "public, max-age=3600",
        bytes: include_bytes!("assets/page.css"),
    })
}

/// What the open page asks about its session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status<'a> {
    Live { expires_at: Timestamp },
    Ended(&'a Ended),
}

/// `{"state":"live","now":…,"expires_at":…}` or `{"state":"ended","now":…,"ended_at":…,"ended_by":…,"cause":…}`,
/// times in milliseconds since 1970. The answer of `GET /.locum/status` (`no-store`).
pub fn status_json(status: &Status<'_>, now: Timestamp) -> String {
    match status {
        Status::Live { expires_at } => serde_json::json!({
            "state": "live", "now": now.millis(), "expires_at": expires_at.millis(),
        }),
        Status::Ended(ended) => serde_json::json!({
            "state": "ended", "now": now.millis(), "ended_at": ended.at.millis(),
            "ended_by": ended.who().unwrap_or_default(),
            "cause": ended.cause.told(),
        }),
    }
    .to_string()
}

/// One Server-Sent Event with the session's state, for `GET /.locum/events` (`text/event-stream`, `no-store`): send
/// it at once, again when the state changes, and end the stream after `ended`. A `:` line now and then
/// keeps connections open.
pub fn event(status: &Status<'_>, now: Timestamp) -> Bytes {
    format!("retry: 3000\ndata: {}\n\n", status_json(status, now)).into()
}

fn page(title: &str, main: &str) -> Page {
    Page {
        html: format!(
            "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title}</title>\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
             <link rel=\"stylesheet\" href=\"/.locum/page.css\"></head><body><main>{main}</main></body></html>\n"
        ),
        policy: POLICY,
    }
}

fn facts_list(facts: &Facts) -> String {
    [
        ("Operator", &facts.operator),
        ("Acts as", &facts.subject),
        ("Customer", &facts.tenant),
        ("Ticket", &facts.ticket),
        ("Reason", &facts.reason),
        ("May", &facts.scopes),
        ("Until", &facts.expires_at.to_minute()),
        ("Session", &facts.session.to_string()),
    ]
    .iter()
    .fold(String::new(), |mut out, (name, value)| {
        let _ = write!(out, "<div><dt>{name}</dt><dd>{}</dd></div>", escape(value));
        out
    })
}

/// `GET /.locum/session`: why there is a banner, what the session may do, and the way to end it. Goes through the
/// rewriter like every other page, so that it carries the banner too.
pub fn session_page(facts: &Facts) -> Page {
    let glass = if facts.break_glass {
        "<p><strong>Break-glass:</strong> this is emergency access. The security team was told when it began, \
         everything is recorded, and somebody else will review it.</p>"
    } else {
        ""
    };
    page(
        "This is a support session",
        &format!(
            "<h1>This is a support session</h1><p>You see this app as the customer sees it. Every request is checked \
             against what this session may do, and recorded, before it reaches the app.</p>{glass}<dl>{}</dl>\
             <form method=\"post\" action=\"/.locum/end\"><button type=\"submit\">End session</button></form>\
             <p><a href=\"/\">Back to the app</a></p>",
            facts_list(facts)
        ),
    )
}

/// The page after the end, in answer to `POST /.locum/end` and to navigations of an ended session.
pub fn ended_page(facts: &Facts, ended: &Ended) -> Page {
    page(
        "Support session ended",
        &format!(
            "<h1>Support session ended</h1><p>The session {}{} at <time datetime=\"{at}\">{}</time>.</p>\
             <p>What was done in it is on record. Close this tab, or ask for a new session if there is more to do.</p>\
             <dl>{}</dl>",
            ended.cause.told(),
            ended
                .who()
                .map_or_else(String::new, |who| format!(" by {}", escape(&who))),
            ended.at.to_minute(),
            facts_list(facts),
            at = ended.at,
        ),
    )
}
