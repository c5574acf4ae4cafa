//! What one session's banner says, rendered and escaped once for all its documents.

use super::csp::Needs;
use crate::model::{Grant, SessionId, Timestamp};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use std::fmt::Write as _;
use std::sync::LazyLock;

/// What the banner shows. Plain text everywhere: it is escaped here, for each place it goes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Who stands in.
    pub operator: String,
    /// For whom.
    pub subject: String,
    pub tenant: String,
    pub ticket: String,
    /// What the session may do, in words ("view only").
    pub scopes: String,
    /// Why, as the grant has it.
    pub reason: String,
    pub expires_at: Timestamp,
    pub session: SessionId,
    pub break_glass: bool,
    /// The session's origin without a slash at the end: `https://<session>.<app>.<suffix>`.
    pub origin: String,
}

impl Facts {
    /// The facts of `session` under `grant`, seen at `origin`.
    pub fn new(session: SessionId, grant: &Grant, origin: &str) -> Self {
        let scopes: Vec<&str> = grant
            .scopes
            .iter()
            .map(crate::model::Scope::as_str)
            .collect();
        Self {
            operator: grant.operator_label().to_owned(),
            subject: grant.subject.id.clone(),
            tenant: grant.tenant_label().to_owned(),
            ticket: grant.ticket.clone(),
            scopes: match scopes.as_slice() {
                ["view"] => "view only".to_owned(),
                many => many.join(", "),
            },
            reason: grant.reason.clone(),
            expires_at: grant.expires_at,
            session,
            break_glass: grant.break_glass,
            origin: origin.trim_end_matches('/').to_owned(),
        }
    }

    /// `[Support: Acme] `, before every page's title.
    pub fn title_prefix(&self) -> String {
        format!("[Support: {}] ", self.tenant)
    }

    /// When the session ends, UTC, to the minute.
    pub(super) fn until(&self) -> String {
        let text = self.expires_at.to_string();
        let clock = text.get(11..16).unwrap_or(&text);
        format!("until {clock} UTC")
    }
}

/// Text for HTML and XML content and quoted attributes: ASCII only, so that it holds in every ASCII-compatible
/// encoding of a document.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            // Control characters are errors in XML and carry nothing; bidi controls could turn the sentence round.
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{fffe}' | '\u{ffff}' => {}
            c if c.is_control() => out.push(' '),
            '&' | '<' | '>' | '"' | '\'' | '`' => {
                let _ = write!(out, "&#{};", u32::from(c));
            }
            c if c.is_ascii() => out.push(c),
            c => {
                let _ = write!(out, "&#x{:x};", u32::from(c));
            }
        }
    }
    out
}

/// A JavaScript string literal that is also safe inside `<script>`, CDATA and any ASCII-compatible encoding.
fn literal(text: &str) -> String {
    let mut out = String::from("\"");
    let mut units = [0u16; 2];
    for c in text.chars() {
        match c {
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {}
            '"' | '\\' | '<' | '>' | '&' | '\'' | '`' | '/' | ']' => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            ' '..='~' => out.push(c),
            c => {
                for unit in c.encode_utf16(&mut units) {
                    let _ = write!(out, "\\u{unit:04x}");
                }
            }
        }
    }
    out.push('"');
    out
}

/// A CSS string that is also safe inside `<style>` and any ASCII-compatible encoding.
fn css_string(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {}
            'a'..='z'
            | 'A'..='Z'
            | '0'..='9'
            | ' '
            | '.'
            | ','
            | ':'
            | '@'
            | '('
            | ')'
            | '-'
            | '_' => out.push(c),
            c => {
                let _ = write!(out, "\\{:x} ", u32::from(c));
            }
        }
    }
    out.push('"');
    out
}

/// An asset without the lines and blanks that are there for its readers only. Comments stand on their own lines.
fn compact(source: &str) -> String {
    source
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with("//"))
        .fold(String::new(), |mut out, line| {
            if !out.is_empty() {
                out.push('\n');
            }
            out.push_str(line);
            out
        })
}

