//! What one session's banner says, rendered and escaped once for all its documents.

use super::csp::Needs;
use super::escape::{css_string, escape, literal};
use super::out::Out;
use crate::model::{Grant, SessionId, Timestamp};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use std::sync::{LazyLock, OnceLock};

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

/// A text that is the same for all sessions but for one place, so that it stands in memory once.
struct Mould {
    before: Bytes,
    after: Bytes,
}

impl Mould {
    fn new(text: &str, place: &str) -> Self {
        let (before, after) = text.split_once(place).unwrap_or((text, ""));
        Self {
            before: before.to_owned().into(),
            after: after.to_owned().into(),
        }
    }

    fn hash(&self, filling: &str) -> String {
        let mut digest = aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA256);
        for part in [&self.before[..], filling.as_bytes(), &self.after] {
            digest.update(part);
        }
        format!("'sha256-{}'", STANDARD.encode(digest.finish()))
    }

    /// Puts it between `begin` and `end`.
    fn put(&self, out: &mut Out, begin: &str, filling: &str, end: &str) {
        out.extend_from_slice(begin.as_bytes());
        out.put(&self.before);
        out.extend_from_slice(filling.as_bytes());
        out.put(&self.after);
        out.extend_from_slice(end.as_bytes());
    }
}

static SHEET: LazyLock<String> = LazyLock::new(|| compact(include_str!("assets/bar.css")));
static SCRIPT: LazyLock<Mould> = LazyLock::new(|| {
    let script = compact(include_str!("assets/banner.js"));
    Mould::new(
        &script.replacen("__SHEET__", &literal(&SHEET), 1),
        "__FACTS__",
    )
});
static PLAIN: LazyLock<Mould> = LazyLock::new(|| Mould::new(&plain(), "__WORDS__"));
static PLAIN_GLASS: LazyLock<Mould> = LazyLock::new(|| {
    let glass = plain().replace("border: 3px solid #ffb000", "border: 3px solid #b00020");
    Mould::new(&glass, "__WORDS__")
});

fn plain() -> String {
    format!(
        ".locum-plain {{\n{}\n}}\n{}",
        *SHEET,
        compact(include_str!("assets/plain.css"))
    )
}

/// Everything that goes into a document of one session. Make it once a session: documents then only copy it.
///
/// Nothing is rendered before the first document: most sessions of a workload never ask for one. What is the same for
/// all sessions is held once, so that a session keeps about 2 KiB.
pub struct Prepared {
    facts: Facts,
    rendered: OnceLock<Rendered>,
}

