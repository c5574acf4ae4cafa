//! The HTML of Locum's own pages on a session's origin: calm, without scripts, readable on a phone.

use super::Refusal;
use crate::model::ExchangeId;
use std::fmt::Write as _;

/// Served at `/.locum/refusal.css`.
pub const CSS: &str = include_str!("refusal.css");

/// The page of a refusal.
pub(super) fn refusal(refusal: &Refusal, exchange: ExchangeId, scopes: Option<&str>) -> String {
    let mut rest = String::new();
    if let Some(rule) = &refusal.rule {
        let _ = write!(
            rest,
            "<dl><dt>Rule</dt><dd><code>{}</code></dd>",
            escape(rule)
        );
        if let Some(scopes) = scopes {
            let _ = write!(rest, "<dt>This session may</dt><dd>{}</dd>", escape(scopes));
        }
        rest.push_str("</dl>");
        match &refusal.elevation {
            Some(elevation) => {
                let _ = write!(
                    rest,
                    "<p>Need it for this case? Ask for it: the form is filled in, and whoever agrees sees this exchange.</p>\
                     <p class=\"ways\"><a class=\"button\" href=\"{}\" target=\"_blank\" rel=\"noopener\">Ask for elevation</a> ",
                    escape(&elevation.0)
                );
            }
            None => rest.push_str("<p>Need it for this case? Talk to whoever gave you this session, and name this exchange.</p><p class=\"ways\">"),
        }
        rest.push_str("<a class=\"button\" href=\"/\">Back to the start page</a></p>");
    }
    let _ = write!(
        rest,
        "<p class=\"small\">Exchange <code>{exchange}</code> · {} · this refusal is on record</p>",
        refusal.status.as_u16()
    );
    document(&refusal.title, &refusal.detail, &rest)
}

fn document(title: &str, detail: &str, rest: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title}</title>\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <link rel=\"stylesheet\" href=\"/.locum/refusal.css\"></head>\n<body><main><h1>{title}</h1><p>{detail}</p>{rest}</main></body></html>\n",
        title = escape(title),
        detail = escape(detail),
    )
}

fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            _ => out.push(c),
        }
    }
    out
}