static SCRIPT: LazyLock<String> = LazyLock::new(|| compact(include_str!("assets/banner.js")));
static SHEET: LazyLock<String> = LazyLock::new(|| compact(include_str!("assets/bar.css")));
static PLAIN: LazyLock<String> = LazyLock::new(|| {
    format!(
        ".locum-plain {{\n{}\n}}\n{}",
        *SHEET,
        compact(include_str!("assets/plain.css"))
    )
});

fn hash(text: &str) -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text.as_bytes());
    format!("'sha256-{}'", STANDARD.encode(digest))
}

/// Everything that goes into a document of one session. Make it once a session: documents then only copy it.
pub struct Prepared {
    pub(super) needs: Needs,
    /// Style and script for the head of an HTML document.
    pub(super) head: Bytes,
    /// The style alone, where the document's sandbox runs no scripts.
    pub(super) style: Bytes,
    /// The same for an XHTML document.
    pub(super) head_xml: Bytes,
    /// The script alone, for a framed document, HTML and XHTML.
    pub(super) frame: Bytes,
    pub(super) frame_xml: Bytes,
    /// The bar as plain HTML, first in the body; well-formed XML too.
    pub(super) section: Bytes,
    /// Goes before the title's text, escaped.
    pub(super) title: Bytes,
    facts: Facts,
}

impl std::fmt::Debug for Prepared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Prepared")
            .field("facts", &self.facts)
            .finish_non_exhaustive()
    }
}

impl Prepared {
    pub fn new(facts: &Facts) -> Self {
        let script = SCRIPT
            .replacen("__FACTS__", &script_facts(facts), 1)
            .replacen("__SHEET__", &literal(&SHEET), 1);
        let words = format!(
            "{}: {} as {} ({}) \u{b7} {} \u{b7} {}",
            label(facts),
            facts.operator,
            facts.subject,
            facts.tenant,
            facts.ticket,
            facts.scopes
        );
        let mut style = PLAIN.replacen("__WORDS__", &css_string(&words), 1);
        if facts.break_glass {
            style = style.replace("border: 3px solid #ffb000", "border: 3px solid #b00020");
        }
        let needs = Needs {
            script: hash(&script),
            style: hash(&style),
            reserved: format!("{}/.locum/", facts.origin),
        };
        let xml_script = format!(
            "<script xmlns=\"http://www.w3.org/1999/xhtml\" data-locum=\"script\"><![CDATA[{script}]]></script>"
        );
        let html_script = format!("<script data-locum=\"script\">{script}</script>");
        let html_style = format!("<style data-locum=\"style\">{style}</style>");
        Self {
            needs,
            head: format!("{html_style}{html_script}").into(),
            style: html_style.into(),
            head_xml: format!(
                "<style xmlns=\"http://www.w3.org/1999/xhtml\" data-locum=\"style\"><![CDATA[{style}]]></style>{xml_script}"
            )
            .into(),
            frame: html_script.into(),
            frame_xml: xml_script.into(),
            section: section(facts).into(),
            title: escape(&facts.title_prefix()).into(),
            facts: facts.clone(),
        }
    }

    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// What the banner needs of a Content-Security-Policy, for pages of Locum's own that go through the rewriter.
    pub fn needs(&self) -> &Needs {
        &self.needs
    }
}

fn script_facts(facts: &Facts) -> String {
    format!(
        "{{operator:{},subject:{},tenant:{},ticket:{},scopes:{},reason:{},expires:{},session:{},glass:{},base:{},prefix:{}}}",
        literal(&facts.operator),
        literal(&facts.subject),
        literal(&facts.tenant),
        literal(&facts.ticket),
        literal(&facts.scopes),
        literal(&facts.reason),
        facts.expires_at.millis(),
        literal(&facts.session.to_string()),
        u8::from(facts.break_glass),
        literal(&format!("{}/.locum/", facts.origin)),
        literal(&facts.title_prefix()),
    )
}

fn label(facts: &Facts) -> &'static str {
    if facts.break_glass {
        "BREAK-GLASS SUPPORT SESSION"
    } else {
        "SUPPORT SESSION"
    }
}