/// What is this session's own.
struct Rendered {
    needs: Needs,
    /// What the style says where no script runs.
    words: Box<str>,
    /// What the script shows.
    shown: Box<str>,
    section: Box<str>,
    title: Box<str>,
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
        Self {
            facts: facts.clone(),
            rendered: OnceLock::new(),
        }
    }

    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// What the banner needs of a Content-Security-Policy, for pages of Locum's own that go through the rewriter.
    pub fn needs(&self) -> &Needs {
        &self.rendered().needs
    }

    /// Style and script, for the head of an HTML document.
    pub(super) fn put_head(&self, out: &mut Out) {
        self.put_style(out);
        self.put_frame(out);
    }

    /// The style alone, where the document's sandbox runs no scripts.
    pub(super) fn put_style(&self, out: &mut Out) {
        let begin = "<style data-locum=\"style\">";
        self.style()
            .put(out, begin, &self.rendered().words, "</style>");
    }

    /// The script alone, for a framed document.
    pub(super) fn put_frame(&self, out: &mut Out) {
        let begin = "<script data-locum=\"script\">";
        SCRIPT.put(out, begin, &self.rendered().shown, "</script>");
    }

    /// [`Self::put_head`] for an XHTML document.
    pub(super) fn put_head_xml(&self, out: &mut Out) {
        let begin = "<style xmlns=\"http://www.w3.org/1999/xhtml\" data-locum=\"style\"><![CDATA[";
        self.style()
            .put(out, begin, &self.rendered().words, "]]></style>");
        self.put_frame_xml(out);
    }

    /// [`Self::put_frame`] for an XHTML document.
    pub(super) fn put_frame_xml(&self, out: &mut Out) {
        let begin =
            "<script xmlns=\"http://www.w3.org/1999/xhtml\" data-locum=\"script\"><![CDATA[";
        SCRIPT.put(out, begin, &self.rendered().shown, "]]></script>");
    }

    /// The bar as plain HTML, first in the body; well-formed XML too.
    pub(super) fn section(&self) -> &[u8] {
        self.rendered().section.as_bytes()
    }

    /// Goes before the title's text, escaped.
    pub(super) fn title(&self) -> &[u8] {
        self.rendered().title.as_bytes()
    }

    fn style(&self) -> &'static Mould {
        if self.facts.break_glass {
            &PLAIN_GLASS
        } else {
            &PLAIN
        }
    }

    fn rendered(&self) -> &Rendered {
        self.rendered.get_or_init(|| self.render())
    }

    fn render(&self) -> Rendered {
        let facts = &self.facts;
        let words = css_string(&format!(
            "{}: {} as {} ({}) \u{b7} {} \u{b7} {}",
            label(facts),
            facts.operator,
            facts.subject,
            facts.tenant,
            facts.ticket,
            facts.scopes
        ));
        let shown = script_facts(facts);
        Rendered {
            needs: Needs {
                script: SCRIPT.hash(&shown),
                style: self.style().hash(&words),
                reserved: format!("{}/.locum/", facts.origin),
            },
            words: words.into(),
            shown: shown.into(),
            section: section(facts).into(),
            title: escape(&facts.title_prefix()).into(),
        }
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

    pub(in super::super) fn written(put: impl FnOnce(&mut Out)) -> Vec<u8> {
        let mut out = Out::default();
        put(&mut out);
        out.take().into_iter().flatten().collect()
    }

    fn put_by(put: impl FnOnce(&mut Out)) -> String {
        String::from_utf8(written(put)).unwrap()
    }

    #[test]
    fn a_session_keeps_little_and_nothing_before_its_first_document() {
        let prepared = Prepared::new(&facts());
        assert!(prepared.rendered.get().is_none());
        let own = prepared.rendered();
        let needs = own.needs.script.len() + own.needs.style.len() + own.needs.reserved.len();
        let kept = needs + own.words.len() + own.shown.len() + own.section.len() + own.title.len();
        assert!(kept < 2048, "{kept} bytes");
    }

    #[test]
    fn words_that_look_like_a_place_of_the_script_stay_words() {
        let reason = "__SHEET__ __FACTS__ __WORDS__";
        let facts = Facts {
            reason: reason.into(),
            operator: reason.into(),
            ..facts()
        };
        let prepared = Prepared::new(&facts);
        let head = put_by(|it| prepared.put_head(it));
        assert!(
            head.contains("reason:\"__SHEET__ __FACTS__ __WORDS__\""),
            "{head}"
        );
        assert_eq!(head.matches(&literal(&SHEET)).count(), 1);
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
        let (head, xml) = (
            put_by(|it| prepared.put_head(it)),
            put_by(|it| prepared.put_head_xml(it)),
        );
        for text in [
            head.as_str(),
            xml.as_str(),
            std::str::from_utf8(prepared.section()).unwrap(),
            std::str::from_utf8(prepared.title()).unwrap(),
        ] {
            assert!(text.is_ascii());
            assert!(
                !text.contains("<img") && !text.contains("onerror=alert(1)>"),
                "{text}"
            );
        }
        assert_eq!(head.matches("</script").count(), 1);
        assert_eq!(head.matches("</style").count(), 1);
        assert_eq!(xml.matches("]]>").count(), 2);
    }

    #[test]
    fn the_hash_is_of_what_is_served() {
        let prepared = Prepared::new(&facts());
        let head = put_by(|it| prepared.put_head(it));
        let script = head
            .split_once("data-locum=\"script\">")
            .and_then(|(_, rest)| rest.strip_suffix("</script>"))
            .unwrap();
        assert_eq!(
            Mould::new(script, "__NOWHERE__").hash(""),
            prepared.needs().script
        );
        assert!(!script.contains("]]>") && !script.contains("<!--"));
    }

    #[test]
    fn one_scope_that_only_views_says_so() {
        assert_eq!(facts().title_prefix(), "[Support: Acme] ");
        assert_eq!(facts().until(), "until 22:13 UTC");
    }
}