/// The bar without a script: the same words and looks, the end of the session as a time of day.
fn section(facts: &Facts) -> String {
    let glass = if facts.break_glass { " glass" } else { "" };
    let label = if facts.break_glass {
        "BREAK-GLASS<span class=\"long\"> SUPPORT SESSION</span>"
    } else {
        "SUPPORT<span class=\"long\"> SESSION</span>"
    };
    let note = if facts.break_glass {
        "<span class=\"note\">everything is recorded</span>"
    } else {
        ""
    };
    let base = escape(&facts.origin);
    format!(
        "<section xmlns=\"http://www.w3.org/1999/xhtml\" data-locum=\"bar\" class=\"locum-plain{glass}\" \
         aria-label=\"Support session\"><div class=\"bar{glass}\"><strong class=\"label\">{label}</strong>\
         <span class=\"lines\"><span class=\"who\"><b>{operator}</b> as <b>{subject}</b> ({tenant})</span>\
         <span class=\"more\">{ticket} &#183; {scopes}</span>{note}</span>\
         <span class=\"left\">{until}</span>\
         <a class=\"why\" href=\"{base}/.locum/session\"><span class=\"long\">Why am I seeing this?</span><span class=\"short\">Why?</span></a>\
         <form class=\"end\" method=\"post\" action=\"{base}/.locum/end\"><button type=\"submit\">End<span class=\"long\"> session</span></button></form>\
         </div></section>",
        operator = escape(&facts.operator),
        subject = escape(&facts.subject),
        tenant = escape(&facts.tenant),
        ticket = escape(&facts.ticket),
        scopes = escape(&facts.scopes),
        until = escape(&facts.until()),
    )
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in super::super) fn facts() -> Facts {
        Facts {
            operator: "Ada Byron".into(),
            subject: "kim@acme.example".into(),
            tenant: "Acme".into(),
            ticket: "SUP-1042".into(),
            scopes: "view only".into(),
            reason: "The invoice is missing".into(),
            expires_at: Timestamp::from_millis(1_700_000_000_000),
            session: SessionId::fresh(),
            break_glass: false,
            origin: "https://s1.app.test".into(),
        }
    }

    #[test]
    fn every_field_is_escaped_everywhere() {
        let evil =
            "\"'`</script></title></section>]]><img src=x onerror=alert(1)>&\\\u{2028}é\u{202e}\n";
        let facts = Facts {
            operator: evil.into(),
            subject: evil.into(),
            tenant: evil.into(),
            ticket: evil.into(),
            scopes: evil.into(),
            reason: evil.into(),
            ..facts()
        };
        let prepared = Prepared::new(&facts);
        for bytes in [
            &prepared.head,
            &prepared.head_xml,
            &prepared.section,
            &prepared.title,
        ] {
            let text = std::str::from_utf8(bytes).unwrap();
            assert!(text.is_ascii());
            assert!(
                !text.contains("<img") && !text.contains("onerror=alert(1)>"),
                "{text}"
            );
        }
        let head = std::str::from_utf8(&prepared.head).unwrap();
        assert_eq!(head.matches("</script").count(), 1);
        assert_eq!(head.matches("</style").count(), 1);
        let xml = std::str::from_utf8(&prepared.head_xml).unwrap();
        assert_eq!(xml.matches("]]>").count(), 2);
    }

    #[test]
    fn the_hash_is_of_what_is_served() {
        let prepared = Prepared::new(&facts());
        let head = std::str::from_utf8(&prepared.head).unwrap();
        let script = head
            .split_once("data-locum=\"script\">")
            .and_then(|(_, rest)| rest.strip_suffix("</script>"))
            .unwrap();
        assert_eq!(hash(script), prepared.needs.script);
        assert!(!script.contains("]]>") && !script.contains("<!--"));
    }

    #[test]
    fn one_scope_that_only_views_says_so() {
        assert_eq!(facts().title_prefix(), "[Support: Acme] ");
        assert_eq!(facts().until(), "until 22:13 UTC");
    }
}
